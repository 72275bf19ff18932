"""Spark's own scan of the columns that a count reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow.parquet as pq

from scripts.benchmarks.answers import Answer
from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.sessions import session

if TYPE_CHECKING:
    from pyspark.sql import Column


def prepare(work: Work) -> Job:
    """The greatest value of each attribute; Spark has only a sorting aggregation for text, whose cost is in it."""
    import pyspark.sql.functions as F

    return _job(work, F.max)


def lean(work: Work) -> Job:
    """The lengths of each attribute's values, which a hash aggregation in generated code adds up."""
    import pyspark.sql.functions as F

    return _job(work, lambda name: F.sum(F.octet_length(name)))


def _job(work: Work, reading: Callable[[str], Column]) -> Job:
    import pyspark.sql.functions as F

    rows = session().read.parquet(str(work.path))
    # Columns can only be made once there is a session.
    wanted = [*map(reading, work.attributes), F.sum("score"), F.sum("label").alias("events")]
    n = pq.read_metadata(work.path).num_rows

    def answers(result: object) -> list[Answer]:
        # All rows are flagged at a cutoff of 0.
        events = int(cast("Any", result)[0]["events"])
        return [Answer((), ((),), np.array([0.0]), np.array([[[events, n - events, 0, 0]]]))]

    return Job(lambda: rows.agg(*wanted).collect(), answers)
