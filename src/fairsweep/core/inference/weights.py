"""Weighted rows: weights as whole numbers, so that sums never depend on their order, and variances that use them.

A weight is kept in millionths, its square in ten-thousandths, rounded up: sums of squares are never understated, so
that rounding never makes an interval narrower. Ten-thousandths hold the squares of national surveys (10,000 people of
weight 30,000 make 1e13) as well as exposures of a few days in a year; millionths would overflow on the former. Weights
that are all far below 0.01 should be multiplied by a constant: for `sampling` and `exposure` only ratios matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairsweep.core.counts import ConfusionCounts, IntArray

FloatArray = NDArray[np.float64]
WeightKind = Literal["sampling", "frequency", "exposure"]
"""The inverse of a chance to be sampled, a number of equal people, or a time under observation."""

MEASURES: tuple[str, ...] = (
    "weight_events",
    "weight_non_events",
    "weight_squares_events",
    "weight_squares_non_events",
)
"""The additive columns, by bucket: weights in millionths and their squares in ten-thousandths."""

MILLION = 1_000_000
"""Millionths in a weight of 1."""
SQUARE = 10_000
"""Ten-thousandths in the square of a weight of 1."""
MILLIONTHS_SQUARED = MILLION**2 // SQUARE
"""Times this, kept squares are in the square of the unit of kept weights."""
MOST = 1_000_000
"""The largest weight."""

_LARGEST_SUM = 2.0**63
_ROOT = 10_000


def fixed(weights: ArrayLike) -> IntArray:
    """Weights in millionths, rounded half to even.

    Args:
        weights: at most 1,000,000; 0 for a row that does not count.

    Raises:
        ValueError: where one is negative, above 1,000,000 or not a number.
        OverflowError: where their sum does not fit.
    """
    given = np.asarray(weights, dtype=np.float64)
    wrong = ~((given >= 0) & (given <= MOST))
    if wrong.any():
        raise ValueError(f"a weight is {given[wrong].flat[0]}; weights must be from 0 to {MOST:,}")
    whole = np.rint(given * MILLION).astype(np.int64)
    return _checked(whole, "weights")


def squares(weights: IntArray) -> IntArray:
    """Squares of weights given in millionths, in ten-thousandths, rounded up: exact for weights of two decimals.

    Raises:
        OverflowError: where their sum does not fit.
    """
    # The square of `high * 10,000 + low` divided by 10^8, in parts that all fit: weights are at most 10^12 millionths.
    high, low = np.divmod(weights, _ROOT)
    rest = 2 * _ROOT * high * low + low * low
    return _checked(high * high - (-rest // MILLIONTHS_SQUARED), "squares of weights")


def _checked(whole: IntArray, what: str) -> IntArray:
    """The numbers, after a check that their sum does not overflow 64 bits."""
    sums = np.atleast_1d(whole).sum(axis=-1, dtype=np.float64)
    if (sums >= _LARGEST_SUM).any() or (whole < 0).any():
        raise OverflowError(
            f"the sum of the {what} does not fit into 64 bits; divide all weights by a constant, for example by "
            "their mean: metrics and intervals of sampling and exposure weights do not change"
        )
    return whole


@dataclass(frozen=True, eq=False)
class WeightSums:
    """Weights and their squares among tp, fp, fn and tn, for example `[groups, cutoffs]`.

    Attributes:
        weights: in millionths. Every metric is a ratio, so that it is the same of millionths.
        squares: sums of squared weights, in ten-thousandths; of the unscored none are kept.
    """

    weights: ConfusionCounts
    squares: ConfusionCounts

    @classmethod
    def of(cls, measures: Mapping[str, IntArray]) -> WeightSums:
        """The sums at every cutoff, from the measures by bucket, `[groups, cutoffs + 1]`.

        Raises:
            OverflowError: where a sum does not fit into 64 bits, or did not when it was made.
        """
        columns = [np.asarray(measures[name]) for name in MEASURES]
        for column, what in zip(columns, ("weights",) * 2 + ("squares of weights",) * 2, strict=True):
            _checked(column, what)
        return cls(_split(*columns[:2]), _split(*columns[2:]))

    def __getitem__(self, index: Any) -> WeightSums:  # noqa: ANN401  (any numpy index)
        """The same index into each of the arrays."""
        return WeightSums(self.weights[index], self.squares[index])

    def __sub__(self, part: WeightSums) -> WeightSums:
        """The sums of the population without `part`, exact."""
        return WeightSums(self.weights - part.weights, self.squares - part.squares)


def _split(events: IntArray, non_events: IntArray) -> ConfusionCounts:
    """Sums above and below each cutoff; cutoff k flags the buckets above k."""
    (tp, fn), (fp, tn) = (_above_and_below(by_bucket) for by_bucket in (events, non_events))
    return ConfusionCounts.of(tp, fp, fn, tn)


def _above_and_below(by_bucket: IntArray) -> tuple[IntArray, IntArray]:
    below = np.cumsum(by_bucket, axis=-1)
    return below[..., -1:] - below[..., :-1], below[..., :-1]


def gbe_variance(sums: WeightSums) -> FloatArray:
    """Variance of weighted group benefit equality θ, `[(1 - θ)² W2_tp + W2_fp + θ² W2_fn] / P²`.

    Returns:
        The variance, a sum of squares; NaN where no event has weight.

    Source:
        The linearised variance of a ratio with weights (Cochran, Sampling Techniques, 1977), applied to the paired
        ratio for this project; not published in this form.
    """
    events = sums.weights.events.astype(np.float64)
    variance: FloatArray = squared_residuals(sums) / np.where(events > 0, events, np.nan) ** 2
    return variance


def squared_residuals(sums: WeightSums) -> FloatArray:
    """`(1 - θ)² W2_tp + W2_fp + θ² W2_fn` in squared millionths; NaN where no event has weight."""
    counts, squared = sums.weights, sums.squares
    ratio = counts.flagged / np.where(counts.events > 0, counts.events, np.nan)
    residuals: FloatArray = ((1 - ratio) ** 2 * squared.tp + squared.fp + ratio**2 * squared.fn) * MILLIONTHS_SQUARED
    return residuals


def effective_number(weights: ArrayLike, squared: ArrayLike) -> FloatArray:
    """Kish's effective number of people, `(Σ w)² / Σ w²`; NaN where there is no weight.

    Args:
        weights: a sum of weights in millionths.
        squared: the sum of their squares in ten-thousandths.

    Source:
        Kish, Survey Sampling, 1965.
    """
    total, below = np.asarray(weights, dtype=np.float64), np.asarray(squared, dtype=np.float64)
    number: FloatArray = (total / MILLION) ** 2 / np.where(below > 0, below / SQUARE, np.nan)
    return number
