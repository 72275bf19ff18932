"""Members with several rows: what their rows add to each bucket, and variances that do not take rows for people.

Rows of one member are not independent. With `a` the flags, `b` the events and `t` the true positives of a member at a
cutoff, the variances of ratios need the sums over members of `a²`, `ab`, `t²`, `at`, `tb` and `b²`. Those are no sums
over rows, yet each changes by a known amount where the falling cutoff passes one of the member's rows, so that they can
be kept as further columns of the score histogram and found at every cutoff by suffix sums. Workers have no more than
Spark's own packages: only numpy may be imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts, IntArray

FloatArray = NDArray[np.float64]

MEASURES: tuple[str, ...] = (
    "flags_squared",
    "flags_by_events",
    "true_positives_squared",
    "true_positives_by_flags",
    "true_positives_by_events",
    "events_squared",
    "top_event_members",
    "top_non_event_members",
    "bottom_event_members",
    "bottom_non_event_members",
)
"""The additive columns, by bucket. The first five are what sums over members gain where the cutoff falls to the bucket;
`events_squared` is a member's whole, at its highest row; the last four are 1 at the member's highest and lowest event
and non-event, so that distinct members among tp, fp, fn and tn can be told at every cutoff."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_LARGEST_KEY = 1 << 63
# Kinds of places in a cluster are numbered in a table that is no longer than this.
_LONGEST_TABLE = 1 << 20


def several(who: Sequence[IntArray], bucket: IntArray) -> tuple[IntArray, IntArray]:
    """Which rows are of members who have several.

    Args:
        who: the numbers that tell members apart, any int64: rows are one member's where all of them are equal.
        bucket: the bucket of each row's score, at least 0.

    Returns:
        The places of these rows, each member's together and from the highest bucket down, and a number from 0 on for
        each of these members. Which of several rows of a member in one bucket comes first is arbitrary.
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
"""Places of all rows, those of a member together, and whether each row in that order is its member's first."""


