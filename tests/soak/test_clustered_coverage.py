"""Intervals over members with several rows cover the truth as often as they say, from 50 members with events upward.

Naive intervals, which take rows for people, do not. Members differ in four ways: all of a member's rows are alike; rows
vary around a member's own risk, with few rows or with up to 30; a member's false flag comes with a missed event.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference.clusters import ClusterSums
from fairsweep.core.inference.intervals import bonett_price, wilson
from fairsweep.core.inference.precision import INDEPENDENT, Clustered, Precision
from fairsweep.core.metrics import GBE, POSITIVE_PREDICTIVE_VALUE, TRUE_POSITIVE_RATE

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1_800)]
REPLICATES, AT_ONCE = 20_000, 2_000
Ints = NDArray[np.int64]
Shape = tuple[int, int]
Members = tuple[Ints, Ints, Ints]
"""Flags, events and true positives of each member, `[replicates, members]`."""
Truth = tuple[float, float, float]
"""Group benefit equality, true positive rate and positive predictive value without sampling error."""


def alike(rng: np.random.Generator, shape: Shape) -> Members:
    kind, size = rng.choice(4, p=[0.3, 0.2, 0.25, 0.25], size=shape), rng.integers(1, 5, shape)
    return size * (kind < 2), size * (kind % 2 == 0), size * (kind == 0)


def compensating(rng: np.random.Generator, shape: Shape) -> Members:
    """Two rows a member: the event is in one of them, and the flag often in the other."""
    event, hit, late = rng.random(shape) < 0.7, rng.random(shape) < 0.8, rng.random(shape) < 0.6
    false_alarm = rng.random(shape) < 0.2
    flags = (event & hit) | (~event & false_alarm)
    return flags.astype(np.int64), event.astype(np.int64), (event & hit & ~late).astype(np.int64)


def risk(u: NDArray[np.float64], slope: float, event: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The chances that a row of a member of risk u is an event, and that it is flagged, given whether it is one."""
    return 1 / (1 + np.exp(1.5 - u)), 1 / (1 + np.exp(1.9 - slope * u - event))


def of_own_risk(most: int, mean: float, slope: float, event: float) -> tuple[Callable[..., Members], Truth]:
    """Members whose rows share a normal risk, and the truth by Gauss-Hermite quadrature."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Members:
        size, u = np.minimum(rng.geometric(1 / mean, shape), most), rng.normal(0, 1.5, shape)
        a, b, t = (np.zeros(shape, dtype=np.int64) for _ in range(3))
        for row in range(most):
            has_row = size > row
            chance, flagged_without = risk(u, slope, 0)
            y = has_row & (rng.random(shape) < chance)
            flag = has_row & (rng.random(shape) < np.where(y, risk(u, slope, event)[1], flagged_without))
            a, b, t = a + flag, b + y, t + (flag & y)
        return a, b, t

    node, weight = np.polynomial.hermite_e.hermegauss(80)
    chance, without = risk(1.5 * node, slope, 0)
    both, false = float(weight @ (chance * risk(1.5 * node, slope, event)[1])), float(weight @ ((1 - chance) * without))
    events = float(weight @ chance)
    return drawn, ((both + false) / events, both / events, both / (both + false))


FEW_ROWS, MANY_ROWS = of_own_risk(8, 3, 1.0, 0.8), of_own_risk(30, 4, 1.5, 0.3)
WORLDS: dict[str, tuple[Callable[..., Members], Truth]] = {
    "alike": (alike, (0.5 / 0.55, 0.3 / 0.55, 0.6)),
    "few_rows": FEW_ROWS,
    "many_rows": MANY_ROWS,
    "compensating": (compensating, ((0.56 + 0.06) / 0.7, 0.32, 0.224 / 0.62)),
}


def coverage(world: str, members: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """How often naive intervals and those over members cover the three, and the mean number of members with events."""
    drawn, truth = WORLDS[world]
    rng = np.random.default_rng([members, len(world)])
    naive, ours, with_events = np.zeros(3), np.zeros(3), 0.0
    for _ in range(REPLICATES // AT_ONCE):
        a, b, t = drawn(rng, (AT_ONCE, members))
        counts = ConfusionCounts.of(t.sum(axis=1), (a - t).sum(axis=1), (b - t).sum(axis=1), 0)
        pairs = ((a, a), (a, b), (t, t), (a, t), (t, b), (b, b))
        sums = ClusterSums(*((one * other).sum(axis=1) for one, other in pairs))
        naive += covered(INDEPENDENT, counts, truth)
        ours += covered(Clustered(sums), counts, truth)
        with_events += float((b > 0).sum(axis=1).mean())
    batches = REPLICATES // AT_ONCE
    return naive / batches, ours / batches, with_events / batches


def covered(precision: Precision, counts: ConfusionCounts, truth: Truth) -> NDArray[np.float64]:
    limits = (
        bonett_price(*precision.paired(GBE, counts)),
        wilson(*precision.proportion(TRUE_POSITIVE_RATE, counts)),
        wilson(*precision.proportion(POSITIVE_PREDICTIVE_VALUE, counts)),
    )
    return np.array([np.mean((low <= true) & (high >= true)) for (low, high), true in zip(limits, truth, strict=True)])


@pytest.mark.parametrize(("world", "members"), [(world, n) for world in WORLDS for n in (125, 200, 500, 1_000)])
def test_intervals_over_members_hold_from_50_members_with_events(world: str, members: int) -> None:
    naive, ours, with_events = coverage(world, members)
    print(f"{world}: {with_events:.0f} members with events: naive {naive}, over members {ours}")
    assert with_events >= 50
    assert ((ours >= 0.935) & (ours <= 0.965)).all()
    if world in ("alike", "many_rows"):
        assert naive[1] < 0.9
    if world == "alike":
        assert naive[0] < 0.9
