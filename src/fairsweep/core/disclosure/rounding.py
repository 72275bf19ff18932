"""Rounded values of group benefit equality that suppressed groups keep.

Derived for this project and verified by attack; not published.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairsweep.core.counts import ConfusionCounts, IntArray
from fairsweep.core.disclosure.feasible_tables import Moves, moves
from fairsweep.core.disclosure.model import BoolArray, Exposed, Series
from fairsweep.core.inference.intervals import FloatArray

STEPS = (1, 2, 5, 10, 20, 50)
"""The possible rounding steps of group benefit equality, in hundredths, the finest first."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """Rounded group benefit equality of suppressed groups, `[groups, points]`; NaN where none is kept.

    Attributes:
        value: the nearest multiple of the step.
        step: the rounding step.
    """

    value: FloatArray
    step: FloatArray


def rounded_gbe(
    counts: ConfusionCounts,
    shown: BoolArray,
    everybody_shown: BoolArray,
    points: Sequence[int],
    minimum: int,
    margins_safe: BoolArray | None = None,
) -> Rounded:
    """Rounded group benefit equality that suppressed groups of a single attribute keep at operating points.

    A group keeps it if its flagged, events and both complements are at least `minimum`. It is rounded to .01 if all
    other suppressed groups keep theirs too. Otherwise the step is the finest that leaves the flags and events of the
    remaining groups a range of at least `minimum - 1`, even for a reader who knows all other groups. Nothing is kept
    unless every suppressed small count has another feasible value at equal margins.

    Not for attributes that are part of an intersection which shows something, because it discloses more; see
    `steady_gbe`.

    Args:
        counts: `[groups, T]`, at all cutoffs.
        shown: `[groups, T]`, the plan.
        everybody_shown: `[T]`, the plan of the overall population.
        points: cutoff indices of the operating points, the most important first.
        minimum: the fewest members that may be shown.
        margins_safe: `[groups, points]`, where the four margins hold enough members; by default of rows.
    """
    at = list(points)
    if not at:
        nothing = np.full((len(shown), 0), np.nan)
        return Rounded(nothing, nothing)
    flagged, events, n = counts.flagged, counts.events[:, :1], counts.n[:, :1]
    if margins_safe is None:
        margins = (flagged[:, at], n - flagged[:, at], events, n - events)
        margins_safe = functools.reduce(np.logical_and, (margin >= minimum for margin in margins))
    kept: BoolArray = margins_safe & ~shown[:, at] & everybody_shown[at]
    for group, place in np.argwhere(kept).tolist():
        known = shown[group].copy()
        known[[at[p] for p in np.flatnonzero(kept[group, :place])]] = True
        gaps = np.abs(flagged[group, known] - flagged[group, at[place]])
        kept[group, place] = not ((gaps > 0) & (gaps < minimum)).any()
    for count in (len(at), 1):
        kept[:, count:] = False
        if _inner_cells_move(counts, shown, at, kept, minimum):
            break
    else:
        kept[:] = False
    rest: BoolArray = ~shown[:, at] & ~kept & (n > 0)
    others = np.stack([(rest * margin).sum(axis=0) for margin in (flagged[:, at], events)])
    any_rest: BoolArray = np.logical_or.reduce(rest, axis=0)
    value, steps = np.full(kept.shape, np.nan), np.full(kept.shape, np.nan)
    for group in np.flatnonzero(kept.any(axis=1)).tolist():
        mine = np.stack([flagged[group, at], np.repeat(events[group], len(at))])[:, kept[group]]
        step = _finest(mine, others[:, kept[group]], any_rest[kept[group]], bool(shown[group].any()), minimum)
        if step is not None:
            steps[group, kept[group]] = step / 100
            value[group, kept[group]] = _multiple(mine[0], mine[1], step) * step / 100
    return Rounded(value, steps)


def steady_gbe(counts: ConfusionCounts, kept: BoolArray) -> Rounded:
    """Rounded values of suppressed groups if moves prove that every small count has another feasible value.

    A move changes the flagged of a group by at most one person, and its events by at most one. So the value is rounded
    to the finest step at which no such change would alter it: all feasible tables that moves reach give the same value.

    Args:
        counts: `[groups, points]`.
        kept: `[groups, points]`, the suppressed groups whose margins are safe.
    """
    value, steps = np.full(kept.shape, np.nan), np.full(kept.shape, np.nan)
    flagged, events = counts.flagged[kept], counts.events[kept]
    rounded, to = np.full(len(flagged), np.nan), np.full(len(flagged), np.nan)
    for step in reversed(STEPS):
        multiple = _multiple(flagged, events, step)
        near = itertools.product((-1, 0, 1), repeat=2)
        steady = np.all([_multiple(flagged + f, events + e, step) == multiple for f, e in near], axis=0)
        rounded[steady], to[steady] = multiple[steady] * step / 100, step / 100
    value[kept], steps[kept] = rounded, to
    return Rounded(value, steps)


def _multiple(flagged: IntArray, events: IntArray, step: int) -> IntArray:
    """How many steps group benefit equality is, the nearest, halves up; exact."""
    return np.asarray((200 * flagged + events * step) // (2 * events * step))


def _finest(mine: IntArray, others: IntArray, rest: BoolArray, known: bool, minimum: int) -> int | None:
    """The finest step that leaves the rest of the pool its range; flagged and events, `[2, points]`, of both."""
    if not rest.any():
        return STEPS[0]
    most = int((mine[1] + others[1]).min())
    pool, least = mine[0] + others[0], np.where(rest, 0, mine[0])
    for step in STEPS:
        multiple = _multiple(mine[0], mine[1], step)
        events = np.array([mine[1, 0]]) if known else _ends(multiple, step, least, pool, most)
        half = events[:, np.newaxis] * step
        low = np.maximum(-((-(2 * multiple - 1) * half) // 200), least)
        high = np.minimum(-((-(2 * multiple + 1) * half) // 200) - 1, pool)
        possible = (low <= high).all(axis=1)
        flags = np.where(possible[:, np.newaxis], high, 0).max(axis=0) - low[possible].min(axis=0)
        wide = known or np.ptp(events[possible]) >= minimum - 1
        if wide and (flags[rest] >= minimum - 1).all():
            return step
    return None


def _ends(multiple: IntArray, step: int, least: IntArray, pool: IntArray, most: int) -> IntArray:
    """The numbers of events of 1 to `most` at which flags can be fewest and most, among a few others.

    Flags rise with events. From 100 / step events on, every rounded value has a whole number of flags: between the ends
    that the least and the most flags allow, nothing but the first hundred has to be looked at.
    """
    above, below = (2 * multiple + 1) * step, (2 * multiple - 1) * step
    first = max(1, int((200 * least // above).max()) + 1)
    last = int(np.min(np.where(below > 0, 200 * pool // np.maximum(below, 1), most), initial=most))
    return np.union1d(np.arange(first, min(last, max(first, -(-100 // step))) + 1), [max(last, first)])


def _inner_cells_move(
    counts: ConfusionCounts, shown: BoolArray, points: Sequence[int], kept: BoolArray, minimum: int
) -> bool:
    """Whether every small count of groups suppressed at a point has another feasible value at the same margins."""
    related: BoolArray = np.logical_or.reduce(shown, axis=0)
    related[list(points)] = True
    ends = np.zeros((len(shown), 1), dtype=np.int64)
    below = [
        np.hstack([ends, low[:, related], (low + high)[:, :1]])
        for low, high in ((counts.fn, counts.tp), (counts.tn, counts.fp))
    ]
    bounds = np.stack(below, axis=1)
    people = np.diff(bounds, axis=2)
    exposed = Exposed.of(Series(bounds.reshape(-1, bounds.shape[2])), np.arange(bounds.shape[2]), minimum)
    exposed.above[:, 0] = exposed.beneath[:, -1] = False  # totals: the rounding step gives their range
    found = Moves.none(people.shape)
    some = counts.n[:, 0] > 0
    concerned = some & (~shown[:, list(points)] & kept.any(axis=0)).any(axis=1)
    for hidden in np.unique(~shown[:, related] & some[:, np.newaxis], axis=1).T:
        pool = np.flatnonzero(hidden)
        interval = np.concatenate([[0], np.cumsum(np.logical_or.reduce(shown[pool], axis=0)[related])])
        every = np.ones((len(pool), 2), dtype=bool)
        here = moves(people[pool], every, ~every, interval, every)
        found.atoms[pool] |= here.atoms
        found.cuts[pool] |= here.cuts
    flat = Moves(*(one.reshape(-1, one.shape[2]) for one in (found.atoms, found.cuts, found.swaps)))
    return bool((flat.cover(exposed).reshape(-1, 2) | ~concerned[:, np.newaxis]).all())
