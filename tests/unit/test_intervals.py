from __future__ import annotations

import itertools
import math
import warnings
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from fairsweep.core.inference.intervals import (
    Z95,
    bonett_price,
    clopper_pearson,
    gbe_ratio,
    koopman_ratio,
    log_gbe_variance,
    newcombe_difference,
    relative_log_variance,
    score_statistic,
    wilson,
)

COUNT = st.integers(0, 10_000) | st.integers(0, 12) | st.integers(0, 10**9)
RATIO = st.floats(0.05, 20)
PROPORTIONS = [(x, n) for n in (1, 2, 7, 100, 5_000) for x in sorted({0, 1, n // 3, n - 1, n})]


def test_golden_values_of_the_published_formulas() -> None:
    assert np.round(wilson(81, 263), 4).tolist() == [0.2553, 0.3662]
    assert np.round(newcombe_difference(56, 70, 48, 80), 4).tolist() == [0.0524, 0.3339]
    for counts, limits in [
        ((30, 50, 70), (0.6294, 1.0168)),
        ((1, 1, 7), (0.0677, 0.9227)),
        ((0, 0, 5), (0.0, 0.7683)),
    ]:
        assert np.round(bonett_price(*counts), 4).tolist() == list(limits)
    assert float(bonett_price(0, 0, 5)[1]) == pytest.approx(0.768292, abs=1e-6)
    assert float(score_statistic(30, 50, 70, 1)) == pytest.approx(-1.8257, abs=5e-5)
    score_interval = [
        brentq(lambda phi, level=level: float(score_statistic(30, 50, 70, phi)) - level, 0.1, 10)
        for level in (Z95, -Z95)
    ]
    assert np.round(score_interval, 4).tolist() == [0.6282, 1.0166]


@pytest.mark.parametrize(("x", "n"), PROPORTIONS)
def test_intervals_of_a_proportion_equal_statsmodels(x: int, n: int) -> None:
    assert np.allclose(wilson(x, n), proportion_confint(x, n, method="wilson"), rtol=1e-12, atol=1e-15)
    assert np.allclose(clopper_pearson(x, n), proportion_confint(x, n, method="beta"), rtol=1e-9)
    assert np.allclose(clopper_pearson(x, n, 0.2), proportion_confint(x, n, method="beta", alpha=0.2), rtol=1e-9)


def test_intervals_of_a_proportion_end_exactly_at_0_and_1_and_are_undefined_for_nobody() -> None:
    x, n = np.array([0, 7, 0]), np.array([7, 7, 0])
    for low, high in (wilson(x, n), clopper_pearson(x, n)):
        assert low[0] == 0
        assert high[1] == 1
        assert np.isnan([low[2], high[2]]).all()


def bonett_price_as_printed(tp: int, fp: int, fn: int) -> tuple[float, float]:
    f, p, s = tp + fp, tp + fn, tp + fp + fn
    a = math.sqrt((fp + fn + 2) / ((f + 1) * (p + 1)))
    b = math.sqrt((1 - (f + 1) / (s + 2)) / (f + 1))
    c = math.sqrt((1 - (p + 1) / (s + 2)) / (p + 1))
    k = Z95 * a / (b + c)

    def w(x: int, sign: int) -> float:
        return (2 * x + k**2 + sign * k * math.sqrt(k**2 + 4 * x * (1 - x / s))) / (2 * (s + k**2))

    return w(f, -1) / w(p, 1), w(f, 1) / w(p, -1)


@given(tp=st.integers(0, 500), fp=st.integers(0, 500), fn=st.integers(0, 500))
def test_bonett_price_equals_the_formula_as_printed(tp: int, fp: int, fn: int) -> None:
    low, high = bonett_price(tp, fp, fn)
    if tp + fn:
        assert np.allclose((low, high), bonett_price_as_printed(tp, fp, fn), rtol=1e-9, atol=1e-12)
    else:
        assert np.isnan([low, high]).all()


@given(tp=COUNT, fp=COUNT, fn=COUNT)
def test_bonett_price_contains_the_estimate_and_turns_over_with_it(tp: int, fp: int, fn: int) -> None:
    low, high = (float(a) for a in bonett_price(tp, fp, fn))
    if tp + fn:
        assert 0 <= low <= (tp + fp) / (tp + fn) * (1 + 1e-12)
        assert (tp + fp) / (tp + fn) <= high * (1 + 1e-12)
        assert math.isfinite(high)
    if tp + fn and tp + fp:
        turned_low, turned_high = (float(a) for a in bonett_price(tp, fn, fp))
        assert (low * turned_high, high * turned_low) == pytest.approx((1, 1), rel=1e-9)


def score_by_maximum_likelihood(tp: int, fp: int, fn: int, phi: float) -> float:
    """The multinomial likelihood under F/P = phi, maximised by search over the expected missed events."""
    s = tp + fp + fn

    def parts(m: float) -> tuple[float, float, float]:
        return (s - m * (1 + phi)) / phi, ((phi - 1) * s + m) / phi, m

    def loss(m: float) -> float:
        pairs = zip((tp, fp, fn), parts(m), strict=True)
        return -sum(count * math.log(max(expected, 1e-300)) for count, expected in pairs if count)

    bounds = (max(0.0, (1 - phi) * s), s / (1 + phi))
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    _, alone, missed = parts(best.x)
    return ((tp + fp) - phi * (tp + fn)) / math.sqrt(phi * (alone + missed))


@pytest.mark.parametrize(
    ("counts", "phi"),
    list(itertools.product([(30, 50, 70), (1, 1, 7), (9, 3, 4), (400, 20, 90), (12, 1, 1)], (0.3, 0.8, 1.25, 3.0))),
)
def test_score_statistic_equals_a_search_for_the_maximum_likelihood(counts: tuple[int, int, int], phi: float) -> None:
    assert float(score_statistic(*counts, phi)) == pytest.approx(score_by_maximum_likelihood(*counts, phi), rel=1e-4)


@given(tp=COUNT, fp=COUNT, fn=COUNT)
def test_score_statistic_at_1_is_mcnemars(tp: int, fp: int, fn: int) -> None:
    statistic = float(score_statistic(tp, fp, fn, 1))
    if fp + fn:
        expected = mcnemar([[tp, fp], [fn, 1]], exact=False, correction=False).statistic
        assert statistic**2 == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert statistic * (fp - fn) >= 0
    else:
        assert statistic == 0 if tp else math.isnan(statistic)


@given(tp=COUNT, fp=COUNT, fn=COUNT, phi=RATIO, further=st.floats(1.01, 3))
def test_score_statistic_is_defined_falls_with_the_ratio_and_turns_over(
    tp: int, fp: int, fn: int, phi: float, further: float
) -> None:
    here, there, turned = (
        float(a) for a in score_statistic(tp, [fp, fp, fn], [fn, fn, fp], [phi, phi * further, 1 / phi])
    )
    if tp + fp + fn:
        assert math.isfinite(here)
        assert there <= here
        scale = math.sqrt(tp + fp + fn)
        assert turned == pytest.approx(-here, rel=1e-6, abs=1e-6 * scale)
    else:
        assert math.isnan(here)


@pytest.mark.parametrize("phi", [0.0, -1.0, math.nan, math.inf])
def test_score_statistic_of_no_ratio_is_undefined(phi: float) -> None:
    assert math.isnan(float(score_statistic(3, 2, 1, phi)))


@given(
    group=st.tuples(*[st.integers(0, 300)] * 3),
    rest=st.tuples(*[st.integers(0, 3_000)] * 3),
)
def test_relative_variance_equals_the_derived_formula(group: tuple[int, int, int], rest: tuple[int, int, int]) -> None:
    tp, fp, fn = group
    population = tp + rest[0], fp + rest[1], fn + rest[2]
    f, p, all_f, all_p = tp + fp, tp + fn, population[0] + population[1], population[0] + population[2]
    variance = float(relative_log_variance(group, population))
    if not f or not p:
        assert math.isnan(variance)
        return
    shared = tp * (1 / f - 1 / p) * (1 / all_f - 1 / all_p) + fp / (f * all_f) + fn / (p * all_p)
    expected = float(log_gbe_variance(*group) + log_gbe_variance(*population)) - 2 * shared
    assert variance == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert variance >= 0


def test_relative_variance_of_everybody_is_0_and_follows_simulation_for_a_group() -> None:
    assert float(relative_log_variance((30, 50, 70), (30, 50, 70))) == 0
    rng = np.random.default_rng(7)
    group = np.array([300, 500, 700])
    shares = np.array([*group, 900, 3_000, 1_200]) / 50_000
    drawn = rng.multinomial(50_000, [*shares, 1 - shares.sum()], size=40_000)[:, :6].T
    tp, fp, fn = drawn[:3] + drawn[3:]
    simulated = np.var(np.log((drawn[0] + drawn[1]) / (drawn[0] + drawn[2])) - np.log((tp + fp) / (tp + fn)), ddof=1)
    formula = float(relative_log_variance((300, 500, 700), (1_200, 3_500, 1_900)))
    assert simulated == pytest.approx(formula, rel=0.03)


@pytest.mark.parametrize(
    ("x1", "n1", "x2", "n2"),
    [
        (x1, n1, x2, n2)
        for n1, n2 in [(5, 7), (10, 10), (100, 13), (200, 90)]
        for x1, x2 in itertools.product(sorted({0, 1, n1 // 2, n1 - 1}), sorted({1, n2 // 3, n2 - 2}))
    ],
)
def test_ratio_interval_equals_statsmodels_away_from_the_edges(x1: int, n1: int, x2: int, n2: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = confint_proportions_2indep(x1, n1, x2, n2, compare="ratio", method="score", correction=False)
    assert np.allclose(koopman_ratio(x1, n1, x2, n2), expected, rtol=1e-6, atol=1e-9)


def score_of_ratio_to_60_digits(x1: int, n1: int, x2: int, n2: int, ratio: float) -> float:
    """Koopman's statistic as printed, with so many digits that cancellation does no harm."""
    with localcontext() as context:
        context.prec = 60
        a, n, b, m, phi = (Decimal(value) for value in (x1, n1, x2, n2, ratio))
        slope = n * phi + a + m + b * phi
        p2 = (slope - (slope**2 - 4 * (n + m) * phi * (a + b)).sqrt()) / (2 * (n + m) * phi)
        p1 = phi * p2
        variance = p1 * (1 - p1) / n + phi**2 * p2 * (1 - p2) / m
        return float((a / n - phi * b / m) / variance.sqrt())


@pytest.mark.parametrize(
    ("x1", "n1", "x2", "n2"),
    [
        (1, 2_000, 899, 900),
        (7, 7, 2, 9),
        (3, 10**8, 10**9 - 1, 10**9),
        (10**9, 10**9, 5, 10**9),
        (1, 5, 7, 7),
    ],
)
def test_ratio_interval_ends_where_the_score_is_the_quantile(x1: int, n1: int, x2: int, n2: int) -> None:
    scores = [score_of_ratio_to_60_digits(x1, n1, x2, n2, float(limit)) for limit in koopman_ratio(x1, n1, x2, n2)]
    assert scores == pytest.approx([Z95, -Z95], abs=1e-9)


def test_ratio_interval_holds_where_everybody_or_nobody_counts() -> None:
    z2 = Z95**2
    for (x1, n1, x2, n2), (low, high) in {
        (7, 7, 9, 9): (7 / (7 + z2), (9 + z2) / 9),
        (10**9, 10**9, 10**9, 10**9): (1e9 / (1e9 + z2), (1e9 + z2) / 1e9),
        (0, 5, 0, 7): (0.0, math.inf),
        (0, 0, 3, 7): (math.nan, math.nan),
        (3, 7, 0, 0): (math.nan, math.nan),
    }.items():
        assert np.allclose(koopman_ratio(x1, n1, x2, n2), (low, high), rtol=1e-9, equal_nan=True)
    lows, highs = koopman_ratio([0, 3], 5, [3, 0], 7)
    assert lows[0] == 0 < highs[0] < math.inf
    assert 0 < lows[1] < highs[1] == math.inf


@given(data=st.data(), n1=st.integers(1, 10**6), n2=st.integers(1, 10**6))
def test_interval_of_two_rates_contains_the_estimate_and_turns_over(data: st.DataObject, n1: int, n2: int) -> None:
    x1, x2 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n2))
    low, high = (float(a) for a in koopman_ratio(x1, n1, x2, n2))
    if x2:
        assert low * (1 - 1e-9) <= (x1 / n1) / (x2 / n2) <= high * (1 + 1e-9)
    if x1 and x2:
        turned_low, turned_high = (float(a) for a in koopman_ratio(x2, n2, x1, n1))
        assert (low * turned_high, high * turned_low) == pytest.approx((1, 1), rel=1e-9)
    low, high = (float(a) for a in newcombe_difference(x1, n1, x2, n2))
    assert -1 - 1e-12 <= low <= x1 / n1 - x2 / n2 <= high <= 1 + 1e-12
    turned_low, turned_high = (float(a) for a in newcombe_difference(x2, n2, x1, n1))
    assert (turned_low, turned_high) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product(PROPORTIONS[::2], [(0, 3), (1, 3), (40, 90), (90, 90)]))
)
def test_difference_interval_equals_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    expected = confint_proportions_2indep(*first, *second, compare="diff", method="newcomb")
    assert np.allclose(newcombe_difference(*first, *second), expected, rtol=1e-9, atol=1e-12)


def test_interval_of_a_ratio_of_two_groups_gbe() -> None:
    low, high = gbe_ratio((30, 50, 70), (60, 40, 20))
    ratio, error = (80 / 100) / (100 / 80), math.sqrt(120 / 8_000 + 60 / 8_000)
    assert (float(low), float(high)) == pytest.approx((ratio * math.exp(-Z95 * error), ratio * math.exp(Z95 * error)))
    for unknown in [(0, 0, 5), (0, 5, 0), (0, 0, 0)]:
        assert np.isnan(gbe_ratio(unknown, (60, 40, 20))).all()
        assert np.isnan(gbe_ratio((60, 40, 20), unknown)).all()
    assert np.isnan(gbe_ratio((4, 0, 0), (9, 0, 0))).all()


def test_scalars_and_arrays_of_any_shape_give_the_same_figures() -> None:
    rng = np.random.default_rng(3)
    tp, fp, fn = rng.integers(0, 30, (3, 4, 5))
    together = np.array([*bonett_price(tp, fp, fn), score_statistic(tp, fp, fn, 0.8), *wilson(tp, tp + fn)])
    for place in np.ndindex(4, 5):
        t, p, n = int(tp[place]), int(fp[place]), int(fn[place])
        alone = np.array([*bonett_price(t, p, n), score_statistic(t, p, n, 0.8), *wilson(t, t + n)])
        assert np.array_equal(together[(slice(None), *place)], alone, equal_nan=True)


def test_ratios_that_are_equal_have_the_limits_that_each_has_alone() -> None:
    """Many small groups have few different counts, whose limits are found once."""
    rng = np.random.default_rng(4)
    n1 = rng.integers(0, 6, 5_000)
    x1 = (n1 * rng.random(5_000)).astype(np.int64)
    together = koopman_ratio(x1, n1, 5_000 - x1, 20_000 - n1)
    few = slice(0, 300)
    alone = koopman_ratio(x1[few], n1[few], 5_000 - x1[few], 20_000 - n1[few])
    for limit, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(limit[few], expected)
    square = koopman_ratio(x1.reshape(50, 100), n1.reshape(50, 100), 5_000, 20_000)
    for limit, expected in zip(square, koopman_ratio(x1, n1, 5_000, 20_000), strict=True):
        np.testing.assert_array_equal(limit.reshape(-1), expected)
