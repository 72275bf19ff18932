"""Spark the usual way: for every cutoff four sums of conditions, all in one aggregation per attribute."""

from __future__ import annotations

from typing import Any, cast

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.frames import answers_of
from scripts.benchmarks.sessions import session


def prepare(work: Work) -> Job:
    """In the session of this process."""
    import pyspark.sql.functions as F

    rows = session().read.parquet(str(work.path))
    cutoffs = work.values.tolist()
    event = F.col("label") == 1
    sums = []
    for k, cutoff in enumerate(cutoffs):
        flagged = F.col("score") >= F.lit(cutoff)
        for name, condition in (
            ("tp", event & flagged), ("fp", ~event & flagged), ("fn", event & ~flagged), ("tn", ~event & ~flagged)
        ):  # fmt: skip
            sums.append(F.sum(condition.cast("int")).alias(f"{name}_{k}"))

    def run() -> object:
        return {name: rows.groupBy(name).agg(*sums).collect() for name in work.attributes}

    def counts(result: object) -> dict[str, dict[tuple[str, float], list[int]]]:
        return {
            name: {
                (row[name], cutoff): [row[f"{measure}_{k}"] for measure in ("tp", "fp", "fn", "tn")]
                for row in found
                for k, cutoff in enumerate(cutoffs)
            }
            for name, found in cast("dict[str, Any]", result).items()
        }

    return Job(run, lambda result: answers_of(counts(result), work.values))