def _by_one_key(member: IntArray, bucket: IntArray) -> InOrder | None:
    """By member and falling bucket, in one number; None where it would not fit.

    Sorting numbers that end in their place takes a fraction of the time of sorting places.
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
    # Different members that are mixed into one number stand between each other.
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
    """Where rows stand in their clusters, which are a member's rows within one cell, int64 `[rows]`.

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
        starts = np.flatnonzero(np.append(True, cluster[1:] != cluster[:-1])[: len(y)])
        sizes = np.diff(np.append(starts, len(y)))
        before = np.append(0, np.cumsum(y))
        above = np.arange(len(y)) - np.repeat(starts, sizes)
        events_above = before[:-1] - np.repeat(before[starts], sizes)
        events = np.repeat(before[starts + sizes] - before[starts], sizes)
        return cls(above, events_above, events, np.repeat(sizes, sizes), y)

    def measures(self) -> dict[str, IntArray]:
        """What each row adds to the measures of its cell and bucket, by the names in `MEASURES`.

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
    """The different standings of some clusters' rows, few while clusters are small, and which one each row has.

    Args: as for `Standing.of`.
    """
    y = event.astype(np.int64)
    starts = np.flatnonzero(np.append(True, cluster[1:] != cluster[:-1])[: len(y)])
    sizes = np.diff(np.append(starts, len(y)))
    radix = int(sizes.max(initial=0)) + 1
    if (2 * radix**4 + len(y)) * 2 * radix**3 >= _LARGEST_KEY:
        rows, kind = np.unique(np.stack(Standing.of(cluster, event), axis=1), axis=0, return_inverse=True)
        return Standing._make(rows.T), kind.reshape(-1)
    # A number of five digits. Two of them grow from row to row; what they were where a cluster began is taken off.
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


def _numbered(codes: IntArray, beyond: int) -> tuple[IntArray, IntArray]:
    """The codes that occur, ascending, and which of them each row has."""
    if beyond > max(_LONGEST_TABLE, len(codes)):
        present, number = np.unique(codes, return_inverse=True)
        return present, number
    occurs = np.bincount(codes, minlength=beyond) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[codes]


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """Sums over the members of each group at each cutoff, int64 arrays of one shape, for example `[groups, cutoffs]`.

    Attributes:
        flags_squared: of the squared number of a member's flags.
        flags_by_events: of flags times events.
        true_positives_squared: of the squared number of true positives.
        true_positives_by_flags: of true positives times flags.
        true_positives_by_events: of true positives times events.
        events_squared: of the squared number of events, the same at every cutoff.
    """

    flags_squared: IntArray
    flags_by_events: IntArray
    true_positives_squared: IntArray
    true_positives_by_flags: IntArray
    true_positives_by_events: IntArray
    events_squared: IntArray

    @classmethod
    def of(cls, measures: Mapping[str, IntArray]) -> ClusterSums:
        """The sums at every cutoff, from the measures by bucket, `[groups, cutoffs + 1]`."""
        sums = [above(np.asarray(measures[name])) for name in MEASURES[:5]]
        events = np.asarray(measures["events_squared"]).sum(axis=-1, keepdims=True)
        return cls(*sums, *np.broadcast_arrays(events, sums[0])[:1])

    @property
    def arrays(self) -> tuple[IntArray, ...]:
        """The six arrays, in the order of the fields."""
        return (
            self.flags_squared,
            self.flags_by_events,
            self.true_positives_squared,
            self.true_positives_by_flags,
            self.true_positives_by_events,
            self.events_squared,
        )

    @property
    def either_squared(self) -> IntArray:
        """Sum of the squared number of a member's rows that are flagged or events, `(a + b - t)²`."""
        squares = self.flags_squared + self.events_squared + self.true_positives_squared
        return squares + 2 * (self.flags_by_events - self.true_positives_by_flags - self.true_positives_by_events)

    def __getitem__(self, index: Any) -> ClusterSums:  # noqa: ANN401  (any numpy index)
        """The same index into each of the arrays."""
        return ClusterSums(*(np.asarray(array[index]) for array in self.arrays))

    def __sub__(self, part: ClusterSums) -> ClusterSums:
        """The sums of everybody but `part`.

        Exact where each member's rows are all inside `part` or all outside; products of rows inside with rows outside
        remain in it otherwise.
        """
        return ClusterSums(*(a - b for a, b in zip(self.arrays, part.arrays, strict=True)))


@dataclass(frozen=True, eq=False)
class MemberCounts:
    """Distinct members with at least one row among tp, fp, fn and tn, int64 `[groups, cutoffs]`.

    A member with several rows may be in more than one of the four.
    """

    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray

    @classmethod
    def of(cls, measures: Mapping[str, IntArray]) -> MemberCounts:
        """Distinct members at every cutoff, from the measures by bucket, `[groups, cutoffs + 1]`."""
        top_event, top_non_event, bottom_event, bottom_non_event = (np.asarray(measures[name]) for name in MEASURES[6:])
        missed, cleared = (np.cumsum(a, axis=-1)[..., :-1] for a in (bottom_event, bottom_non_event))
        return cls(above(top_event), above(top_non_event), missed, cleared)

    def __getitem__(self, index: Any) -> MemberCounts:  # noqa: ANN401  (any numpy index)
        """The same index into each of the arrays."""
        return MemberCounts(*(np.asarray(a[index]) for a in (self.tp, self.fp, self.fn, self.tn)))


def above(by_bucket: IntArray) -> IntArray:
    """Sums over the buckets above each cutoff, `[..., cutoffs]` from `[..., cutoffs + 1]`."""
    sums: IntArray = np.cumsum(by_bucket[..., :0:-1], axis=-1)[..., ::-1]
    return sums


