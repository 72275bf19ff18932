"""The bucket that Spark computes is the number of cutoffs that a score reaches, for every double."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.engines.spark.buckets import bucket

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RANDOM = np.random.default_rng(20_260_714)
LARGEST = np.finfo(np.float64).max


def crowd(first: float, size: int) -> NDArray[np.float64]:
    """Neighbouring doubles."""
    values = [first]
    for _ in range(size - 1):
        values.append(float(np.nextafter(values[-1], np.inf)))
    return np.array(values)


GRIDS = {
    "thousandths": CutoffGrid.evenly("0", "1", 1_001),
    "ten thousandths": CutoffGrid.evenly("0", "1", 10_001),
    "deciles": CutoffGrid.evenly("1", "10", 10),
    "one": CutoffGrid(np.array([0.5])),
    "zero": CutoffGrid(np.array([0.0])),
    "random": CutoffGrid(np.unique(RANDOM.random(500))),
    "over all magnitudes": CutoffGrid(np.unique(RANDOM.standard_normal(300) * 10.0 ** RANDOM.integers(-300, 300, 300))),
    "crowded": CutoffGrid(np.unique(np.concatenate([crowd(0.5, 60), crowd(0.7, 9), [0.0, 1.0]]))),
    "crowded, and one far away": CutoffGrid(np.append(crowd(1e-300, 40), 1e300)),
    "as wide as doubles are": CutoffGrid(np.array([-LARGEST, -1.0, 0.0, 5e-324, 1.0, LARGEST])),
    "as narrow as doubles are": CutoffGrid(np.array([0.0, 5e-324, 1e-323, 1.5e-323])),
    "thousandths of FLOAT scores": CutoffGrid.evenly("0", "1", 1_001).as_float(),
    "a few thousandths and far ends": CutoffGrid.evenly("0", "1", 101).joined([-1e6, 1e6]),
}


def interesting(grid: CutoffGrid) -> NDArray[np.float64]:
    """Scores on, right below and right above cutoffs, and in between."""
    some = RANDOM.choice(grid.values, min(len(grid), 400), replace=False)
    # The largest doubles have no finite neighbour.
    with np.errstate(over="ignore"):
        beside: NDArray[np.float64] = np.concatenate(
            [some, np.nextafter(some, -np.inf), np.nextafter(some, np.inf), some.astype(np.float32)]
        )
    return beside[np.isfinite(beside)]


def test_the_bucket_of_a_column_is_exact_for_every_double(spark: SparkSession, tmp_path: Path) -> None:
    edges = [0.0, -0.0, 5e-324, -5e-324, LARGEST, -LARGEST, 1e308, -1e308]
    scores = np.concatenate(
        [
            *map(interesting, GRIDS.values()),
            edges,
            RANDOM.random(2_000),
            RANDOM.standard_normal(2_000) * 10.0 ** RANDOM.integers(-300, 300, 2_000),
        ]
    )
    # Rows of a file, because Spark folds constants and small frames in other code than it runs on rows.
    pq.write_table(pa.table({"score": scores}), tmp_path / "scores.parquet")
    frame = spark.read.parquet(str(tmp_path / "scores.parquet"))
    found = frame.select("score", *(bucket(frame.score, grid).alias(f"b{i}") for i, grid in enumerate(GRIDS.values())))
    rows = found.toArrow()
    read = rows["score"].to_numpy()
    assert len(read) == len(scores)
    for i, (name, grid) in enumerate(GRIDS.items()):
        expected = np.searchsorted(grid.values, read, side="right")
        wrong = read[rows[f"b{i}"].to_numpy() != expected]
        assert not len(wrong), (name, wrong[:5].tolist())
