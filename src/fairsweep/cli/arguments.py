"""The flags of every command, checked; what is wrong is a known error that names what was probably meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NoReturn

from fairsweep.errors import Problem, UsageError, did_you_mean, quoted

ENGINES = ("auto", "spark", "local")
CONDITIONS = ("breach", "below_floor", "not_assessed")
FLAG_IS = ("help", "sanction")

_COMMANDS = {
    "init": "propose a config from a file's header and first rows",
    "check": "validate a config and the input's schema; reads no row",
    "audit": "count the rows once, judge every group, publish the result tables",
    "cohort": "build the labelled cohort from members, enrolment, claims and predictions, and publish it",
    "sql": "query the result tables and views; nothing is written",
    "tables": "create the result tables and views, or print their DDL",
    "demo": "the published example on a generated population, end to end",
}
_TABLES_ACTIONS = {
    "create": "create the result tables and views",
    "ddl": "print the DDL of the result tables and views",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are known errors."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(Problem(f"{self.prog}: {message}", "", "", f"see `{self.prog} --help`"))


class _Version(argparse.Action):
    """Print the version and leave; it is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from fairsweep.runs.records import program_version

        sys.stdout.write(f"fairsweep {program_version()}\n")
        parser.exit()


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line; `command` names the handler.

    Raises:
        UsageError: for unknown commands and flags, bad values and flags that exclude each other.
        SystemExit: with 0, after printing the help or the version.
    """
    _check_words(argv)
    parser = _parser()
    if not argv:
        parser.error("no command given")
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        raise UsageError([_unknown(word, arguments.command) for word in unknown])
    _check_together(arguments)
    return arguments


def _check_words(argv: Sequence[str]) -> None:
    """The command and the action of `tables`, before argparse complains in its own words."""
    for place, words, name in ((0, _COMMANDS, "command"), (1, _TABLES_ACTIONS, "action of `tables`")):
        if len(argv) <= place or argv[place].startswith("-") or (place and argv[0] != "tables"):
            return
        if argv[place] not in words:
            allowed = ", ".join(words)
            raise UsageError(Problem(name, quoted(argv[place]), allowed, did_you_mean(argv[place], list(words))))


def _unknown(word: str, command: str) -> Problem:
    flag = word.split("=", 1)[0]
    if flag.startswith("-"):
        return Problem(f"flag of `{command}`", quoted(flag), "", did_you_mean(flag, _flags_of(command)))
    if word.endswith((".yaml", ".yml")):
        return Problem(f"argument of `{command}`", quoted(word), "", f"write `--config {word}`")
    return Problem(f"argument of `{command}`", quoted(word), "", f"see `fairsweep {command} --help`")


def _flags_of(command: str) -> list[str]:
    parser = argparse.ArgumentParser(add_help=False)
    _FLAGS[command](parser)
    _common(parser)
    return [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]


def _check_together(arguments: argparse.Namespace) -> None:
    """Flags that exclude or need each other."""
    problems = []
    given = vars(arguments)
    if given.get("warehouse") is not None and (given.get("catalog") or given.get("schema")):
        problems.append(
            Problem(
                "--warehouse",
                "given beside --catalog or --schema",
                "one or the other",
                "leave one of them out",
            )
        )
    if given.get("catalog") is not None and given.get("schema") is None:
        problems.append(Problem("--schema", "missing", "a schema of the catalog", "add --schema NAME"))
    start, end = given.get("window_start"), given.get("window_end")
    if start is not None and end is not None and start >= end:
        allowed = f"a day after {start.isoformat()}, because the end is exclusive"
        problems.append(Problem("--window-end", quoted(end.isoformat()), allowed, "give a later day"))
    if problems:
        raise UsageError(problems)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fairsweep",
        allow_abbrev=False,
        description="Fairness audits of risk scores: every cutoff, every group, one scan.",
        epilog="Try `fairsweep demo` first. Exit codes: 0 done, 1 unexpected, 2 usage or config, "
        "3 data refused, 4 a --fail-on condition is met, 5 storage.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, meaning in _COMMANDS.items():
        command = commands.add_parser(name, help=meaning, description=meaning.capitalize(), allow_abbrev=False)
        _FLAGS[name](command)
        _common(command)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, table name -> rows")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="when each step began; where an unexpected error was raised",
    )


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="CSV or Parquet file or Delta table with score and label"
    )
    parser.add_argument(
        "--flag-is", type=_one_of("--flag-is", FLAG_IS), required=True, metavar="{help,sanction}",
        help="what being flagged is to people; no default, because the verdicts depend on it",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("audit.yaml"),
        metavar="FILE",
        help="the config to write (default: audit.yaml)",
    )
    parser.add_argument("--score", metavar="COLUMN", help="the score, where names of columns say too little")
    parser.add_argument("--label", metavar="COLUMN", help="the label, likewise")
    parser.add_argument(
        "--attribute",
        action="append",
        default=[],
        dest="attributes",
        metavar="COLUMN",
        help="whom to compare, likewise; repeatable",
    )
    parser.add_argument("--force", action="store_true", help="overwrite a config that exists")


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="YAML config; `fairsweep init` writes one"
    )
    _overrides(parser, "verdict.alpha=0.01")
    _engine(parser)
    _store(parser)
    _window(parser, "columns.scored_on")
    _run(parser)


def _cohort(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML config; see docs/cohorts.md")
    _overrides(parser, "rules.deaths=exclude")
    _engine(parser)
    _store(parser)
    _window(parser, "predictions.columns.scored_on")
    _force(parser)


def _overrides(parser: argparse.ArgumentParser, example: str) -> None:
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE",
        help=f"replace one value of the config, for example {example}; repeatable",
    )  # fmt: skip


def _window(parser: argparse.ArgumentParser, column: str) -> None:
    for flag, meaning in (("--window-start", "first day"), ("--window-end", "first day after the last")):
        parser.add_argument(
            flag, type=_day(flag), metavar="YYYY-MM-DD", help=f"{meaning} of {column} that counts, in UTC"
        )


def _force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="run again even when the same run is published")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("fairsweep-demo"),
        metavar="DIR",
        help="where the population and its config go",
    )
    _engine(parser)
    _store(parser)
    _run(parser)


def _sql(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query", metavar="QUERY",
        help="one SELECT over result tables and views (docs/sql.md), for example: SELECT * FROM v_open_breaches",
    )  # fmt: skip
    _engine(
        parser,
        "what reads the tables, and whose SQL the query is: Spark, or this process with DuckDB; "
        "auto: local for a local folder, unless --master or --remote is given",
    )
    _store(parser)


def _tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=tuple(_TABLES_ACTIONS),
        help="; ".join(f"{a}: {m}" for a, m in _TABLES_ACTIONS.items()),
    )
    _engine(parser)
    _store(parser)


def _run(parser: argparse.ArgumentParser) -> None:
    _force(parser)
    parser.add_argument(
        "--fail-on", action="append", default=[], type=_one_of("--fail-on", CONDITIONS),
        metavar="{" + ",".join(CONDITIONS) + "}",
        help="exit 4 when a group meets this at any operating point; repeatable",
    )  # fmt: skip


_COUNTING = (
    "what counts the rows and keeps the tables: Spark, or this process without Java; "
    "auto: local for local files and a local warehouse, unless Spark is asked for or runs already"
)


def _engine(parser: argparse.ArgumentParser, meaning: str = _COUNTING) -> None:
    parser.add_argument(
        "--engine",
        type=_one_of("--engine", ENGINES),
        default="auto",
        metavar="{" + ",".join(ENGINES) + "}",
        help=meaning,
    )
    parser.add_argument("--master", metavar="URL", help="Spark master, for example local[4] or spark://host:7077")
    parser.add_argument("--remote", metavar="URL", help="Spark Connect server, sc://host:15002")


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--warehouse", metavar="DIR", help="folder of the result tables (default: ./fairsweep-warehouse)"
    )
    parser.add_argument("--catalog", metavar="NAME", help="catalog of the result tables, with --schema")
    parser.add_argument("--schema", metavar="NAME", help="schema of the result tables, instead of a folder")


def _one_of(flag: str, words: Sequence[str]) -> Callable[[str], str]:
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


_FLAGS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "init": _init,
    "check": _audit,  # so that the line of an audit can be checked as it stands
    "audit": _audit,
    "cohort": _cohort,
    "sql": _sql,
    "tables": _tables,
    "demo": _demo,
}
