from __future__ import annotations

import math
from dataclasses import astuple, fields

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, poisson
from sklearn.metrics import brier_score_loss

from fairsweep.core.evidence.calibration import (
    BILLION,
    CLIPPED_TO,
    Calibration,
    byar,
    calibrate,
    even_edges,
    gbe_factors,
    reliability,
)
from fairsweep.core.inference.intervals import FloatArray, wilson

IntArray = NDArray[np.int64]
CENTRES = (0.004, 0.02, 0.05, 0.11, 0.3, 0.45, 0.8)
COUNTS = arrays(np.int64, len(CENTRES), elements=st.integers(0, 12))


def at_centres(events: ArrayLike, non_events: ArrayLike, centres: ArrayLike = CENTRES) -> dict[str, FloatArray]:
    """Calibration where every score is that of its bucket, `[groups, buckets]`."""
    events, non_events = np.atleast_2d(events), np.atleast_2d(non_events)
    score = np.rint(np.asarray(centres) * BILLION).astype(np.int64)
    squares = np.rint(np.asarray(centres) ** 2 * BILLION).astype(np.int64) * (events + non_events)
    return columns(calibrate(events, non_events, events * score, non_events * score, squares))


def columns(result: Calibration) -> dict[str, FloatArray]:
    return {field.name: getattr(result, field.name) for field in fields(result)}


def from_rows(scores: FloatArray, labels: NDArray[np.bool_], buckets: int) -> dict[str, FloatArray]:
    """Calibration of one group whose rows have scores of their own, in even buckets."""
    bucket = np.minimum((scores * buckets).astype(np.int64), buckets - 1)
    billionths = np.rint(scores * BILLION).astype(np.int64)
    sums = [np.zeros((1, buckets), dtype=np.int64) for _ in range(5)]
    for into, where, what in (
        (sums[0], labels, np.ones_like(bucket)),
        (sums[1], ~labels, np.ones_like(bucket)),
        (sums[2], labels, billionths),
        (sums[3], ~labels, billionths),
        (sums[4], labels | True, np.rint(scores**2 * BILLION).astype(np.int64)),
    ):
        np.add.at(into[0], bucket[where], what[where])
    return columns(calibrate(*sums))


def fitted_by_statsmodels(events: IntArray, non_events: IntArray) -> tuple[float, float, float, float]:
    """Slope and intercept at slope 1 with their standard errors, from one row per person."""
    logit = np.log(CENTRES) - np.log1p(-np.array(CENTRES))
    y = np.repeat([1, 0], [events.sum(), non_events.sum()])
    x = np.concatenate([np.repeat(logit, events), np.repeat(logit, non_events)])
    both = sm.GLM(y, sm.add_constant(x, has_constant="add"), family=sm.families.Binomial()).fit(tol=1e-12)
    large = sm.GLM(y, np.ones((len(y), 1)), family=sm.families.Binomial(), offset=x).fit(tol=1e-12)
    return float(both.params[1]), float(both.bse[1]), float(large.params[0]), float(large.bse[0])


def has_finite_slope(events: IntArray, non_events: IntArray) -> bool:
    """Whether some event scores below some non-event and some event above some non-event."""
    pairs = [(e, f) for e in np.flatnonzero(events) for f in np.flatnonzero(non_events)]
    return any(e < f for e, f in pairs) and any(e > f for e, f in pairs)


