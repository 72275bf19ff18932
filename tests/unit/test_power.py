from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference.intervals import score_statistic
from fairsweep.core.inference.power import events_needed
from fairsweep.core.inference.verdicts import Family, Rule, judge


@pytest.mark.parametrize(("alpha", "figure"), [(0.05, 248), (0.025, 315)])
def test_many_missed_events_need_what_the_closed_form_says(alpha: float, figure: float) -> None:
    quantiles = norm.isf(alpha) + norm.isf(0.2)
    assert 2 * quantiles**2 / math.log(0.8) ** 2 == pytest.approx(figure, abs=0.5)
    recall = np.array([0.0, 0.1, 0.3])
    assert np.allclose(events_needed(recall, alpha=alpha), figure * (1 - recall), rtol=0.025)
    assert events_needed(recall, alpha=alpha).tolist() == np.ceil(events_needed(recall, alpha=alpha)).tolist()


def cleared(recall: float, rule: Rule, seed: int, runs: int = 20_000) -> float:
    """How often a fair group with the stated number of events, on average, is cleared by the one-sided test."""
    rng = np.random.default_rng(seed)
    events = float(events_needed(recall, rule.bound, rule.alpha))
    tp, fp, fn = (rng.poisson(events * share, runs) for share in (recall, 1 - recall, 1 - recall))
    statistic = score_statistic(tp, fp, fn, rule.bound)
    return float(np.mean((statistic if rule.flag_is == "help" else -statistic) > norm.isf(rule.alpha)))


@pytest.mark.parametrize("recall", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("alpha", [0.05, 0.025])
def test_fair_group_with_so_many_events_is_cleared_four_times_in_five(recall: float, alpha: float) -> None:
    for rule in (Rule("help", 0.8, alpha), Rule("sanction", 0.8, alpha)):
        assert 0.75 <= cleared(recall, rule, seed=int(recall * 10)) <= 0.85


def test_the_test_meant_is_the_one_that_verdicts_rest_on() -> None:
    runs, recall = 2_000, 0.6
    rng = np.random.default_rng(5)
    events = float(events_needed(recall))
    tp, fp, fn = (rng.poisson(events * share, runs) for share in (recall, 1 - recall, 1 - recall))
    found = judge(
        ConfusionCounts.of(tp, fp, fn, 1_000),
        ConfusionCounts.of(1_000, 500, 500, 10_000),
        [Family.of_attribute(str(i)) for i in range(runs)],
        Rule("help"),
    )
    assert 0.75 <= float((found.verdict == "above_floor").mean()) <= 0.85


def test_closed_form_without_the_refinement_would_clear_too_few_at_high_recall() -> None:
    rng = np.random.default_rng(1)
    events = math.ceil(248.3 * 0.1)
    tp, fp, fn = (rng.poisson(events * share, 20_000) for share in (0.9, 0.1, 0.1))
    assert np.mean(score_statistic(tp, fp, fn, 0.8) > norm.isf(0.05)) < 0.75
    assert events_needed(0.9) > events


@given(recall=st.floats(0, 1), floor=st.floats(0.3, 0.97), alpha=st.floats(0.001, 0.2))
def test_more_is_needed_for_a_nearer_bound_a_lower_recall_and_a_stricter_level(
    recall: float, floor: float, alpha: float
) -> None:
    needed = float(events_needed(recall, floor, alpha))
    assert needed >= 1
    assert needed == round(needed)
    assert float(events_needed(recall, floor + 0.02, alpha)) >= needed
    assert float(events_needed(recall / 2, floor, alpha)) >= needed
    assert float(events_needed(recall, floor, alpha / 2)) >= needed
    assert float(events_needed(recall, 1 / floor, alpha)) == pytest.approx(needed, abs=1)


def test_unknown_recall_needs_an_unknown_number_and_impossible_bounds_are_refused() -> None:
    assert np.isnan(events_needed([0.5, np.nan])).tolist() == [False, True]
    for bound in (1.0, 0.0, -0.5, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"bound is .*; it must be above 0"):
            events_needed(0.5, bound)
