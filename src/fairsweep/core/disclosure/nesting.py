"""Thinning of cutoffs until all shown counts are safe.

A count is safe to show when it is 0 or at least a minimum number of members. Publishing a group at some cutoffs
discloses exactly its *atoms*: the events and the non-events between each two neighbouring cutoffs.

Derived for this project and verified by attack (linear and integer programmes on the published figures); not
published. Complementary suppression is an idea of cell suppression, Willenborg and de Waal, Elements of Statistical
Disclosure Control, 2001.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.counts import IntArray
from fairsweep.core.disclosure.model import BoolArray, Series

if TYPE_CHECKING:
    pass

Zones = list[list[tuple[int, int]]]


class Segments:
    """Sums over the entries of each interval, and over those of it up to each entry."""

    def __init__(self, interval: IntArray) -> None:
        self.interval = interval
        self.starts = np.flatnonzero(np.diff(interval, prepend=-1))
        self._place = np.cumsum(np.diff(interval, prepend=interval[0]) != 0)
        self.inside = np.diff(interval) == 0

    def totals(self, some: BoolArray) -> IntArray:
        """How many entries hold in the interval of each."""
        sums = np.add.reduceat(some.astype(np.int32), self.starts, axis=-1)
        return np.asarray(sums[..., self._place])

    def up_to(self, some: BoolArray) -> IntArray:
        """How many of them up to each."""
        sums = np.cumsum(some, axis=-1, dtype=np.int32)
        before = np.concatenate([np.zeros_like(sums[..., :1]), sums[..., :-1]], axis=-1)[..., self.starts]
        return np.asarray(sums - before[..., self._place])


def thin(candidates: IntArray, series: Series, points: Sequence[int], minimum: int) -> IntArray:
    """As many of the candidates as can be shown together: each interval between two is safe in each series.

    Operating points come first, in order of importance; then each segment between them is refined from the top.
    Changes since the previous run must be 0 or at least `minimum` large between *any* two of the cutoffs, because
    an increase and a decrease that are each safe may leave an unsafe net change of a published count.

    Args:
        candidates: cutoff indices, rising.
        series: the counts that the cutoffs would show.
        points: cutoff indices of the operating points.
        minimum: the fewest members that may be shown.

    Returns:
        Cutoff indices, rising; empty if not even the totals are safe: then these may not be shown either.
    """
    bounds = np.concatenate([[0], candidates + 1, [series.rows.shape[1] - 1]]).astype(np.int64)
    changes = None if series.changes is None else series.changes[:, bounds]
    if not series.unsafe(minimum, bounds[:-1], bounds[1:]).any() and _changes_fit(changes, minimum):
        return candidates
    whole = None if changes is None else changes[:, [0, -1]]
    if series.unsafe(minimum, bounds[:1], bounds[-1:]).any() or not _changes_fit(whole, minimum):
        return candidates[:0]
    choice = _Choice(_zones(series, bounds, minimum), changes, minimum)
    wanted = [k for k in dict.fromkeys(points) if k in candidates]
    choice.divide((np.searchsorted(candidates, wanted) + 1).tolist())
    for low, high in reversed(list(zip(choice.chosen, choice.chosen[1:], strict=False))):
        choice.refine(low, high)
    return candidates[np.array(choice.chosen[1:-1], dtype=np.int64) - 1]


def _changes_fit(changes: IntArray | None, minimum: int) -> bool:
    """Whether cumulative changes differ by 0 or at least the minimum between any two bounds."""
    if changes is None:
        return True
    gaps = np.diff(np.sort(changes, axis=1), axis=1)
    return not ((gaps != 0) & (gaps < minimum)).any()


def _zones(series: Series, bounds: IntArray, minimum: int) -> Zones:
    """For each bound and series (z, w): the interval down to bound i is safe where i >= z (empty) or i < w (enough)."""
    count = len(bounds)
    empty, enough = (np.zeros((len(series.rows), count), dtype=np.int64) for _ in range(2))
    held = (series.rows,) if series.members is None else series.members
    for s, rows in enumerate(series.rows[:, bounds]):
        empty[s] = np.searchsorted(rows, rows, side="left")
        for measure in held:
            values = measure[s, bounds]
            enough[s] = np.maximum(enough[s], np.searchsorted(values, values - minimum, side="right"))
    return [list(zip(z, w, strict=True)) for z, w in zip(empty.T.tolist(), enough.T.tolist(), strict=True)]


class _Choice:
    """The bounds chosen so far, by their index, such that all intervals between neighbours are safe."""

    def __init__(self, zones: Zones, changes: IntArray | None, minimum: int) -> None:
        self.chosen = [0, len(zones) - 1]
        self._zones, self._minimum = zones, minimum
        self._changes: list[list[int]] = [] if changes is None else changes.tolist()
        self._levels = [sorted({change[0], change[-1]}) for change in self._changes]

    def divide(self, places: Iterable[int]) -> None:
        """Take each of these bounds where the two intervals that it makes are safe."""
        for place in places:
            at = bisect_left(self.chosen, place)
            self._accept(self.chosen[at - 1], place, self.chosen[at])

    def refine(self, low: int, high: int) -> None:
        """Add bounds between two neighbours, from the top, as long as the remaining interval below stays safe."""
        for place in range(high - 1, low, -1):
            if self._accept(low, place, high):
                high = place

    def _accept(self, low: int, place: int, high: int) -> bool:
        safe = all(place >= z or place < w for z, w in self._zones[high])
        if not safe or not all(low >= z or low < w for z, w in self._zones[place]) or not self._changes_fit(place):
            return False
        for change, levels in zip(self._changes, self._levels, strict=True):
            if change[place] not in levels:
                insort(levels, change[place])
        insort(self.chosen, place)
        return True

    def _changes_fit(self, place: int) -> bool:
        for change, levels in zip(self._changes, self._levels, strict=True):
            value = change[place]
            at = bisect_left(levels, value)
            gaps = [abs(value - level) for level in levels[max(at - 1, 0) : at + 1]]
            if any(0 < gap < self._minimum for gap in gaps):
                return False
        return True


def hidden_columns(table: IntArray, minimum: int, members: IntArray | None = None) -> BoolArray:
    """The columns of a table of counts to suppress in all rows, so that no suppressed count follows from row totals.

    Args:
        table: `[rows, columns]`, for example refused rows by group and reason.
        minimum: the fewest members that may be shown.
        members: a lower bound of the number of members of each count; by default each row is one member.
    """
    held = table if members is None else members
    hidden: BoolArray = np.any((table > 0) & (held < minimum), axis=0)
    order = np.argsort(table.sum(axis=0), kind="stable")
    while hidden.any() and not hidden.all():
        pool = held[:, hidden].sum(axis=1) if members is None else held[:, hidden].max(axis=1)
        filled = int(table[:, hidden].any(axis=0).sum())
        if filled != 1 and not (table[:, hidden].any(axis=1) & (pool < minimum)).any():
            break
        hidden[order[~hidden[order]][0]] = True
    return hidden
