"""What came of a run, for people or as JSON: its tables, what to know beside them, and why models were refused."""

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
        outcome: what the run left behind.
        arguments: of the command; `json` chooses JSON instead of words.
        show: shows the results in words.
        locations: files that were written beside the tables, each with its name.
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
        terminal.say("Already done: the same run was published before; --force counts again.")
    for name, location in (*locations, ("Tables", outcome.warehouse)):
        terminal.say(f"{name}: {printable(location)}")