@settings(deadline=None)
@given(events=COUNTS, non_events=COUNTS)
def test_slope_and_intercept_equal_statsmodels_on_expanded_rows(events: IntArray, non_events: IntArray) -> None:
    result = at_centres(events, non_events)
    found = [
        float(result[f"calibration_{name}"][0])
        for name in ("slope", "slope_standard_error", "intercept", "intercept_standard_error")
    ]
    assert np.isnan(found[2]) == (not (events.any() and non_events.any()))
    assert np.isnan(found[0]) == (not has_finite_slope(events, non_events))
    if has_finite_slope(events, non_events):
        assert found == pytest.approx(fitted_by_statsmodels(events, non_events), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("events", "non_events", "slope_defined", "intercept_defined"),
    [
        ([0, 0, 0, 0, 0, 0, 0], [5, 4, 3, 2, 1, 1, 1], False, False),  # no events
        ([0, 0, 0, 0, 2, 2, 5], [0, 0, 0, 0, 0, 0, 0], False, False),  # no non-events
        ([0, 0, 0, 0, 2, 2, 5], [5, 4, 3, 2, 0, 0, 0], False, True),  # parted
        ([0, 0, 0, 3, 2, 2, 5], [5, 4, 3, 2, 0, 0, 0], False, True),  # parted but for one tied score
        ([5, 4, 3, 2, 0, 0, 0], [0, 0, 0, 0, 2, 2, 5], False, True),  # parted, the wrong way around
        ([0, 0, 0, 3, 0, 0, 0], [0, 0, 0, 9, 0, 0, 0], False, True),  # one score for all
        ([0, 0, 1, 0, 0, 0, 1], [5, 0, 0, 1, 0, 0, 0], True, True),
        ([0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], False, False),  # nobody
    ],
)
def test_slope_needs_overlap_and_intercept_both_classes(
    events: list[int], non_events: list[int], slope_defined: bool, intercept_defined: bool
) -> None:
    result = at_centres(events, non_events)
    for name, defined in (("slope", slope_defined), ("intercept", intercept_defined)):
        assert np.isfinite(result[f"calibration_{name}"][0]) == defined
        assert np.isfinite(result[f"calibration_{name}_standard_error"][0]) == defined


@settings(deadline=None)
@given(events=COUNTS, non_events=COUNTS)
def test_fitted_rates_add_up_to_the_events(events: IntArray, non_events: IntArray) -> None:
    result = at_centres(events, non_events)
    logit = np.log(CENTRES) - np.log1p(-np.array(CENTRES))
    if events.any() and non_events.any():
        promised = (events + non_events) / (1 + np.exp(-result["calibration_intercept"][0] - logit))
        assert promised.sum() == pytest.approx(events.sum(), rel=1e-8)


def test_fit_converges_for_the_rarest_events_and_for_hopeless_scores() -> None:
    centres = np.linspace(0, 1, 1_002)  # both ends are clipped
    rng = np.random.default_rng(2)
    n = rng.integers(0, 10**7, (60, 1_002))
    events = rng.binomial(n, 10.0 ** rng.uniform(-6, -0.1, (60, 1)) * rng.uniform(0, 1, (60, 1_002)))
    result = at_centres(events, n - events, centres)
    for name in ("slope", "intercept"):
        assert np.isfinite(result[f"calibration_{name}"]).all()
    ends = at_centres([[1, 9], [9, 1]], [[9, 1], [1, 9]], [0.0, 1.0])
    expected = math.log(9) / math.log((1 - CLIPPED_TO) / CLIPPED_TO)
    assert ends["calibration_slope"] == pytest.approx([expected, -expected])


def test_perfectly_calibrated_population_has_slope_1_and_intercept_0() -> None:
    rng = np.random.default_rng(11)
    scores = rng.beta(0.6, 6, 400_000)
    result = from_rows(scores, rng.random(400_000) < scores, 1_000)
    for name, ideal in (("slope", 1), ("intercept", 0)):
        assert abs(result[f"calibration_{name}"][0] - ideal) < 3 * result[f"calibration_{name}_standard_error"][0]
        assert result[f"calibration_{name}_standard_error"][0] < 0.01
    assert result["expected_to_observed"][0] == pytest.approx(1, abs=0.02)


def test_distorted_scores_have_the_slope_and_intercept_of_their_distortion() -> None:
    rng = np.random.default_rng(12)
    logit = rng.normal(-1, 1, 400_000)
    outcome = rng.random(400_000) < 1 / (1 + np.exp(-logit))
    too_extreme = from_rows(1 / (1 + np.exp(-2 * logit)), outcome, 4_000)
    assert too_extreme["calibration_slope"][0] == pytest.approx(0.5, abs=0.01)
    too_high = from_rows(1 / (1 + np.exp(-logit - 0.7)), outcome, 4_000)
    assert too_high["calibration_slope"][0] == pytest.approx(1, abs=0.02)
    assert too_high["calibration_intercept"][0] == pytest.approx(-0.7, abs=0.02)
    assert too_high["expected_to_observed"][0] > 1.3


