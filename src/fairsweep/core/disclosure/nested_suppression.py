"""The groups of an attribute, each shown at no more cutoffs than any larger one.

Derived for this project and verified by attack; not published.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairsweep.core.counts import IntArray
from fairsweep.core.disclosure.model import BoolArray, Series, Table, flat
from fairsweep.core.disclosure.nesting import thin

# How many counts of groups are checked together: they fit a processor's cache.
_LOOKED_AT = 1 << 17


def chain(table: Table, everybody: Table, points: Sequence[int], minimum: int) -> None:
    """Show the groups of an attribute in a nested way: each only at cutoffs of all larger groups and of the population.

    From the last group of an order down, group j is shown separately from all groups before it, taken together, where
    both are safe. The two are the rows of a table with safe margins. An entry of such a table is either determined, and
    then it is 0 or equal to a margin, or it has a range of at least `minimum`. The first two groups are shown or
    suppressed together. This holds for any order; the best of a few orders is used.
    """
    base = np.flatnonzero(everybody.shown[0])
    support, safety = table.support(), _safe_points(table, [k for k in points if everybody.shown[0, k]], minimum)
    places = range(len(table.groups))
    orders = [
        sorted(places, key=lambda place: (safety[place], support[place])),
        sorted(places, key=support.__getitem__),
    ]
    if table.was_shown is not None:
        times = table.was_shown.sum(axis=1)
        orders.append(sorted(places, key=lambda place: (times[place], safety[place], support[place])))
    plans = [_chain_in_order(table, everybody, base, order, points, minimum) for order in orders]
    table.shown = max(plans, key=lambda shown: (shown[:, list(points)].sum(), shown.sum()))


def _safe_points(table: Table, points: Sequence[int], minimum: int) -> list[tuple[bool, ...]]:
    """For each group, whether it alone could be shown at the first point, the first two and so on, then at each.

    Groups that cannot be shown come first in the order: a group limits what those before it may show, not those after.
    """
    series = table.series(np.arange(len(table.groups)))
    safe = []
    for some in [*(points[: count + 1] for count in range(len(points))), *([k] for k in points[1:])]:
        bounds = np.concatenate([[0], np.sort(some) + 1, [table.cutoffs + 1]])
        unsafe = series.unsafe(minimum, bounds[:-1], bounds[1:]).any(axis=1)
        safe.append(~unsafe.reshape(2, -1).any(axis=0))
    return list(zip(*(one.tolist() for one in safe), strict=True)) if safe else [()] * len(table.groups)


def _chain_in_order(
    table: Table, everybody: Table, base: IntArray, order: Sequence[int], points: Sequence[int], minimum: int
) -> BoolArray:
    """The plan for one order: each group is shown separately from all groups before it, taken together."""
    shown = np.zeros_like(table.shown)
    had_rows = table.old[:, :, -1].sum(axis=0) > 0
    if table.was_shown is not None:
        had_rows |= ~table.was_shown.any(axis=1)  # suppressed before: its rows are not known
    live = [place for place in order if table.new_rows[place] or (table.was_shown is not None and had_rows[place])]
    for place in set(order) - set(live):
        shown[place, table.allowed(base, [place])] = True
    smaller = np.cumsum(table.rows[:, live], axis=1)
    members = None if table.members is None else [np.cumsum(part[:, live], axis=1) for part in table.members]
    old_rest = everybody.old[:, 0].copy()
    cutoffs, at, ahead = base, len(live) - 1, 1
    while at > 0:
        if not len(cutoffs):
            return shown
        if table.was_shown is None:
            # Among many groups, most are safe at the cutoffs of the group before: they are checked together.
            places = np.arange(at, max(at - ahead, 0), -1)
            bounds = np.concatenate([[0], cutoffs + 1, [table.cutoffs + 1]])
            several = _told_apart(table, [live[place] for place in places.tolist()], smaller, members, places - 1)
            unsafe = several.unsafe(minimum, bounds[:-1], bounds[1:]).any(axis=1).reshape(4, -1).any(axis=0)
            safe = int(unsafe.argmax()) if unsafe.any() else len(places)
            shown[np.ix_([live[place] for place in places[:safe].tolist()], cutoffs)] = True
            at -= safe
            ahead = min(2 * ahead, max(_LOOKED_AT // smaller.shape[2], 1)) if safe == len(places) else 1
            if safe == len(places):
                continue
        group = live[at]
        old_rest -= table.old[:, group]
        series = _told_apart(table, [group], smaller, members, np.array([at - 1]))
        if table.was_shown is not None:
            changes = np.concatenate(
                [flat(table.rows[:, [group]] - table.old[:, [group]]), smaller[:, at - 1] - old_rest]
            )
            series = Series(series.rows, series.members, changes)
        cutoffs = thin(table.allowed(cutoffs, [group]), series, points, minimum)
        if not len(cutoffs):
            return shown
        shown[group, cutoffs] = True
        at -= 1
    if live:
        shown[live[0], table.allowed(cutoffs, live[:1])] = True
    return shown


def _told_apart(
    table: Table, groups: Sequence[int], smaller: IntArray, members: Sequence[IntArray] | None, before: IntArray
) -> Series:
    """The counts of some groups, and of all that come before each of them together."""
    own = table.series(groups)
    pooled = None
    if members is not None and own.members is not None:
        both = zip(own.members, members, strict=True)
        top, bottom = (np.concatenate([mine, flat(sums[:, before])]) for mine, sums in both)
        pooled = top, bottom
    return Series(np.concatenate([own.rows, flat(smaller[:, before])]), pooled)
