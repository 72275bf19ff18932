"""Calibration: whether scores that are probabilities come true in each group, from the score histogram alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairsweep.core.inference.intervals import Z95, FloatArray, Limits, wilson

BILLION = 1_000_000_000
"""Sums of scores and of their squares are whole billionths."""
CLIPPED_TO = 1e-6
"""Mean scores nearer 0 or 1 than this are moved to it before their logit is taken: that of 0 is infinite."""
_MOST_STEPS = 100
_LAST_STEP = 1e-9
_NOISE = 1e-12


@dataclass(frozen=True, eq=False)
class Calibration:
    """One entry per group, doubles; NaN where undefined.

    Attributes:
        expected: events that the scores promise, the sum of all scores.
        observed: events that there were.
        expected_to_observed: the first over the second: above 1 the scores are too high; NaN without events.
        expected_to_observed_ci_low: lower 95 % limit; stays where there are no events.
        expected_to_observed_ci_high: upper limit; infinite without events.
        brier_score: mean squared difference of score and outcome.
        calibration_slope: of the outcome's logit on the score's; ideal 1, below it the scores are too extreme.
        calibration_slope_standard_error: from the fit, with rows as independent people.
        calibration_intercept: calibration in the large, on the logit scale with the slope fixed at 1; ideal 0, below
            it the scores are too high.
        calibration_intercept_standard_error: from the fit.
        balance_positive_class: mean score of those with the event.
        balance_negative_class: mean score of those without.
    """

    expected: FloatArray
    observed: FloatArray
    expected_to_observed: FloatArray
    expected_to_observed_ci_low: FloatArray
    expected_to_observed_ci_high: FloatArray
    brier_score: FloatArray
    calibration_slope: FloatArray
    calibration_slope_standard_error: FloatArray
    calibration_intercept: FloatArray
    calibration_intercept_standard_error: FloatArray
    balance_positive_class: FloatArray
    balance_negative_class: FloatArray


@dataclass(frozen=True, eq=False)
class Reliability:
    """One entry per group and bin, `[groups, bins]`, doubles; NaN where a bin is empty.

    Attributes:
        n: rows.
        events: those with the event.
        mean_score: the expected event rate.
        event_rate: the observed event rate.
        event_rate_ci_low: lower 95 % limit, by Wilson.
        event_rate_ci_high: upper limit.
    """

    n: FloatArray
    events: FloatArray
    mean_score: FloatArray
    event_rate: FloatArray
    event_rate_ci_low: FloatArray
    event_rate_ci_high: FloatArray


def calibrate(
    events: ArrayLike,
    non_events: ArrayLike,
    event_scores: ArrayLike,
    non_event_scores: ArrayLike,
    score_squares: ArrayLike,
) -> Calibration:
    """Calibration of each group, for scores that are probabilities.

    Slope and intercept are a logistic regression of the outcome on the logit of each bucket's mean score, moved to at
    least `CLIPPED_TO` away from 0 and 1. Where scores spread within buckets it approximates the fit to rows (in a
    simulation of .8 % events in 1,000 even buckets, .705 for a slope of .704); calibrated scores keep 1 and 0.

    The slope is NaN if a class is absent, if one value of the score separates events from non-events (ties with
    it allowed), or if all scores are equal: then no finite slope fits best. The intercept needs only both classes.
    Both are NaN if the fit does not converge.

    Limits and standard errors treat a row as an independent person: give counts of rows, not weights.

    Args:
        events: events per group and bucket, `[groups, buckets]`, buckets in rising order of score.
        non_events: non-events, likewise.
        event_scores: sums of the scores of events, in billionths.
        non_event_scores: sums of the scores of non-events, in billionths.
        score_squares: sums of squared scores of both, in billionths.

    Returns:
        Arrays `[groups]`. The Brier score is computed in exact integers, with one rounding.

    Source:
        Cox, Two further applications of a model for binary regression, Biometrika 1958; Van Calster et al.,
        Calibration: the Achilles heel of predictive analytics, BMC Medicine 2019; Brier, Verification of forecasts
        expressed in terms of probability, Monthly Weather Review 1950; Kleinberg, Mullainathan and Raghavan, Inherent
        trade-offs in the fair determination of risk scores, 2016 (balance for a class).
    """
    positive, negative = np.asarray(events), np.asarray(non_events)
    of_events, of_non_events = np.asarray(event_scores), np.asarray(non_event_scores)
    observed, without = _total(positive), _total(negative)
    expected = (_total(of_events) + _total(of_non_events)) / BILLION
    fewest, most = byar(observed)
    slope, intercept = _fits(positive, negative, of_events + of_non_events)
    return Calibration(
        expected=expected,
        observed=observed,
        expected_to_observed=_quotient(expected, observed),
        expected_to_observed_ci_low=np.where(observed + without > 0, expected / most, np.nan),
        expected_to_observed_ci_high=np.where(observed + without > 0, _upper_ratio(expected, fewest), np.nan),
        brier_score=_brier(positive, negative, of_events, np.asarray(score_squares)),
        calibration_slope=slope[0],
        calibration_slope_standard_error=slope[1],
        calibration_intercept=intercept[0],
        calibration_intercept_standard_error=intercept[1],
        balance_positive_class=_quotient(_total(of_events) / BILLION, observed),
        balance_negative_class=_quotient(_total(of_non_events) / BILLION, without),
    )


def byar(observed: ArrayLike, z: float = Z95) -> Limits:
    """Byar's limits of the mean of a Poisson count O, near the exact ones for any O.

    `O (1 - 1/(9 O) - z/(3 sqrt(O)))^3` and `(O+1) (1 - 1/(9(O+1)) + z/(3 sqrt(O+1)))^3`; the lower one is 0 at O = 0.
    If each person has at most one event, events vary less than a Poisson count: if they are common, the limits are
    too wide, by the root of `1/(1 - prevalence)`. The expected number is treated as known.

    Source:
        Breslow and Day, Statistical Methods in Cancer Research II, 1987, page 69; Rothman and Boice, 1979.
    """
    low = np.asarray(observed, dtype=np.float64)
    high, positive = low + 1, np.where(low > 0, low, 1.0)
    lower = np.maximum(1 - 1 / (9 * positive) - z / (3 * np.sqrt(positive)), 0.0)
    return np.where(low > 0, low * lower**3, 0.0), high * (1 - 1 / (9 * high) + z / (3 * np.sqrt(high))) ** 3


def gbe_factors(flagged: ArrayLike, events: ArrayLike, expected: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Group benefit equality as a product: flags per expected event, times expected over observed events.

    The first is the cutoff and the shape of the scores, the second is calibration. So a perfectly calibrated model
    can still flag few in a group at one common cutoff, and recalibration does not repair it.

    Args:
        flagged: people flagged, any shape.
        events: people with the event, of a shape that broadcasts with it.
        expected: sum of scores, likewise.

    Returns:
        `flags_per_expected_event`, NaN where nothing is expected, and `expected_to_observed`, NaN without events.
    """
    flags, observed, promised = (np.asarray(a, dtype=np.float64) for a in (flagged, events, expected))
    return _quotient(flags, promised), _quotient(promised, observed)


