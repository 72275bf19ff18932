"""Power: how many events a fair group needs so that its verdict can clear it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fairsweep.core.inference.intervals import FloatArray, score_statistic


def events_needed(recall: ArrayLike, bound: float = 0.8, alpha: float = 0.05, power: float = 0.8) -> FloatArray:
    """Events that a fair group needs to be shown on the right side of the bound.

    A fair group has a benefit equality of 1: as many wrong flags as missed events, `1 - recall` of its events each. Its
    logarithm has the variance `2 (1 - recall) / P`, from which
    `P = (z_alpha + z_power)^2 x 2 (1 - recall) / (ln bound)^2`: 248 (1 - recall) at a bound of .8, a one-sided level of
    5 % and a power of 80 %, 315 (1 - recall) at 2.5 %. That is right where many events are missed. Where few are, the
    score test that decides has another variance under its hypothesis and clears fewer: 68 % instead of 80 % at a recall
    of .9. So each quantile is taken with the variance of `F - bound x P` that belongs to it: `z_alpha` with the one
    under the hypothesis, `z_power` with the one in the fair group. Simulated at a bound of .8 the power is then 80 % at
    recalls up to .6, 84 % at .9 and 85 % at .95; with exactly as many events, not as many on average, it is up to 6
    points higher at low recalls.

    Args:
        recall: true positive rate of the population, 0 to 1; a group's own rate is uncertain.
        bound: the floor, below 1, or a sanction's ceiling `1 / floor`, which needs as many events.
        alpha: one-sided level of the test.
        power: chance of being cleared.

    Returns:
        Whole numbers of at least 1; NaN where the recall is.

    Raises:
        ValueError: when the bound is 1 or not a positive number.

    Source:
        The usual sample size of a score test, for the statistic of `intervals.score_statistic`; derived for this
        project and verified by simulation, not published in this form.
    """
    from scipy.special import ndtri

    if not 0 < bound < np.inf or bound == 1:
        raise ValueError(f"bound is {bound}; it must be above 0, finite and not 1, which is the value of a fair group")
    floor = min(bound, 1 / bound)
    recall = np.asarray(recall, dtype=np.float64)
    missed = 1 - recall
    # The statistic grows with the root of the events, so that its value at one event gives its standard error there.
    expected = score_statistic(recall, missed, missed, floor)
    fair = np.sqrt(recall * (1 - floor) ** 2 + missed * (1 + floor**2)) / (1 - floor)
    needed = np.ceil((ndtri(1 - alpha) / expected + ndtri(power) * fair) ** 2)
    return np.maximum(needed, 1.0)
