"""The lattice of subgroups: cells of combinations of attributes, which cells contain others, and their remainders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.counts import ConfusionCounts, IntArray
from fairsweep.core.inference.intervals import FloatArray, score_statistic
from fairsweep.core.inference.verdicts import FlagIs

if TYPE_CHECKING:
    from fairsweep.core.histogram import Cell

Members = frozenset[tuple[str, str]]
"""The members of a cell, given by attributes and their values in any order."""
Sets = Mapping[tuple[str, ...], "tuple[Sequence[Cell], ConfusionCounts]"]


@dataclass(frozen=True, eq=False)
class Lattice:
    """All cells of some combinations of attributes, with their counts at one operating point.

    A cell's ancestors are the cells that contain it because they name fewer of its values: `race Black` and
    `sex female` are ancestors of `race Black, sex female`, which descends from both.

    Attributes:
        attributes: the attributes of each cell.
        values: the value of each of them.
        counts: the counts of each cell, `[cells]`.
        members: the members of each cell.
        place: the index of the cell of some members.
        known: the combinations whose cells are all here; if one of their cells is absent, it is empty.
    """

    attributes: tuple[tuple[str, ...], ...]
    values: tuple[Cell, ...]
    counts: ConfusionCounts
    members: tuple[Members, ...]
    place: Mapping[Members, int]
    known: frozenset[frozenset[str]]

    @classmethod
    def of(cls, sets: Sets) -> Lattice:
        """Gather the cells of several combinations.

        Args:
            sets: for each combination of attributes its cells and their counts, `[cells]`.

        Raises:
            ValueError: when a combination is empty, comes twice in another order, or does not have one entry of
                the counts per cell.
        """
        known = frozenset(frozenset(names) for names in sets)
        if len(known) < len(sets) or any(len(set(names)) != len(names) or not names for names in sets):
            raise ValueError(f"combinations are {list(sets)}; each must name some attributes once and come once")
        for names, (cells, counts) in sets.items():
            if counts.shape != (len(cells),) or any(len(cell) != len(names) for cell in cells):
                raise ValueError(f"{names}: {len(cells)} cells and counts of shape {counts.shape} do not match")
        attributes = tuple(names for names, (cells, _) in sets.items() for _ in cells)
        values = tuple(chain.from_iterable(cells for cells, _ in sets.values()))
        parts = [counts.arrays for _, counts in sets.values()]
        none = np.zeros(0, dtype=np.int64)
        merged = ConfusionCounts(*(np.concatenate([none, *(part[i] for part in parts)]) for i in range(6)))
        members = tuple(frozenset(zip(*cell, strict=True)) for cell in zip(attributes, values, strict=True))
        place = {cell: where for where, cell in enumerate(members)}
        if len(place) < len(members):
            raise ValueError("a cell comes twice in one combination; each must come once")
        return cls(attributes, values, merged, members, place, known)

    def descents(self, cells: IntArray) -> tuple[IntArray, IntArray]:
        """Every pair of a descendant and an ancestor that is here.

        Args:
            cells: the requested descendants.

        Returns:
            The descendants and, entry by entry, their ancestors.
        """
        pairs = [(cell, ancestor) for cell in cells.tolist() for ancestor in self._ancestors(cell)]
        descendants, ancestors = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return descendants, ancestors

    def _ancestors(self, cell: int) -> Iterator[int]:
        pairs = tuple(zip(self.attributes[cell], self.values[cell], strict=True))
        for size in range(1, len(pairs)):
            for fewer in combinations(pairs, size):
                where = self.place.get(frozenset(fewer))
                if where is not None:
                    yield where

    def remainders(self, cell: int, others: Sequence[int]) -> tuple[ConfusionCounts, list[int]]:
        """The remainder of a cell after others are removed from it, one after the other.

        Overlaps are counted once, by inclusion and exclusion over cells that are here. Another cell is skipped
        if it shares no people with this one, or if the number that they share is unknown, because their common
        values name a combination that is not here.

        Args:
            cell: the cell.
            others: the cells to remove.

        Returns:
            The remaining counts after each removal, `[taken]`, and which of `others` were removed.
        """
        terms: dict[Members, int] = {self.members[cell]: 1}
        left, taken = self.counts[cell], []
        steps = []
        for other in others:
            shared = self._shared(terms, self.members[other])
            if not shared:
                continue
            for meeting, sign in shared.items():
                terms[meeting] = terms.get(meeting, 0) - sign
                part = self.counts[self.place[meeting]]
                left = ConfusionCounts(*(a - sign * b for a, b in zip(left.arrays, part.arrays, strict=True)))
            terms = {meeting: sign for meeting, sign in terms.items() if sign}
            steps.append(left.arrays)
            taken.append(other)
        stacked = np.array(steps, dtype=np.int64).reshape(-1, 6).T
        return ConfusionCounts(*stacked), taken

    def _shared(self, terms: Mapping[Members, int], other: Members) -> dict[Members, int]:
        """The part of a signed sum of cells that lies in another cell; empty if there is none or it is unknown."""
        shared: dict[Members, int] = {}
        for members, sign in terms.items():
            meeting = members | other
            if meeting in self.place:
                shared[meeting] = shared.get(meeting, 0) + sign
                continue
            names = frozenset(name for name, _ in meeting)
            if len(names) == len(meeting) and names not in self.known:
                return {}
        return shared


def p_beyond_rest(cells: ConfusionCounts, rest: ConfusionCounts, flag_is: FlagIs) -> FloatArray:
    """One-sided p of the hypothesis that cells have at least the group benefit equality of the rest of an ancestor.

    With b that of cell and rest together, the cell lacks `d = b P - F` flags. Under the hypothesis its variance is
    `(1 - s)^2 v + s^2 v_rest`, where s is the cell's share of the events and the v are the variances of `F - b P`
    that the score test of the bound b rests on. Derived for this project and verified by simulation, not published:
    its size at .05 is .04 to .055 for a group benefit equality of .5 to 1 (.07 if a cell is searched only because it
    just reached 30 events), and in the tail it seldom exceeds its level, whereas the size of the log ratio's test is a
    hundred times too large if a rest of 10 events may hold a zero.

    Args:
        cells: the descendants, `[cells]`.
        rest: all others in the ancestor of each, `[cells]`.
        flag_is: for a sanction the hypothesis is that they have at most the rest's: flags and events are exchanged.

    Returns:
        The p of each cell; NaN if neither it nor the rest has an event.
    """
    from scipy.special import ndtr

    (tp, fp, fn), (rest_tp, rest_fp, rest_fn) = (_paired(counts, flag_is) for counts in (cells, rest))
    events, rest_events = tp + fn, rest_tp + rest_fn
    together = events + rest_events
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = (tp + fp + rest_tp + rest_fp) / together
        distance = ((tp + fp) * rest_events - (rest_tp + rest_fp) * events) / together
        inner = rest_events * distance / score_statistic(tp, fp, fn, bound)
        outer = events * distance / score_statistic(rest_tp, rest_fp, rest_fn, bound)
        statistic = distance * together / np.hypot(inner, outer)
    return np.asarray(ndtr(np.where(distance == 0, 0.0, statistic)))


def _paired(counts: ConfusionCounts, flag_is: FlagIs) -> tuple[FloatArray, ...]:
    """tp, fp and fn as doubles, for a sanction with flags and events exchanged."""
    paired = (counts.tp, counts.fp, counts.fn) if flag_is == "help" else (counts.tp, counts.fn, counts.fp)
    return tuple(count.astype(np.float64) for count in paired)