def reliability(events: ArrayLike, non_events: ArrayLike, score_sums: ArrayLike, edges: Sequence[int]) -> Reliability:
    """Promised and actual event rates of each group in bins of neighbouring buckets.

    Args:
        events: events per group and bucket, `[groups, buckets]`, counts of rows.
        non_events: non-events, likewise.
        score_sums: sums of the scores of both, in billionths.
        edges: the first bucket of each bin and at last the number of buckets, strictly rising from 0.

    Raises:
        ValueError: when the edges do not rise from 0 to the number of buckets.
    """
    positive, negative = np.asarray(events), np.asarray(non_events)
    buckets = positive.shape[1]
    if list(edges[:1]) != [0] or edges[-1] != buckets or any(a >= b for a, b in pairwise(edges)):
        raise ValueError(f"edges are {list(edges)}; they must rise strictly from 0 to the number of buckets, {buckets}")
    found, missed, scores = (
        np.add.reduceat(a, list(edges[:-1]), axis=1).astype(np.float64)
        for a in (positive, negative, np.asarray(score_sums))
    )
    n = found + missed
    low, high = wilson(found, n)
    return Reliability(n, found, _quotient(scores / BILLION, n), _quotient(found, n), low, high)


def even_edges(population_n: ArrayLike, bins: int = 10) -> list[int]:
    """Edges of bins that hold about equally many of the population, at boundaries of buckets.

    Each edge is the boundary nearest to its share of the population, the lower of two. No bin is empty, and none holds
    more than an even share and the largest bucket. If many rows share a bucket, there are fewer bins than requested.

    Args:
        population_n: rows of the overall population in each bucket, `[buckets]`.
        bins: how many bins, at least 1.

    Returns:
        The first bucket of each bin and at last the number of buckets, as `reliability` takes them.
    """
    rows = np.asarray(population_n)
    # There are i buckets below boundary i; Python's numbers do not overflow.
    below = [0, *np.cumsum(rows).tolist()]
    total = below[-1]
    inner = [i for i in range(1, len(rows)) if 0 < below[i] < total]
    nearest = {min(inner, key=lambda i: (abs(below[i] * bins - k * total), i)) for k in range(1, bins) if inner}
    return [0, *sorted(nearest), len(rows)]


