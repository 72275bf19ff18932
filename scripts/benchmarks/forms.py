"""Our own forms of counting, through the surfaces that the audit itself uses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import fairsweep
from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.reported import summed
from fairsweep.auditing.verb import count
from fairsweep.config.attributes import JOINER
from fairsweep.errors import UsageError
from fairsweep.input.intake import Window
from scripts.benchmarks import shuffling
from scripts.benchmarks.answers import Answer
from scripts.benchmarks.contestants import Job, NotBuiltError, Work
from scripts.benchmarks.frames import frame_of
from scripts.benchmarks.sessions import LOCAL_MASTER, session

if TYPE_CHECKING:
    from fairsweep.auditing.spec import AuditSpec
    from fairsweep.core.counts import ConfusionCounts
    from fairsweep.core.histogram import ScoreHistogram
    from fairsweep.engines.protocol import Engine, Histogram

REPOSITORY = Path(__file__).resolve().parents[2]
EXECUTOR_MEMORY = "2g"
Swept = list[tuple[tuple[str, ...], tuple[tuple[str, ...], ...], "ConfusionCounts"]]


def config_of(work: Work, path: Path, counting: str = "auto") -> dict[str, Any]:
    """An audit of the file, as a config."""
    even = isinstance(work.cutoffs, int)
    return {
        "model": {"id": "benchmark", "version": "1"},
        "flag_is": "help",
        "input": {"format": "parquet", "path": str(path)},
        "columns": {"score": "score", "label": "label"},
        "attributes": [grouping[0] if len(grouping) == 1 else list(grouping) for grouping in work.groupings],
        "cutoffs": {"start": 0, "stop": 1, "count": work.cutoffs} if even else {"values": list(work.values.tolist())},
        "operating_points": [{"name": "population", "rule": "population_gbe", "target": 1.0}],
        "privacy": {"minimum_cell_size": 0},
        "spark": {"counting": counting},
    }


def swept(spec: AuditSpec, engine: Engine) -> Swept:
    """From rows to confusion counts of every requested group at every cutoff."""
    counted = count(spec, Window(), engine, engine.inspect(), lambda _: None)
    (state,) = counted.models.values()
    found = []
    for grouping in spec.groupings:
        histogram = _histogram(state.histograms, grouping.attributes)
        found.append((grouping.attributes, histogram.cells, histogram.counts()))
    return found


def _histogram(histograms: Sequence[Histogram], attributes: tuple[str, ...]) -> ScoreHistogram:
    exact = next((histogram for histogram in histograms if histogram.attributes == attributes), None)
    return (summed(histograms, attributes) if exact is None else exact).whole()


def job(work: Work, spec: AuditSpec, engine: Callable[[AuditSpec], Engine]) -> Job:
    """Count with a new engine each time, so that nothing is known of the levels at first."""

    def answers(result: object) -> list[Answer]:
        values = work.values
        return [
            Answer(attributes, cells, values, np.stack([counts.tp, counts.fp, counts.fn, counts.tn], axis=2))
            for attributes, cells, counts in cast("Swept", result)
        ]

    return Job(lambda: swept(spec, engine(spec)), answers)


def spark_engine(spec: AuditSpec, master: str = LOCAL_MASTER) -> Engine:
    """A new engine on the session of this process."""
    from fairsweep.engines.spark.engine import SparkEngine
    from fairsweep.engines.spark.opening import source_of

    spark = session(master)
    return SparkEngine(spark, source_of(spark, spec.source), spec.limits)


def catalyst(work: Work) -> Job:
    """Expressions on a DataFrame."""
    return job(work, load_mapping(config_of(work, work.path, "catalyst")), spark_engine)


def arrow(work: Work) -> Job:
    """The Arrow kernel in Spark's tasks."""
    try:
        spec = load_mapping(config_of(work, work.path, "arrow"))
    except UsageError as error:
        raise NotBuiltError("the Arrow kernel in Spark") from error
    return job(work, spec, spark_engine)


def local(work: Work) -> Job:
    """The Arrow kernel in this process."""
    try:
        from fairsweep.engines.arrow.sources import source_of
        from fairsweep.engines.local import LocalEngine
    except ImportError as error:
        raise NotBuiltError("the local engine") from error
    spec = load_mapping(config_of(work, work.path))
    return job(work, spec, lambda given: LocalEngine(source_of(given.source), given.limits))


def cluster(work: Work) -> Job:
    """Spark with its automatic form of counting, on some workers of `scripts/cluster`; warmed up on the small file."""
    master = (REPOSITORY / ".cluster" / "master").read_text().strip()
    package = shutil.make_archive(str(work.scratch / "fairsweep"), "zip", REPOSITORY / "src", "fairsweep")
    settings = {"spark.cores.max": work.workers, "spark.executor.cores": 1, "spark.executor.memory": EXECUTOR_MEMORY}
    words = [f"--conf {key}={value}" for key, value in settings.items()]
    os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join([*words, f"--py-files {package}", "pyspark-shell"])
    os.environ["PYSPARK_PYTHON"] = str(REPOSITORY / ".cluster" / "python" / "bin" / "python")
    swept(load_mapping(config_of(work, work.small_path)), spark_engine(_spec(work), master))
    return job(work, _spec(work), lambda spec: spark_engine(spec, master))


def shuffle(work: Work) -> Job:
    """Spark with its automatic form of counting, and the bytes that it shuffles."""
    events = work.scratch / "events"
    os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join([*shuffling.settings(events), "pyspark-shell"])
    return job(work, _spec(work), spark_engine)._replace(shuffled=shuffling.Shuffled(events))


def _spec(work: Work) -> AuditSpec:
    return load_mapping(config_of(work, work.path))


def frame(work: Work) -> Job:
    """A pandas frame audited in Python, up to its table of metrics."""
    data = frame_of(work.path)
    config = config_of(work, work.path)
    point = {"name": "at", "rule": "fixed", "at": float(work.values[0])}

    def run() -> fairsweep.AuditResult:
        result = fairsweep.audit(
            data,
            score="score",
            label="label",
            attributes=config["attributes"],
            flag_is="help",
            cutoffs=work.values.tolist(),
            operating_points=[point],
            privacy={"minimum_cell_size": 0},
        )
        _ = result.metrics
        return result

    def answers(result: object) -> list[Answer]:
        sweep = cast("fairsweep.AuditResult", result).tables["threshold_sweep"]
        return answers_of_sweep(sweep, work)

    return Job(run, answers)


def answers_of_sweep(sweep: Any, work: Work) -> list[Answer]:  # noqa: ANN401  (an Arrow table)
    """The counts of every grouping in a table `threshold_sweep`."""
    found = []
    rows = sweep.select(["attribute", "group_value", "cutoff_index", "tp", "fp", "fn", "tn"]).to_pandas()
    for grouping in work.groupings:
        mine = rows[rows["attribute"] == JOINER.join(grouping)].sort_values(["group_value", "cutoff_index"])
        groups = tuple(tuple(group.split(JOINER)) for group in mine["group_value"].unique())
        counts = mine[["tp", "fp", "fn", "tn"]].to_numpy(np.int64).reshape(len(groups), len(work.values), 4)
        found.append(Answer(grouping, groups, work.values, counts))
    return found
