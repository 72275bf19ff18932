"""The audit: inspect, count once, choose the cutoffs, sweep, judge, publish."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fairsweep.auditing import refusals as refusing
from fairsweep.auditing import warnings as warning
from fairsweep.auditing.assessment import Assessment
from fairsweep.auditing.column_checks import check_columns
from fairsweep.auditing.disclosing import disclosed, nothing, of_refused
from fairsweep.auditing.group_names import Unnamed, groups_too_small_to_name
from fairsweep.auditing.publishable import Publishable
from fairsweep.auditing.state_versions import state_version
from fairsweep.auditing.suppression import EVERYTHING, Disclosure
from fairsweep.engines.protocol import Counted, Engine, Inspection, ModelKey
from fairsweep.errors import Problem, quoted
from fairsweep.input.intake import Window, build
from fairsweep.runs.options import RunOptions
from fairsweep.runs.records import (
    UNNAMED,
    UNPINNED,
    Batch,
    Outcome,
    counted_columns,
    done_before,
    leave_a_trace,
    now,
    one_line,
)
from fairsweep.runs.run_before import NO_RUN, RunBefore, as_recorded, current_run
from fairsweep.stores.protocol import Run, RunRecord, Store
from fairsweep.stores.publishing import checksums_of
from fairsweep.tables.catalogue import AUDIT_TABLES, RESTRICTED_TABLES, RUNS, TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.auditing.spec import AuditSpec

VERB = "audit"
MOST_LABELS_SHOWN = 20


@dataclass(frozen=True)
class Assessed:
    """One model after counting.

    Attributes:
        key: the model; `unknown` if the rows do not name one.
        assessment: everything that its state gives.
        unnamed: the groups that no table and no text names.
        problems: why it is refused; empty if it is published.
        warnings: warnings that are needed to interpret the figures.
        disclosure: what of it may be shown.
    """

    key: ModelKey
    assessment: Assessment
    unnamed: Unnamed
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    disclosure: Disclosure = EVERYTHING

    @cached_property
    def results(self) -> Publishable:
        """What may be published of it, as result tables."""
        return Publishable(self.assessment, self.disclosure, self.unnamed)


class AuditOutcome(Outcome):
    """The outcome of an audit: every result table of the accepted models."""


def audit_config(config: str | Path, options: RunOptions) -> AuditOutcome:
    """Run the audit of a config file and publish its results.

    Raises:
        UsageError: where config, flags or the input's columns are wrong; before Spark starts where possible.
        DataRefusedError: where the input's files are empty.
        StorageError: where results cannot be written or read back.
    """
    from fairsweep.auditing.check import check

    checked = check(config, options.overrides, _day(options.window_start), _day(options.window_end))
    from fairsweep.runs.connecting import connect
    from fairsweep.runs.warehouse import refuse_unusable

    refuse_unusable(options)
    engine, store = connect(checked.spec, options)
    return audit(checked.spec, checked.window, engine, store, options)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def audit(spec: AuditSpec, window: Window, engine: Engine, store: Store, options: RunOptions) -> AuditOutcome:
    """Inspect, count, assess and publish; a job that was published before is verified instead."""
    started_at = now()
    from fairsweep.runs.warehouse import refuse_unwritable

    options.progress("Looking at the input")
    inspection = engine.inspect()
    check_columns(spec, inspection)

    def batch_of(version: str) -> Batch[AuditSpec]:
        return Batch(VERB, spec, window, inspection.input_name, version, engine.name, started_at)

    batch = batch_of(inspection.input_version or UNPINNED)
    if inspection.input_version is not None:
        earlier = _done_before(spec, batch, store, options)
        if earlier is not None:
            return earlier
    refuse_unwritable(options, store.place)
    try:
        with ThreadPoolExecutor(2, thread_name_prefix="fairsweep-beside") as pool:
            # Creating or binding the tables takes as long as a small count, and needs nothing from it.
            ensured = pool.submit(store.ensure)
            pool.submit(_load_what_judging_needs)
            counted = count(spec, window, engine, inspection, options.progress)
            ensured.result()
        if inspection.input_version is None:
            batch = batch_of(state_version(counted, [grouping.attributes for grouping in spec.groupings]))
            earlier = _done_before(spec, batch, store, options)
            if earlier is not None:
                return earlier
        options.progress("Judging")
        _keep_freed_memory()
        models = assess(spec, window, engine, inspection, counted)
        return publish(batch, counted, models, store, options)
    except Exception as error:
        leave_a_trace(batch, store, error)
        raise
    finally:
        engine.close()


def _load_what_judging_needs() -> None:
    """Load the modules that take longest, while the rows are counted."""
    for name in ("pandas", "scipy.special", "scipy.optimize.elementwise"):
        import_module(name)


def _keep_freed_memory() -> None:
    """Let Arrow take memory as numpy does: giving it back for each column cost half as much time as judging."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def count(
    spec: AuditSpec, window: Window, engine: Engine, inspection: Inspection, progress: Callable[[str], None]
) -> Counted:
    """The one scan."""
    intake = build(spec, [column.name for column in inspection.columns], window)
    grid = spec.grid()
    if _score_type(spec, inspection) == "float":
        grid = grid.as_float()
    progress(f"Counting {inspection.input_name}: {len(grid):,} cutoffs at once")
    return engine.count(intake, grid)


