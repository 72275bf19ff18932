"""The score histogram: events and non-events per cell and bucket, the only state that an audit keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts, IntArray
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.inference import clusters

UNSCORED_BUCKET = -1
_DENSE_PER_KEY = 32
Cell = tuple[str, ...]
Measures = Mapping[str, IntArray]
NO_MEASURES: Measures = MappingProxyType({})
Made = TypeVar("Made")
SCORE_MEASURES = ("event_score_sum", "non_event_score_sum", "score_square_sum")
"""Sums of scores of events and of non-events, and of the squares of both, in billionths."""


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """Events and non-events per cell and bucket, sparse, sorted by cell and bucket.

    A cell is one value for each attribute; `cell` indexes `cells`, which is sorted. Bucket b holds the rows whose
    score reaches exactly b cutoffs; bucket -1 holds the unscored. Histograms on equal grids and attributes form a
    commutative monoid under `+`.

    Attributes:
        grid: the cutoffs that the buckets lie between.
        attributes: the names of the attributes that a cell has values for; empty for everybody.
        cells: the cells, sorted.
        cell: int32, the cell of each entry.
        bucket: int32, the bucket of each entry.
        events: int64, rows with an event.
        non_events: int64, rows without.
        measures: further sums over the same entries by name, int64: of scores, of weights, of members' rows.
    """

    grid: CutoffGrid
    attributes: tuple[str, ...]
    cells: tuple[Cell, ...]
    cell: NDArray[np.int32]
    bucket: NDArray[np.int32]
    events: IntArray
    non_events: IntArray
    measures: Measures = field(default_factory=lambda: NO_MEASURES)

    @classmethod
    def merged(
        cls,
        grid: CutoffGrid,
        attributes: tuple[str, ...],
        cells: Sequence[Cell],
        cell: NDArray[np.integer[Any]],
        bucket: NDArray[np.integer[Any]],
        events: IntArray,
        non_events: IntArray,
        measures: Measures = NO_MEASURES,
    ) -> ScoreHistogram:
        """Sum entries of equal cell and bucket, given in any order.

        Args:
            grid: the cutoffs that the buckets lie between.
            attributes: the names of the attributes that a cell has values for.
            cells: cells in any order; equal ones become one.
            cell: for each entry, which of `cells` it belongs to.
            bucket: for each entry, its bucket.
            events: for each entry, rows with an event.
            non_events: for each entry, rows without.
            measures: for each entry, further sums.
        """
        levels = tuple(sorted(set(cells)))
        place = {level: i for i, level in enumerate(levels)}
        rank = np.fromiter((place[level] for level in cells), dtype=np.int64, count=len(cells))
        width = len(grid) + 2
        keys = rank[cell] * width + (bucket.astype(np.int64) - UNSCORED_BUCKET)
        every = (events, non_events, *measures.values())
        unique, (events, non_events, *others) = _summed_by_key(keys, every, len(levels) * width)
        kept_cell, kept_bucket = np.divmod(unique, width)
        return cls(
            grid,
            attributes,
            levels,
            kept_cell.astype(np.int32),
            (kept_bucket + UNSCORED_BUCKET).astype(np.int32),
            events,
            non_events,
            dict(zip(measures, others, strict=True)),
        )

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        """Merge two histograms of disjoint rows.

        Raises:
            ValueError: when the grids or the attributes differ.
        """
        if self.grid.id != other.grid.id:
            raise ValueError(
                f"cannot merge histograms on different grids: {len(self.grid)} cutoffs ({self.grid.id}) and "
                f"{len(other.grid)} cutoffs ({other.grid.id}); recount one of them on the other's grid"
            )
        if self.attributes != other.attributes:
            raise ValueError(f"cannot merge histograms of {self.attributes} and {other.attributes}")
        return ScoreHistogram.merged(
            self.grid,
            self.attributes,
            self.cells + other.cells,
            np.concatenate([self.cell, other.cell + len(self.cells)]),
            np.concatenate([self.bucket, other.bucket]),
            np.concatenate([self.events, other.events]),
            np.concatenate([self.non_events, other.non_events]),
            {name: np.concatenate([self.measures[name], other.measures[name]]) for name in self.measures},
        )

    @property
    def jobs(self) -> int:
        """How many jobs of the engine it takes to read: none, because it is in this process."""
        return 0

    @property
    def cutoffs_here(self) -> Sequence[int]:
        """The indices of the cutoffs at which this process can hold the counts of every cell: those of the grid."""
        return range(len(self.grid))

    def here(self) -> ScoreHistogram:
        """The cells that this process has: all of them."""
        return self

    def whole(self) -> ScoreHistogram:
        """The histogram with all its measures, in this process."""
        return self

    def distributed_rows(self, of_block: object, schema: object) -> tuple[()]:
        """Rows of a result table that tasks make of it: none."""
        return ()

    def collected(self, of_block: Callable[[ScoreHistogram, int], Made], schema: object) -> Made:
        """What is made of its only block, which is itself."""
        return of_block(self, 0)

    def by(self, attributes: tuple[str, ...]) -> ScoreHistogram:
        """The histogram of coarser cells: the sum over all attributes not named.

        Sums over pairs of a member's rows do not add up over cells that the member is in: coarser cells have none.

        Raises:
            ValueError: when an attribute is not one of this histogram's.
        """
        if attributes == self.attributes:
            return self
        places = [self.attributes.index(name) for name in attributes]
        coarse = [tuple(cell[i] for i in places) for cell in self.cells]
        lost = clusters.MEASURES if set(attributes) != set(self.attributes) else ()
        measures = {name: measure for name, measure in self.measures.items() if name not in lost}
        return ScoreHistogram.merged(
            self.grid, attributes, coarse, self.cell, self.bucket, self.events, self.non_events, measures
        )

    def dense(self, name: str) -> IntArray:
        """A measure of every cell and bucket, `[cells, buckets]`, without the unscored.

        Args:
            name: `events`, `non_events` or one of `measures`.
        """
        measure = self.measures[name] if name in self.measures else getattr(self, name)
        whole = np.zeros((len(self.cells), len(self.grid) + 2), dtype=np.int64)
        whole[self.cell, self.bucket - UNSCORED_BUCKET] = measure
        return whole[:, 1:]

    def between(self, name: str, cutoff_indices: Sequence[int]) -> IntArray:
        """A measure of every cell between some rising cutoffs, `[cells, cutoffs + 1]`, without the unscored.

        It is what `dense` gives where there are no other cutoffs, without an array of all that there are.
        """
        measure = self.measures[name] if name in self.measures else getattr(self, name)
        scored = self.bucket > UNSCORED_BUCKET
        sums = np.zeros((len(self.cells), len(cutoff_indices) + 1), dtype=np.int64)
        # Bucket b holds what cutoffs 0 to b - 1 flag.
        place = np.searchsorted(np.asarray(cutoff_indices, dtype=np.int64), self.bucket[scored], side="left")
        np.add.at(sums, (self.cell[scored], place), measure[scored])
        return sums

    def weighted(self) -> ScoreHistogram:
        """The same histogram with the weights of events and non-events, in millionths, in the place of their rows."""
        of = self.measures
        return replace(self, events=of["weight_events"], non_events=of["weight_non_events"])

    def counts(self) -> ConfusionCounts:
        """Confusion counts of every cell at every cutoff at once, `[cells, cutoffs]`.

        Cutoff k flags the buckets above k, so that a suffix sum over the buckets gives tp and fp.
        """
        shape = (len(self.cells), len(self.grid) + 2)
        place = (self.cell, self.bucket - UNSCORED_BUCKET)
        events, non_events = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        events[place], non_events[place] = self.events, self.non_events
        flagged = [np.cumsum(a[:, :1:-1], axis=1)[:, ::-1] for a in (events, non_events)]
        return self._split(flagged, events[:, :1], non_events[:, :1])

    def counts_at(self, cutoff_indices: Sequence[int]) -> ConfusionCounts:
        """Confusion counts of every cell at some cutoffs, `[cells, len(cutoff_indices)]`; few need no full grid."""
        if list(cutoff_indices) == list(range(len(self.grid))):
            return self.counts()
        flagged = [
            np.stack([self._sum(measure, self.bucket > k) for k in cutoff_indices], axis=1)
            if cutoff_indices
            else np.zeros((len(self.cells), 0), dtype=np.int64)
            for measure in (self.events, self.non_events)
        ]
        unscored = (self._sum(measure, self.bucket == UNSCORED_BUCKET) for measure in (self.events, self.non_events))
        return self._split(flagged, *(a[:, np.newaxis] for a in unscored))

    def _sum(self, measure: IntArray, where: NDArray[np.bool_]) -> IntArray:
        """Sums of a measure per cell over some entries."""
        total = np.zeros(len(self.cells), dtype=np.int64)
        np.add.at(total, self.cell[where], measure[where])
        return total

    def _split(
        self, flagged: Sequence[IntArray], unscored_events: IntArray, unscored_non_events: IntArray
    ) -> ConfusionCounts:
        """Complete tp and fp, `[cells, cutoffs]`, to all counts; the unscored are in no bucket above -1."""
        scored = self.bucket > UNSCORED_BUCKET
        events, non_events = (self._sum(a, scored)[:, np.newaxis] for a in (self.events, self.non_events))
        tp, fp = flagged
        unscored = (np.broadcast_to(a, tp.shape) for a in (unscored_events, unscored_non_events))
        return ConfusionCounts(tp, fp, events - tp, non_events - fp, *unscored)


def _summed_by_key(keys: IntArray, measures: Sequence[IntArray], size: int) -> tuple[IntArray, list[IntArray]]:
    """The distinct keys, sorted, and the sums of each measure; keys are below `size`."""
    if size > _DENSE_PER_KEY * len(keys):
        unique, place = np.unique(keys, return_inverse=True)
        return unique, [_summed(place, measure, len(unique)) for measure in measures]
    # Adding to every possible key takes less time than sorting those there are.
    present = np.zeros(size, dtype=bool)
    present[keys] = True
    unique = np.flatnonzero(present)
    return unique, [_summed(keys, measure, size)[unique] for measure in measures]


def _summed(places: IntArray, measure: IntArray, size: int) -> IntArray:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, places, measure)
    return total
