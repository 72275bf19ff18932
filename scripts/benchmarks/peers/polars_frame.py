"""Polars: a streaming group-by over cells and buckets, then cumulative sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.peers.suffix_sums import answer

if TYPE_CHECKING:
    from scripts.benchmarks.answers import Answer


def prepare(work: Work) -> Job:
    """From the file to a frame in this process."""
    import polars as pl

    keys, steps = list(work.attributes), work.steps
    score = pl.col("score")
    guess = (score * steps).floor().cast(pl.Int32)
    # The guess is off by at most one, and k / steps is the cutoff itself.
    above = ((guess + 1).cast(pl.Float64) / float(steps) <= score).cast(pl.Int32)
    below = (guess.cast(pl.Float64) / float(steps) > score).cast(pl.Int32)
    counted = (
        pl.scan_parquet(work.path)
        # Categories group a fifth faster than text.
        .with_columns(pl.col(keys).cast(pl.Categorical))
        .group_by(*keys, (guess + 1 + above - below).alias("bucket"))
        .agg(pl.col("label").cast(pl.Int64).sum().alias("events"), pl.len().cast(pl.Int64).alias("n"))
    )

    def run() -> Any:  # noqa: ANN401  (a Polars frame)
        counts = counted.collect(engine="streaming").sort("bucket", descending=True)
        measures = {"events": pl.col("events"), "non_events": pl.col("n") - pl.col("events")}
        return counts.select(*keys, "bucket", *(m.cum_sum().over(keys).alias(name) for name, m in measures.items()))

    return Job(run, lambda result: [_answer(result, work)])


def _answer(frame: Any, work: Work) -> Answer:  # noqa: ANN401  (a Polars frame)
    columns = {name: frame[name].to_numpy().astype(np.int64) for name in ("bucket", "events", "non_events")}
    cells = list(zip(*(frame[name].to_list() for name in work.attributes), strict=True))
    return answer(work.attributes, cells, columns["bucket"], columns["events"], columns["non_events"], work.values)