def _total(counts: NDArray[np.generic]) -> FloatArray:
    total: FloatArray = counts.sum(axis=1).astype(np.float64)
    return total


def _quotient(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The quotient, and NaN where the denominator is 0."""
    return numerator / np.where(denominator != 0, denominator, np.nan)


def _upper_ratio(expected: FloatArray, fewest: FloatArray) -> FloatArray:
    """Expected over the lowest likely count; where that may be 0, there is no upper end."""
    return np.where(fewest > 0, expected / np.where(fewest > 0, fewest, 1.0), np.inf)


def _brier(
    positive: NDArray[np.generic],
    negative: NDArray[np.generic],
    event_scores: NDArray[np.generic],
    score_squares: NDArray[np.generic],
) -> FloatArray:
    """`(sum s^2 - 2 sum_events s + events)/n`; the terms nearly cancel for a good model, so in Python's integers."""
    with_event, without, of_events, squares = (
        a.sum(axis=1).astype(object) for a in (positive, negative, event_scores, score_squares)
    )
    loss, rows = squares - 2 * of_events + BILLION * with_event, BILLION * (with_event + without)
    score = np.full(len(rows), np.nan)
    some = rows > 0
    # Each row's score is rounded to a billionth, so that the loss of perfect scores may come out just below 0.
    score[some] = np.maximum(loss[some] / rows[some], 0.0)
    return score


def _fits(
    positive: NDArray[np.generic], negative: NDArray[np.generic], score_sums: NDArray[np.generic]
) -> tuple[Limits, Limits]:
    """Slope and its standard error, and intercept at slope 1 and its standard error."""
    y, rest = positive.astype(np.float64), negative.astype(np.float64)
    n = y + rest
    mean = np.clip(score_sums / np.where(n > 0, BILLION * n, np.inf), CLIPPED_TO, 1 - CLIPPED_TO)
    x = np.log(mean) - np.log1p(-mean)
    both = (y.sum(axis=1) > 0) & (rest.sum(axis=1) > 0)
    intercept, intercept_error = np.full((2, len(y)), np.nan)
    intercept[both], _, intercept_error[both] = _maximised(np.zeros_like(x[both]), x[both], n[both], y[both])
    # Standardised scores make the two parameters nearly independent at any prevalence.
    fitted = both & _overlapping(x, y, rest)
    x, n, y = x[fitted], n[fitted], y[fitted]
    centre = (n * x).sum(axis=1, keepdims=True) / n.sum(axis=1, keepdims=True)
    spread = np.sqrt((n * (x - centre) ** 2).sum(axis=1, keepdims=True) / n.sum(axis=1, keepdims=True))
    slope, slope_error = np.full((2, len(fitted)), np.nan)
    _, rise, error = _maximised((x - centre) / spread, np.zeros_like(x), n, y)
    slope[fitted], slope_error[fitted] = rise / spread[:, 0], error / spread[:, 0]
    return (slope, slope_error), (intercept, intercept_error)


def _overlapping(x: FloatArray, y: FloatArray, rest: FloatArray) -> NDArray[np.bool_]:
    """Where no value of x parts events from non-events: only then is the likelihood largest at a finite slope.

    Source:
        Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models, 1984.
    """
    lowest, highest = (
        [end(x, axis=1, where=a > 0, initial=edge) for a in (y, rest)]
        for end, edge in ((np.min, np.inf), (np.max, -np.inf))
    )
    return np.asarray((highest[1] > lowest[0]) & (highest[0] > lowest[1]))


def _maximised(
    x: FloatArray, offset: FloatArray, n: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Newton's fit of `logit(rate) = a + b x + offset` to y of n in each group, steps halved until they climb.

    Returns:
        a, b and the standard error of b, or of a where x is 0 throughout; NaN where it does not converge.
    """
    rate = y.sum(axis=1) / n.sum(axis=1)
    start = np.log(rate) - np.log1p(-rate) - (n * offset).sum(axis=1) / n.sum(axis=1)
    at, step = np.stack([start, np.zeros_like(start)]), np.zeros((2, len(start)))
    best, error = np.full(len(start), -np.inf), np.full(len(start), np.nan)
    going = np.arange(len(start))
    for _ in range(_MOST_STEPS):
        tried = at[:, going] + step[:, going]
        linear = tried[0][:, np.newaxis] + tried[1][:, np.newaxis] * x[going] + offset[going]
        # A step beyond the range of doubles does not improve the fit.
        with np.errstate(over="ignore", invalid="ignore"):
            height = (y[going] * linear - n[going] * np.logaddexp(0, linear)).sum(axis=1)
        climbs = height >= best[going] - _NOISE * np.abs(best[going])
        step[:, going[~climbs]] /= 2
        moved = going[climbs]
        at[:, moved], best[moved] = tried[:, climbs], height[climbs]
        step[:, moved], error[moved] = _newton_step(linear[climbs], x[moved], n[moved], y[moved])
        done = (np.abs(step[:, moved]) <= _LAST_STEP * (1 + np.abs(at[:, moved]))).all(axis=0)
        going = np.union1d(going[~climbs], moved[~done])
        if not len(going):
            break
    at[:, going], error[going] = np.nan, np.nan
    return at[0], at[1], error


def _newton_step(linear: FloatArray, x: FloatArray, n: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The step `[2, groups]` in a and b, and the standard error of b; of a alone where x is 0 throughout."""
    from scipy.special import expit

    rate = expit(linear)
    residual, weight = y - n * rate, n * rate * expit(-linear)
    gradient = np.stack([residual.sum(axis=1), (residual * x).sum(axis=1)])
    s0, s1, s2 = ((weight * x**k).sum(axis=1) for k in range(3))
    determinant = s0 * s2 - s1 * s1
    sloped, safe = s2 > 0, np.where(determinant > 0, determinant, np.nan)
    step = np.where(
        sloped,
        np.stack([s2 * gradient[0] - s1 * gradient[1], s0 * gradient[1] - s1 * gradient[0]]) / safe,
        np.stack([gradient[0] / s0, np.zeros_like(s0)]),
    )
    return step, np.sqrt(np.where(sloped, s0 / safe, 1 / s0))
