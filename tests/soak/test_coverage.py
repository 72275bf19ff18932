"""Intervals hold what they promise and tests their level, at given cutoffs and at those chosen on the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference.intervals import bonett_price, log_gbe_variance, relative_log_variance, score_statistic
from fairsweep.core.inference.precision import INDEPENDENT, Scaled
from fairsweep.core.inference.tuning import (
    SMOOTH,
    Movement,
    alert_rate_movement,
    alert_rate_variance,
    effective,
    population_gbe_movement,
    population_gbe_variance,
    share_at,
)
from fairsweep.core.inference.verdicts import Family, Rule, judge

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Tuning = Literal["prespecified", "population_gbe", "alert_rate"]
GRID = np.linspace(0.0, 1.0, 1_001)
SHARES = (0.3, 0.25, 0.2, 0.15, 0.1)
# Mean and spread of the log odds that each group's scores say, and by how much its true log odds exceed them.
UNLIKE = ((0.0, 1.3, 0.0), (0.3, 1.1, 0.2), (-0.3, 1.4, -0.2), (0.2, 1.3, 0.1), (-0.1, 1.5, -0.1))
ALIKE = ((0.0, 1.3, 0.0),) * 5
COMMON, RARE = -3.0, -5.5
"""Log odds at which about 9 % and about 1 % have the event."""
RISKS = ndtri((np.arange(50_000) + 0.5) / 50_000)
EVERYWHERE = [
    ("prespecified", 1.0),
    ("population_gbe", 1.0),
    ("population_gbe", 2.0),
    ("alert_rate", 0.05),
]


def population(level: float, groups: tuple[tuple[float, float, float], ...] = UNLIKE) -> Floats:
    """The share of everybody in each group, label (without, with the event) and bucket of 1,001 cutoffs."""
    parts = []
    for share, (mean, spread, excess) in zip(SHARES, groups, strict=True):
        odds = level + mean + spread * RISKS
        bucket, risk = np.searchsorted(GRID, expit(odds), side="right"), expit(odds + excess)
        labels = [np.bincount(bucket, weight, len(GRID) + 1) for weight in (1 - risk, risk)]
        parts.append(share * np.stack(labels) / len(RISKS))
    whole = np.stack(parts)
    return np.asarray(whole / whole.sum())


def chosen(flagged: Floats | Ints, events: Floats | Ints, n: int, tuning: Tuning, parameter: float) -> Ints:
    """The cutoff of each replicate, `[replicates]`, of flags `[replicates, cutoffs]`."""
    if tuning == "alert_rate":
        return np.asarray(np.argmax(flagged <= parameter * n, axis=1))
    return np.asarray(np.argmin(np.abs(flagged - parameter * np.asarray(events)[:, np.newaxis]), axis=1))


@dataclass(frozen=True)
class Draws:
    """Samples of one population; counts have the shape `[replicates, groups]`."""

    tp: Ints
    fp: Ints
    fn: Ints
    share: Floats
    movement: Movement
    truth: Floats
    true_overall: float
    tuning: Tuning
    parameter: float

    @property
    def everybody(self) -> tuple[Ints, Ints, Ints]:
        tp, fp, fn = (a.sum(axis=1, keepdims=True) for a in (self.tp, self.fp, self.fn))
        return tp, fp, fn

    def variance(self, movement: Movement, *, relative: bool = False) -> Floats:
        """Variance of the logarithm of the groups' values, or of their ratios to the population's."""
        group = (self.tp, self.fp, self.fn)
        if self.tuning == "prespecified":
            return relative_log_variance(group, self.everybody) if relative else log_gbe_variance(*group)
        form = population_gbe_variance if self.tuning == "population_gbe" else alert_rate_variance
        return form(group, self.everybody, self.share, self.parameter, movement, relative=relative)

    def factor(self, *, relative: bool = False) -> Floats:
        population = self.everybody if relative else None
        return effective((self.tp, self.fp, self.fn), self.variance(self.movement, relative=relative), population)

    def covered(self, factor: Floats | float) -> Floats:
        """The share of replicates whose interval holds the truth, by group."""
        low, high = bonett_price(factor * self.tp, factor * self.fp, factor * self.fn)
        return np.asarray(((low <= self.truth) & (self.truth <= high)).mean(axis=0))


def draw(shares: Floats, n: int, tuning: Tuning, parameter: float, replicates: int, rng: np.random.Generator) -> Draws:
    """Draw samples of n rows, choose each one's cutoff on it, and count there.

    The truth is what the rule chooses in the population itself. Buckets that no cutoff could come near are drawn
    together: they are counted, and never moved across.
    """
    expected = shares * n
    flagged = expected.sum(axis=(0, 1))[::-1].cumsum()[::-1][1:]
    limit = int(chosen(flagged[np.newaxis], expected[:, 1].sum()[np.newaxis], n, tuning, parameter)[0])
    margin = 9 * np.sqrt(flagged[limit] * max(parameter, 1.0) ** 2) + 1
    near = np.flatnonzero(np.abs(flagged - flagged[limit]) <= margin)
    first, last = max(int(near[0]) - 2, 0), min(int(near[-1]) + 2, len(flagged) - 1)
    edges = [0, *range(first + 1, last + 2)]
    kept = np.add.reduceat(shares, edges, axis=2)
    true_flags, true_events = expected[:, :, limit + 1 :].sum(axis=(1, 2)), expected[:, 1].sum(axis=1)
    parts = [
        _counted(kept, n, tuning, parameter, limit - first, size, rng) for size in _portions(replicates, kept.size)
    ]
    tp, fp, fn, share, response, excess = (np.concatenate(a) for a in zip(*parts, strict=True))
    # A movement holds for one cutoff; here it has one entry for each replicate, which broadcasts alike.
    movement = Movement(response[:, np.newaxis], excess[:, np.newaxis])
    overall = float(true_flags.sum() / true_events.sum())
    return Draws(tp, fp, fn, share, movement, true_flags / true_events, overall, tuning, parameter)


def _portions(replicates: int, cells: int) -> Iterator[int]:
    most = max(4_000_000 // cells, 1)
    for start in range(0, replicates, most):
        yield min(most, replicates - start)


def _counted(
    kept: Floats, n: int, tuning: Tuning, parameter: float, limit: int, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.generic], ...]:
    rows = rng.multinomial(n, kept.ravel(), size=size).reshape(size, *kept.shape)
    above = rows[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]
    flagged, events = above.sum(axis=(1, 2)), rows[:, :, 1].sum(axis=-1)
    cutoff = np.full(size, limit)
    if tuning != "prespecified":
        cutoff = chosen(flagged, events.sum(axis=1), n, tuning, parameter)
    place = np.arange(size)
    tp, fp = above[place, :, 1, cutoff], above[place, :, 0, cutoff]
    fn, share, movement = events - tp, np.zeros(tp.shape), [SMOOTH] * size
    if tuning != "prespecified":
        share = np.stack([share_at(of.sum(axis=1), k) for of, k in zip(rows, cutoff, strict=True)])
        whole = zip(*(a.sum(axis=1).tolist() for a in (tp, fp, fn)), strict=True)
        movement = [
            population_gbe_movement(f, k, w, parameter)
            if tuning == "population_gbe"
            else alert_rate_movement(f, k, n, parameter)
            for f, k, w in zip(flagged, cutoff, whole, strict=True)
        ]
    return tp, fp, fn, share, np.array([m.response for m in movement]), np.array([m.excess for m in movement])


def many(
    level: float, events: int, tuning: Tuning, parameter: float, positions: int, replicates: int, seed: int
) -> Iterator[Draws]:
    """Populations whose smallest group has so many events, each lying differently on the grid."""
    rng = np.random.default_rng(seed)
    for offset in rng.uniform(-0.1, 0.1, positions):
        shares = population(level + offset)
        n = round(events / float(shares[:, 1].sum(axis=1).min()))
        at = 0.05 if tuning == "alert_rate" and level == COMMON else 0.02 if tuning == "alert_rate" else parameter
        yield draw(shares, n, tuning, at, replicates, rng)


@pytest.mark.parametrize("events", [20, 60, 200, 600, 2_000])
@pytest.mark.parametrize("level", [COMMON, RARE])
@pytest.mark.parametrize(("tuning", "parameter"), EVERYWHERE)
def test_intervals_hold_the_truth_as_often_as_they_say(
    tuning: Tuning, parameter: float, level: float, events: int
) -> None:
    draws = many(level, events, tuning, parameter, positions=100, replicates=200, seed=events)
    covered = np.mean([one.covered(one.factor()) for one in draws], axis=0)
    assert ((covered >= 0.935) & (covered <= 0.965)).all(), covered


@pytest.mark.parametrize("level", [COMMON, RARE])
@pytest.mark.parametrize("events", [20, 200])
@pytest.mark.parametrize(("tuning", "parameter"), EVERYWHERE)
def test_score_tests_hold_their_level_at_the_truth(tuning: Tuning, parameter: float, level: float, events: int) -> None:
    """As `judge` takes it: on the absolute basis, and on the relative one with the variance of the ratio."""
    sizes = []
    for one in many(level, events, tuning, parameter, positions=100, replicates=200, seed=events + 1):
        group, everybody = (one.tp, one.fp, one.fn), one.everybody
        own, ratio = one.factor(), one.factor(relative=True)
        overall = (everybody[0] + everybody[1]) / (everybody[0] + everybody[2])
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.sqrt(log_gbe_variance(*group) / relative_log_variance(group, everybody))
        scale = np.where(np.isfinite(scale), scale, 1.0)
        absolute = score_statistic(own * one.tp, own * one.fp, own * one.fn, one.truth)
        bound = one.truth / one.true_overall * overall
        relative = score_statistic(ratio * one.tp, ratio * one.fp, ratio * one.fn, bound) * scale
        p = ndtr(np.stack([absolute, -absolute, relative, -relative]))
        sizes.append((p < 0.05).mean(axis=1))
    size = np.mean(sizes, axis=0)
    assert ((size >= 0.03) & (size <= 0.07)).all(), size.round(3)


def test_intervals_for_a_fixed_cutoff_are_too_wide_at_a_tuned_one_on_a_fine_grid() -> None:
    fine = [one.covered(1.0) for one in many(COMMON, 200, "population_gbe", 1.0, 20, 500, seed=3)]
    assert np.mean(fine, axis=0).max() >= 0.975


def test_steps_of_the_grid_must_be_reckoned_with_where_many_rows_share_a_bucket() -> None:
    """Hundreds of rows a bucket: the cutoff jumps or stays, and neither a fixed nor a smooth one describes it."""
    coarse = list(many(RARE, 6_000, "population_gbe", 1.0, 100, 200, seed=4))
    ours = np.mean([one.covered(one.factor()) for one in coarse], axis=0)
    fixed = np.mean([one.covered(1.0) for one in coarse], axis=0)
    smooth = [one.covered(effective((one.tp, one.fp, one.fn), one.variance(SMOOTH))) for one in coarse]
    assert ((ours >= 0.935) & (ours <= 0.965)).all(), ours
    assert fixed.min() <= 0.9
    assert np.mean(smooth, axis=0).min() <= 0.85


@pytest.mark.parametrize("events", [30, 300])
@pytest.mark.parametrize(("tuning", "parameter"), EVERYWHERE)
def test_fair_groups_are_accused_in_at_most_5_percent_of_runs(tuning: Tuning, parameter: float, events: int) -> None:
    """Five groups alike, against the floor and, harder, against a floor that all of them stand on exactly."""
    rng = np.random.default_rng(events)
    shares = population(COMMON, ALIKE)
    n = round(events / float(shares[:, 1].sum(axis=1).min()))
    runs = 500
    one = draw(shares, n, tuning, 0.0847 if tuning == "alert_rate" else parameter, runs, rng)
    families = [Family.of_attribute("race")] * len(SHARES)
    accused = {0.8: 0, 1.0: 0}
    for i in range(runs):
        groups = ConfusionCounts.of(one.tp[i], one.fp[i], one.fn[i], 0)
        everybody = groups.sum()
        relative = bool(20 * abs(int(everybody.flagged) - int(everybody.events)) > int(everybody.events))
        precision = Scaled(INDEPENDENT, one.factor(relative=relative)[i])
        for floor in accused:
            found = judge(groups, everybody, families, Rule("help", floor), precision, tuned=tuning != "prespecified")
            accused[floor] += bool((found.verdict == "breach").any())
    assert accused[0.8] <= 0.05 * runs
    # 5 % and three standard errors of 500 runs.
    assert accused[1.0] <= (0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)) * runs