def gbe_variance(counts: ConfusionCounts, sums: ClusterSums) -> FloatArray:
    """Variance of group benefit equality over members, `Σ (a - θ b)² / P²` with θ the group benefit equality.

    Written as the variance of independent rows and what pairs of rows of one member add, so that with one row a member
    it is that variance to the last digit. Whole numbers are combined before anything is divided, and around the nearest
    whole θ, so that little cancels: sums below 2^53 are exact, and the result is within some units in the last place of
    its largest term.

    Args:
        counts: confusion counts.
        sums: sums over members, of a shape that broadcasts with the counts'.

    Returns:
        The variance, never below 0; NaN where there are no events.

    Source:
        The linearised variance of a ratio over clusters (Cochran, Sampling Techniques, 1977, section 6.3), at every
        cutoff at once; that form was derived for this project and checked against the direct sum; not published.
    """
    return _over(sum_of_squares(gbe_parts(counts, sums)), counts.events)


def true_positive_rate_variance(counts: ConfusionCounts, sums: ClusterSums) -> FloatArray:
    """Variance of the true positive rate `p` over members, `Σ (t - p b)² / P²`; of the false negative rate as well.

    NaN where there are no events; precision and source as for `gbe_variance`.
    """
    return _over(sum_of_squares(true_positive_rate_parts(counts, sums)), counts.events)


def positive_predictive_value_variance(counts: ConfusionCounts, sums: ClusterSums) -> FloatArray:
    """Variance of the positive predictive value `p` over members, `Σ (t - p a)² / F²`; of false discovery as well.

    NaN where nobody is flagged; precision and source as for `gbe_variance`.
    """
    return _over(sum_of_squares(positive_predictive_value_parts(counts, sums)), counts.flagged)


Parts = tuple[FloatArray, FloatArray]
"""A sum of squared residuals over members: what rows give each by itself, and what pairs of rows of a member add."""


def gbe_parts(counts: ConfusionCounts, sums: ClusterSums) -> Parts:
    """The parts of `Σ (a - θ b)²`; NaN where there are no events."""
    ratio = _ratio(counts.flagged, counts.events)
    above_only = sums.flags_squared - counts.flagged
    both, below_only = sums.flags_by_events - counts.tp, sums.events_squared - counts.events
    return ratio * (counts.fp + counts.fn), _quadratic(ratio, above_only, both, below_only)


def true_positive_rate_parts(counts: ConfusionCounts, sums: ClusterSums) -> Parts:
    """The parts of `Σ (t - p b)²`; NaN where there are no events."""
    ratio = _ratio(counts.tp, counts.events)
    above_only = sums.true_positives_squared - counts.tp
    both, below_only = sums.true_positives_by_events - counts.tp, sums.events_squared - counts.events
    return ratio * counts.fn, _quadratic(ratio, above_only, both, below_only)


def positive_predictive_value_parts(counts: ConfusionCounts, sums: ClusterSums) -> Parts:
    """The parts of `Σ (t - p a)²`; NaN where nobody is flagged."""
    ratio = _ratio(counts.tp, counts.flagged)
    above_only = sums.true_positives_squared - counts.tp
    both, below_only = sums.true_positives_by_flags - counts.tp, sums.flags_squared - counts.flagged
    return ratio * counts.fp, _quadratic(ratio, above_only, both, below_only)


def sum_of_squares(parts: Parts) -> FloatArray:
    """The two parts together; a remainder that rounding alone can leave, or a difference of clusters, is 0."""
    rows, pairs = parts
    whole = rows + pairs
    return np.where(whole > 1e-12 * (rows + np.abs(pairs)), whole, np.where(np.isnan(whole), np.nan, 0.0))


def _quadratic(ratio: FloatArray, square: IntArray, product: IntArray, other: IntArray) -> FloatArray:
    """`square - 2 ratio product + ratio² other`, around the whole number nearest the ratio."""
    nearest = np.rint(ratio)
    rest = ratio - nearest
    at_nearest = (square - nearest * product) - nearest * (product - nearest * other)
    found: FloatArray = at_nearest - 2 * rest * (product - nearest * other) + rest * rest * other
    return found


def _ratio(above_line: IntArray, below_line: IntArray) -> FloatArray:
    return above_line / np.where(below_line > 0, below_line, np.nan)


def _over(squares: FloatArray, total: IntArray) -> FloatArray:
    """Divided by the squared total."""
    divided: FloatArray = squares / np.where(total > 0, total, np.nan).astype(np.float64) ** 2
    return divided
