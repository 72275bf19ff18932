"""Confusion counts: the four numbers that every metric is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ConfusionCounts:
    """True and false positives and negatives, and the people without a usable score.

    Each field is an int64 array; all have one shape, for example `[groups, cutoffs]`. The counts are a commutative
    monoid under `+`: a coarser group is a sum of finer ones, a longer period a sum of shorter ones.

    Attributes:
        tp: events that were flagged.
        fp: non-events that were flagged.
        fn: events that were not flagged.
        tn: non-events that were not flagged.
        unscored_events: events without a usable score; never part of `n`.
        unscored_non_events: non-events without a usable score; never part of `n`.
    """

    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray
    unscored_events: IntArray
    unscored_non_events: IntArray

    @classmethod
    def of(
        cls,
        tp: object,
        fp: object,
        fn: object,
        tn: object,
        unscored_events: object = 0,
        unscored_non_events: object = 0,
    ) -> ConfusionCounts:
        """Build counts from anything array-like, broadcast to one shape.

        Raises:
            ValueError: when a count is negative or not a whole number.
        """
        given = [np.asarray(a) for a in (tp, fp, fn, tn, unscored_events, unscored_non_events)]
        whole = [a.astype(np.int64) for a in given]
        if any((a != w).any() or (w < 0).any() for a, w in zip(given, whole, strict=True)):
            raise ValueError("confusion counts must be whole numbers of at least 0")
        # A copy if others could change the array, or if it is a broadcast of one number.
        return cls(*(np.array(b) if b is not w else w for b, w in zip(np.broadcast_arrays(*whole), whole, strict=True)))

    @property
    def arrays(self) -> tuple[IntArray, ...]:
        """The six arrays, in the order of the fields."""
        return (self.tp, self.fp, self.fn, self.tn, self.unscored_events, self.unscored_non_events)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that all six arrays share."""
        return self.tp.shape

    @property
    def n(self) -> IntArray:
        """Scored rows."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def flagged(self) -> IntArray:
        """Predicted positives, tp + fp."""
        return self.tp + self.fp

    @property
    def events(self) -> IntArray:
        """Actual positives among the scored, tp + fn."""
        return self.tp + self.fn

    @property
    def non_events(self) -> IntArray:
        """Actual negatives among the scored, fp + tn."""
        return self.fp + self.tn

    def __add__(self, other: ConfusionCounts) -> ConfusionCounts:
        """Merge the counts of two disjoint sets of rows."""
        return ConfusionCounts(*(a + b for a, b in zip(self.arrays, other.arrays, strict=True)))

    def __sub__(self, part: ConfusionCounts) -> ConfusionCounts:
        """The population without `part`: the rest with which a group is compared."""
        return ConfusionCounts(*(a - b for a, b in zip(self.arrays, part.arrays, strict=True)))

    def __getitem__(self, index: Any) -> ConfusionCounts:  # noqa: ANN401  (any numpy index)
        """The same index into each of the six arrays."""
        return ConfusionCounts(*(np.asarray(a[index]) for a in self.arrays))

    def sum(self, axis: int = 0) -> ConfusionCounts:
        """Merge along one axis: `[groups, cutoffs]` over axis 0 is the whole population at every cutoff."""
        return ConfusionCounts(*(a.sum(axis=axis, dtype=np.int64) for a in self.arrays))

    def reshape(self, *shape: int) -> ConfusionCounts:
        """The same counts in another shape, as `numpy.reshape`."""
        return ConfusionCounts(*(a.reshape(*shape) for a in self.arrays))