def _score_type(spec: AuditSpec, inspection: Inspection) -> str:
    return next(column.type for column in inspection.columns if column.name == spec.columns.score)


def assess(spec: AuditSpec, window: Window, engine: Engine, inspection: Inspection, counted: Counted) -> list[Assessed]:
    """Each model's results, or why it is refused."""
    labels: Sequence[str] | None = None
    found = []
    assessments = {key: Assessment(spec, state) for key, state in counted.models.items()}
    spec.result_size.refuse_above(sum(assessment.result_rows for assessment in assessments.values()))
    for given, assessment in assessments.items():
        state = assessment.state
        key = ModelKey(spec.model.id, spec.model.version) if spec.model is not None else given
        unnamed = groups_too_small_to_name(assessment)
        warnings = warning.warnings(assessment, unnamed)
        if state.rows_used and not assessment.has_events:
            if labels is None:
                labels = engine.labels_seen(build(spec, [column.name for column in inspection.columns], window))
            warnings.append(_no_event(spec, labels))
        problems = refusing.problems(key, assessment, unnamed)
        named = ModelKey(*(part or UNNAMED for part in key))
        found.append(Assessed(named, assessment, unnamed, tuple(problems), tuple(warnings)))
    return found


def _no_event(spec: AuditSpec, labels: Sequence[str]) -> str:
    """Which labels there were, unless they are so many that they may be something else than labels."""
    as_compared = [str(label).lower() if isinstance(label, bool) else str(label) for label in spec.event_labels]
    wanted = ", ".join(map(quoted, as_compared))
    if len(labels) > MOST_LABELS_SHOWN:
        seen = f"more than {MOST_LABELS_SHOWN} different labels; is {quoted(spec.columns.label)} the label?"
    else:
        seen = "labels seen: " + (", ".join(quoted(label) for label in labels) or "none")
    # A label that is no number compares as text, and a truth value as the text `true` or `false`.
    near = [label for label in labels if label.lower() in {text.lower() for text in as_compared}]
    step = f"; write event_labels: {json.dumps(near, ensure_ascii=False)}" if near else ""
    return f"no event was found: event_labels is {wanted}; {seen}{step}"


def _done_before(spec: AuditSpec, batch: Batch[AuditSpec], store: Store, options: RunOptions) -> AuditOutcome | None:
    """The results of the same batch, verified and made current again; None where it has to be run."""
    records = done_before(batch, store, options)
    if records is None:
        return None
    ids = [str(record["run_id"]) for record in records]
    stored = _rows_stored(records)
    most = spec.limits.driver_state_rows
    tables = {
        name: store.read(name, ids) if stored.get(name, 0) <= most else TABLES[name].arrow_schema.empty_table()
        for name in (RUNS, *tables_told(spec))
    }
    warnings = tuple(_not_shown(name, rows) for name, rows in stored.items() if rows > most and name in tables)
    warnings += _open_to_others(spec, store)
    return AuditOutcome(tables, "already_done", warehouse=store.place, warnings=warnings)


def _rows_stored(records: Sequence[RunRecord]) -> dict[str, int]:
    """How many rows each result table has of some runs, by their records."""
    found: dict[str, int] = {}
    for record in records:
        for table, (rows, _) in json.loads(record["checksums"]).items():
            found[table] = found.get(table, 0) + rows
    return found


def _not_shown(table: str, rows: int | None = None) -> str:
    count = "some" if rows is None else f"{rows:,}"
    return f"{table}: {count} of its rows are too many to be shown here; ask for them with `fairsweep sql`"


