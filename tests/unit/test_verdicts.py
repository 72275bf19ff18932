from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference.intervals import log_gbe_variance, relative_log_variance, score_statistic
from fairsweep.core.inference.verdicts import (
    INTERSECTIONS,
    OVERALL,
    VERDICT_ORDER,
    Family,
    FlagIs,
    Rule,
    Verdicts,
    benjamini_hochberg,
    holm,
    judge,
    verdict_basis,
)

HELP, SANCTION = Rule("help"), Rule("sanction")
RACE, SEX = Family.of_attribute("race"), Family.of_attribute("sex")
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)
GROUP = st.tuples(*[st.integers(0, 400)] * 3)
Counts = tuple[int, int, int]


def counts(*groups: Counts) -> ConfusionCounts:
    """Groups given as (tp, fp, fn), each with 1,000 true negatives."""
    tp, fp, fn = (np.array(a, dtype=np.int64) for a in zip(*groups, strict=True))
    return ConfusionCounts.of(tp, fp, fn, 1_000)


def everybody(tp: int, fp: int, fn: int) -> ConfusionCounts:
    return ConfusionCounts.of(tp, fp, fn, 10_000)


BALANCED = everybody(400, 600, 600)


@pytest.mark.parametrize(
    ("flag_is", "group", "value", "beyond", "verdict"),
    [
        ("help", (30, 10, 60), 40 / 90, True, "breach"),
        ("help", (30, 38, 60), 68 / 90, True, "below_floor_unproven"),
        ("help", (4, 0, 1), 0.8, False, "above_floor_unproven"),
        ("help", (300, 250, 260), 550 / 560, False, "above_floor"),
        ("help", (0, 0, 60), 0.0, True, "breach"),
        ("help", (0, 0, 1), 0.0, True, "below_floor_unproven"),
        ("help", (0, 30, 0), np.nan, None, "not_assessed"),
        ("help", (0, 0, 0), np.nan, None, "not_assessed"),
        ("sanction", (30, 60, 10), 90 / 40, True, "breach"),
        ("sanction", (30, 60, 38), 90 / 68, True, "above_ceiling_unproven"),
        ("sanction", (4, 1, 0), 1.25, False, "below_ceiling_unproven"),
        ("sanction", (300, 260, 250), 560 / 550, False, "below_ceiling"),
        ("sanction", (0, 30, 0), np.nan, None, "not_assessed"),
    ],
)
def test_verdict_of_one_group_where_flags_and_events_are_equal_overall(
    flag_is: FlagIs, group: Counts, value: float, beyond: bool | None, verdict: str
) -> None:
    result = judge(counts(group), BALANCED, [RACE], Rule(flag_is))
    assert result.judged_value[0] == pytest.approx(value, nan_ok=True)
    assert result.verdict_basis[0] == "absolute"
    assert (result.below_floor[0], result.above_ceiling[0]) == ((beyond, None) if flag_is == "help" else (None, beyond))
    assert result.verdict[0] == verdict
    assert verdict in VERDICT_ORDER[flag_is]
    assert result.flag_balance[0] == group[1] - group[2]
    assert np.isnan(result.p_adjusted[0]) == (verdict == "not_assessed")


def test_p_values_are_those_of_the_score_test_of_the_bound() -> None:
    groups = [(30, 50, 70), (300, 250, 260), (1, 1, 7)]
    families = [Family.of_attribute(name) for name in "abc"]
    for rule, bound in ((HELP, 0.8), (SANCTION, 1.25)):
        result = judge(counts(*groups), BALANCED, families, rule)
        statistic = np.array([float(score_statistic(*group, bound)) for group in groups])
        assert np.allclose(result.p_below, norm.cdf(statistic))
        assert np.allclose(result.p_above, norm.sf(statistic))
        assert np.allclose(result.p_adjusted, result.p_below if rule is HELP else result.p_above)


@pytest.mark.parametrize(
    ("flagged", "events", "basis"),
    [(105, 100, "absolute"), (95, 100, "absolute"), (106, 100, "relative"), (94, 100, "relative"),
     (0, 100, "relative"), (5, 0, None), (0, 0, None)],
)  # fmt: skip
def test_basis_is_absolute_within_5_percent(flagged: int, events: int, basis: str | None) -> None:
    assert verdict_basis(everybody(0, flagged, events)) == basis


