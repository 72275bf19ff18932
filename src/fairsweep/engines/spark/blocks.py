"""Score histograms that are too large for the driver: tasks sweep them in blocks of whole cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyspark.sql.functions as F

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.histogram import Cell, ScoreHistogram
from fairsweep.engines.protocol import OfBlock
from fairsweep.tables.checksums import PARTS, Checksum, by_run, combined, combined_by_run
from fairsweep.tables.schema import SQL_TYPES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from fairsweep.core.cutoffs import CutoffGrid

MEASURED = ("events", "non_events")
_COUNTS = tuple(field.name for field in fields(ConfusionCounts))


@dataclass(frozen=True)
class BlockedRows:
    """Rows of a result table that tasks make and write."""

    frame: DataFrame

    def checksum(self) -> Checksum:
        """Their checksum, which tasks take."""
        parts = self.frame.mapInArrow(by_run, PARTS).toArrow()
        return combined(combined_by_run(parts).values())


@dataclass(frozen=True, eq=False)
class BlockedHistogram:
    """A score histogram as a DataFrame.

    Attributes:
        grid: the cutoffs that the buckets lie between.
        attributes: the names of the attributes that a cell has values for.
        entries: a row for each cell and bucket: the texts `g0, g1, ...` of the attributes, the bucket, `MEASURED`.
        block_rows: about how many rows a task may make of a block.
    """

    grid: CutoffGrid
    attributes: tuple[str, ...]
    entries: DataFrame
    block_rows: int

    @property
    def texts(self) -> list[str]:
        """The columns of the attributes."""
        return [f"g{i}" for i in range(len(self.attributes))]

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, sorted."""
        found = self.entries.select(*self.texts).distinct().toArrow()
        return tuple(sorted(zip(*(found[name].to_pylist() for name in self.texts), strict=True)))

    @property
    def jobs(self) -> int:
        """How many jobs it takes to read."""
        return 1

    @property
    def cutoffs_here(self) -> Sequence[int]:
        """The indices of the cutoffs at which the driver can hold the counts of every cell: none."""
        return ()

    def here(self) -> ScoreHistogram:
        """The cells that the driver has: none."""
        nothing = np.zeros(0, dtype=np.int64)
        return ScoreHistogram.merged(self.grid, self.attributes, (), nothing, nothing, nothing, nothing)

    def whole(self) -> ScoreHistogram:
        """Not to be had.

        Raises:
            TypeError: always.
        """
        raise TypeError("only a histogram in this process has measures")

    def by(self, attributes: tuple[str, ...]) -> BlockedHistogram | ScoreHistogram:
        """The histogram of coarser cells; everybody's comes to the driver."""
        if attributes == self.attributes:
            return self
        places = [self.attributes.index(name) for name in attributes]
        chosen = [F.col(f"g{place}").alias(f"g{i}") for i, place in enumerate(places)]
        coarse = summed(self.entries.select(*chosen, "bucket", *MEASURED), len(places))
        if attributes:
            return BlockedHistogram(self.grid, attributes, coarse, self.block_rows)
        table = coarse.toArrow()
        bucket, *measures = (table[name].to_numpy() for name in ("bucket", *MEASURED))
        return ScoreHistogram.merged(self.grid, (), [()], np.zeros(len(bucket), np.int64), bucket, *measures)

    def counts_at(self, cutoff_indices: Sequence[int]) -> ConfusionCounts:
        """Confusion counts of every cell at some cutoffs, `[cells, len(cutoff_indices)]`."""
        table = self.collected(partial(_counts_at, cutoff_indices=tuple(cutoff_indices)), _COUNTS_SCHEMA)
        arrays = {name: np.zeros((len(self.cells), len(cutoff_indices)), dtype=np.int64) for name in _COUNTS}
        place = (table["cell_id"].to_numpy(), table["place"].to_numpy())
        for name, array in arrays.items():
            array[place] = table[name].to_numpy()
        return ConfusionCounts(**arrays)

    def collected(self, of_block: OfBlock, schema: pa.Schema) -> pa.Table:
        """What tasks make of every block, on the driver."""
        return self._mapped(of_block, schema).toArrow()

    def distributed_rows(self, of_block: OfBlock, schema: pa.Schema) -> tuple[BlockedRows]:
        """What tasks make of every block, as rows of a result table."""
        return (BlockedRows(self._mapped(of_block, schema)),)

    def _mapped(self, of_block: OfBlock, schema: pa.Schema) -> DataFrame:
        cells = max(1, self.block_rows // (len(self.grid) + 2))
        grid, attributes = self.grid, self.attributes

        def work(block: pa.Table) -> pa.Table:
            return of_block(*_histogram(block, grid, attributes, cells))

        declared = ", ".join(f"`{field.name}` {SQL_TYPES[field.type]}" for field in schema)
        blocks = F.floor(F.col("cell_id") / F.lit(float(cells))).alias("block")
        return self._placed.select("*", blocks).groupBy("block").applyInArrow(work, declared)

    @cached_property
    def _placed(self) -> DataFrame:
        """The entries, each with the place of its cell among all."""
        columns = {name: pa.array([cell[i] for cell in self.cells]) for i, name in enumerate(self.texts)}
        columns["cell_id"] = pa.array(range(len(self.cells)), pa.int32())
        places = self.entries.sparkSession.createDataFrame(pa.table(columns))
        return self.entries.join(F.broadcast(places), self.texts)


def summed(entries: DataFrame, attributes: int) -> DataFrame:
    """One row for each cell and bucket."""
    keys = [*(f"g{i}" for i in range(attributes)), "bucket"]
    return entries.groupBy(*keys).agg(*(F.sum(name).alias(name) for name in MEASURED))


def _histogram(
    table: pa.Table, grid: CutoffGrid, attributes: tuple[str, ...], cells: int
) -> tuple[ScoreHistogram, int]:
    """In a task: a block of so many cells as a histogram, and the place of its first cell."""
    ids, one_of_each = np.unique(table["cell_id"].to_numpy(), return_index=True)
    texts = [table[f"g{i}"].take(pa.array(one_of_each)).to_pylist() for i in range(len(attributes))]
    histogram = ScoreHistogram.merged(
        grid,
        attributes,
        list(zip(*texts, strict=True)),
        np.searchsorted(ids, table["cell_id"].to_numpy()),
        *(table[name].to_numpy() for name in ("bucket", *MEASURED)),
    )
    return histogram, int(table["block"][0].as_py()) * cells


_COUNTS_SCHEMA = pa.schema([(name, pa.int64()) for name in ("cell_id", "place", *_COUNTS)])


def _counts_at(histogram: ScoreHistogram, first: int, cutoff_indices: tuple[int, ...]) -> pa.Table:
    counts = histogram.counts_at(cutoff_indices).reshape(-1)
    cells, places = len(histogram.cells), len(cutoff_indices)
    columns = [np.repeat(np.arange(first, first + cells), places), np.tile(np.arange(places), cells), *counts.arrays]
    return pa.table([pa.array(column, pa.int64()) for column in columns], schema=_COUNTS_SCHEMA)
