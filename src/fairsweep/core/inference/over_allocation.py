"""High values: more flags than events are acceptable as long as they do not cause another group to have too few.

Counts cannot show a cause. The notes are arithmetic: which groups have too few flags, and how many they lack.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairsweep.core.counts import IntArray

HIGH_ACCEPTABLE = "high_acceptable"
HIGH_WHILE_OTHERS_LOW = "high_while_others_low"


def notes(ci_low: ArrayLike, below_floor: ArrayLike, floor: float) -> NDArray[np.object_]:
    """Notes on the groups of one attribute whose value is certainly high.

    A note is given in addition to the verdict and never replaces it.

    Args:
        ci_low: lower 95 % limit of each group's judged value; NaN where there is none.
        below_floor: whether each group's value is below the floor, None where undefined; every breach is.
        floor: the lowest acceptable value, above 0 and at most 1.

    Returns:
        For each group `high_acceptable` or, where another group of the attribute is below the floor,
        `high_while_others_low`; None if the interval is not completely above `1 / floor`.
    """
    low = np.asarray(ci_low, dtype=np.float64)
    below = np.array([value is not None and bool(value) for value in np.asarray(below_floor, dtype=object)], dtype=bool)
    others_low = below.sum() - below > 0
    found = np.full(low.shape, None, dtype=object)
    high = low > float(1 / Fraction(str(floor)))
    found[high] = np.where(others_low, HIGH_WHILE_OTHERS_LOW, HIGH_ACCEPTABLE)[high]
    return found


def shortfall(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, floor: float, population: tuple[int, int] = (1, 1)
) -> IntArray:
    """Flags that a group lacks to reach the floor: `floor x P - F` in whole people, 0 if it lacks none.

    Args:
        tp: flagged events, whole numbers.
        fp: flagged non-events, likewise.
        fn: missed events, likewise.
        floor: the lowest acceptable value, read as a decimal, so that the count is exact.
        population: if groups are judged relative to the population, the flags and the events of the population.
    """
    flags, events = population
    lowest = Fraction(str(floor)) * Fraction(flags, events)
    flagged, with_event = np.broadcast_arrays(np.add(tp, fp), np.add(tp, fn))
    short = [
        max(-((int(f) * lowest.denominator - int(p) * lowest.numerator) // lowest.denominator), 0)
        for f, p in zip(flagged.ravel(), with_event.ravel(), strict=True)
    ]
    return np.array(short, dtype=np.int64).reshape(flagged.shape)