def test_relative_basis_judges_the_ratio_to_the_population_with_its_own_variance() -> None:
    group, population = (300, 1_200, 90), (2_000, 12_000, 500)
    result = judge(counts(group), everybody(*population), [RACE], HELP)
    overall = 14_000 / 2_500
    ratio = (1_500 / 390) / overall
    scale = np.sqrt(log_gbe_variance(*group) / relative_log_variance(group, population))
    assert result.verdict_basis[0] == "relative"
    assert result.judged_value[0] == pytest.approx(ratio)
    assert result.p_below[0] == pytest.approx(norm.cdf(score_statistic(*group, 0.8 * overall) * scale))
    assert (result.verdict[0], result.below_floor[0]) == ("breach", True)
    nobody_flagged = judge(counts((0, 0, 390)), everybody(*population), [RACE], HELP)
    assert nobody_flagged.p_below[0] == pytest.approx(norm.cdf(score_statistic(0, 0, 390, 0.8 * overall)))


def test_overall_is_judged_only_on_the_absolute_basis() -> None:
    for population, verdict in ((BALANCED, "above_floor"), (everybody(400, 2_000, 600), "not_assessed")):
        whole = judge(population[np.newaxis], population, [OVERALL], HELP)
        assert (whole.verdict[0], whole.family_size[0]) == (verdict, int(verdict != "not_assessed"))


def test_nobody_flagged_or_no_events_overall_leaves_nothing_to_compare_with() -> None:
    for population, basis in ((everybody(0, 0, 40), "relative"), (everybody(0, 40, 0), None)):
        result = judge(population[np.newaxis], population, [RACE], HELP)
        assert (result.verdict[0], result.verdict_basis[0]) == ("not_assessed", basis)


@given(scale=st.integers(1, 10**9), group=st.integers(1, 10**6), overall=st.integers(1, 10**6))
def test_group_exactly_on_the_floor_is_not_below_it(scale: int, group: int, overall: int) -> None:
    on_floor = counts((0, 4 * scale, 5 * scale))
    assert judge(on_floor, BALANCED, [RACE], HELP).below_floor[0] is False
    relative = judge(counts((0, 8 * group, 5 * group)), everybody(0, 2 * overall, overall), [RACE], HELP)
    assert (relative.judged_value[0], relative.below_floor[0]) == (0.8, False)


@pytest.mark.parametrize("floor", [0.1, 0.3, 0.7, 0.75, 0.8, 0.9, 0.95])
def test_group_exactly_on_the_floor_or_ceiling_is_on_the_right_side(floor: float) -> None:
    hundredths = round(100 * floor)
    low, high = counts((0, hundredths, 100)), counts((0, 100, hundredths))
    assert judge(low, BALANCED, [RACE], Rule("help", floor)).below_floor[0] is False
    assert judge(high, BALANCED, [RACE], Rule("sanction", floor)).above_ceiling[0] is False


@given(groups=st.lists(GROUP, min_size=1, max_size=6))
def test_sanction_is_the_mirror_image_of_help(groups: list[Counts]) -> None:
    families = [RACE] * len(groups)
    straight = judge(counts(*groups), BALANCED, families, HELP)
    turned = judge(counts(*((tp, fn, fp) for tp, fp, fn in groups)), BALANCED, families, SANCTION)
    both = np.array([tp + fp > 0 and tp + fn > 0 for tp, fp, fn in groups])
    assert np.allclose(straight.p_below[both], turned.p_above[both], atol=1e-9)
    assert np.allclose(straight.judged_value[both], 1 / turned.judged_value[both])


