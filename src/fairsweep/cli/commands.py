"""What each command does: call its verb, show what came of it, name the next command to try."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fairsweep.auditing import gate
from fairsweep.core.groups import OVERALL
from fairsweep.errors import ExitCode
from fairsweep.output import json_output as records
from fairsweep.output import progress
from fairsweep.output.terminal import Terminal
from fairsweep.output.wording import counted, group_label, printable

if TYPE_CHECKING:
    from fairsweep.auditing.verb import AuditOutcome
    from fairsweep.output.progress import Progress
    from fairsweep.runs.options import RunOptions
    from fairsweep.runs.records import Outcome

_SHOWN_ROWS = 100
_SHOWN_GROUPS_MET = 20


def run(arguments: Namespace) -> ExitCode:
    """Run the command of a parsed command line."""
    return _COMMANDS[arguments.command](arguments)


def _options(arguments: Namespace, step: Progress) -> RunOptions:
    from fairsweep.runs.options import RunOptions

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


def _audit(arguments: Namespace) -> ExitCode:
    from fairsweep.auditing.verb import audit_config

    with progress.shown(verbose=arguments.verbose) as step:
        outcome = audit_config(arguments.config, _options(arguments, step))
    return _tell_outcome(outcome, arguments)


def _cohort(arguments: Namespace) -> ExitCode:
    from fairsweep.cohort import text as flows
    from fairsweep.cohort.verb import cohort_config

    with progress.shown(verbose=arguments.verbose) as step:
        outcome = cohort_config(arguments.config, _options(arguments, step))
    _tell(outcome, arguments, lambda terminal: terminal.show(flows.lines(outcome.tables, terminal.page)))
    _next('fairsweep sql "SELECT * FROM cohort_flow"', arguments)
    return ExitCode.DATA_REFUSED if outcome.refused else ExitCode.DONE


def _demo(arguments: Namespace) -> ExitCode:
    from fairsweep.demo import verb as demo

    with progress.shown(verbose=arguments.verbose) as step:
        outcome, parquet, config = demo.run(arguments.folder, _options(arguments, step))
    return _tell_outcome(outcome, arguments, (("Population", str(parquet)), ("Config", str(config))))


def _tell_outcome(outcome: AuditOutcome, arguments: Namespace, places: Sequence[tuple[str, str]] = ()) -> ExitCode:
    """The results on the standard output, what is wrong on the standard error, and the exit code."""
    _tell(outcome, arguments, lambda terminal: terminal.show_audit(outcome.tables), places)
    met = gate.met(outcome.tables, arguments.fail_on)
    _tell_gate(met, Terminal.on(sys.stderr))
    _next(_after_audit(outcome), arguments)
    if outcome.refused:
        return ExitCode.DATA_REFUSED
    return ExitCode.GATE if met else ExitCode.DONE


def _tell(
    outcome: Outcome,
    arguments: Namespace,
    show: Callable[[Terminal], None],
    places: Sequence[tuple[str, str]] = (),
) -> None:
    """The results, in words or as JSON, what to know beside them, and why models were refused."""
    terminal, errors = Terminal.on(sys.stdout), Terminal.on(sys.stderr)
    for record in outcome.refused:
        for line in str(record["error"]).splitlines():
            model = f"{record['model_id']} {record['model_version']}"
            errors.say(printable(f"error: {model} {record['status']}: {line}"), "bad")
    if arguments.json:
        sys.stdout.writelines(records.of_tables(outcome.tables_with_refused))
        for warning in outcome.warnings:
            errors.say(printable(f"warning: {warning}"), "doubtful")
        return
    show(terminal)
    terminal.say("")
    for warning in outcome.warnings:
        terminal.say(printable(f"Warning: {warning}"), "doubtful")
    if outcome.state == "already_done":
        terminal.say("Already done: the same run was published before; --force counts again.")
    for name, place in (*places, ("Tables", outcome.warehouse)):
        terminal.say(f"{name}: {printable(place)}")


def _tell_gate(met: Sequence[gate.Met], errors: Terminal) -> None:
    """Which groups met the conditions of `--fail-on`."""
    hidden = Counter((one.condition, one.model_id, one.model_version) for one in met if one.attribute is None)
    for (condition, model_id, version), n in hidden.items():
        told = f"{counted(n, 'group')} not shown, because of small cells"
        errors.say(printable(f"--fail-on {condition}: {model_id} {version}, {told}"), "bad")
    met = [one for one in met if one.attribute is not None]
    for one in met[:_SHOWN_GROUPS_MET]:
        group = "everybody" if one.attribute == OVERALL else f"{one.attribute}: {group_label(one.group_value or '')}"
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
        told = {"config": spec.as_mapping(), "input": checked.input_name, "notes": list(checked.notes)}
        sys.stdout.write(records.of_rows("check", [told]))
    else:
        names = ", ".join(grouping.name for grouping in spec.groupings)
        points = ", ".join(point.name for point in spec.operating_points)
        terminal = Terminal.on(sys.stdout)
        terminal.say(printable(f"{arguments.config} is right."), "good")
        terminal.say(printable(f"Input: {checked.input_name}; being flagged is a {spec.flag_is}."))
        terminal.say(printable(f"Groups: {names}; {counted(len(spec.grid()), 'cutoff')}; judged at {points}."))
        for note in checked.notes:
            terminal.say(printable(note), "doubtful")
    _next(checked.next_command, arguments)
    return ExitCode.DONE


def _init(arguments: Namespace) -> ExitCode:
    from fairsweep.init.proposing import Wishes
    from fairsweep.init.verb import init

    wishes = Wishes(arguments.score, arguments.label, tuple(arguments.attributes))
    written = init(arguments.file, arguments.flag_is, arguments.out, wishes=wishes, force=arguments.force)
    proposal = written.proposal
    told = {
        "config": str(written.config),
        "score": proposal.score.name,
        "label": proposal.label.name,
        "attributes": [profile.name for profile in proposal.attributes],
        "other_labels": list(proposal.others),
    }
    if arguments.json:
        sys.stdout.write(records.of_rows("init", [told]))
    else:
        terminal = Terminal.on(sys.stdout)
        terminal.say(printable(f"Wrote {told['config']}: a proposal from names and first values; read it."))
        terminal.say(printable(f"  score       {told['score']}"))
        terminal.say(printable(f"  label       {told['label']}"))
        terminal.say(printable(f"  attributes  {', '.join(told['attributes'])}"))
        if told["other_labels"]:
            terminal.say(printable(f"  could be the label as well: {', '.join(told['other_labels'])}"))
    _next(written.next_command, arguments)
    return ExitCode.DONE


def _sql(arguments: Namespace) -> ExitCode:
    from fairsweep.output import listing
    from fairsweep.sql import verb as tables

    with progress.shown(verbose=arguments.verbose) as step:
        rows = tables.query(arguments.query, _options(arguments, step))
    terminal = Terminal.on(sys.stdout)
    if arguments.json:
        sys.stdout.writelines(records.of_tables({"result": rows}, in_order=True))
    elif terminal.console.is_terminal:
        terminal.show(listing.lines(rows, terminal.page.width, _SHOWN_ROWS))
    else:
        terminal.show(listing.lines(rows, None))
    _next('fairsweep sql "SELECT * FROM v_run_health"', arguments)
    return ExitCode.DONE


def _tables(arguments: Namespace) -> ExitCode:
    from fairsweep.sql import verb as tables

    if arguments.action == "ddl":
        return _print_ddl(tables.ddl(_options(arguments, lambda step: None)), arguments)
    with progress.shown(verbose=arguments.verbose) as step:
        place = tables.create(_options(arguments, step))
    if arguments.json:
        sys.stdout.write(records.of_rows("tables", [{"place": place}]))
    else:
        Terminal.on(sys.stdout).say(printable(f"Result tables and views are in {place}."))
    _next("fairsweep audit --config audit.yaml", arguments)
    return ExitCode.DONE


def _print_ddl(script: str, arguments: Namespace) -> ExitCode:
    """The statements as a script; the next command is a comment in it."""
    if arguments.json:
        sys.stdout.write(records.of_rows("ddl", [{"script": script}]))
    else:
        following = _on_tables("fairsweep tables create", arguments)
        sys.stdout.write(f"{script.rstrip()}\n\n-- Next: {printable(following)}\n")
    return ExitCode.DONE


def _next(command: str, arguments: Namespace) -> None:
    """The next command as the last line; beside JSON it goes to the standard error, which is not parsed."""
    stream = sys.stderr if arguments.json else sys.stdout
    Terminal.on(stream).say(printable(f"Next: {_on_tables(command, arguments)}"))


def _on_tables(command: str, arguments: Namespace) -> str:
    """A command with the flags that name the same Spark and the same result tables."""
    given = vars(arguments)
    flags = [
        f"--{name} {shlex.quote(str(given[name]))}"
        for name in ("warehouse", "catalog", "schema", "master", "remote")
        if given.get(name) is not None
    ]
    return " ".join([command, *flags])


_COMMANDS = {
    "init": _init,
    "check": _check,
    "audit": _audit,
    "cohort": _cohort,
    "demo": _demo,
    "sql": _sql,
    "tables": _tables,
}