def publish(
    batch: Batch[AuditSpec], counted: Counted, models: Sequence[Assessed], store: Store, options: RunOptions
) -> AuditOutcome:
    """Publish what was assessed; refused models leave their record."""
    options.progress("Publishing")
    models = [_suppressed(batch, counted, model, store, force=options.force) for model in models]
    runs = [run_of(batch, counted, model) for model in models]
    outcomes = store.publish(runs, force=options.force)
    accepted = [run for run in runs if run.succeeded]
    tables = results(accepted, tables_told(batch.spec))
    if accepted:
        tables[RUNS] = store.read(RUNS, [run.id for run in accepted])
    done = accepted and all(outcomes[run.id] == "already_done" for run in accepted)
    elsewhere = sorted({n for run in accepted for n, parts in run.distributed.items() if parts and n in tables})
    return AuditOutcome(
        tables,
        "already_done" if done else "published",
        tuple(run.record for run in runs if not run.succeeded),
        store.place,
        tuple(warning for model in models if not model.problems for warning in model.warnings)
        + tuple(_not_shown(name) for name in elsewhere)
        + _open_to_others(batch.spec, store),
    )


def _open_to_others(spec: AuditSpec, store: Store) -> tuple[str, ...]:
    """Warnings of tables that small cells can be read from by others, where small cells are suppressed."""
    restricted = [name for name in AUDIT_TABLES if TABLES[name].restricted]
    return store.open_to_others(restricted) if spec.privacy.minimum_cell_size else ()


def run_of(batch: Batch[AuditSpec], counted: Counted, model: Assessed) -> Run:
    """A model's record, with its results where it is accepted."""
    if model.problems:
        return Run(record_of(batch, counted, model))
    keys = batch.keys(model.key)
    return Run(record_of(batch, counted, model), model.results.tables(keys), model.results.distributed(keys))


def record_of(batch: Batch[AuditSpec], counted: Counted, model: Assessed) -> dict[str, object]:
    """A model's record."""
    told, counts = model.disclosure, counted_columns(model.assessment.state, counted)
    record = batch.record(model.key, now()) | {
        name: value if not name.startswith("rows_") or told.tells_rows(name) else None for name, value in counts.items()
    }
    record["minimum_cell_size"] = batch.spec.privacy.minimum_cell_size
    if model.problems:
        return record | {"status": "refused", "error": one_line(model.problems)}
    return record | {
        "status": "succeeded",
        "full_sweep": model.results.full_sweep,
        "hidden": told.told(),
        "conditions": json.dumps(model.assessment.conditions(), sort_keys=True),
        "notes": json.dumps(list(model.warnings)),
        "finished_at": now(),
    }


def hide(model: Assessed, before: RunBefore = NO_RUN) -> Assessed:
    """The model with only what may be shown of it.

    Args:
        model: what was assessed.
        before: the run that it replaces, if any, and what that has shown.
    """
    warnings = model.warnings
    if model.problems:
        told = of_refused(model.assessment)
    else:
        told = (disclosed if before.is_known else nothing)(model.assessment, before)
        warnings = (*warnings, *warning.of_hidden(model.assessment, told))
    return replace(model, disclosure=told, warnings=tuple(dict.fromkeys(warnings)))


def _suppressed(batch: Batch[AuditSpec], counted: Counted, model: Assessed, store: Store, *, force: bool) -> Assessed:
    """The model after disclosure control, given the previous run of the same model and window.

    A run that is made again by force stays the same: then nothing new is shown, even if other runs have changed.
    """
    if model.problems or not batch.spec.privacy.minimum_cell_size:
        return hide(model)
    if force and (recorded := as_recorded(store, batch.run_id(model.key))) is not None:
        checksums, before = recorded
        again = hide(model, before)
        if checksums_of(run_of(batch, counted, again)) == checksums:
            return again
    return hide(model, current_run(store, {**batch.keys(model.key), "verb": batch.verb}, force=force))


def tables_told(spec: AuditSpec) -> tuple[str, ...]:
    """The result tables that are returned: without restricted tables if small cells are suppressed."""
    hidden = RESTRICTED_TABLES if spec.privacy.minimum_cell_size else ()
    return tuple(name for name in AUDIT_TABLES if name not in hidden)


def results(runs: Sequence[Run], names: Sequence[str] = AUDIT_TABLES) -> dict[str, pa.Table]:
    """Some result tables of several runs below one another, in the order of the runs, and an empty `runs`."""
    import pyarrow as pa

    return {
        name: pa.concat_tables(
            [TABLES[name].arrow_schema.empty_table(), *(run.results[name] for run in runs if name in run.results)]
        )
        for name in (RUNS, *names)
    }