@given(
    singles=st.lists(GROUP, min_size=1, max_size=5),
    pairs=st.lists(GROUP, min_size=1, max_size=8),
    flag_is=st.sampled_from(["help", "sanction"]),
    extra_flags=st.sampled_from([0, 3_000]),
)
def test_intersections_and_other_attributes_never_change_a_verdict(
    singles: list[Counts], pairs: list[Counts], flag_is: FlagIs, extra_flags: int
) -> None:
    rule, population = Rule(flag_is), everybody(4_000, 6_000 + extra_flags, 6_000)
    alone = judge(counts(*singles), population, [RACE] * len(singles), rule)
    families = [RACE] * len(singles) + [INTERSECTIONS] * len(pairs) + [SEX] * len(pairs)
    together = judge(counts(*singles, *pairs, *pairs), population, families, rule)
    for before, after in zip(columns(alone), columns(together), strict=True):
        assert before.tolist() == pytest.approx(after[: len(singles)].tolist(), nan_ok=True)


@given(groups=st.lists(GROUP, min_size=2, max_size=7), data=st.data())
def test_order_of_the_groups_changes_nothing(groups: list[Counts], data: st.DataObject) -> None:
    families = data.draw(st.lists(st.sampled_from([RACE, SEX, INTERSECTIONS]), min_size=7, max_size=7))
    order = data.draw(st.permutations(range(len(groups))))
    straight = judge(counts(*groups), BALANCED, families[: len(groups)], HELP)
    shuffled = judge(counts(*(groups[i] for i in order)), BALANCED, [families[i] for i in order], HELP)
    for before, after in zip(columns(straight), columns(shuffled), strict=True):
        assert before[order].tolist() == pytest.approx(after.tolist(), nan_ok=True)


def columns(verdicts: Verdicts) -> tuple[NDArray[np.generic], ...]:
    return astuple(verdicts)


def test_family_counts_only_groups_that_could_be_tested_and_corrects_within_them() -> None:
    groups = [(30, 10, 60), (0, 9, 0), (30, 38, 60), (12, 3, 9), (12, 3, 9)]
    families = [RACE, RACE, RACE, INTERSECTIONS, OVERALL]
    result = judge(counts(*groups), BALANCED, families, HELP)
    assert result.family.tolist() == ["race", "race", "race", "intersections", "overall"]
    assert result.family_size.tolist() == [2, 2, 2, 1, 1]
    assert result.p_adjusted[0] == pytest.approx(2 * result.p_below[0])
    assert result.p_adjusted[2:] == pytest.approx(result.p_below[2:])


def test_breach_needs_the_adjusted_p_value() -> None:
    group = (20, 8, 27)
    alone = judge(counts(group), BALANCED, [RACE], HELP)
    among_others = judge(counts(group, *[(300, 250, 260)] * 9), BALANCED, [RACE] * 10, HELP)
    assert 0.005 < alone.p_below[0] < 0.05
    assert (alone.verdict[0], among_others.verdict[0]) == ("breach", "below_floor_unproven")


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(p=P_VALUES)
def test_corrections_equal_statsmodels(p: NDArray[np.float64]) -> None:
    assert np.allclose(holm(p), multipletests(p, method="holm")[1])
    assert np.allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1])


def test_false_breaches_stay_near_alpha_where_the_true_ratio_to_the_population_is_the_floor() -> None:
    def ratio(fp: float) -> float:
        return ((120 + fp) / 200) / ((120 + fp + 3_100) / (200 + 1_200))

    fp = brentq(lambda fp: ratio(fp) - 0.8, 0, 1_000)
    expected = np.array([120, fp, 80, 700, 2_400, 500])
    draws = np.random.default_rng(11).poisson(expected, size=(1_500, 6))
    breaches = [
        judge(counts((tp, wrong, fn)), everybody(tp + rest[0], wrong + rest[1], fn + rest[2]), [RACE], HELP).verdict[0]
        == "breach"
        for tp, wrong, fn, *rest in draws
    ]
    assert 0.035 < np.mean(breaches) < 0.065


@pytest.mark.parametrize(
    ("floor", "alpha", "message"),
    [(0.0, 0.05, "floor is 0.0"), (1.2, 0.05, "floor is 1.2"), (0.8, 0, "alpha is 0"),
     (0.8, 0.5, "alpha is 0.5")],
)  # fmt: skip
def test_rule_out_of_range_says_what_is_allowed(floor: float, alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}; it must be above 0"):
        Rule("help", floor, alpha)