@given(scores=arrays(np.float64, 25, elements=st.floats(0, 1)), labels=arrays(np.bool_, 25), buckets=st.integers(1, 30))
def test_brier_score_and_balance_are_those_of_the_rows_whatever_the_buckets(
    scores: FloatArray, labels: NDArray[np.bool_], buckets: int
) -> None:
    result = from_rows(scores, labels, buckets)
    assert result["brier_score"][0] == pytest.approx(brier_score_loss(labels.astype(int), scores), abs=3e-9)
    for name, rows in (("positive", labels), ("negative", ~labels)):
        expected = scores[rows].mean() if rows.any() else np.nan
        assert result[f"balance_{name}_class"][0] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert result["expected"][0] == pytest.approx(scores.sum(), abs=1e-7)
    assert result["observed"][0] == labels.sum()


def test_brier_score_does_not_cancel_and_is_never_negative() -> None:
    events, near = np.array([[3 * 10**9]]), np.array([[BILLION - 1]])
    result = calibrate(events, [[0]], events * near, [[0]], events * (BILLION - 2) + 7)
    assert result.brier_score[0] == 7 / (3 * 10**9 * BILLION)
    below = calibrate([[1]], [[0]], [[999_999_998]], [[0]], [[999_999_995]])
    assert below.brier_score[0] == 0


@pytest.mark.parametrize(("observed", "low", "high"), [(10, 4.79, 18.39), (100, 81.36, 121.63)])
def test_golden_limits_of_byar(observed: int, low: float, high: float) -> None:
    assert np.round(byar(observed), 2).tolist() == [low, high]


def test_limits_of_byar_stay_where_nothing_was_observed_and_never_fall_below_0() -> None:
    assert byar(0)[0] == 0
    assert byar(0)[1] == pytest.approx((8 / 9 + 1.959964 / 3) ** 3, rel=1e-6)
    low, high = byar(np.linspace(0, 3, 301))
    assert (low >= 0).all()
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) > 0).all()


def test_limits_of_byar_are_near_the_exact_ones() -> None:
    observed = np.arange(5, 2_000)
    low, high = byar(observed)
    assert np.allclose(low, chi2.ppf(0.025, 2 * observed) / 2, rtol=0.015)
    assert np.allclose(high, chi2.ppf(0.975, 2 * observed + 2) / 2, rtol=0.002)
    for mean in (3.0, 12.0, 80.0):
        counts = np.arange(0, 400)
        low, high = byar(counts)
        assert 0.945 < poisson.pmf(counts, mean)[(low <= mean) & (mean <= high)].sum() < 0.99


def test_expected_to_observed_without_events_keeps_only_its_limit() -> None:
    result = at_centres([[0] * 7, [0, 0, 0, 2, 3, 2, 3], [0] * 7], [[9] * 7, [90] * 7, [0] * 7])
    name = "expected_to_observed"
    assert np.isnan(result[name][[0, 2]]).all()
    assert result[f"{name}_ci_low"][0] == pytest.approx(9 * sum(CENTRES) / byar(0)[1])
    assert result[f"{name}_ci_high"][0] == np.inf
    assert np.isnan([result[f"{name}_ci_low"][2], result[f"{name}_ci_high"][2]]).all()
    expected = result["expected"][1]
    assert result[name][1] == pytest.approx(expected / 10)
    assert result[f"{name}_ci_low"][1] == pytest.approx(expected / 18.39, rel=1e-3)
    assert result[f"{name}_ci_high"][1] == pytest.approx(expected / 4.79, rel=1e-3)


def test_nobody_is_undefined_not_zero() -> None:
    result = at_centres([[0] * 7], [[0] * 7])
    assert {name for name, column in result.items() if not np.isnan(column[0])} == {"expected", "observed"}


