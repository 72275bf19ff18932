"""A command of the command line: its name, its flags and its function. Each capability defines its own commands."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from fairsweep.errors import ExitCode
from fairsweep.output.progress import Progress
from fairsweep.output.terminal import Terminal
from fairsweep.output.wording import printable
from fairsweep.runs.options import RunOptions

_MODULE = "command"


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: its name on the command line.
        help: a description in one line.
        add_flags: adds its arguments to a parser.
        run: runs the command, shows the outcome, and returns the exit code.
        actions: the words of which one must follow the name, each with a description; empty if there are none.
    """

    name: str
    help: str
    add_flags: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], ExitCode]
    actions: Mapping[str, str] = field(default_factory=dict)


def every_command() -> dict[str, Command]:
    """The commands of all capabilities by name: each package with a module `command` lists its own in `COMMANDS`."""
    import fairsweep

    packages = sorted(f"fairsweep.{one.name}" for one in iter_modules(fairsweep.__path__) if one.ispkg)
    modules = [f"{package}.{_MODULE}" for package in packages if find_spec(f"{package}.{_MODULE}") is not None]
    found: list[Command] = [command for module in modules for command in import_module(module).COMMANDS]
    return {command.name: command for command in sorted(found, key=lambda command: command.name)}


def options_of(arguments: Namespace, step: Progress) -> RunOptions:
    """The options of a run from the flags of its command."""
    given = vars(arguments)
    return RunOptions(
        engine=given["engine"],
        warehouse=given["warehouse"],
        catalog=given["catalog"],
        schema=given["schema"],
        master=given["master"],
        remote=given["remote"],
        window_start=given.get("window_start"),
        window_end=given.get("window_end"),
        overrides=tuple(given.get("overrides", ())),
        force=given.get("force", False),
        progress=step,
    )


def show_next(command: str, arguments: Namespace) -> None:
    """The next command as the last line; with JSON it goes to standard error, which is not parsed."""
    stream = sys.stderr if arguments.json else sys.stdout
    Terminal.on(stream).say(printable(f"Next: {on_same_tables(command, arguments)}"))


def on_same_tables(command: str, arguments: Namespace) -> str:
    """A command with the flags that name the same Spark and the same result tables."""
    given = vars(arguments)
    flags = [
        f"--{name} {shlex.quote(str(given[name]))}"
        for name in ("warehouse", "catalog", "schema", "master", "remote")
        if given.get(name) is not None
    ]
    return " ".join([command, *flags])
