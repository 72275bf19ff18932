from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from fairsweep.core.inference.shrinkage import der_simonian_laird, shrunk_gbe

GROUPS = st.lists(st.tuples(*[st.integers(0, 300)] * 3), min_size=1, max_size=12)


def test_mean_and_variance_between_are_those_of_a_published_example() -> None:
    """Nine measurements of Kacker (Metrologia 2004); the figures are the R package metafor's.

    Source of both: the tests of statsmodels' `meta_analysis`, which keep them as `exk1_dl`.
    """
    effect = np.array([61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90])
    variance = np.array([0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225])
    mean, between = der_simonian_laird(effect, variance)
    assert between == pytest.approx(0.288049246973751, rel=1e-10)
    assert mean == pytest.approx(62.3901386044504, rel=1e-10)


@given(data=st.data(), size=st.integers(2, 15))
def test_mean_and_variance_between_equal_statsmodels(data: st.DataObject, size: int) -> None:
    effect = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=size, max_size=size)))
    variance = np.array(data.draw(st.lists(st.floats(0.01, 2), min_size=size, max_size=size)))
    with np.errstate(divide="ignore", invalid="ignore"):  # it does not cut the variance between off at 0
        oracle = combine_effects(effect, variance, method_re="chi2")
    mean, between = der_simonian_laird(effect, variance)
    assert between == pytest.approx(max(oracle.tau2, 0.0), rel=1e-6, abs=1e-9)
    if oracle.tau2 > 0:
        assert mean == pytest.approx(oracle.mean_effect_re, rel=1e-6, abs=1e-9)


def shrunk_by_hand(groups: list[tuple[int, int, int]]) -> list[float]:
    """One group after the other, as the formulas are printed."""
    effects, variances = [], []
    for tp, fp, fn in groups:
        half = 0.5 if tp + fp == 0 or tp + fn == 0 or fp + fn == 0 else 0.0
        f, p = tp + fp + half, tp + fn + half
        effects.append(math.log(f / p))
        variances.append((fp + fn + 2 * half) / (f * p))
    total = sum(1 / v for v in variances)
    fixed = sum(y / v for y, v in zip(effects, variances, strict=True)) / total
    q = sum((y - fixed) ** 2 / v for y, v in zip(effects, variances, strict=True))
    c = total - sum(1 / v**2 for v in variances) / total
    tau2 = max((q - (len(groups) - 1)) / c, 0.0) if len(groups) > 1 else 0.0
    weights = [1 / (v + tau2) for v in variances]
    mean = sum(w * y for w, y in zip(weights, effects, strict=True)) / sum(weights)
    return [math.exp(mean + (tau2 / (tau2 + v)) * (y - mean)) for y, v in zip(effects, variances, strict=True)]


@given(groups=GROUPS)
def test_shrunk_values_equal_a_slow_reference(groups: list[tuple[int, int, int]]) -> None:
    found = shrunk_gbe(*np.array(groups).T)
    known = [i for i, counts in enumerate(groups) if sum(counts)]
    assert np.isnan(np.delete(found, known)).all()
    if known:
        expected = shrunk_by_hand([groups[i] for i in known])
        assert found[known].tolist() == pytest.approx(expected, rel=1e-6)


@given(groups=st.lists(st.tuples(*[st.integers(1, 300)] * 3), min_size=1, max_size=12))
def test_shrunk_value_lies_between_the_groups_own_and_the_mean(groups: list[tuple[int, int, int]]) -> None:
    tp, fp, fn = np.array(groups, dtype=float).T
    own, found = (tp + fp) / (tp + fn), shrunk_gbe(tp, fp, fn)
    mean, _ = der_simonian_laird(np.log(own), (fp + fn) / ((tp + fp) * (tp + fn)))
    low, high = np.minimum(own, math.exp(mean)), np.maximum(own, math.exp(mean))
    assert ((found >= low * (1 - 1e-9)) & (found <= high * (1 + 1e-9))).all()


@given(balances=st.lists(st.integers(-150, 150), min_size=2, max_size=10, unique=True))
def test_groups_of_equal_variance_keep_their_order(balances: list[int]) -> None:
    # F P is the same for (F, P) and (P, F), and so is fp + fn: pairs of equal variance in both directions.
    for balance in balances:
        tp, wrong = 200, 300
        fp, fn = (wrong + balance) // 2, wrong - (wrong + balance) // 2
        found = shrunk_gbe([tp, tp, 50], [fp, fn, 100], [fn, fp, 300])
        assert (found[0] - found[1]) * (fp - fn) >= 0


def test_small_groups_are_drawn_further_than_large_ones() -> None:
    tp, fp, fn = np.array([300, 3, 400, 500]), np.array([300, 3, 100, 500]), np.array([600, 6, 50, 480])
    own, found = (tp + fp) / (tp + fn), shrunk_gbe(tp, fp, fn)
    assert own[0] == own[1]
    assert found[0] < found[1]
    assert abs(found[0] - own[0]) < 0.1 * abs(found[1] - own[1])


def test_single_group_is_unchanged_and_groups_without_anything_are_undefined() -> None:
    assert shrunk_gbe([30], [50], [70]).tolist() == pytest.approx([0.8])
    assert np.isnan(shrunk_gbe([0], [0], [0])).all()
    assert shrunk_gbe([], [], []).tolist() == []
    found = shrunk_gbe([0, 0, 5, 0], [0, 9, 0, 0], [9, 0, 0, 0])
    assert np.isnan(found).tolist() == [False, False, False, True]
    assert found[0] < found[2] < found[1]