def test_calibration_of_a_block_is_that_of_its_groups_and_of_doubles() -> None:
    rng = np.random.default_rng(4)
    events, non_events = rng.integers(0, 3, (30, 7)), rng.integers(0, 9, (30, 7))
    block, doubles = at_centres(events, non_events), at_centres(events.astype(float), non_events.astype(float))
    alone = [at_centres(events[g], non_events[g]) for g in range(30)]
    for name, column in block.items():
        assert np.allclose(column, [one[name][0] for one in alone], rtol=1e-9, equal_nan=True)
        assert np.allclose(column, doubles[name], rtol=1e-9, equal_nan=True)


def test_reliability_is_a_tally_of_each_bin() -> None:
    rng = np.random.default_rng(6)
    events, non_events = rng.integers(0, 20, (5, 9)), rng.integers(0, 80, (5, 9))
    sums = rng.integers(0, BILLION, (5, 9)) * (events + non_events)
    events[2, 3:5] = non_events[2, 3:5] = sums[2, 3:5] = 0
    edges = [0, 3, 5, 9]
    result = reliability(events, non_events, sums, edges)
    assert result.n.shape == (5, 3)
    for g in range(5):
        for b, (first, last) in enumerate([(0, 3), (3, 5), (5, 9)]):
            x, n = events[g, first:last].sum(), (events + non_events)[g, first:last].sum()
            low, high = wilson(x, n)
            mean, rate = (sums[g, first:last].sum() / BILLION / n, x / n) if n else (np.nan, np.nan)
            found = [float(column[g, b]) for column in astuple(result)]
            assert found == pytest.approx([n, x, mean, rate, float(low), float(high)], nan_ok=True)
    assert np.isnan(result.event_rate[2, 1])


@pytest.mark.parametrize("edges", [[], [0], [0, 4], [1, 5], [0, 3, 3, 5], [0, 4, 2, 5]])
def test_edges_that_do_not_rise_over_all_buckets_are_refused(edges: list[int]) -> None:
    with pytest.raises(ValueError, match="must rise strictly from 0 to the number of buckets, 5"):
        reliability(np.ones((1, 5)), np.ones((1, 5)), np.ones((1, 5)), edges)


@pytest.mark.parametrize(
    ("population", "bins", "edges"),
    [
        ([5] * 20, 10, list(range(0, 21, 2))),
        ([5] * 20, 1, [0, 20]),
        ([0, 96, 1, 1, 1, 1, 0], 4, [0, 2, 7]),
        ([100, 0, 0, 100], 2, [0, 1, 4]),
        ([10, 20, 10], 2, [0, 1, 3]),  # both boundaries are as near
        ([0, 0, 0], 10, [0, 3]),
        ([7], 10, [0, 1]),
        ([10**18, 10**18, 10**18, 10**18], 2, [0, 2, 4]),
    ],
)
def test_even_edges(population: list[int], bins: int, edges: list[int]) -> None:
    assert even_edges(population, bins) == edges


@given(population=st.lists(st.integers(0, 50), min_size=1, max_size=40), bins=st.integers(1, 12))
def test_even_bins_are_full_few_and_about_even(population: list[int], bins: int) -> None:
    edges = even_edges(population, bins)
    sizes = np.add.reduceat(population, edges[:-1])
    assert edges[0] == 0
    assert edges[-1] == len(population)
    assert len(sizes) <= bins
    assert sizes.max() <= sum(population) / bins + max(population)
    assert (sizes > 0).all() or not sum(population)


@given(
    flagged=st.integers(0, 10**6), events=st.integers(1, 10**6), expected=st.floats(1e-3, 1e6, allow_subnormal=False)
)
def test_group_benefit_equality_is_the_product_of_its_factors(flagged: int, events: int, expected: float) -> None:
    flags_per_expected_event, expected_to_observed = gbe_factors(flagged, events, expected)
    assert float(flags_per_expected_event * expected_to_observed) == pytest.approx(flagged / events, rel=1e-12)


def test_factors_are_undefined_where_nothing_is_expected_or_nobody_had_the_event() -> None:
    flags_per_expected_event, expected_to_observed = gbe_factors([3, 3, 0], [4, 0, 5], [0.0, 2.0, 2.5])
    assert flags_per_expected_event.tolist() == pytest.approx([np.nan, 1.5, 0], nan_ok=True)
    assert expected_to_observed.tolist() == pytest.approx([0, np.nan, 0.5], nan_ok=True)
