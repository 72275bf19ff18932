"""Counts of several grouping sets: small ones are counted together, as one set of all their columns, and summed later.

Every counted set costs one addition per row. Only the speed depends on which sets are counted together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fairsweep.engines.arrow.cells import MOST_DENSE, CellCounts
from fairsweep.engines.mixed_radix import volume

# Counts that a processor's cache holds.
MOST_TOGETHER = 1 << 19
# Of all grouping sets together, in counts of eight bytes.
MOST_DENSE_OF_ALL = 1 << 25

Columns = tuple[int, ...]


class CountedSet(NamedTuple):
    """The columns of a set that is counted, and its counts."""

    columns: Columns
    counts: CellCounts


class SetCounts:
    """The number of rows by cell of several grouping sets, and by slot within the cell.

    Args:
        sets: the columns of each, ascending.
        places: how many slots each cell has.
        most: how many counts of one set may be held; None for no limit.
    """

    def __init__(self, sets: Sequence[Columns], places: int, most: int | None = None) -> None:
        self._sets, self._places, self._most = sets, places, most
        self._dense = min(MOST_DENSE, MOST_DENSE_OF_ALL // len(sets))
        self._counted: list[CountedSet] = []

    def __iter__(self) -> Iterator[CountedSet]:
        """The sets that are counted."""
        return iter(self._counted)

    def fit(self, sizes: Sequence[int]) -> None:
        """Make room for so many names in each column.

        Raises:
            TooManyCellsError: when a key would no longer fit 63 bits.
        """
        if not self._counted:
            self._counted = [CountedSet(columns, self._none()) for columns in self._together(sizes)]
        outgrown = [
            one for one in self._counted if one.columns not in self._sets and not self._fits(one.columns, sizes)
        ]
        for one in outgrown:
            # A set with more names than at first is counted separately from now on.
            self._counted.remove(one)
            inside = [columns for columns in self._sets if self._holder(columns) is None]
            self._counted += [CountedSet(columns, self._summed(one, columns)) for columns in inside]
        for columns, counts in self._counted:
            counts.fit([sizes[i] for i in columns])

    def of(self, columns: Columns) -> CellCounts:
        """The counts of one of the sets."""
        holder = self._holder(columns)
        return self._none() if holder is None else self._summed(holder, columns)

    def _none(self) -> CellCounts:
        return CellCounts(self._places, self._dense, self._most)

    def _fits(self, columns: Columns, sizes: Sequence[int]) -> bool:
        return volume([max(sizes[i], 1) for i in columns], self._places) <= MOST_TOGETHER

    def _together(self, sizes: Sequence[int]) -> list[Columns]:
        """Which sets to count so that each of ours is part of one: each joins the first where there is room for it."""
        found: list[Columns] = []
        for columns in sorted(self._sets, key=len, reverse=True):
            for i, other in enumerate(found):
                both = tuple(sorted({*columns, *other}))
                if self._fits(both, sizes):
                    found[i] = both
                    break
            else:
                found.append(columns)
        return found

    def _holder(self, columns: Columns) -> CountedSet | None:
        holders = [one for one in self._counted if set(columns) <= set(one.columns)]
        return min(holders, key=lambda one: len(one.columns), default=None)

    def _summed(self, one: CountedSet, columns: Columns) -> CellCounts:
        return one.counts if one.columns == columns else one.counts.over([one.columns.index(i) for i in columns])
