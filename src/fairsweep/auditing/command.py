"""The commands `audit` and `check`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairsweep.auditing import gate
from fairsweep.core.groups import OVERALL
from fairsweep.errors import ExitCode
from fairsweep.output import json_output, progress
from fairsweep.output.terminal import Terminal
from fairsweep.output.wording import counted, group_label, printable
from fairsweep.runs import flags
from fairsweep.runs.commands import Command, options_of, show_next
from fairsweep.runs.showing import show_outcome

if TYPE_CHECKING:
    from pydantic import BaseModel

    from fairsweep.auditing.verb import AuditOutcome

_SHOWN_GROUPS_MET = 20


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="YAML config; `fairsweep init` writes one"
    )
    flags.add_overrides(parser, "verdict.alpha=0.01")
    flags.add_engine(parser)
    flags.add_warehouse(parser)
    flags.add_window(parser, "columns.scored_on")
    add_run_flags(parser)


def _add_flags_of_check(parser: ArgumentParser) -> None:
    """Those of `audit`, so that the line of an audit can be checked as it stands."""
    _add_flags(parser)
    flags.add_json_schema(parser, _spec)


def _spec() -> type[BaseModel]:
    from fairsweep.auditing.spec import AuditSpec

    return AuditSpec


def add_run_flags(parser: ArgumentParser) -> None:
    """`--force` and `--fail-on`, for every command that audits."""
    flags.add_force(parser)
    parser.add_argument(
        "--fail-on", action="append", default=[], type=flags.one_of("--fail-on", gate.CONDITIONS),
        metavar="{" + ",".join(gate.CONDITIONS) + "}",
        help="end with exit code 4 if a group meets this condition at any operating point; repeatable",
    )  # fmt: skip


def _audit(arguments: Namespace) -> ExitCode:
    from fairsweep.auditing.verb import audit_config

    with progress.shown(verbose=arguments.verbose) as step:
        outcome = audit_config(arguments.config, options_of(arguments, step))
    return show_audit(outcome, arguments)


def show_audit(outcome: AuditOutcome, arguments: Namespace, locations: Sequence[tuple[str, str]] = ()) -> ExitCode:
    """Show the results on standard output and problems on standard error; return the exit code."""
    from fairsweep.auditing import text

    show_outcome(
        outcome, arguments, lambda terminal: terminal.show(text.lines(outcome.tables, terminal.page)), locations
    )
    met = gate.met(outcome.tables, arguments.fail_on)
    _show_gate(met, Terminal.on(sys.stderr))
    show_next(_after_audit(outcome), arguments)
    if outcome.refused:
        return ExitCode.DATA_REFUSED
    return ExitCode.GATE if met else ExitCode.DONE


def _show_gate(met: Sequence[gate.Met], errors: Terminal) -> None:
    """Which groups met the conditions of `--fail-on`."""
    suppressed = Counter((one.condition, one.model_id, one.model_version) for one in met if one.attribute is None)
    for (condition, model_id, version), n in suppressed.items():
        found = f"{counted(n, 'group')} suppressed because of small cells"
        errors.say(printable(f"--fail-on {condition}: {model_id} {version}, {found}"), "bad")
    met = [one for one in met if one.attribute is not None]
    for one in met[:_SHOWN_GROUPS_MET]:
        named = f"{one.attribute}: {group_label(one.group_value or '')}"
        group = "overall population" if one.attribute == OVERALL else named
        model = f"{one.model_id} {one.model_version}, {one.operating_point}"
        errors.say(printable(f"--fail-on {one.condition}: {model}, {group}"), "bad")
    if len(met) > _SHOWN_GROUPS_MET:
        errors.say(f"and {counted(len(met) - _SHOWN_GROUPS_MET, 'more group')} that met --fail-on", "bad")


def _after_audit(outcome: AuditOutcome) -> str:
    if not outcome.tables["runs"].num_rows:
        return 'fairsweep sql "SELECT * FROM v_run_health"'
    if gate.met(outcome.tables, ("breach",)):
        return 'fairsweep sql "SELECT * FROM v_open_breaches"'
    return 'fairsweep sql "SELECT * FROM v_group_benefit_equality"'


def _check(arguments: Namespace) -> ExitCode:
    from fairsweep.auditing.check import check

    start, end = (None if day is None else day.isoformat() for day in (arguments.window_start, arguments.window_end))
    checked = check(arguments.config, arguments.overrides, start, end)
    spec = checked.spec
    if arguments.json:
        found = {"config": spec.as_mapping(), "input": checked.input_name, "notes": list(checked.notes)}
        sys.stdout.write(json_output.of_rows("check", [found]))
    else:
        names = ", ".join(grouping.name for grouping in spec.groupings)
        points = ", ".join(point.name for point in spec.operating_points)
        terminal = Terminal.on(sys.stdout)
        terminal.say(printable(f"{arguments.config} is valid."), "good")
        terminal.say(printable(f"Input: {checked.input_name}; being flagged is a {spec.flag_is}."))
        terminal.say(printable(f"Groups: {names}; {counted(len(spec.grid()), 'cutoff')}; judged at {points}."))
        for note in checked.notes:
            terminal.say(printable(note), "doubtful")
    show_next(checked.next_command, arguments)
    return ExitCode.DONE


COMMANDS = (
    Command("audit", "count the rows once, judge every group, publish the result tables", _add_flags, _audit),
    Command("check", "validate a config and the input's schema; reads no row", _add_flags_of_check, _check),
)
