"""The cohort: open the inputs, judge who counts, look for the outcome, publish; `fairsweep audit` runs on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairsweep.cohort.flow_rows import told as flow_told
from fairsweep.cohort.input_sections import columns_named
from fairsweep.cohort.spec import CohortSpec, load_cohort
from fairsweep.config.input_columns import absent_columns
from fairsweep.config.sections import canonical
from fairsweep.core.groups import ALL, OVERALL
from fairsweep.engines.protocol import Inspection, ModelKey, RowsOf
from fairsweep.errors import Problem, UsageError
from fairsweep.input.files import peek
from fairsweep.input.intake import FIRST_DAY, NO_END, Window
from fairsweep.runs.model_names import model_problems
from fairsweep.runs.records import UNPINNED, Batch, Outcome, done_before, leave_a_trace, now, one_line
from fairsweep.runs.warehouse import refuse_unusable, refuse_unwritable
from fairsweep.stores.protocol import Run, RunRecord
from fairsweep.tables.catalogue import COHORT_TABLES, RUNS, TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.cohort.building import Cohort, FlowRow
    from fairsweep.runs.options import RunOptions
    from fairsweep.stores.protocol import Store

VERB = "cohort"
FLOW = "cohort_flow"
# Rows of the predictions that are no use to any rule.
_UNUSABLE = ("malformed_row", "member_id_missing", "scored_on_missing")


class CohortOutcome(Outcome):
    """The outcome of a cohort run: `runs` and `cohort_flow`; its members stay in the warehouse."""


def cohort_config(config: str | Path, options: RunOptions) -> CohortOutcome:
    """Build the cohort of a config file and publish it.

    Raises:
        UsageError: where config, flags or the inputs' columns are wrong; before Spark starts where possible.
        DataRefusedError: where an input is empty, or the scale of a blend cannot be found.
        StorageError: where results cannot be written or read back.
    """
    spec = load_cohort(config, options.overrides)
    _check_what_is_near(spec, str(config))
    if options.engine == "local":
        raise UsageError(Problem("--engine", "local", "auto or spark: cohorts are built by Spark", "leave it out"))
    from fairsweep.runs.connecting import place_of, session_of
    from fairsweep.stores.scratch import Scratch, remove_leftovers
    from fairsweep.stores.spark_delta import SparkDeltaStore

    refuse_unusable(options)
    place = place_of(options)
    spark = session_of(options, *(section.input for section in spec.inputs.values()))
    window = Window(options.window_start or FIRST_DAY, options.window_end or NO_END)
    remove_leftovers(place)
    scratch = Scratch(spark, place)
    try:
        return build(spec, window, spark, SparkDeltaStore(spark, place, (RUNS, *COHORT_TABLES)), scratch.keep, options)
    finally:
        scratch.clear()


def _check_what_is_near(spec: CohortSpec, config: str) -> None:
    """Name every column that an input within reach does not have."""
    problems: list[Problem] = []
    for name, section in spec.inputs.items():
        source = section.input
        columns = peek(source)
        if columns is not None:
            seen = Inspection(columns, source.path or "", None)
            problems += absent_columns(name, columns_named(section), seen)
    if problems:
        raise UsageError([Problem(f"{config}: {p.place}", p.value, p.allowed, p.next_step) for p in problems])


def build(
    spec: CohortSpec,
    window: Window,
    spark: SparkSession,
    store: Store,
    keep: Callable[[DataFrame], DataFrame],
    options: RunOptions,
) -> CohortOutcome:
    """Build and publish; a cohort that was published before is verified instead."""
    from fairsweep.cohort.building import CohortBuilder

    started_at = now()
    options.progress("Looking at the inputs")
    with CohortBuilder(spark, spec, window, keep) as builder:

        def batch_of(version: str) -> Batch[CohortSpec]:
            return Batch(VERB, spec, window, _names(spec), version, "spark", started_at)

        batch = batch_of(_versions(builder.versions))
        pinned = None not in builder.versions.values()
        if pinned and (records := done_before(batch, store, options)) is not None:
            return _read_again(records, store)
        refuse_unwritable(options, store.place)
        try:
            store.ensure()
            cohort = builder.build(options.progress)
            if not pinned:
                batch = batch_of(_content(cohort))
                if (records := done_before(batch, store, options)) is not None:
                    return _read_again(records, store)
            return _publish(batch, cohort, store, options)
        except Exception as error:
            leave_a_trace(batch, store, error)
            raise


def _names(spec: CohortSpec) -> str:
    inputs = {name: section.input.path or section.input.table for name, section in spec.inputs.items()}
    return json.dumps(inputs, sort_keys=True)


def _versions(versions: Mapping[str, str | None]) -> str:
    return json.dumps({name: version or UNPINNED for name, version in versions.items()}, sort_keys=True)


def _content(cohort: Cohort) -> str:
    """The version of inputs without versions of their own, derived from the rows made of them."""
    from pyspark.sql import functions as F

    from fairsweep.engines.spark.blocks import BlockedRows

    plain = BlockedRows(cohort.rows.withColumn("run_id", F.lit("")))
    facts = (plain.checksum(), cohort.flow, sorted(cohort.refused.items()))
    return _versions({**cohort.versions, "content": hashlib.sha256(repr(facts).encode()).hexdigest()[:32]})


def _publish(batch: Batch[CohortSpec], cohort: Cohort, store: Store, options: RunOptions) -> CohortOutcome:
    keys = sorted({ModelKey(row.model_id, row.model_version) for row in cohort.flow})
    stored, scored = _stored(batch, cohort.rows, keys), _scored(cohort.rows)
    runs = [_run(batch, cohort, key, stored, scored) for key in keys]
    options.progress("Publishing")
    outcomes = store.publish(runs, force=options.force)
    accepted = [run for run in runs if run.succeeded]
    done = accepted and all(outcomes[run.id] == "already_done" for run in accepted)
    refused = tuple(run.record for run in runs if not run.succeeded)
    return _outcome([run.id for run in accepted], "already_done" if done else "published", refused, store)


def _run(
    batch: Batch[CohortSpec],
    cohort: Cohort,
    key: ModelKey,
    stored: DataFrame,
    scored: Mapping[tuple[ModelKey, bool], RowsOf],
) -> Run:
    """A model's record, with its rows where it is accepted."""
    from pyspark.sql import functions as F

    from fairsweep.engines.spark.blocks import BlockedRows

    flow = [row for row in cohort.flow if (row.model_id, row.model_version) == key]
    everybody = [row for row in flow if _is_of_all(row._asdict(), "predictions")]
    minimum = batch.spec.privacy.minimum_cell_size
    refused = RowsOf.pooled(RowsOf(row.rows_out, *row.members) for row in everybody[:-1])
    used, unscored = (scored.get((key, with_score), RowsOf(0, 0)) for with_score in (True, False))
    parts = {"rows_used": used, "rows_unscored": unscored, "rows_refused": refused}
    # The total is the sum of the three.
    small = any(one.is_few(minimum) for one in parts.values())
    record = batch.record(key, now()) | {
        "config_json": _config_with_factors(batch.spec, cohort.factors),
        "minimum_cell_size": minimum,
        "rows_input": None if small else everybody[0].rows_in,
        **{name: None if small else one.rows for name, one in parts.items()},
    }
    problems = _problems(batch.spec, key, cohort, everybody)
    if problems:
        return Run(record | {"status": "refused", "error": one_line(problems)})
    shown = flow_told([*(row._asdict() for row in flow), *_other_inputs(cohort)], minimum)
    rows = [{**batch.keys(key), **row} for row in shown]
    members = BlockedRows(stored.where(F.col("run_id") == batch.run_id(key)))
    done = record | {"status": "succeeded", "finished_at": now()}
    return Run(done, {FLOW: TABLES[FLOW].rows(rows)}, {"cohort": [members]})


