"""Intervals and score tests from counts alone, vectorised over broadcast arrays.

Every function takes counts of any shapes that broadcast together and returns doubles of the broadcast shape:
NaN where the estimate is undefined, infinity where an interval has no end. `F = tp + fp` is the number
flagged, `P = tp + fn` the number of events, `S = tp + fp + fn`. Group benefit equality is `F/P`, a ratio of
*paired* proportions: the same people are in the numerator and the denominator, so that methods for independent
proportions would widen its interval and mask bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Limits = tuple[FloatArray, FloatArray]

Z95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution: intervals are two-sided 95 % intervals."""

# Of fewer ratios, finding equal ones saves nothing.
_MANY = 4096
# Wide enough for the ends of any ratio of proportions of up to 1e9 people.
_LOG_RATIO_RANGE = 50.0


def wilson(x: ArrayLike, n: ArrayLike, z: float = Z95) -> Limits:
    """Score interval of a proportion `x / n`.

    Args:
        x: how many of the `n`.
        n: out of how many; NaN limits where it is 0.
        z: normal quantile.

    Source:
        Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    return _wilson_limits(_doubles(x)[0], _doubles(n)[0], np.float64(z))


def clopper_pearson(x: ArrayLike, n: ArrayLike, alpha: float = 0.05) -> Limits:
    """Exact interval of a proportion `x / n`, never shorter than its nominal level of `1 - alpha`.

    Source:
        Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 1934.
    """
    from scipy.special import betaincinv

    x, n = _doubles(x, n)
    y = n - x
    with np.errstate(invalid="ignore"):
        low = np.where(x > 0, betaincinv(np.maximum(x, 1), y + 1, alpha / 2), 0.0)
        high = np.where(y > 0, betaincinv(x + 1, np.maximum(y, 1), 1 - alpha / 2), 1.0)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def bonett_price(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, z: float = Z95) -> Limits:
    """Hybrid Wilson interval of group benefit equality, closed form and defined at zeros.

    Returns:
        Lower and upper limit; NaN where there are no events. The lower limit is 0 where no one is flagged.

    Source:
        Bonett and Price, Confidence intervals for a ratio of binomial proportions based on paired data,
        Statistics in Medicine 2006.
    """
    tp, fp, fn = _doubles(tp, fp, fn)
    flagged, events, either = tp + fp, tp + fn, tp + fp + fn
    shared = np.sqrt((fp + fn + 2) / ((flagged + 1) * (events + 1)))
    # 1 - (F + 1)/(S + 2) is (fn + 1)/(S + 2), and 1 - (P + 1)/(S + 2) is (fp + 1)/(S + 2).
    flags_alone = np.sqrt((fn + 1) / ((either + 2) * (flagged + 1)))
    events_alone = np.sqrt((fp + 1) / ((either + 2) * (events + 1)))
    k = z * shared / (flags_alone + events_alone)
    flagged_low, flagged_high = _wilson_limits(flagged, either, k)
    events_low, events_high = _wilson_limits(events, either, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = flagged_low / events_high, flagged_high / events_low
    return np.where(events > 0, low, np.nan), np.where(events > 0, high, np.nan)


def score_statistic(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, ratio: ArrayLike) -> FloatArray:
    """Score statistic of the hypothesis that group benefit equality is `ratio`; negative when it is lower.

    Standard normal under the hypothesis; at a ratio of 1 it is McNemar's `(fp - fn) / sqrt(fp + fn)`, and 0
    where fp = fn = 0.

    Args:
        tp: flagged events.
        fp: flagged non-events.
        fn: missed events.
        ratio: the hypothesis, above 0 and finite; for any other the statistic is NaN.

    Returns:
        The statistic; NaN also where no one is flagged and there are no events.

    Source:
        Nam and Blackwelder, Analysis of the ratio of marginal probabilities in a matched-pair setting,
        Statistics in Medicine 2002; Tang et al. 2003.
    """
    tp, fp, fn, ratio = _doubles(tp, fp, fn, ratio)
    ratio = np.where((ratio > 0) & np.isfinite(ratio), ratio, np.nan)
    flagged, events, either = tp + fp, tp + fn, tp + fp + fn
    # Testing F/P = ratio is testing P/F = 1/ratio with the roles of fp and fn exchanged. From the side where
    # the ratio is at least 1 every term under the root is a sum of squares and products: nothing cancels.
    straight = ratio >= 1
    phi = np.where(straight, ratio, 1 / ratio)
    above, below = np.where(straight, flagged, events), np.where(straight, events, flagged)
    missed = np.where(straight, fn, fp)
    slope = phi**2 * below - above - 2 * missed
    constant = (phi - 1) * missed * either
    root = np.sqrt(slope**2 + 4 * (1 + phi) * constant)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The maximum likelihood estimate of `missed` under the hypothesis, in the form of the root that does
        # not cancel.
        expected = np.where(slope > 0, 2 * constant / (slope + root), (root - slope) / (2 * (1 + phi)))
        variance = (1 + phi) * expected + (phi - 1) * either
        statistic = (flagged - ratio * events) * np.where(straight, 1.0, phi) / np.sqrt(variance)
    return np.where((variance == 0) & (either > 0), 0.0, statistic)


def log_gbe_variance(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> FloatArray:
    """Large-sample variance of the logarithm of group benefit equality, `(fp + fn) / (F P)`.

    Returns:
        The variance; NaN where no one is flagged or there are no events.
    """
    tp, fp, fn = _doubles(tp, fp, fn)
    return _quotient(fp + fn, (tp + fp) * (tp + fn))


def relative_log_variance(
    group: tuple[ArrayLike, ArrayLike, ArrayLike], population: tuple[ArrayLike, ArrayLike, ArrayLike]
) -> FloatArray:
    """Variance of the logarithm of a group's benefit equality over that of the population it is part of.

    Derived for this project by the delta method and verified by simulation; not published. It equals
    `V_g + V - 2 [tp_g (1/F_g - 1/P_g) (1/F - 1/P) + fp_g / (F_g F) + fn_g / (P_g P)]` with V the log variance
    of group benefit equality, computed as a sum of squares, so that it cannot be negative.

    Args:
        group: tp, fp and fn of the group.
        population: tp, fp and fn of the overall population, including the group.

    Returns:
        The variance, 0 for a group that holds every flag and event; NaN where one of the two ratios is 0 or
        undefined.
    """
    tp, fp, fn, all_tp, all_fp, all_fn = _doubles(*group, *population)
    flag, event = _quotient(1.0, tp + fp), _quotient(1.0, tp + fn)
    all_flag, all_event = _quotient(1.0, all_tp + all_fp), _quotient(1.0, all_tp + all_fn)
    inside = (
        tp * (flag - event - all_flag + all_event) ** 2 + fp * (flag - all_flag) ** 2 + fn * (event - all_event) ** 2
    )
    outside = (all_tp - tp) * (all_flag - all_event) ** 2 + (all_fp - fp) * all_flag**2 + (all_fn - fn) * all_event**2
    return inside + outside


def koopman_ratio(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, z: float = Z95) -> Limits:
    """Score interval of the ratio `(x1/n1) / (x2/n2)` of two independent proportions, uncorrected.

    Returns:
        Lower limit, 0 where x1 is 0, and upper limit, infinite where x2 is 0; NaN where n1 or n2 is 0.

    Source:
        Koopman, Confidence intervals for the ratio of two binomial proportions, Biometrics 1984; Miettinen
        and Nurminen, Comparative analysis of two rates, Statistics in Medicine 1985.
    """
    from scipy.optimize.elementwise import find_root

    x1, n1, x2, n2 = np.broadcast_arrays(*_doubles(x1, n1, x2, n2))
    if x1.size >= _MANY:
        # Many small groups have few different counts; each root is computed independently of the others.
        one, back = _different(x1, n1, x2, n2)
        if 2 * len(one) <= x1.size:
            first, of_first, second, of_second = (rate.reshape(-1)[one] for rate in (x1, n1, x2, n2))
            low, high = koopman_ratio(first, of_first, second, of_second, z)
            return low[back].reshape(x1.shape), high[back].reshape(x1.shape)
    level = np.array([z, -z]).reshape(2, *(1,) * x1.ndim)
    bracket = np.full((2, *x1.shape), -_LOG_RATIO_RANGE), np.full((2, *x1.shape), _LOG_RATIO_RANGE)

    def beyond(log_ratio: FloatArray, level: FloatArray, *rates: FloatArray) -> FloatArray:
        return _independent_score(np.exp(log_ratio), *rates) - level

    # An end that does not exist has no root and comes back as NaN.
    low, high = np.exp(find_root(beyond, bracket, args=(level, x1, n1, x2, n2)).x)
    known = (n1 > 0) & (n2 > 0)
    return (
        np.where(known, np.where(x1 > 0, low, 0.0), np.nan),
        np.where(known, np.where(x2 > 0, high, np.inf), np.nan),
    )


def newcombe_difference(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, z: float = Z95) -> Limits:
    """Hybrid score interval of the difference `x1/n1 - x2/n2` of two independent proportions.

    Source:
        Newcombe, Interval estimation for the difference between independent proportions, Statistics in
        Medicine 1998, method 10.
    """
    x1, n1, x2, n2 = _doubles(x1, n1, x2, n2)
    first, second = _quotient(x1, n1), _quotient(x2, n2)
    (low1, high1), (low2, high2) = wilson(x1, n1, z), wilson(x2, n2, z)
    difference = first - second
    return (
        difference - np.hypot(first - low1, high2 - second),
        difference + np.hypot(high1 - first, second - low2),
    )


def gbe_ratio(
    a: tuple[ArrayLike, ArrayLike, ArrayLike], b: tuple[ArrayLike, ArrayLike, ArrayLike], z: float = Z95
) -> Limits:
    """Log interval `exp(ln ratio ± z sqrt(V_a + V_b))` of the ratio of two groups' benefit equality.

    Args:
        a: tp, fp and fn of the group in the numerator.
        b: tp, fp and fn of the group in the denominator, which shares no people with the other.
        z: normal quantile.

    Returns:
        Lower and upper limit; NaN where one of the two is 0 or undefined, and where neither group has a wrong
        flag or a missed event: the estimated variance is then 0, which means missing information, not precision.
    """
    a_tp, a_fp, a_fn, b_tp, b_fp, b_fn = _doubles(*a, *b)
    variance = log_gbe_variance(a_tp, a_fp, a_fn) + log_gbe_variance(b_tp, b_fp, b_fn)
    ratio = _quotient((a_tp + a_fp) * (b_tp + b_fn), (a_tp + a_fn) * (b_tp + b_fp))
    factor = np.exp(z * np.sqrt(np.where(variance > 0, variance, np.nan)))
    return ratio / factor, ratio * factor


def _different(*columns: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An entry of each different combination, and the combination of each entry."""
    flat = [column.reshape(-1) for column in columns]
    order = np.lexsort(flat)
    changes = np.logical_or.reduce([np.diff(column[order], prepend=np.nan) != 0 for column in flat])
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.cumsum(changes) - 1
    return order[changes], back


