"""Every engine as one function: a batch in, the outcome of each model out. A further engine is one more entry."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fairsweep.auditing.column_checks import check_columns
from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.verb import assess, count
from fairsweep.engines.protocol import Engine
from fairsweep.input.intake import Window
from tests import reference
from tests.conftest import REPOSITORY
from tests.spec.tables import Batch

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.auditing.verb import Assessed
    from fairsweep.engines.spark.sources import Source

COUNTS = ("tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")
ARROW_TYPES = {
    "double": pa.float64(), "float": pa.float32(), "int": pa.int32(), "bigint": pa.int64(), "text": pa.string(),
    "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}  # fmt: skip

Ratio = tuple[Fraction | None, str]
Model = tuple[str, str]


@dataclass
class Outcome:
    """What an engine says of one model, in a form that all engines share.

    Attributes:
        counts: by attribute, group and cutoff, in the order of `COUNTS`.
        values: the value of each metric there, None where undefined.
        metrics: at the operating points, each metric as a fraction with its status.
        floors: at the operating points, what is judged, its basis, and whether it is below the floor.
        tallies: refused and unscored rows by attribute, group, reason and label.
        rows: rows of the input, used, unscored and refused.
        points: the cutoff of each operating point, and its status.
        refused: places of the problems for which the model is refused.
        warnings: what people are told; None of the reference, which has no words.
    """

    counts: dict[tuple[str, str, float], tuple[int, ...]] = field(default_factory=dict)
    values: dict[tuple[str, str, float, str], float | None] = field(default_factory=dict)
    metrics: dict[tuple[str, str, str, str], Ratio] = field(default_factory=dict)
    floors: dict[tuple[str, str, str], tuple[float | None, str | None, bool | None]] = field(default_factory=dict)
    tallies: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    points: dict[str, tuple[float | None, str]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] | None = None


Outcomes = dict[Model, Outcome]
Run = Callable[[Sequence[Batch]], list[Outcomes]]


def by_reference(batches: Sequence[Batch]) -> list[Outcomes]:
    """The oracle."""
    return [_referred(batch) for batch in batches]


def _referred(batch: Batch) -> Outcomes:
    float_scores = batch.types.get(batch.config["columns"]["score"]) == "float"
    results = reference.audit(batch.rows, batch.config, batch.window, float_scores=float_scores)
    return {(i or "unknown", v or "unknown"): _expected(batch, result) for (i, v), result in results.items()}


def _expected(batch: Batch, result: reference.Result) -> Outcome:
    outcome = Outcome(
        tallies=dict(result.tallies),
        rows={name: result.rows[name] for name in ("input", "used", "unscored", "refused")},
        refused=tuple(sorted(result.refusals)),
    )
    for (attribute, group), at in result.counts.items():
        for cutoff, counts in zip(result.cutoffs, at, strict=True):
            outcome.counts[attribute, group, cutoff] = tuple(counts[name] for name in COUNTS)
            for name in reference.METRICS:
                value = reference.metric(name, counts)[0]
                outcome.values[attribute, group, cutoff, name] = None if value is None else float(value)
    everybody = result.counts["overall", "all"]
    for point in batch.config["operating_points"]:
        index, status = reference.choose(point, result.cutoffs, everybody)
        outcome.points[point["name"]] = (None if index is None else result.cutoffs[index], status)
        for (attribute, group), at in result.counts.items():
            place = point["name"], attribute, group
            for name in reference.METRICS:
                ratio = (None, status) if index is None else reference.metric(name, at[index])
                outcome.metrics[*place, name] = ratio
            if index is not None:
                outcome.floors[place] = _floor(attribute, at[index], everybody[index], batch)
    return outcome


def _floor(
    attribute: str, group: reference.Counts, everybody: reference.Counts, batch: Batch
) -> tuple[float | None, str | None, bool | None]:
    floor = str(batch.config.get("verdict", {}).get("floor", 0.8))
    judged, basis, below = reference.floor_comparison(group, everybody, floor)
    if attribute == "overall" and basis == "relative":
        return None, basis, None
    return None if judged is None else float(judged), basis, below


def by_spark(session: SparkSession) -> Run:
    """Spark, classic or Connect."""
    from fairsweep.engines.spark.engine import SparkEngine
    from fairsweep.engines.spark.sources import CsvSource, FrameSource

    def run(batch: Batch, folder: Path) -> Outcomes:
        source: Source
        if batch.csv is not None:
            source = CsvSource(session, str(_written(batch.csv, folder)))
        else:
            source = FrameSource(_frame(session, batch))
        return _audited(batch, SparkEngine(session, source, load_mapping(batch.config).limits))

    def run_all(batches: Sequence[Batch]) -> list[Outcomes]:
        with TemporaryDirectory() as folder:
            return [run(batch, Path(folder)) for batch in batches]

    return run_all


def by_local(batches: Sequence[Batch]) -> list[Outcomes]:
    """The local engine."""
    from fairsweep.engines.arrow.sources import CsvSource, FrameSource
    from fairsweep.engines.local import LocalEngine

    def run(batch: Batch, folder: Path) -> Outcomes:
        if batch.csv is not None:
            path = _written(batch.csv, folder)
            return _audited(batch, LocalEngine(CsvSource(str(path), path), load_mapping(batch.config).limits))
        return _audited(batch, LocalEngine(FrameSource(_table(batch)), load_mapping(batch.config).limits))

    with TemporaryDirectory() as folder:
        return [run(batch, Path(folder)) for batch in batches]


def _written(content: str, folder: Path) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(content.encode())
    return path


def _frame(session: SparkSession, batch: Batch) -> DataFrame:
    import pyspark.sql.types as T

    table = _table(batch)
    # Named types, because Connect cannot tell those of a table without rows, nor either a timestamp without a zone.
    fields = [T.StructField(name, T.DataType.fromDDL(t.replace("text", "string"))) for name, t in batch.types.items()]
    return session.createDataFrame(table, T.StructType(fields))


def _table(batch: Batch) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in batch.rows], _arrow(t)) for name, t in batch.types.items()})


def _arrow(kind: str) -> Any:
    if kind.startswith("decimal"):
        return pa.decimal128(*map(int, re.findall("[0-9]+", kind)))
    return ARROW_TYPES[kind]


def _audited(batch: Batch, engine: Engine) -> Outcomes:
    """Any engine of the product, under the product's own verb."""
    spec = load_mapping(batch.config)
    window = Window(*batch.window) if batch.window else Window()
    inspection = engine.inspect()
    check_columns(spec, inspection)
    counted = count(spec, window, engine, inspection, lambda _: None)
    models = assess(spec, window, engine, inspection, counted)
    outcomes = {(model.key.model_id, model.key.model_version): _outcome(model) for model in models}
    assert all(outcome.refused == ("input",) for outcome in outcomes.values() if not outcome.rows["input"])
    # A record of a run without rows is no model of the rows.
    return {model: outcome for model, outcome in outcomes.items() if outcome.rows["input"]}


