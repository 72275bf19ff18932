"""The outcome of a run, as text or JSON: its tables, its warnings, and why models were refused."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fairsweep.output import json_output
from fairsweep.output.terminal import Terminal
from fairsweep.output.wording import printable

if TYPE_CHECKING:
    from fairsweep.runs.records import Outcome


def show_outcome(
    outcome: Outcome,
    arguments: Namespace,
    show: Callable[[Terminal], None],
    locations: Sequence[tuple[str, str]] = (),
) -> None:
    """Show the results on the standard output, and refused models on the standard error.

    Args:
        outcome: the outcome of the run.
        arguments: of the command; `json` selects JSON instead of text.
        show: shows the results as text.
        locations: files that were written in addition to the tables, each with its name.
    """
    terminal, errors = Terminal.on(sys.stdout), Terminal.on(sys.stderr)
    for record in outcome.refused:
        for line in str(record["error"]).splitlines():
            model = f"{record['model_id']} {record['model_version']}"
            errors.say(printable(f"error: {model} {record['status']}: {line}"), "bad")
    if arguments.json:
        sys.stdout.writelines(json_output.of_tables(outcome.tables_with_refused))
        for warning in outcome.warnings:
            errors.say(printable(f"warning: {warning}"), "doubtful")
        return
    show(terminal)
    terminal.say("")
    for warning in outcome.warnings:
        terminal.say(printable(f"Warning: {warning}"), "doubtful")
    if outcome.state == "already_done":
        terminal.say("Already done: the same run is already published; --force counts again.")
    for name, location in (*locations, ("Tables", outcome.warehouse)):
        terminal.say(f"{name}: {printable(location)}")
