from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from fairsweep.core.inference.intervals import bonett_price, log_gbe_variance, relative_log_variance, score_statistic
from fairsweep.core.inference.tuning import (
    Movement,
    alert_rate_movement,
    alert_rate_variance,
    effective,
    indistinguishable,
    population_gbe_movement,
    population_gbe_variance,
    share_at,
)

Counts = tuple[int, int, int]
GROUP = st.tuples(*[st.integers(0, 400)] * 3)
SHARE = st.floats(0, 1)
MOVEMENT = st.builds(Movement, st.floats(0, 2), st.floats(0, 1e4))


def within(group: Counts, rest: Counts) -> Counts:
    return group[0] + rest[0], group[1] + rest[1], group[2] + rest[2]


def test_golden_variance_at_population_gbe_1() -> None:
    group, population = (30, 50, 70), (500, 100, 100)
    assert float(log_gbe_variance(*group)) == pytest.approx(0.015)
    variance = population_gbe_variance(group, population, 0.5)
    assert float(variance) == pytest.approx(0.00625)
    assert float(effective(group, variance)) == pytest.approx(2.4)


def test_golden_variance_at_an_alert_rate() -> None:
    # .015 - 2 (.2/80)(1 - 30/100) + (.2/80)^2 x 1,000 x .95
    variance = alert_rate_variance((30, 50, 70), (300, 700, 300), 0.2, 0.05)
    assert float(variance) == pytest.approx(0.0174375)


@given(group=GROUP, rest=GROUP, share=SHARE)
def test_variances_are_the_formulas_of_the_methods_and_never_negative(
    group: Counts, rest: Counts, share: float
) -> None:
    (tp, fp, fn), population = group, within(group, rest)
    flagged, events, all_flagged = tp + fp, tp + fn, population[0] + population[1]
    # Everybody's missed events fit among the unflagged.
    rate = all_flagged / max(2 * all_flagged + population[2], 1)
    if not flagged or not events:
        assert math.isnan(float(population_gbe_variance(group, population, share)))
        assert math.isnan(float(alert_rate_variance(group, population, share, rate or 0.5)))
        return
    fixed, pull = (fp + fn) / (flagged * events), share / flagged
    balanced = fixed - 2 * pull * (fp / flagged + fn / events) + pull**2 * (population[1] + population[2])
    limited = fixed - 2 * pull * (1 - tp / events) + pull**2 * all_flagged * (1 - rate)
    found = [
        float(population_gbe_variance(group, population, share)),
        float(alert_rate_variance(group, population, share, rate)),
    ]
    assert found == pytest.approx([balanced, limited], rel=1e-9, abs=1e-12)
    assert min(found) >= 0


@given(group=GROUP, rest=GROUP, share=SHARE, target=st.floats(0.1, 10), movement=MOVEMENT, relative=st.booleans())
def test_variance_of_a_cutoff_that_cannot_move_is_that_of_a_fixed_one(
    group: Counts, rest: Counts, share: float, target: float, movement: Movement, relative: bool
) -> None:
    population = within(group, rest)
    fixed = relative_log_variance(group, population) if relative else log_gbe_variance(*group)
    still = Movement(0.0, 0.0)
    for variance in (
        population_gbe_variance(group, population, share, target, still, relative=relative),
        alert_rate_variance(group, population, share, 0.2, still, relative=relative),
    ):
        assert float(variance) == pytest.approx(float(fixed), rel=1e-9, abs=1e-12, nan_ok=True)
    moved = population_gbe_variance(group, population, share, target, movement, relative=relative)
    assert not float(moved) < 0


def variance_row_by_row(group: Counts, rest: Counts, share: float, target: float, *, relative: bool) -> float:
    """Every row's part in ln(F_g + w (target P - F)) - ln P_g, at target 1 or not, added up one by one."""
    total = within(group, rest)
    f, p, all_f, all_p = group[0] + group[1], group[0] + group[2], total[0] + total[1], total[0] + total[2]
    sum_of_squares = 0.0
    for inside, counts in ((1, group), (0, rest)):
        for (flag, event), count in zip(((1, 1), (1, 0), (0, 1)), counts, strict=True):
            gained = target * event - flag
            part = inside * (flag / f - event / p) + share / f * gained
            if relative:
                part -= flag / all_f - event / all_p + gained / all_f
            for _ in range(count):
                sum_of_squares += part**2
    return sum_of_squares