def _doubles(*arrays: ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(np.asarray(a, dtype=np.float64) for a in arrays)


def _quotient(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """The quotient, and NaN where the denominator is 0."""
    above, below = _doubles(numerator, denominator)
    return above / np.where(below != 0, below, np.nan)


def _wilson_limits(x: FloatArray, n: FloatArray, k: FloatArray | np.float64) -> Limits:
    """Wilson limits with a quantile per entry, without cancellation: exactly 0 at x = 0 and 1 at x = n."""
    n = np.where(n > 0, n, np.nan)
    spread = k * np.sqrt(k * k + 4 * x * (n - x) / n)
    centre = 2 * x + k * k
    with np.errstate(invalid="ignore"):  # 0/0 only for k = x = 0, where the lower limit is 0
        low = np.where(x > 0, 2 * x * x / (n * (centre + spread)), 0 * n)
    return low, np.minimum((centre + spread) / (2 * (n + k * k)), 1.0)


def _independent_score(ratio: FloatArray, x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray) -> FloatArray:
    """Score statistic of the hypothesis `p1 = ratio p2`, 0 where it is exactly met.

    Both constrained estimates and their complements are roots of quadratics with one discriminant, each taken
    in the form that does not cancel, so that the statistic holds at proportions of 0 and 1.
    """
    n, y1, y2 = n1 + n2, n1 - x1, n2 - x2
    first, second = ratio * (n1 + x2), n2 + x1
    root = np.sqrt((first - second) ** 2 + 4 * ratio * y1 * y2)
    slope1, slope2 = first - (n + y1), second - ratio * (n + y2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p2 = 2 * (x1 + x2) / (first + second + root)
        q1 = np.where(slope1 > 0, 2 * (ratio - 1) * y1 / (slope1 + root), (root - slope1) / (2 * n))
        q2 = np.where(slope2 > 0, 2 * (1 - ratio) * y2 / (slope2 + root), (root - slope2) / (2 * n * ratio))
        distance = x1 / n1 - ratio * x2 / n2
        score = distance / np.sqrt(ratio * p2 * q1 / n1 + ratio**2 * p2 * q2 / n2)
    return np.where(distance == 0, 0.0, score)
