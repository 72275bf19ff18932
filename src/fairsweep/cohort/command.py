"""The command `cohort`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from fairsweep.errors import ExitCode
from fairsweep.output import progress
from fairsweep.runs import flags
from fairsweep.runs.commands import Command, options_of, show_next
from fairsweep.runs.showing import show_outcome

if TYPE_CHECKING:
    from pydantic import BaseModel


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML config; see docs/cohorts.md")
    flags.add_overrides(parser, "rules.deaths=exclude")
    flags.add_engine(parser)
    flags.add_warehouse(parser)
    flags.add_window(parser, "predictions.columns.scored_on")
    flags.add_force(parser)
    flags.add_json_schema(parser, _spec)


def _spec() -> type[BaseModel]:
    from fairsweep.cohort.spec import CohortSpec

    return CohortSpec


def _run(arguments: Namespace) -> ExitCode:
    from fairsweep.cohort import text
    from fairsweep.cohort.verb import cohort_config

    with progress.shown(verbose=arguments.verbose) as step:
        outcome = cohort_config(arguments.config, options_of(arguments, step))
    show_outcome(outcome, arguments, lambda terminal: terminal.show(text.lines(outcome.tables, terminal.page)))
    show_next('fairsweep sql "SELECT * FROM cohort_flow"', arguments)
    return ExitCode.DATA_REFUSED if outcome.refused else ExitCode.DONE


COMMANDS = (
    Command(
        "cohort",
        "build the labelled cohort from members, enrolment, claims and predictions, and publish it",
        _add_flags,
        _run,
    ),
)
