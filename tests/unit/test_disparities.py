from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    demographic_parity_ratio,
    equalized_odds_difference,
    equalized_odds_ratio,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import confint_proportions_2indep

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.disparities import CRITERIA, Comparison, compare, worst_pair
from fairsweep.core.inference.intervals import gbe_ratio
from fairsweep.core.inference.precision import INDEPENDENT, evidence
from fairsweep.core.metrics import METRIC, METRICS, Metric

GROUP = st.tuples(*[st.integers(0, 30)] * 4)
PROPORTIONS = [metric for metric in METRICS if metric.interval == "proportion"]


def against(metric: Metric, group: ConfusionCounts, other: ConfusionCounts) -> Comparison:
    """Two groups who share nobody, and whose rows are people."""
    sides = evidence(metric, group, INDEPENDENT), evidence(metric, other, INDEPENDENT)
    return compare(metric, group, other, sides)


def counts(*groups: tuple[int, int, int, int]) -> ConfusionCounts:
    """Groups given as (tp, fp, fn, tn)."""
    return ConfusionCounts.of(*(np.array(a, dtype=np.int64) for a in zip(*groups, strict=True)))


@pytest.mark.parametrize(
    ("metric", "group", "other", "ratio", "difference", "status"),
    [
        ("selection_rate", (20, 20, 5, 55), (10, 10, 5, 75), 2.0, 0.2, "defined"),
        ("selection_rate", (0, 0, 5, 95), (10, 10, 5, 75), 0.0, -0.2, "defined"),
        ("selection_rate", (10, 10, 5, 75), (0, 0, 5, 95), None, 0.2, "none_flagged"),
        ("selection_rate", (0, 0, 5, 95), (0, 0, 5, 95), None, 0.0, "none_flagged"),
        ("true_positive_rate", (0, 9, 0, 9), (5, 5, 5, 5), None, None, "no_events"),
        ("true_positive_rate", (5, 5, 5, 5), (0, 9, 0, 9), None, None, "no_events"),
        ("true_positive_rate", (5, 5, 5, 5), (0, 9, 9, 9), None, 0.5, "no_true_positives"),
        ("positive_predictive_value", (0, 0, 5, 5), (0, 0, 0, 0), None, None, "none_flagged"),
        ("positive_predictive_value", (5, 5, 5, 5), (0, 0, 0, 0), None, None, "empty"),
        ("group_benefit_equality", (5, 5, 5, 5), (5, 15, 5, 5), 0.5, -1.0, "defined"),
        ("group_benefit_equality", (5, 5, 5, 5), (0, 0, 5, 5), None, 1.0, "none_flagged"),
        ("treatment_equality", (5, 5, 10, 5), (5, 10, 5, 5), 4.0, 1.5, "defined"),
        ("treatment_equality", (5, 0, 10, 5), (5, 10, 0, 5), None, None, "no_false_positives"),
        ("treatment_equality", (5, 5, 10, 5), (5, 10, 0, 5), None, 2.0, "no_false_negatives"),
        ("number_needed_to_screen", (5, 5, 5, 5), (5, 0, 5, 5), 2.0, 1.0, "defined"),
    ],
)
def test_undefined_and_zero_values_are_null_with_the_reason(
    metric: str,
    group: tuple[int, int, int, int],
    other: tuple[int, int, int, int],
    ratio: float | None,
    difference: float | None,
    status: str,
) -> None:
    result = against(METRIC[metric], counts(group), counts(other))
    assert result.status.tolist() == [status]
    assert result.ratio[0] == pytest.approx(math.nan if ratio is None else ratio, nan_ok=True)
    assert result.difference[0] == pytest.approx(math.nan if difference is None else difference, nan_ok=True)
    limits = result.ratio_ci_low, result.ratio_ci_high
    assert ratio is not None or np.isnan(limits).all()
    assert not np.isinf(limits).any()


@pytest.mark.parametrize("metric", PROPORTIONS, ids=lambda metric: metric.name)
def test_intervals_of_proportions_equal_statsmodels(metric: Metric) -> None:
    group, other = counts((30, 20, 12, 90)), counts((21, 44, 17, 60))
    result = against(metric, group, other)
    rates = [int(form.of(side)[0]) for side in (group, other) for form in (metric.numerator, metric.denominator)]
    assert np.allclose(
        (result.ratio_ci_low[0], result.ratio_ci_high[0]),
        confint_proportions_2indep(*rates, compare="ratio", method="score", correction=False),
        rtol=1e-6,
    )
    assert np.allclose(
        (result.difference_ci_low[0], result.difference_ci_high[0]),
        confint_proportions_2indep(*rates, compare="diff", method="newcomb"),
    )


def test_paired_ratios_have_a_log_interval_of_the_ratio_only() -> None:
    group = ConfusionCounts.of([30], [50], [70], [100], unscored_events=[9], unscored_non_events=[4])
    other = counts((60, 40, 20, 100))
    for name, missed in (("group_benefit_equality", 70), ("group_benefit_equality_including_unscored", 79)):
        result = against(METRIC[name], group, other)
        assert (result.ratio_ci_low[0], result.ratio_ci_high[0]) == pytest.approx(
            tuple(float(limit) for limit in gbe_ratio((30, 50, missed), (60, 40, 20)))
        )
        assert result.ratio[0] == pytest.approx((80 / (30 + missed)) / (100 / 80))
        assert np.isnan([result.difference_ci_low, result.difference_ci_high]).all()


