"""Cutoffs thinned until all that they show is safe.

A count is safe to show when it is 0 or at least a minimum number of members. What is published of a group at some
cutoffs is exactly its *atoms*: the events and the non-events between each two neighbouring cutoffs.

Derived for this project and verified by attack (linear and integer programmes on the published figures); not
published. The idea of hiding complements is that of cell suppression, Willenborg and de Waal, Elements of
Statistical Disclosure Control, 2001.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import IntArray

if TYPE_CHECKING:
    from fairsweep.core.disclosure.intersections import Previous, Reported

BoolArray = NDArray[np.bool_]
Zones = list[list[tuple[int, int]]]

MEMBER_MEASURES = ("top_event_members", "top_non_event_members", "bottom_event_members", "bottom_non_event_members")


@dataclass(frozen=True, eq=False)
class Series:
    """Counts that a set of cutoffs shows, cumulative from below: bound k + 1 is cutoff k, 0 and T + 1 are the ends.

    Attributes:
        rows: int64, `[series, T + 2]`, rows in the buckets below each bound.
        members: where members repeat, the same of rows that are their member's first from the top and from the
            bottom: an interval holds at least the larger of the two numbers of distinct members. None where each
            row is a member.
        changes: int64, `[changes, T + 2]`, rows below each bound minus those of the previous run; anything at bounds
            that are no candidates. None without a previous run.
    """

    rows: IntArray
    members: tuple[IntArray, IntArray] | None = None
    changes: IntArray | None = None

    @classmethod
    def of(cls, buckets: IntArray, members: tuple[IntArray, IntArray] | None = None) -> Series:
        """The series of counts per bucket, `[series, T + 1]`."""
        return cls(below(buckets), None if members is None else (below(members[0]), below(members[1])))

    def unsafe(self, minimum: int, low: IntArray | int, high: IntArray | int) -> BoolArray:
        """Whether the intervals between bounds hold too few members to be shown, `[series, intervals]`."""
        rows = self.rows[:, high] - self.rows[:, low]
        held = rows
        if self.members is not None:
            top, bottom = (counts[:, high] - counts[:, low] for counts in self.members)
            held = np.maximum(top, bottom)
        return np.asarray((rows != 0) & (held < minimum))

    def pooled(self, number: IntArray, count: int, bounds: IntArray) -> Series:
        """Sums over groups of equal number, of series that hold events and then non-events, at some bounds only."""

        def sums(counts: IntArray) -> IntArray:
            total = np.zeros((count, 2, len(bounds)), dtype=np.int64)
            np.add.at(total, number, counts[:, bounds].reshape(2, len(number), len(bounds)).swapaxes(0, 1))
            return flat(total.swapaxes(0, 1))

        members = None if self.members is None else (sums(self.members[0]), sums(self.members[1]))
        return Series(sums(self.rows), members, None if self.changes is None else sums(self.changes))


def below(buckets: IntArray) -> IntArray:
    """Sums below each bound: one entry more than buckets, the first 0."""
    sums = np.zeros((*buckets.shape[:-1], buckets.shape[-1] + 1), dtype=np.int64)
    np.cumsum(buckets, axis=-1, out=sums[..., 1:])
    return sums


@dataclass(frozen=True, eq=False)
class Exposed:
    """Counts of 1 to `minimum - 1` members between neighbouring bounds, `[..., F]`, and all above and beneath each.

    `above[..., f]` speaks of entries f and higher, `beneath[..., f]` of entries f and lower.
    """

    atoms: BoolArray
    above: BoolArray
    beneath: BoolArray

    @classmethod
    def of(cls, series: Series, bounds: IntArray, minimum: int) -> Exposed:
        """Of a series between bounds that include both ends."""
        low, high = bounds[:-1], bounds[1:]
        return cls(
            series.unsafe(minimum, low, high),
            series.unsafe(minimum, low, bounds[-1:]),
            series.unsafe(minimum, bounds[:1], high),
        )

    def part(self, index: slice) -> Exposed:
        """Of some of the cells."""
        return Exposed(self.atoms[index], self.above[index], self.beneath[index])

    @property
    def anything(self) -> BoolArray:
        """Whether a cell has such a count."""
        return np.asarray((self.atoms | self.above | self.beneath).any(axis=-1))


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
        series: what the cutoffs would show.
        points: cutoff indices of the operating points.
        minimum: the fewest members that may be shown.

    Returns:
        Cutoff indices, rising; empty where not even the totals are safe: then these may not be shown either.
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
    """Bounds chosen so far, by their place among all, such that all intervals between neighbours are safe."""

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
        """Take bounds between two neighbours, from the top, as long as what is left below stays safe."""
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


class Table:
    """The cumulative counts of an attribute now and in the previous run, and where its groups are shown."""

    def __init__(self, given: Reported, previous: Previous | None, before: Iterable[tuple[str, ...]] = ()) -> None:
        self.name, self.attributes, self.listed = given.name, given.attributes, len(given.groups)
        here = set(given.groups)
        gone = list(dict.fromkeys(group for group in before if group not in here))
        self.groups = (*given.groups, *gone)
        self.index = {group: place for place, group in enumerate(self.groups)}
        width = np.zeros((len(gone), given.events.shape[1]), dtype=np.int64)
        self.rows = below(np.stack([np.vstack([part, width]) for part in (given.events, given.non_events)]))
        self.members: tuple[IntArray, IntArray] | None = None
        if given.members is not None:
            measures = [below(np.vstack([given.members[name], width])) for name in MEMBER_MEASURES]
            self.members = np.stack(measures[:2]), np.stack(measures[2:])
        self.cutoffs = given.events.shape[1] - 1
        self.shown = np.zeros((len(self.groups), self.cutoffs), dtype=bool)
        self._previous = previous
        self.was_shown: BoolArray | None = None
        self.old = np.zeros_like(self.rows)
        self.new_rows = self.rows[:, :, -1].sum(axis=0) > 0

    def follow(self, everybody: Table) -> None:
        """Place the previous run's counts; groups that it did not list had no rows, and everybody knows."""
        if self._previous is None:
            return
        if everybody._previous is None:
            raise ValueError(f"the previous run showed {self.name}, so that what it showed of everybody is needed too")
        self.was_shown = np.repeat(everybody._previous.shown, len(self.groups), axis=0)
        places = [self.index[group] for group in self._previous.groups]
        self.was_shown[places] = self._previous.shown
        before, at = self._previous, self._previous.shown
        for label, (low, high) in enumerate(((before.fn, before.tp), (before.tn, before.fp))):
            self.old[label, places, 1:-1] = np.where(at, low, 0)
            self.old[label, places, -1] = np.max(np.where(at, low + high, 0), axis=1, initial=0)

    def allowed(self, candidates: IntArray, groups: Sequence[int] | IntArray) -> IntArray:
        """The candidates at which the previous run showed all these groups."""
        if self.was_shown is None:
            return candidates
        return candidates[self.was_shown[groups][:, candidates].all(axis=0)]

    def show(self, cutoffs: IntArray) -> None:
        """Show all groups at these cutoffs."""
        self.shown[:, cutoffs] = True

    def series(self, groups: Sequence[int] | IntArray) -> Series:
        """The counts of some groups, events and then non-events."""
        rows = self.rows[:, groups]
        changes = None if self.was_shown is None else flat(rows - self.old[:, groups])
        members = None
        if self.members is not None:
            members = flat(self.members[0][:, groups]), flat(self.members[1][:, groups])
        return Series(flat(rows), members, changes)

    def values_of(self, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Each group's values of some of its constituents."""
        columns = [[group[place] for group in self.groups] for place in map(self.attributes.index, names)]
        return tuple(zip(*columns, strict=True)) if columns else ((),) * len(self.groups)

    def support(self) -> list[tuple[int, int, tuple[str, ...]]]:
        """What groups are ordered by: the smaller of events and non-events, then all, then the name."""
        totals = self.rows[:, :, -1]
        return list(zip(totals.min(axis=0).tolist(), totals.sum(axis=0).tolist(), self.groups, strict=True))


def flat(stacked: IntArray) -> IntArray:
    """Events and non-events of each group, `[2, groups, bounds]`, as series."""
    return stacked.reshape(-1, stacked.shape[-1])


def joined(*parts: Series) -> Series:
    """Several series in one."""
    members = None
    if all(part.members is not None for part in parts):
        pairs = [part.members for part in parts if part.members is not None]
        members = np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])
    changes = [part.changes for part in parts if part.changes is not None]
    return Series(np.concatenate([part.rows for part in parts]), members, np.concatenate(changes) if changes else None)


def hidden_columns(table: IntArray, minimum: int, members: IntArray | None = None) -> BoolArray:
    """Which columns of a table of counts to hide in all its rows, so that no hidden count follows from row totals.

    Args:
        table: `[rows, columns]`, for example refused rows by group and reason.
        minimum: the fewest members that may be shown.
        members: of how many members the counts are at least; by default each is of one.
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
