"""Effective counts at tuned cutoffs: the cutoff was chosen on the same rows that it judges.

A tuned cutoff depends on its rows. If chance gives too many flags, the cutoff rises until the rule holds again, and a
group with a share w of the rows next to the cutoff loses a share w of the flags that this removes. Intervals for fixed
cutoffs ignore this and are usually too wide. The estimated quantity is group benefit equality at the cutoff that the
rule would choose in the population from which the rows are a sample.

All of it was derived for this project by the delta method and verified by simulation; none of it is published. With 20
to 2,000 events in the smallest of five groups, intervals of the effective counts covered the true value in 93.5 to
96.5 % of samples, on average over the position of the scores on the grid. If a bucket next to the cutoff holds more
rows than the cutoff's own noise moves (2,000 events, 2.1 million rows, 1,001 cutoffs), the average conceals a spread:
90 % for one position of the grid, where two cutoffs are about equally near to the target, and 98 % for another.

`F = tp + fp` is the number flagged, `P = tp + fn` the number of events; without a subscript those of the population.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairsweep.core.inference.intervals import Z95, FloatArray, log_gbe_variance, relative_log_variance, score_statistic

Triple = tuple[ArrayLike, ArrayLike, ArrayLike]
"""tp, fp and fn."""


@dataclass(frozen=True)
class Movement:
    """How far the cutoff follows chance: completely on a fine grid, hardly at all if neighbours are far apart.

    Attributes:
        response: flags that the population gains as the cutoff moves, per flag that the rule lacks: the slope of the
            regression of the first on the second.
        excess: mean square of the flags gained beyond that line, in flags squared: the effect of the grid's steps.

    One number each for one cutoff; arrays that broadcast with the counts for several.
    """

    response: float | FloatArray = 1.0
    excess: float | FloatArray = 0.0


SMOOTH = Movement()
"""The movement on a grid so fine that its steps do not matter."""

# Points of the normal distribution that expectations are summed over; steps of .005 standard deviations.
_NORMAL = np.linspace(-6.0, 6.0, 2_401)
_NORMAL_WEIGHTS = np.exp(-0.5 * _NORMAL**2) / np.exp(-0.5 * _NORMAL**2).sum()


def population_gbe_movement(
    flagged: ArrayLike, index: int, population: tuple[float, float, float], target: float = 1.0
) -> Movement:
    """The movement of a cutoff that was chosen for the population's group benefit equality.

    Args:
        flagged: people flagged at each cutoff of the grid, shape `[cutoffs]`.
        index: the chosen cutoff.
        population: tp, fp and fn of the overall population there.
        target: the population's group benefit equality aimed at.
    """
    tp, fp, fn = population
    levels = np.unique(np.asarray(flagged, dtype=np.float64))
    spread = np.sqrt(tp * (target - 1) ** 2 + fp + fn * target**2)
    reached = target * (tp + fn) + spread * _NORMAL
    nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, reached)]
    return _movement(nearest - np.asarray(flagged)[index], spread)


def alert_rate_movement(flagged: ArrayLike, index: int, n: float, rate: float) -> Movement:
    """The movement of a cutoff that was chosen for the share flagged: the lowest that flags at most `rate` of `n`.

    Args:
        flagged: people flagged at each cutoff of the grid, shape `[cutoffs]`.
        index: the chosen cutoff.
        n: people with a score.
        rate: the share, above 0 and below 1.
    """
    levels = np.unique(np.asarray(flagged, dtype=np.float64))
    spread = np.sqrt(float(np.asarray(flagged)[index]) * (1 - rate))
    most = levels[np.maximum(np.searchsorted(levels, rate * n + spread * _NORMAL, side="right") - 1, 0)]
    return _movement(most - np.asarray(flagged)[index], spread)


def _movement(gained: FloatArray, spread: float) -> Movement:
    """Regress the flags gained on the flags short, a normal variable with standard deviation `spread`."""
    covariance = float(np.sum(_NORMAL_WEIGHTS * _NORMAL * gained))
    square = float(np.sum(_NORMAL_WEIGHTS * gained**2))
    response = covariance / spread if spread > 0 else 0.0
    return Movement(response, max(square - covariance**2, 0.0))


def population_gbe_variance(
    group: Triple,
    population: Triple,
    share: ArrayLike,
    target: float = 1.0,
    movement: Movement = SMOOTH,
    *,
    relative: bool = False,
) -> FloatArray:
    """Variance of the logarithm of a group's benefit equality where the population's was tuned to a target.

    The cutoff moves until `F = target x P`, so that the group gains `w (target x P - F)` flags. At target 1 on a fine
    grid the variance is `(fp_g + fn_g)/(F_g P_g) - 2 (w/F_g)(fp_g/F_g + fn_g/P_g) + (w/F_g)^2 (fp + fn)`; at any other
    a row of tp moves the cutoff as well. It is computed as a sum of squares and cannot be negative.

    Args:
        group: tp, fp and fn of the group.
        population: tp, fp and fn of the overall population, including the group.
        share: the group's share of the rows next to the cutoff, see `share_at`.
        target: the population's target group benefit equality.
        movement: how far the grid lets the cutoff move, see `population_gbe_movement`.
        relative: the variance of the group's value over the population's instead.

    Returns:
        The variance; NaN where no one is flagged or there are no events.

    Source:
        Derived for this project and verified by simulation; not published.
    """
    drift = _Rows(target - 1, -1.0, target)
    return _variance(group, population, share, drift, 0.0, movement, relative=relative)


def alert_rate_variance(
    group: Triple,
    population: Triple,
    share: ArrayLike,
    rate: float,
    movement: Movement = SMOOTH,
    *,
    relative: bool = False,
) -> FloatArray:
    """Variance of the logarithm of a group's benefit equality if the cutoff was tuned to a share flagged.

    The cutoff moves until `F = rate x n`. On a fine grid the variance is that of a fixed cutoff
    `- 2 (w/F_g)(1 - TPR_g) + (w/F_g)^2 F (1 - rate)`, computed as a sum of squares.

    Args:
        group: tp, fp and fn of the group.
        population: tp, fp and fn of the overall population, including the group.
        share: the group's share of the rows next to the cutoff, see `share_at`.
        rate: the share flagged, above 0 and below 1.
        movement: how far the grid lets the cutoff move, see `alert_rate_movement`.
        relative: the variance of the group's value over the population's instead.

    Returns:
        The variance; NaN where no one is flagged or there are no events.

    Source:
        Derived for this project and verified by simulation; not published.
    """
    tp, fp, fn = (np.asarray(a, dtype=np.float64) for a in population)
    # True negatives move the cutoff all alike; how many there are follows from the rate.
    unflagged_non_events = np.maximum((tp + fp) * (1 - rate) / rate - fn, 0.0)
    drift = _Rows(rate - 1, rate - 1, rate)
    return _variance(group, population, share, drift, unflagged_non_events * rate**2, movement, relative=relative)


class _Rows(NamedTuple):
    """The contribution of one row of each kind to a linear form."""

    tp: float | FloatArray
    fp: float | FloatArray
    fn: float | FloatArray


def _variance(
    group: Triple,
    population: Triple,
    share: ArrayLike,
    drift: _Rows,
    others: float | FloatArray,
    movement: Movement,
    *,
    relative: bool,
) -> FloatArray:
    """Sum over rows of the squared contribution of each row to the logarithm.

    A row contributes to its group's flags and events, on the relative basis to the population's, and through the flags
    that the rule then lacks (`drift`) to the position of the cutoff. `others` is the sum of squared drift of true
    negatives.
    """
    tp, fp, fn = (np.asarray(a, dtype=np.float64) for a in group)
    all_tp, all_fp, all_fn = (np.asarray(a, dtype=np.float64) for a in population)
    flag, event = _reciprocal(tp + fp), _reciprocal(tp + fn)
    none = np.zeros_like(all_tp)
    all_flag, all_event = (_reciprocal(all_tp + all_fp), _reciprocal(all_tp + all_fn)) if relative else (none, none)
    per_gained = np.asarray(share, dtype=np.float64) * flag - all_flag
    pull = movement.response * per_gained
    rest = _Rows(all_event - all_flag + pull * drift.tp, pull * drift.fp - all_flag, pull * drift.fn + all_event)
    inside = tp * (flag - event + rest.tp) ** 2 + fp * (flag + rest.fp) ** 2 + fn * (rest.fn - event) ** 2
    outside = (all_tp - tp) * rest.tp**2 + (all_fp - fp) * rest.fp**2 + (all_fn - fn) * rest.fn**2
    return np.asarray(inside + outside + others * pull**2 + movement.excess * per_gained**2, dtype=np.float64)


def neighbourhood(everybody: ArrayLike, index: int, least: float | None = None) -> tuple[int, int]:
    """The buckets next to a cutoff in which groups' shares are computed: the first, and the one after the last.

    The bucket just below cutoff k is k and the one just above is k + 1. If they hold few rows, the neighbourhood
    grows by a bucket on each side until it holds enough: the root of all rows, but at most half of the flags. In
    simulations with 5 to 200 events in the smallest group, fewer rows make the shares noisy and the intervals too wide;
    three times as many, or more than half of the flags if events are rare, include scores where the shares differ.

    Args:
        everybody: rows of the population in each bucket, shape `[cutoffs + 1]`.
        index: the cutoff k.
        least: how many rows are enough, if not the default.
    """
    everybody = np.asarray(everybody, dtype=np.float64)
    enough = min(np.sqrt(everybody.sum()), everybody[index + 1 :].sum() / 2) if least is None else least
    before = np.concatenate([[0.0], np.cumsum(everybody)])
    width = np.arange(1, len(everybody) + 1)
    low, high = np.maximum(index + 1 - width, 0), np.minimum(index + 1 + width, len(everybody))
    held = before[high] - before[low]
    chosen = int(np.argmax(held >= min(enough, held[-1])))
    return int(low[chosen]), int(high[chosen])


def share_at(rows: ArrayLike, index: int, least: float | None = None) -> FloatArray:
    """Each group's share of the rows in the buckets next to a cutoff, see `neighbourhood`.

    Args:
        rows: rows of each group and bucket, shape `[groups, cutoffs + 1]`; each person is in exactly one group.
        index: the cutoff k.
        least: how many rows are enough, if not the default.

    Returns:
        The shares, shape `[groups]`; they sum to 1. NaN where no one is flagged and
        the two buckets are empty, or where there are no rows at all.
    """
    rows = np.asarray(rows, dtype=np.float64)
    low, high = neighbourhood(rows.sum(axis=0), index, least)
    near: FloatArray = rows[:, low:high].sum(axis=1)
    return near * _reciprocal(near.sum())


def effective(group: Triple, variance: ArrayLike, population: Triple | None = None) -> FloatArray:
    """The factor k such that `k x (tp, fp, fn)` are the effective counts at a tuned cutoff.

    Intervals and score tests use them like counts at a fixed cutoff. The factor is below 1 for a group
    with few flags and a large share of the rows next to the cutoff: there, tuning adds noise.

    Args:
        group: tp, fp and fn of the group.
        variance: of the logarithm of its value, see `population_gbe_variance` and `alert_rate_variance`.
        population: tp, fp and fn of the overall population if the variance is `relative`. The factor is then that of
            the score test of `verdicts.judge` on the relative basis, not of the interval of the group's own value.

    Returns:
        The factor; 1 if it cannot be computed: without flags or events, or if one of the variances is 0.
    """
    fixed = log_gbe_variance(*group) if population is None else relative_log_variance(group, population)
    factor = fixed * _reciprocal(variance)
    return np.where(np.isfinite(factor) & (factor > 0), factor, 1.0)


def indistinguishable(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, target: float = 1.0) -> NDArray[np.bool_]:
    """The cutoffs at which the population's group benefit equality does not differ significantly from the target.

    This is the confidence set of the cutoff that a rule for the target chooses: two-sided score tests at 5 %.

    Args:
        tp: flagged events of the population at each cutoff.
        fp: flagged non-events, likewise.
        fn: missed events, likewise.
        target: the population's target group benefit equality, above 0.

    Returns:
        For each cutoff whether it is in the set; false where there are neither flags nor events.
    """
    return np.asarray(np.abs(score_statistic(tp, fp, fn, target)) <= Z95)


def _reciprocal(value: ArrayLike) -> FloatArray:
    """The reciprocal, and NaN for 0."""
    value = np.asarray(value, dtype=np.float64)
    return 1.0 / np.where(value != 0, value, np.nan)