def test_metrics_without_an_interval_and_comparisons_with_everybody_have_none() -> None:
    group, other = counts((30, 50, 70, 9)), counts((60, 40, 20, 9))
    limitless = [against(METRIC[name], group, other)
                 for name in ("f1_score", "treatment_equality", "number_needed_to_screen")]  # fmt: skip
    limitless += [compare(metric, group, group + other, None) for metric in METRICS]
    for result in limitless:
        limits = (
            result.ratio_ci_low,
            result.ratio_ci_high,
            result.difference_ci_low,
            result.difference_ci_high,
        )
        assert np.isnan(limits).all()
        assert not np.isnan([result.ratio, result.difference]).any()


@settings(deadline=None, max_examples=40)
@given(group=GROUP, other=GROUP)
def test_comparison_the_other_way_round_is_the_reciprocal_and_the_negative(
    group: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> None:
    for metric in METRICS:
        there = against(metric, counts(group), counts(other))
        back = against(metric, counts(other), counts(group))
        assert np.allclose(there.difference, -back.difference, equal_nan=True)
        assert np.allclose(there.difference_ci_low, -back.difference_ci_high, equal_nan=True)
        if there.status[0] == back.status[0] == "defined":
            assert there.ratio[0] * back.ratio[0] == pytest.approx(1)
            if metric.interval != "none" and there.ratio_ci_low[0] > 0:
                assert there.ratio_ci_low[0] * back.ratio_ci_high[0] == pytest.approx(1)


@settings(deadline=None, max_examples=15)
@given(groups=st.lists(GROUP, min_size=1, max_size=6))
def test_groups_compared_together_with_one_reference_equal_groups_compared_alone(
    groups: list[tuple[int, int, int, int]],
) -> None:
    reference = ConfusionCounts.of(9, 8, 7, 6)
    for metric in METRICS:
        together = against(metric, counts(*groups), reference)
        for place, group in enumerate(groups):
            alone = against(metric, counts(group), reference)
            for name in (
                "ratio",
                "ratio_ci_low",
                "ratio_ci_high",
                "difference",
                "difference_ci_high",
                "status",
            ):
                one, many = getattr(alone, name)[0], getattr(together, name)[place]
                assert one == many or (math.isnan(one) and math.isnan(many))


@settings(deadline=None, max_examples=40)
@given(groups=st.lists(GROUP, min_size=1, max_size=5), metric=st.sampled_from(METRICS))
def test_worst_pair_has_the_smallest_ratio_of_all_pairs(
    groups: list[tuple[int, int, int, int]], metric: Metric
) -> None:
    everybody = counts(*groups)
    pair = worst_pair(metric, [f"g{i}" for i in range(len(groups))], everybody)
    known = [i for i, status in enumerate(metric.evaluate(everybody)[1]) if status == "defined"]
    if len(known) < 2:
        assert pair is None
        return
    assert pair is not None
    ratios = [
        float(against(metric, everybody[[a]], everybody[[b]]).ratio[0]) for a, b in itertools.permutations(known, 2)
    ]
    worst = float(against(metric, everybody[[pair[0]]], everybody[[pair[1]]]).ratio[0])
    if not np.isnan(ratios).all():
        assert worst == np.nanmin(ratios)
    assert set(pair) <= set(known)
    assert pair[0] != pair[1]


@pytest.mark.parametrize(
    ("rates", "names", "pair"),
    [
        ([10, 30, 20], "abc", "ab"),
        ([10, 30, 10, 30], "dcba", "ba"),
        ([10, 10, 10], "cba", "ab"),
        ([0, 0], "ba", "ab"),
        ([0, 5, None], "abc", "ab"),
        ([5, None], "ab", None),
    ],
)
def test_worst_pair_breaks_ties_by_name(rates: list[int | None], names: str, pair: str | None) -> None:
    groups = counts(*((0, 0, 0, 0) if rate is None else (rate, 0, 0, 100 - rate) for rate in rates))
    found = worst_pair(METRIC["selection_rate"], list(names), groups)
    assert (None if found is None else "".join(names[place] for place in found)) == pair


@pytest.mark.parametrize(
    ("metrics", "ratio", "difference"),
    [
        (("selection_rate",), demographic_parity_ratio, demographic_parity_difference),
        (("true_positive_rate", "false_positive_rate"), equalized_odds_ratio, equalized_odds_difference),
    ],
)
def test_worst_pairs_equal_fairlearn(
    metrics: tuple[str, ...], ratio: Callable[..., float], difference: Callable[..., float]
) -> None:
    rng = np.random.default_rng(5)
    label, group = rng.integers(0, 2, 4_000), rng.choice(list("abcd"), 4_000)
    flag = rng.random(4_000) < np.where(group == "a", 0.2, 0.5) + 0.2 * label
    tables = [confusion_matrix(label[group == g], flag[group == g]).ravel() for g in "abcd"]
    groups = counts(*((tp, fp, fn, tn) for tn, fp, fn, tp in tables))
    worst = []
    for name in metrics:
        pair = worst_pair(METRIC[name], list("abcd"), groups)
        assert pair is not None
        worst.append(against(METRIC[name], groups[[pair[0]]], groups[[pair[1]]]))
    assert min(result.ratio[0] for result in worst) == pytest.approx(ratio(label, flag, sensitive_features=group))
    assert max(abs(result.difference[0]) for result in worst) == pytest.approx(
        difference(label, flag, sensitive_features=group)
    )


def test_every_criterion_names_metrics_of_the_catalogue_once() -> None:
    names = [criterion.name for criterion in CRITERIA]
    assert len(set(names)) == len(names) == 9
    for criterion in CRITERIA:
        assert set(criterion.metrics) <= set(METRIC)
