"""Data of disclosure control: reported attributes, the previous run's published rows, and counts as series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import IntArray

BoolArray = NDArray[np.bool_]


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
        """Align the previous run's counts; groups that it did not list had no rows, and readers know this."""
        if self._previous is None:
            return
        if everybody._previous is None:
            raise ValueError(f"the previous run showed {self.name}; its rows of the overall population are needed too")
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
        """The sort key of groups: the smaller of events and non-events, then all rows, then the name."""
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


Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Reported:
    """An attribute in the form that disclosure control uses.

    Attributes:
        name: its name in the results.
        attributes: none for the overall population, one, or the constituents of an intersection.
        groups: each group's values, one per constituent; other combinations are known to be empty.
        events: `[groups, T + 1]`, rows with an event per bucket.
        non_events: rows without.
        members: where members repeat, `MEMBER_MEASURES` per bucket; None where each row is a member.
    """

    name: str
    attributes: tuple[str, ...]
    groups: Groups
    events: IntArray
    non_events: IntArray
    members: Mapping[str, IntArray] | None = None


@dataclass(frozen=True, eq=False)
class Previous:
    """The rows of an attribute that the previous published run of the window showed, aligned with the present grid.

    Attributes:
        groups: the groups that it listed, including suppressed ones.
        shown: `[groups, T]`, where it showed a group.
        tp: true positives there, anything elsewhere; `fp`, `fn` and `tn` likewise.
    """

    groups: Groups
    shown: BoolArray
    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray
