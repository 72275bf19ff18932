"""The rank of each of a member's rows among the others, from the top; `clusters` derives its sums by bucket from it.

Workers have only Spark's own packages: only numpy may be imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import IntArray
from fairsweep.core.inference.clusters import MEASURES

_ODD = np.uint64(0x9E3779B97F4A7C15)
_LARGEST_KEY = 1 << 63
# The longest table in which kinds of ranks in a cluster are numbered.
_LONGEST_TABLE = 1 << 20


def several(who: Sequence[IntArray], bucket: IntArray) -> tuple[IntArray, IntArray]:
    """The rows of members with several rows.

    Args:
        who: the numbers that identify members, any int64: rows belong to one member if all of them are equal.
        bucket: the bucket of each row's score, at least 0.

    Returns:
        The indices of these rows, each member's rows together and from the highest bucket down, and for each row the
        number of its member, from 0 on. The order of a member's rows in one bucket is arbitrary.
    """
    if not len(bucket):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    keyed = _by_one_key(who[0], bucket) if len(who) == 1 else None
    order, new = keyed or _together(who)
    more = ~(new & np.append(new[1:], True))
    order, member = order[more], np.cumsum(new[more]) - 1
    if keyed is None and len(order):
        keyed = _by_one_key(member, bucket[order])
        order = order[keyed[0] if keyed else np.lexsort((-bucket[order], member))]
    return order, member


InOrder = tuple[IntArray, NDArray[np.bool_]]
"""Indices of all rows, each member's rows together, and whether each row in that order is its member's first."""


def _by_one_key(member: IntArray, bucket: IntArray) -> InOrder | None:
    """Sort keys of member, falling bucket and index in one number; None if it would not fit.

    Sorting numbers that end in their index takes a fraction of the time of sorting indices.
    """
    place_bits, bucket_bits = len(member).bit_length(), int(bucket.max()).bit_length()
    least, shift = int(member.min()), place_bits + bucket_bits
    if (int(member.max()) - least + 1) << shift >= _LARGEST_KEY:
        return None
    keys = member - least
    keys <<= bucket_bits
    keys += (1 << bucket_bits) - 1
    keys -= bucket
    keys <<= place_bits
    keys |= np.arange(len(member))
    keys.sort()
    there = keys >> shift
    keys &= (1 << place_bits) - 1
    return keys, np.append(True, there[1:] != there[:-1])


def _together(who: Sequence[IntArray]) -> InOrder:
    """By a number that members are mixed into."""
    mixed = np.zeros(len(who[0]), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for number in who:
            mixed = (mixed ^ (mixed >> np.uint64(32)) ^ number.view(np.uint64)) * _ODD
    bits = len(mixed).bit_length()
    high = (mixed >> np.uint64(bits + 1)).astype(np.int64)
    order = np.sort(high << bits | np.arange(len(high))) & ((1 << bits) - 1)
    run = np.cumsum(np.append(True, high[order[1:]] != high[order[:-1]]))
    changes = _changes(who, order)
    # Rows of different members with the same mixed number may be interleaved.
    wrong = changes & (run[1:] == run[:-1])
    if wrong.any():
        between = np.flatnonzero(np.isin(run, run[1:][wrong]))
        rows = order[between]
        order[between] = rows[np.lexsort([*(number[rows] for number in who), run[between]])]
        changes = _changes(who, order)
    return order, np.append(True, changes)


def _changes(who: Sequence[IntArray], order: IntArray) -> NDArray[np.bool_]:
    """Whether each row but the first is another member's than the row before."""
    found = np.zeros(len(order) - 1, dtype=bool)
    for number in who:
        there = number[order]
        found |= there[1:] != there[:-1]
    return found


class Standing(NamedTuple):
    """The ranks of rows in their clusters (a member's rows within one cell), int64 `[rows]`.

    Attributes:
        above: the rows of its cluster above each row: of a higher bucket, or before it in the same one.
        events_above: the events among them.
        events: the events of its cluster.
        size: the rows of its cluster.
        event: 1 for an event.
    """

    above: IntArray
    events_above: IntArray
    events: IntArray
    size: IntArray
    event: IntArray

    @classmethod
    def alone(cls, event: NDArray[Any]) -> Standing:
        """Rows that are clusters of their own."""
        y = event.astype(np.int64)
        return cls(np.zeros_like(y), np.zeros_like(y), y, np.ones_like(y), y)

    @classmethod
    def of(cls, cluster: IntArray, event: NDArray[Any]) -> Standing:
        """All rows of some clusters, each cluster's together and from the highest bucket down, as `several` puts them.

        Args:
            cluster: a number for each cluster.
            event: whether the row is an event.
        """
        y = event.astype(np.int64)
        starts, sizes = _runs(cluster)
        before = np.append(0, np.cumsum(y))
        above = np.arange(len(y)) - np.repeat(starts, sizes)
        events_above = before[:-1] - np.repeat(before[starts], sizes)
        events = np.repeat(before[starts + sizes] - before[starts], sizes)
        return cls(above, events_above, events, np.repeat(sizes, sizes), y)

    def measures(self) -> dict[str, IntArray]:
        """The contribution of each row to the measures of its cell and bucket, by the names in `MEASURES`.

        Source:
            Derived for this project and checked against the direct sum over members; not published.
        """
        a, t, b, n, y = self
        not_y = 1 - y
        found = (
            2 * a + 1,
            b,
            y * (2 * t + 1),
            t + y * (a + 1),
            y * b,
            (a == 0) * b * b,
            y * (t == 0),
            not_y * (a == t),
            y * (t + 1 == b),
            not_y * (a - t + 1 == n - b),
        )
        return dict(zip(MEASURES, found, strict=True))


def kinds(cluster: IntArray, event: NDArray[Any]) -> tuple[Standing, IntArray]:
    """The distinct ranks of the rows of clusters, few if clusters are small, and the number of each row's ranks.

    Args: as for `Standing.of`.
    """
    y = event.astype(np.int64)
    starts, sizes = _runs(cluster)
    radix = int(sizes.max(initial=0)) + 1
    if (2 * radix**4 + len(y)) * 2 * radix**3 >= _LARGEST_KEY:
        rows, kind = np.unique(np.stack(Standing.of(cluster, event), axis=1), axis=0, return_inverse=True)
        return Standing._make(rows.T), kind.reshape(-1)
    # A number of five digits. Two of them grow from row to row; their value at the cluster's start is subtracted.
    steps = [2 * radix**i for i in range(4)]
    before = np.append(0, np.cumsum(y))
    events = before[starts + sizes] - before[starts]
    begun = events * steps[1] + sizes * steps[0] - starts * steps[3] - before[starts] * steps[2]
    code = np.repeat(begun, sizes)
    code += np.arange(0, len(y) * steps[3], steps[3])
    before *= steps[2]
    code += before[:-1]
    code += y
    present, kind = _numbered(code, radix * steps[3])
    rest, digits = present, []
    for base in (2, radix, radix, radix):
        rest, digit = np.divmod(rest, base)
        digits.append(digit)
    event_digit, size, all_events, events_above = digits
    return Standing(rest, events_above, all_events, size, event_digit), kind


def _runs(cluster: IntArray) -> tuple[IntArray, IntArray]:
    """Where each run of equal numbers begins, and how long it is."""
    starts = np.flatnonzero(np.append(True, cluster[1:] != cluster[:-1])[: len(cluster)])
    return starts, np.diff(np.append(starts, len(cluster)))


def _numbered(codes: IntArray, beyond: int) -> tuple[IntArray, IntArray]:
    """The codes that occur, ascending, and which of them each row has."""
    if beyond > max(_LONGEST_TABLE, len(codes)):
        present, number = np.unique(codes, return_inverse=True)
        return present, number
    occurs = np.bincount(codes, minlength=beyond) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[codes]
