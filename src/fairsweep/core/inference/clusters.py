"""Members with several rows: what their rows add to each bucket, and variances that do not take rows for people.

Rows of one member are not independent. With `a` the flags, `b` the events and `t` the true positives of a member at a
cutoff, the variances of ratios need the sums over members of `a²`, `ab`, `t²`, `at`, `tb` and `b²`. Those are no sums
over rows, yet each changes by a known amount where the falling cutoff passes one of the member's rows, so that they can
be kept as further columns of the score histogram and found at every cutoff by suffix sums. Workers have no more than
Spark's own packages: only numpy may be imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
"""The additive columns, by bucket. The first five are the increments of sums over members when the cutoff falls to the
bucket; `events_squared` is a member's total, at its highest row; the last four are 1 at the member's highest and lowest
event and non-event, so that distinct members among tp, fp, fn and tn can be counted at every cutoff."""


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
        """The sums of the population without `part`.

        Exact if each member's rows are all inside `part` or all outside; otherwise products of rows inside with rows
        outside remain in it.
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

    Computed as the variance of independent rows plus the contribution of pairs of rows of one member, so that with one
    row per member it is exactly that variance. Whole numbers are combined before any division, and around the nearest
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

    NaN if no one is flagged; precision and source as for `gbe_variance`.
    """
    return _over(sum_of_squares(positive_predictive_value_parts(counts, sums)), counts.flagged)


Parts = tuple[FloatArray, FloatArray]
"""A sum of squared residuals over members: the part of single rows, and the part of pairs of a member's rows."""


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
    """The parts of `Σ (t - p a)²`; NaN if no one is flagged."""
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