def _scored(rows: DataFrame) -> dict[tuple[ModelKey, bool], RowsOf]:
    """By model, those who count and have a usable score, and those who have none."""
    from pyspark.sql import functions as F

    usable = F.coalesce(~F.isnan("score") & (F.abs("score") < F.lit(float("inf"))), F.lit(False))
    by_model = rows.groupBy("model_id", "model_version", usable.alias("scored"))
    counted = by_model.agg(F.count("*").alias("n"), F.count_distinct("member_id").alias("members"))
    return {(ModelKey(row[0], row[1]), row[2]): RowsOf(row[3], row[4]) for row in counted.collect()}


def _stored(batch: Batch[CohortSpec], rows: DataFrame, keys: Sequence[ModelKey]) -> DataFrame:
    """The rows as the table has them."""
    from pyspark.sql import functions as F

    is_of = [(F.col("model_id") == key.model_id) & (F.col("model_version") == key.model_version) for key in keys]
    run_ids = [F.when(one, batch.run_id(key)) for one, key in zip(is_of, keys, strict=True)]
    fixed = {
        "run_id": F.coalesce(*run_ids),
        "window_start": F.lit(batch.window.start),
        "window_end": F.lit(batch.window.end),
        "outcome": F.lit(batch.spec.outcome.name),
        "attributes": F.array(*map(F.lit, batch.spec.attributes)).cast("array<string>"),
    }
    return rows.withColumns(fixed).select(*TABLES["cohort"].column_names)