def _outcome(model: Assessed) -> Outcome:
    state = model.assessment.state
    tables = model.results.tables(dict.fromkeys(("run_id", "model_id", "model_version"), "r"))
    outcome = Outcome(
        tallies={tally[:4]: tally.n for tally in state.tallies},
        rows={name: getattr(state, f"rows_{name}") for name in ("input", "used", "unscored", "refused")},
        refused=tuple(sorted(problem.place for problem in model.problems)),
        warnings=model.warnings,
    )
    for row in tables["threshold_sweep"].to_pylist():
        place = row["attribute"], row["group_value"], row["cutoff"]
        outcome.counts[place] = tuple(row[name] for name in COUNTS)
        assert row["n"] == row["tp"] + row["fp"] + row["fn"] + row["tn"]
        assert row["status"] == ("defined" if row["n"] else "empty")
        for name in reference.METRICS:
            outcome.values[*place, name] = row[name]
    for row in tables["operating_points"].to_pylist():
        outcome.points[row["operating_point"]] = row["cutoff"], row["status"]
    for row in tables["group_metrics"].to_pylist():
        point = row["operating_point"], row["attribute"], row["group_value"]
        defined = row["status"] == "defined"
        assert (row["value"] is None) != defined
        ratio = Fraction(row["numerator"], row["denominator"]) if defined else None
        assert ratio is None or row["value"] == float(ratio)
        outcome.metrics[*point, row["metric"]] = ratio, row["status"]
        if row["metric"] == "group_benefit_equality" and outcome.points[row["operating_point"]][0] is not None:
            outcome.floors[point] = row["judged_value"], row["verdict_basis"], row["below_floor"]
    return outcome


def by_connect(url: str) -> Run:
    """Spark Connect, in a process of its own: one process cannot hold classic and Connect columns."""

    def run(batches: Sequence[Batch]) -> list[Outcomes]:
        command = [sys.executable, "-m", "tests.spec.engines", url]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
        done = subprocess.run(
            command,
            input=pickle.dumps(list(batches)),
            capture_output=True,
            check=False,
            timeout=290,
            cwd=REPOSITORY,
            env=environment,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode()[-4000:])
        outcomes: list[Outcomes] = pickle.loads(done.stdout)
        return outcomes

    return run


def main(url: str) -> None:
    """The child process of `by_connect`: pickled batches in, pickled outcomes out."""
    from fairsweep.engines.spark.session import start

    batches = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(by_spark(start(remote=url))(batches)))


if __name__ == "__main__":
    from tests.spec.engines import main as imported_main

    imported_main(sys.argv[1])
