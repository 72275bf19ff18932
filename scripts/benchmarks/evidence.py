"""The cost of evidence and privacy: intervals, members' rows, disclosure control, and intervals of a bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import fairsweep
from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.sweep_rows import Swept
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.disclosure.intersections import plan as planned
from fairsweep.core.disclosure.model import Reported
from fairsweep.core.histogram import ScoreHistogram
from fairsweep.tables.tabulating import table_of
from scripts.benchmarks.answers import Answer
from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.data import ROW_GROUP_ROWS
from scripts.benchmarks.forms import config_of, job, spark_engine
from scripts.benchmarks.frames import frame_of

if TYPE_CHECKING:
    from fairsweep.core.counts import IntArray

GROUPS = 1_000
ROWS_PER_MEMBER = 1.5
REPLICATES = 20
_KEYS = {"run_id": "0" * 32, "model_id": "benchmark", "model_version": "1"}
_WINDOW = {"window_start": np.datetime64("1970-01-01").astype(object)}
_ENDS = {"window_end": np.datetime64("9999-12-31").astype(object)}


def _histogram(work: Work) -> ScoreHistogram:
    """A thousand groups, as uneven as providers are, of the rows of the file."""
    rows = pq.read_table(work.path, columns=["score", "label"])
    score, label = rows["score"].to_numpy(), rows["label"].to_numpy()
    grid = CutoffGrid(work.values)
    group = (GROUPS * np.random.default_rng(0).random(len(score)) ** 2).astype(np.int64)
    events = (label == 1).astype(np.int64)
    cells = [(f"P{i:04d}",) for i in range(GROUPS)]
    return ScoreHistogram.merged(grid, ("provider",), cells, group, grid.bucket(score), events, 1 - events)


def _written(work: Work, *, with_intervals: bool) -> Job:
    histogram = _histogram(work)
    groups = [cell[0] for cell in histogram.cells]
    swept = Swept("provider", groups, range(len(histogram.grid)), histogram.grid.values, {})

    def run() -> pa.Table:
        parts = swept.parts(histogram.counts(), with_intervals=with_intervals)
        table = table_of("threshold_sweep", parts, _KEYS | _WINDOW | _ENDS)
        pq.write_table(table, work.scratch / "sweep.parquet")
        return table

    return Job(run, lambda _: [])


def sweep_with_intervals(work: Work) -> Job:
    """Sweep a thousand groups and write the rows, with an interval of group benefit equality in each."""
    return _written(work, with_intervals=True)


def sweep_alone(work: Work) -> Job:
    """The same without intervals."""
    return _written(work, with_intervals=False)


def plan(work: Work) -> Job:
    """Decide at which cutoffs each of a thousand groups may be shown."""
    histogram = _histogram(work)

    def dense(name: str) -> IntArray:
        return histogram.dense(name)

    groups = Reported("provider", ("provider",), histogram.cells, dense("events"), dense("non_events"))
    everybody = Reported(
        "overall", (), ((),), groups.events.sum(axis=0, keepdims=True), groups.non_events.sum(axis=0, keepdims=True)
    )
    points = [len(histogram.grid) // 10]
    return Job(lambda: planned([everybody, groups], points, 11), lambda _: [])


def _with_members(work: Work) -> Path:
    """The file with a member for each one and a half rows, far from each other and of the same groups."""
    path = work.scratch / "members.parquet"
    if not path.is_file():
        rows = pq.read_table(work.path)
        first = np.arange(rows.num_rows) % round(rows.num_rows / ROWS_PER_MEMBER)
        for name in work.attributes:
            there = rows.column_names.index(name)
            rows = rows.set_column(there, name, rows[name].combine_chunks().take(pa.array(first)))
        # Members are numbered in no order.
        member = np.random.default_rng(0).permutation(int(first.max()) + 1)[first]
        pq.write_table(rows.append_column("member", pa.array(member)), path, row_group_size=ROW_GROUP_ROWS)
    return path


def members(work: Work) -> Job:
    """Count with Spark, and sum over pairs of each member's rows."""
    config: dict[str, Any] = config_of(work, _with_members(work))
    config["columns"]["member"] = "member"
    return job(work, load_mapping(config | {"unit": "prediction"}), spark_engine)


def rows(work: Work) -> Job:
    """Count the same file with Spark, without members."""
    return job(work, load_mapping(config_of(work, _with_members(work))), spark_engine)


def intervals(work: Work) -> Job:
    """`fairsweep.audit` of a frame in memory, for the intervals at one cutoff."""
    data = frame_of(work.path)
    (cutoff,) = work.values.tolist()

    def run() -> object:
        point = {"name": "fixed", "rule": "fixed", "at": cutoff}
        result = fairsweep.audit(
            data, score="score", label="label", attributes=list(work.attributes), flag_is="help", cutoffs=[cutoff],
            operating_points=[point], privacy={"minimum_cell_size": 0},
        )  # fmt: skip
        return result.metrics

    return Job(run, _no_answers)


def bootstrap(work: Work) -> Job:
    """Fairlearn's bootstrap of three rates: twenty replicates, which is few, for each attribute."""
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

    data = frame_of(work.path)
    (cutoff,) = work.values.tolist()
    metrics = {
        "selection_rate": selection_rate,
        "true_positive_rate": true_positive_rate,
        "false_positive_rate": false_positive_rate,
    }

    def run() -> object:
        flagged = (data["score"] >= cutoff).astype(int)
        return [
            MetricFrame(
                metrics=metrics, y_true=data["label"], y_pred=flagged, sensitive_features=data[name],
                n_boot=REPLICATES, ci_quantiles=[0.025, 0.975], random_state=0,
            ).by_group_ci
            for name in work.attributes
        ]  # fmt: skip

    return Job(run, _no_answers)


def _no_answers(_: object) -> Sequence[Answer]:
    return []
