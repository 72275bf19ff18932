"""Parsing and checking of the command line; errors suggest the command or flag that was probably meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from fairsweep.errors import Problem, UsageError, did_you_mean, quoted
from fairsweep.runs.commands import Command


class _Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(Problem(f"{self.prog}: {message}", "", "", f"see `{self.prog} --help`"))


class _Version(argparse.Action):
    """Print the version and exit; the version is read only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from fairsweep.runs.records import program_version

        sys.stdout.write(f"fairsweep {program_version()}\n")
        parser.exit()


def parse(argv: Sequence[str], commands: Mapping[str, Command]) -> argparse.Namespace:
    """Read a command line; `command` names the command.

    Args:
        argv: the words after the program's name.
        commands: all commands by name.

    Raises:
        UsageError: for unknown commands and flags, bad values and flags that exclude each other.
        SystemExit: with 0, after printing the help or the version.
    """
    _check_words(argv, commands)
    parser = _parser(commands)
    if not argv:
        parser.error("no command given")
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        raise UsageError([_unknown(word, commands[arguments.command]) for word in unknown])
    _check_together(arguments)
    return arguments


def _check_words(argv: Sequence[str], commands: Mapping[str, Command]) -> None:
    """Check the command and its action before argparse does, for clearer errors."""
    if not argv or argv[0].startswith("-"):
        return
    _check_word(argv[0], "command", list(commands))
    actions = list(commands[argv[0]].actions)
    if actions and len(argv) > 1 and not argv[1].startswith("-"):
        _check_word(argv[1], f"action of `{argv[0]}`", actions)


def _check_word(word: str, name: str, words: Sequence[str]) -> None:
    if word not in words:
        raise UsageError(Problem(name, quoted(word), ", ".join(words), did_you_mean(word, words)))


def _unknown(word: str, command: Command) -> Problem:
    flag = word.split("=", 1)[0]
    if flag.startswith("-"):
        return Problem(f"flag of `{command.name}`", quoted(flag), "", did_you_mean(flag, _flags_of(command)))
    if word.endswith((".yaml", ".yml")):
        return Problem(f"argument of `{command.name}`", quoted(word), "", f"write `--config {word}`")
    return Problem(f"argument of `{command.name}`", quoted(word), "", f"see `fairsweep {command.name} --help`")


def _flags_of(command: Command) -> list[str]:
    parser = argparse.ArgumentParser(add_help=False)
    command.add_flags(parser)
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
                "given together with --catalog or --schema",
                "one or the other",
                "remove one of them",
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


def _parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fairsweep",
        allow_abbrev=False,
        description="Fairness audits of risk scores: every cutoff, every group, one scan.",
        epilog="Try `fairsweep demo` first. Exit codes: 0 done, 1 unexpected, 2 usage or config, "
        "3 data refused, 4 a --fail-on condition is met, 5 storage.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    added = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for command in commands.values():
        description = command.help.capitalize()
        subparser = added.add_parser(command.name, help=command.help, description=description, allow_abbrev=False)
        command.add_flags(subparser)
        _common(subparser)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, table name -> rows")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="show when each step began, and where an unexpected error was raised",
    )