@pytest.mark.parametrize("target", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("relative", [False, True])
def test_variance_at_any_target_is_the_sum_over_rows(target: float, relative: bool) -> None:
    for group, rest, share in [
        ((30, 50, 70), (200, 350, 90), 0.2),
        ((3, 1, 7), (40, 4, 60), 0.9),
        ((9, 0, 0), (1, 1, 1), 0.0),
    ]:
        expected = variance_row_by_row(group, rest, share, target, relative=relative)
        found = population_gbe_variance(group, within(group, rest), share, target, relative=relative)
        assert float(found) == pytest.approx(expected, rel=1e-9)


def test_relative_variance_at_an_exact_target_is_the_groups_own() -> None:
    """The population's value is pinned, so that the ratio to it varies as the group's own value does."""
    group, population = (60, 140, 40), (200, 400, 100)
    own = population_gbe_variance(group, population, 0.3, 2.0)
    assert float(population_gbe_variance(group, population, 0.3, 2.0, relative=True)) == pytest.approx(float(own))


def test_everybody_as_the_only_group_has_no_variance_left() -> None:
    assert float(population_gbe_variance((50, 40, 40), (50, 40, 40), 1.0)) == pytest.approx(0, abs=1e-15)
    assert float(population_gbe_variance((50, 40, 40), (50, 40, 40), 1.0, relative=True)) == pytest.approx(0, abs=1e-15)
    # An alert rate pins the flags and not the events: what is left is the variance of ln P, 1/P - 1/n.
    assert float(alert_rate_variance((50, 40, 40), (50, 40, 40), 1.0, 0.1)) == pytest.approx(1 / 90 - 0.1 / 90)


def test_functions_broadcast_over_groups_and_cutoffs() -> None:
    tp, fp, fn = np.random.default_rng(2).integers(1, 50, (3, 4, 5))
    population = tuple(a.sum(axis=0) for a in (tp, fp, fn))
    share = np.full((4, 1), 0.25)
    together = population_gbe_variance((tp, fp, fn), population, share)
    assert together.shape == (4, 5)
    alone = population_gbe_variance(
        (tp[2, 3], fp[2, 3], fn[2, 3]), (population[0][3], population[1][3], population[2][3]), 0.25
    )
    assert together[2, 3] == pytest.approx(float(alone))


def test_factor_is_1_where_it_cannot_be_computed_and_may_be_below_1() -> None:
    groups = np.array([(0, 0, 5), (5, 0, 0), (0, 4, 0), (0, 0, 0)]).T
    population = (500, 300, 300)
    variance = population_gbe_variance(tuple(groups), population, 0.1)
    assert effective(tuple(groups), variance).tolist() == [1, 1, 1, 1]
    assert float(effective((30, 50, 70), 0.0)) == 1
    # Few flags of its own and nearly all rows next to the cutoff: the cutoff's own noise is added.
    few = (2, 3, 30)
    assert float(effective(few, population_gbe_variance(few, population, 0.9))) < 0.1


def test_share_is_that_of_the_two_buckets_beside_the_cutoff_where_they_hold_enough() -> None:
    rows = np.array([[900, 30, 10, 20], [100, 10, 30, 0]])
    # Cutoff 1 flags buckets 2 and 3; bucket 1 is just below it and bucket 2 just above.
    assert share_at(rows, 1, 80).tolist() == [0.5, 0.5]
    assert share_at(rows, 1, 81).tolist() == pytest.approx([960 / 1_100, 140 / 1_100])
    assert share_at(rows, 1, 10**9).tolist() == pytest.approx([960 / 1_100, 140 / 1_100])
    assert share_at(rows, 2, 0).tolist() == pytest.approx([0.5, 0.5])
    assert np.isnan(share_at(np.zeros((2, 4)), 1)).all()


def test_share_looks_at_the_root_of_all_rows_but_at_most_half_of_the_flags() -> None:
    rows = np.zeros((2, 201))
    rows[0, 1:], rows[1, 1:] = 1, np.r_[np.full(100, 3), np.zeros(100)]
    rows[:, 0] = 9_500
    # 19,500 rows, root 139.6; above cutoff 150 there are 50 flags, half of which are reached by 25 buckets.
    assert share_at(rows, 150).tolist() == [1, 0]
    # Asked for 139 rows it takes the 100 of one row each and the 10 nearest buckets of four.
    assert share_at(rows, 150, 139).tolist() == pytest.approx([110 / 140, 30 / 140])
    # Above cutoff 50 there are 300 flags, so that the root decides: 4 rows a bucket.
    assert share_at(rows, 50).tolist() == pytest.approx([0.25, 0.75])


@given(data=st.data(), groups=st.integers(1, 4), buckets=st.integers(2, 30))
def test_shares_sum_to_1(data: st.DataObject, groups: int, buckets: int) -> None:
    counts = data.draw(st.lists(st.integers(0, 50), min_size=groups * buckets, max_size=groups * buckets))
    rows = np.array(counts).reshape(groups, buckets)
    index = data.draw(st.integers(0, buckets - 2))
    share = share_at(rows, index)
    if rows[:, index + 1 :].any():
        assert share.sum() == pytest.approx(1)
        assert (share >= 0).all()
    else:
        assert np.isnan(share).all() or share.sum() == pytest.approx(1)


def movement_one_by_one(
    flagged: NDArray[np.int64], index: int, aim: float, spread: float, *, nearest: bool
) -> tuple[float, float]:
    """Slope and excess of the flags gained, one normal quantile of what the rule is short of after the other."""
    short = spread * norm.ppf((np.arange(4_000) + 0.5) / 4_000)
    gained = []
    for draw in short:
        reached = aim + draw
        allowed = [f for f in flagged if f <= reached] or [min(flagged)]
        found = min(flagged, key=lambda f: abs(f - reached)) if nearest else max(allowed)
        gained.append(found - flagged[index])
    slope = np.mean(np.array(gained) * short) / spread**2
    return float(slope), float(np.mean(np.square(gained)) - (slope * spread) ** 2)


@pytest.mark.parametrize("step", [1, 30, 100])
def test_movement_is_the_regression_of_flags_gained_on_flags_short(step: int) -> None:
    flagged = np.arange(1_210, 810, -step)
    index = int(np.argmin(np.abs(flagged - 1_010)))
    fp, fn = 450, 450 + 1_010 - int(flagged[index])
    population = (int(flagged[index]) - fp, fp, fn)
    events = population[0] + fn
    found = population_gbe_movement(flagged, index, population)
    slope, excess = movement_one_by_one(flagged, index, events, math.sqrt(fp + fn), nearest=True)
    assert found.response == pytest.approx(slope, abs=0.01)
    assert found.excess == pytest.approx(excess, rel=0.02, abs=2)
    rate, n = 0.1, 10.2 * int(flagged[index])
    found = alert_rate_movement(flagged, index, n, rate)
    spread = math.sqrt(int(flagged[index]) * 0.9)
    slope, excess = movement_one_by_one(flagged, index, rate * n, spread, nearest=False)
    assert found.response == pytest.approx(slope, abs=0.01)
    assert found.excess == pytest.approx(excess, rel=0.02, abs=2)


def test_a_grid_without_neighbours_keeps_its_cutoff_and_the_naive_variance() -> None:
    group, population = (30, 50, 70), (500, 100, 100)
    far = np.array([100_000, 600, 0])
    movement = population_gbe_movement(far, 1, population)
    assert movement.response == pytest.approx(0, abs=1e-6)
    assert float(effective(group, population_gbe_variance(group, population, 0.5, 1.0, movement))) == pytest.approx(1)
    alone = alert_rate_movement(np.array([40]), 0, 500, 0.1)
    assert [alone.response, alone.excess] == pytest.approx([0, 0], abs=1e-9)
    assert population_gbe_movement([7, 7], 0, (7, 0, 0)) == Movement(0.0, 0.0)


def test_cutoffs_that_cannot_be_told_from_the_target_are_those_the_score_test_keeps() -> None:
    # At target 1 the statistic is (fp - fn)/sqrt(fp + fn): 13.1, 2.0, 1.91, 0, -1.91, -2.9, 0, and undefined.
    fp, fn = [200, 60, 59, 50, 40, 25, 0, 0], [10, 40, 40, 50, 59, 50, 0, 0]
    tp = [60] * 7 + [0]
    assert indistinguishable(tp, fp, fn).tolist() == [False, False, True, True, True, False, True, False]
    assert indistinguishable([60, 60], [60, 20], [20, 20], 1.5).tolist() == [True, False]
    at_other = np.abs(score_statistic(tp, fp, fn, 1.2)) <= 1.959963984540054
    assert indistinguishable(tp, fp, fn, 1.2).tolist() == at_other.tolist()


def tuned(replicates: int, seed: int) -> tuple[NDArray[np.float64], ...]:
    """Two groups with scores on an even grid, in samples whose cutoff brings population benefit equality near 1."""
    rng = np.random.default_rng(seed)
    buckets, n = 101, 4_000
    score = (np.arange(buckets) + 0.5) / buckets
    shape = np.stack([score**0 * (1 - score) ** 4, score**0.5 * (1 - score) ** 3])
    shape *= np.array([[0.6], [0.4]]) / shape.sum(axis=1, keepdims=True)
    risk = np.stack([0.9 * score, 0.8 * score**1.1])
    shares = np.stack([shape * (1 - risk), shape * risk], axis=1)
    rows = rng.multinomial(n, shares.ravel(), size=replicates).reshape(replicates, 2, 2, buckets)
    limit = _nearest(n * shares[np.newaxis])[0]
    truth = shares[:, :, limit + 1 :].sum(axis=(1, 2)) / shares[:, 1].sum(axis=1)
    parts = []
    for sample, cutoff in zip(rows, _nearest(rows), strict=True):
        above = sample[:, :, cutoff + 1 :].sum(axis=2)
        fp, tp = above[:, 0], above[:, 1]
        fn = sample[:, 1].sum(axis=1) - tp
        everybody = (int(tp.sum()), int(fp.sum()), int(fn.sum()))
        flagged = sample.sum(axis=(0, 1))[::-1].cumsum()[::-1][1:]
        movement = population_gbe_movement(flagged, cutoff, everybody)
        variance = population_gbe_variance((tp, fp, fn), everybody, share_at(sample.sum(axis=1), cutoff), 1.0, movement)
        parts.append((tp, fp, fn, effective((tp, fp, fn), variance)))
    tp, fp, fn, factor = (np.stack(a) for a in zip(*parts, strict=True))
    return tp, fp, fn, factor, truth


def _nearest(rows: NDArray[np.generic]) -> list[int]:
    """The cutoff whose flags are nearest to the events, of samples `[replicates, groups, labels, buckets]`."""
    flagged = rows.sum(axis=(1, 2))[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    events = rows[:, :, 1].sum(axis=(1, 2))[:, np.newaxis]
    return [int(k) for k in np.argmin(np.abs(flagged - events), axis=1)]


def test_intervals_at_a_tuned_cutoff_hold_the_truth_where_those_for_a_fixed_one_are_too_wide() -> None:
    tp, fp, fn, factor, truth = tuned(3_000, seed=12)
    rates = []
    for k in (factor, 1.0):
        low, high = bonett_price(k * tp, k * fp, k * fn)
        rates.append(((low <= truth) & (truth <= high)).mean(axis=0))
    assert ((rates[0] >= 0.935) & (rates[0] <= 0.965)).all(), rates
    assert rates[1].min() > 0.975