def _is_of_all(row: Mapping[str, object], source: str) -> bool:
    return (row["input"], row["attribute"], row["group_value"]) == (source, OVERALL, ALL)


def _other_inputs(cohort: Cohort) -> list[dict[str, object]]:
    """The flow of the members, the enrolment and the claims, which is the same for every model."""
    from fairsweep.cohort.building import INPUT_REASONS, USED, steps_of

    found: list[dict[str, object]] = []
    for source, reasons in cohort.refused.items():
        by_reason = {None if reason == USED else reason: n for reason, n in reasons.items()}
        for step, reason, rows_in, rows_out, members in steps_of(by_reason, INPUT_REASONS, USED):
            place = {"input": source, "step": step, "reason": reason, "attribute": OVERALL, "group_value": ALL}
            found.append(place | {"rows_in": rows_in, "rows_out": rows_out, "members": members, "events": None})
    return found


def _config_with_factors(spec: CohortSpec, factors: Mapping[int, float]) -> str:
    """The config, with what its blends were scaled by."""
    config = spec.as_mapping()
    for i, factor in factors.items():
        if spec.blends[i].scale is not None:
            config["blends"][i]["scale"]["factor"] = factor
    return canonical(config)


def _problems(spec: CohortSpec, key: ModelKey, cohort: Cohort, everybody: Sequence[FlowRow]) -> list[Problem]:
    """Why a model's cohort is refused; empty where it may be published."""
    from fairsweep.cohort.building import USED

    by_reason = {row.reason: RowsOf(row.rows_out, *row.members) for row in everybody[:-1]}
    total, minimum = everybody[0].rows_in, spec.privacy.minimum_cell_size
    counting = RowsOf(everybody[-1].rows_in, max(everybody[-1].members))
    problems = model_problems(key)
    if not counting.rows:
        most = sorted(((found.rows, reason) for reason, found in by_reason.items() if found.rows), reverse=True)
        small = any(found.is_few(minimum) for found in by_reason.values())
        named = ", ".join(reason if small else f"{reason} {n:,}" for n, reason in most[:5])
        found = f"none is included ({named})" if small else f"none of {total:,} is included ({named})"
        problems.append(Problem("predictions", found, "at least one", "correct the inputs or the rules"))
    unusable: dict[str, tuple[tuple[str, ...], Mapping[str, RowsOf]]]
    unusable = {"predictions": (_UNUSABLE, {**by_reason, USED: counting})}
    unusable |= {source: (tuple(reasons.keys() - {USED}), reasons) for source, reasons in cohort.refused.items()}
    limit = spec.limits.maximum_refused_share
    for source, (names, reasons) in unusable.items():
        refused = RowsOf.pooled(reasons[name] for name in names)
        usable = RowsOf.pooled(one for name, one in reasons.items() if name not in names)
        rows = refused.rows + usable.rows
        if refused.rows > limit * rows:
            found = "too many rows cannot be used"
            if not refused.is_few(minimum) and not usable.is_few(minimum):
                found = f"{refused.rows:,} of {rows:,} rows cannot be used ({refused.rows / rows:.1%})"
            step = "correct those rows or name other columns; a higher limits.maximum_refused_share allows more"
            problems.append(Problem(source, found, f"at most {limit:.1%}", step))
    return problems


def _read_again(records: Sequence[RunRecord], store: Store) -> CohortOutcome:
    return _outcome([str(record["run_id"]) for record in records], "already_done", (), store)


def _outcome(run_ids: Sequence[str], state: str, refused: tuple[RunRecord, ...], store: Store) -> CohortOutcome:
    tables = {
        name: store.read(name, run_ids) if run_ids else TABLES[name].arrow_schema.empty_table() for name in (RUNS, FLOW)
    }
    warnings = (*_warnings(tables[FLOW]), *store.open_to_others(["cohort"]))
    return CohortOutcome(tables, state, refused, store.place, warnings)


def _warnings(flow: pa.Table) -> list[str]:
    """Warnings about cohorts without an event: their codes or settings may not match the claims."""
    found = []
    for row in flow.to_pylist():
        if _is_of_all(row, "predictions") and row["events"] == 0:
            model = f"{row['model_id']} {row['model_version']}"
            told = "no prediction has the outcome"
            found.append(f"{model}: {told}; are its codes and settings those of the claims?")
    return found
