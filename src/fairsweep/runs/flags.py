"""Flags that several commands share; each is checked when it is read."""

from __future__ import annotations

import sys
from argparse import Action, ArgumentParser
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, NoReturn

from fairsweep.errors import Problem, UsageError, did_you_mean, quoted

if TYPE_CHECKING:
    from pydantic import BaseModel

ENGINES = ("auto", "spark", "local")
_COUNTING = (
    "the engine that counts the rows: Spark, or this process without Java; "
    "auto: local for local files and a local warehouse, unless Spark is requested or already running"
)


def add_overrides(parser: ArgumentParser, example: str) -> None:
    """`--set`."""
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE",
        help=f"replace one value of the config, for example {example}; repeatable",
    )  # fmt: skip


def add_json_schema(parser: ArgumentParser, spec: Callable[[], type[BaseModel]]) -> None:
    """`--json-schema`, which needs no other flag; `spec` loads the model of the config."""

    class Print(Action):
        """Print the schema and leave."""

        def __call__(self, parser: ArgumentParser, *_: object) -> NoReturn:
            from fairsweep.config import json_schema

            sys.stdout.write(json_schema.text(spec()))
            parser.exit()

    parser.add_argument(
        "--json-schema", action=Print, nargs=0, help="print the JSON Schema of the config, for editors, and exit"
    )


def add_window(parser: ArgumentParser, column: str) -> None:
    """`--window-start` and `--window-end`."""
    for flag, meaning in (("--window-start", "first day"), ("--window-end", "first day after the last")):
        parser.add_argument(
            flag, type=_day(flag), metavar="YYYY-MM-DD", help=f"{meaning} of {column} in the window, in UTC"
        )


def add_force(parser: ArgumentParser) -> None:
    """`--force`."""
    parser.add_argument("--force", action="store_true", help="run again even if the same run is published")


def add_engine(parser: ArgumentParser, meaning: str = _COUNTING) -> None:
    """`--engine`, `--master` and `--remote`; `meaning` describes the engine's task in this command."""
    parser.add_argument(
        "--engine",
        type=one_of("--engine", ENGINES),
        default="auto",
        metavar="{" + ",".join(ENGINES) + "}",
        help=meaning,
    )
    parser.add_argument("--master", metavar="URL", help="Spark master, for example local[4] or spark://host:7077")
    parser.add_argument("--remote", metavar="URL", help="Spark Connect server, sc://host:15002")


def add_warehouse(parser: ArgumentParser) -> None:
    """`--warehouse`, `--catalog` and `--schema`."""
    parser.add_argument(
        "--warehouse", metavar="DIR", help="folder of the result tables (default: ./fairsweep-warehouse)"
    )
    parser.add_argument("--catalog", metavar="NAME", help="catalog of the result tables, with --schema")
    parser.add_argument("--schema", metavar="NAME", help="schema of the result tables, instead of a folder")


def one_of(flag: str, words: Sequence[str]) -> Callable[[str], str]:
    """The type of a flag that takes one of these words."""

    def checked(value: str) -> str:
        if value not in words:
            raise UsageError(Problem(flag, quoted(value), ", ".join(words), did_you_mean(value, words)))
        return value

    return checked


def _day(flag: str) -> Callable[[str], date]:
    def checked(value: str) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise UsageError(Problem(flag, quoted(value), "a day as YYYY-MM-DD", "for example 2026-01-31")) from error

    return checked
