"""Spark MLlib: one BinaryClassificationMetrics for each group.

Its curves have a point for each distinct score, or about a thousand where there are more. Scores are rounded down to
a cutoff first, so that its points are just the cutoffs and its counts exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.frames import answers_of
from scripts.benchmarks.sessions import session

if TYPE_CHECKING:
    from pyspark.sql import Column

Curves = dict[tuple[str, str], tuple[list[tuple[float, float]], list[tuple[float, float]], int, int]]


def prepare(work: Work) -> Job:
    """In the session of this process."""
    import pyspark.sql.functions as F
    from pyspark.mllib.common import _java2py
    from pyspark.mllib.evaluation import BinaryClassificationMetrics

    spark = session()
    rows = spark.read.parquet(str(work.path))

    context = cast("Any", spark.sparkContext)

    def curve(metrics: Any, name: str) -> list[tuple[float, float]]:  # noqa: ANN401  (its Python class hides them)
        points = getattr(metrics._java_model, name)()
        return [(a, b) for a, b in _java2py(context, context._jvm.SerDe.fromTuple2RDD(points)).collect()]

    def run() -> Curves:
        found: Curves = {}
        for attribute in work.attributes:
            sizes = rows.groupBy(attribute).agg(F.count("*").alias("n"), F.sum("label").alias("events")).collect()
            for size in sizes:
                mine = rows.where(F.col(attribute) == size[attribute])
                pairs = mine.select(_bucket(work.steps).cast("double"), F.col("label").cast("double")).rdd
                metrics = BinaryClassificationMetrics(cast("Any", pairs))
                recall, roc = curve(metrics, "recallByThreshold"), curve(metrics, "roc")
                metrics.unpersist()
                found[attribute, size[attribute]] = (recall, roc, size["events"], size["n"] - size["events"])
        return found

    return Job(run, lambda result: answers_of(_counts(cast("Curves", result), work), work.values))


def _bucket(steps: int) -> Column:
    """How many cutoffs a score reaches; the guess is off by at most one, and k / steps is the cutoff itself."""
    import pyspark.sql.functions as F

    score = F.col("score")
    guess = F.floor(score * steps)
    above = ((guess + 1) / F.lit(float(steps)) <= score).cast("int")
    below = (guess / F.lit(float(steps)) > score).cast("int")
    return guess + 1 + above - below


def _counts(curves: Curves, work: Work) -> dict[str, dict[tuple[str, float], list[int]]]:
    found: dict[str, dict[tuple[str, float], list[int]]] = {}
    for (attribute, group), (recall, roc, events, non_events) in curves.items():
        # The ROC curve has the same points in the same order, between (0, 0) and (1, 1).
        flagged = {
            int(bucket): (round(found_share * events), round(false_share * non_events))
            for (bucket, found_share), (false_share, _) in zip(recall, roc[1:-1], strict=True)
        }
        tp, fp = 0, 0
        for k in reversed(range(len(work.values))):
            # Cutoff k flags bucket k + 1 and above; an empty bucket has the counts of the next above it.
            tp, fp = flagged.get(k + 1, (tp, fp))
            counts = [tp, fp, events - tp, non_events - fp]
            found.setdefault(attribute, {})[group, float(work.values[k])] = counts
    return found
