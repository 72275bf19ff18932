"""The command `demo`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from fairsweep.auditing import add_run_flags, show_audit
from fairsweep.errors import ExitCode
from fairsweep.output import progress
from fairsweep.runs import flags
from fairsweep.runs.commands import Command, options_of


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("fairsweep-demo"),
        metavar="DIR",
        help="folder for the population and its config",
    )
    flags.add_engine(parser)
    flags.add_warehouse(parser)
    add_run_flags(parser)


def _run(arguments: Namespace) -> ExitCode:
    from fairsweep.demo import verb

    with progress.shown(verbose=arguments.verbose) as step:
        outcome, parquet, config = verb.run(arguments.folder, options_of(arguments, step))
    return show_audit(outcome, arguments, (("Population", str(parquet)), ("Config", str(config))))


COMMANDS = (Command("demo", "the published example on a generated population, end to end", _add_flags, _run),)
