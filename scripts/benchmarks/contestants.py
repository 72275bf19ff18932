"""The contestants that can be timed: each form of Fairsweep and each peer, by name, with its requirements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from scripts.benchmarks.answers import Answer

THREADS = 2


class NotBuiltError(Exception):
    """A form of ours that does not exist yet: reported, and no failure."""


@dataclass(frozen=True)
class Work:
    """The task of a contestant.

    Attributes:
        path: the Parquet file; of a cohort, the folder.
        small_path: a small file of the same columns, for warming up.
        scratch: a folder for this contestant only.
        cutoffs: how many, evenly from 0 to 1; or the cutoffs themselves.
        groupings: the groupings to count by: each a tuple of attributes.
        workers: how many workers of one core a cluster gives; 0 for no cluster.
    """

    path: Path
    small_path: Path
    scratch: Path
    cutoffs: int | tuple[float, ...]
    groupings: tuple[tuple[str, ...], ...]
    workers: int = 0

    @property
    def values(self) -> NDArray[np.float64]:
        """The cutoffs; cutoff k of n is the double nearest k / (n - 1), as IEEE division gives it."""
        if isinstance(self.cutoffs, int):
            return np.arange(self.cutoffs) / max(self.cutoffs - 1, 1)
        return np.array(self.cutoffs)

    @property
    def steps(self) -> int:
        """How many steps an even grid has."""
        return len(self.values) - 1

    @property
    def attributes(self) -> tuple[str, ...]:
        """Every single attribute, once."""
        return tuple(dict.fromkeys(name for grouping in self.groupings for name in grouping))


class Job(NamedTuple):
    """A warm contestant, ready to be timed.

    Attributes:
        run: the function that is timed.
        answers: its result as answers; not timed.
        shuffled: bytes shuffled since the last call, if they are measured.
    """

    run: Callable[[], object]
    answers: Callable[[object], Sequence[Answer]]
    shuffled: Callable[[], int] | None = None


class Command(NamedTuple):
    """A cold contestant: a whole process.

    Attributes:
        arguments: the command line.
        answers: its output, as answers.
        output: the path that is removed before each start.
        exit_code: the expected exit code.
    """

    arguments: Sequence[str]
    answers: Callable[[], Sequence[Answer]]
    output: Path
    exit_code: int = 0


@dataclass(frozen=True)
class Contestant:
    """One form of Fairsweep, or one peer.

    Attributes:
        title: its name for people.
        place: the module (a leading dot means this package), and the function in it that prepares it.
        cold: timed as a whole process.
        packages: the distributions whose versions matter.
        environment: variables that have to be set before it is imported.
        notes: the remark in the table.
    """

    title: str
    place: str
    cold: bool = False
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""

    def prepared(self, work: Work) -> Job | Command:
        """The job or command for some work.

        Raises:
            NotBuiltError: for a form that does not exist yet.
        """
        module, _, function = self.place.partition(":")
        prepare = getattr(import_module(module, __package__), function)
        return cast("Job | Command", prepare(work))


_SPARK = ("pyspark", "delta-spark")
_IN_MEMORY = "on a pandas frame already in memory: reading is not timed"

CONTESTANTS: Mapping[str, Contestant] = {
    "catalyst": Contestant("Fairsweep, Catalyst", ".forms:catalyst", packages=_SPARK),
    "arrow": Contestant("Fairsweep, Arrow kernel in Spark", ".forms:arrow", packages=_SPARK),
    "local": Contestant("Fairsweep, local engine", ".forms:local", packages=("pyarrow", "numpy")),
    "cluster": Contestant(
        "Fairsweep, Spark cluster", ".forms:cluster", packages=_SPARK, notes="standalone workers of one core each"
    ),
    "shuffle": Contestant("Fairsweep, Spark", ".forms:shuffle", packages=_SPARK, notes="what the event log says"),
    "frame": Contestant("Fairsweep, `fairsweep.audit(frame)`", ".forms:frame", notes="audit and `.metrics`"),
    "audit-local": Contestant("`fairsweep audit --engine local`", ".audits:local", cold=True, packages=("deltalake",)),
    "audit-spark": Contestant("`fairsweep audit --engine spark`", ".audits:spark", cold=True, packages=_SPARK),
    "audit-providers": Contestant(
        "`fairsweep audit --engine local`, providers", ".providers:audit", cold=True, packages=("deltalake",),
        notes="20 rows each, nothing suppressed",
    ),
    "refused-providers": Contestant(
        "`fairsweep audit --engine local`, refused", ".providers:refused", cold=True,
        notes="`limits.driver_result_rows`, by an estimate from the first rows",
    ),
    "sweep-intervals": Contestant("sweep and write, with intervals", ".evidence:sweep_with_intervals"),
    "sweep-alone": Contestant("sweep and write, without", ".evidence:sweep_alone"),
    "disclosure": Contestant("disclosure control", ".evidence:plan", notes="1,000 groups and everybody"),
    "members": Contestant("Fairsweep, Spark, members", ".evidence:members", packages=_SPARK),
    "rows": Contestant("Fairsweep, Spark, rows", ".evidence:rows", packages=_SPARK),
    "intervals": Contestant("Fairsweep, `fairsweep.audit(frame)`", ".evidence:intervals", notes="and `.metrics`"),
    "bootstrap": Contestant(
        "Fairlearn, bootstrap", ".evidence:bootstrap", packages=("fairlearn",),
        notes=f"20 replicates of three rates per attribute, {_IN_MEMORY}",
    ),
    "cohort": Contestant("`fairsweep cohort`", ".cohorts:spark", cold=True, packages=_SPARK),
    "duckdb-cohort": Contestant(
        "DuckDB, cohort", ".peers.duckdb_cohort:command", cold=True, packages=("duckdb",),
        notes=f"{THREADS} threads; one query written by hand for this cohort alone, Parquet written: no flow by group, "
        "no reasons, nothing published",
    ),
    "spark-scan": Contestant(
        "Spark's scan", ".peers.spark_scan:prepare", packages=_SPARK,
        notes="max of each attribute, sum of score and label",
    ),
    "spark-lean-scan": Contestant(
        "Spark's scan, lean", ".peers.spark_scan:lean", packages=_SPARK,
        notes="sum of each attribute's lengths, of score and of label",
    ),
    "spark-count": Contestant(
        "bare Spark session", ".peers.spark_count:command", cold=True, packages=_SPARK,
        notes="starts, counts the rows of the file, and ends",
    ),
    "duckdb": Contestant(
        "DuckDB", ".peers.duckdb_sql:prepare", packages=("duckdb",),
        notes=f"{THREADS} threads; counts per cell and bucket, then window sums",
    ),
    "duckdb-cold": Contestant(
        "DuckDB, cold", ".peers.duckdb_sql:command", cold=True, packages=("duckdb",),
        notes=f"{THREADS} threads; counts, window sums, Parquet written; with the start of Python",
    ),
    "polars": Contestant(
        "Polars", ".peers.polars_frame:prepare", packages=("polars",), environment={"POLARS_MAX_THREADS": str(THREADS)},
        notes=f"{THREADS} threads; streaming from the file, then cumulative sums",
    ),
    "pandas": Contestant(
        "pandas, loop", ".peers.pandas_loop:prepare", packages=("pandas",),
        notes=f"one group-by per attribute and cutoff, {_IN_MEMORY}",
    ),
    "scikit-learn": Contestant(
        "scikit-learn, loop", ".peers.scikit_learn_loop:prepare", packages=("scikit-learn",),
        notes=f"one confusion matrix per group and cutoff, {_IN_MEMORY}",
    ),
    "fairlearn": Contestant(
        "Fairlearn", ".peers.fairlearn_frame:prepare", packages=("fairlearn",),
        notes=f"one MetricFrame of four metrics per attribute, {_IN_MEMORY}",
    ),
    "aequitas": Contestant("Aequitas", ".peers.aequitas_groups:prepare", packages=("aequitas",), notes=_IN_MEMORY),
    "aif360": Contestant("AIF360", ".peers.aif360_metrics:prepare", packages=("aif360",), notes=_IN_MEMORY),
    "spark-sums": Contestant(
        "Spark, conditional sums", ".peers.spark_conditional_sums:prepare", packages=_SPARK,
        notes="four sums of conditions per cutoff in one aggregation",
    ),
    "mllib": Contestant(
        "Spark MLlib", ".peers.spark_mllib:prepare", packages=_SPARK,
        notes="one BinaryClassificationMetrics per group, on scores rounded down to a cutoff",
    ),
}  # fmt: skip
