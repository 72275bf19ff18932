from __future__ import annotations

from dataclasses import astuple
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.evidence.ranking import Ranking, alert_cutoffs, rank
from fairsweep.core.inference.intervals import FloatArray
from fairsweep.core.operating_points import OperatingPoint, choose

IntArray = NDArray[np.int64]
NORMAL, ABNORMAL = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
BUCKETS = 6
COUNTS = arrays(np.int64, BUCKETS, elements=st.integers(0, 9))


def ranked(events: object, non_events: object) -> dict[str, float]:
    """The ranking of one group."""
    result = rank(np.array([events]), np.array([non_events]))
    return dict(zip(Ranking.__dataclass_fields__, (float(a[0]) for a in astuple(result)), strict=True))


def expanded(events: IntArray, non_events: IntArray) -> tuple[IntArray, IntArray]:
    """One row per person: outcome, and bucket as score."""
    buckets = np.arange(len(events))
    outcome = np.repeat([1, 0], [events.sum(), non_events.sum()])
    return outcome, np.concatenate([np.repeat(buckets, events), np.repeat(buckets, non_events)])


def delong_by_pairs(outcome: IntArray, score: IntArray) -> tuple[float, float]:
    """AUC and standard error from every pair of an event and a non-event."""
    x, y = score[outcome == 1], score[outcome == 0]
    wins = (x[:, np.newaxis] > y) + (x[:, np.newaxis] == y) / 2
    return wins.mean(), np.sqrt(wins.mean(axis=1).var(ddof=1) / len(x) + wins.mean(axis=0).var(ddof=1) / len(y))


def test_golden_ratings_of_hanley_and_mcneil() -> None:
    result = ranked(ABNORMAL, NORMAL)
    assert result["auc"] == pytest.approx(0.893171, abs=5e-7)
    assert result["auc_standard_error"] == pytest.approx(0.030724, abs=5e-7)
    tied = sum(a * b for a, b in zip(NORMAL, ABNORMAL, strict=True))
    assert result["auc_binning_error"] == pytest.approx(tied / (2 * 58 * 51))
    assert 0.81 < result["auc_ci_low"] < result["auc"] - 1.9 * 0.0307
    assert result["auc"] + 0.0307 < result["auc_ci_high"] < 0.945


@given(events=COUNTS, non_events=COUNTS)
def test_ranking_equals_sklearn_and_delong_by_pairs_on_expanded_rows(events: IntArray, non_events: IntArray) -> None:
    result = ranked(events, non_events)
    if not (events.sum() and non_events.sum()):
        assert np.isnan(list(result.values())).all()
        return
    outcome, score = expanded(events, non_events)
    assert result["auc"] == pytest.approx(roc_auc_score(outcome, score), abs=1e-12)
    assert result["average_precision"] == pytest.approx(average_precision_score(outcome, score), abs=1e-12)
    if min(events.sum(), non_events.sum()) < 2:
        assert np.isnan(result["auc_standard_error"])
        return
    auc, error = delong_by_pairs(outcome, score)
    assert result["auc"] == pytest.approx(auc, abs=1e-12)
    if error > 1e-12:
        assert result["auc_standard_error"] == pytest.approx(error, rel=1e-9)
        assert 0 < result["auc_ci_low"] < auc < result["auc_ci_high"] < 1
    else:
        assert np.isnan([result["auc_standard_error"], result["auc_ci_low"], result["auc_ci_high"]]).all()


@pytest.mark.parametrize(
    ("events", "non_events", "auc", "average_precision"),
    [
        ([0, 0, 5], [4, 3, 0], 1.0, 1.0),
        ([4, 3, 0], [0, 0, 5], 0.0, (4 * 7 / 12 + 3 * 3 / 8) / 7),
        ([0, 7, 0], [0, 5, 0], 0.5, 7 / 12),
        ([0, 0, 1], [9, 0, 1], 0.95, 0.5),
        ([10**15 + 1, 0, 3 * 10**15], [10**15, 7, 0], 0.875, None),
        ([0, 0, 5], [0, 0, 0], np.nan, np.nan),
        ([0, 0, 0], [0, 0, 5], np.nan, np.nan),
    ],
)
def test_where_nothing_varies_or_a_class_has_one_member_there_is_no_standard_error_and_no_interval(
    events: list[int], non_events: list[int], auc: float, average_precision: float | None
) -> None:
    result = ranked(events, non_events)
    assert result["auc"] == pytest.approx(auc, nan_ok=True)
    if average_precision is None:  # the largest weights that there are: defined, and nothing overflows
        assert 0 < result["auc_standard_error"] < 1e-7
        return
    assert result["average_precision"] == pytest.approx(average_precision, nan_ok=True)
    assert np.isnan([result["auc_standard_error"], result["auc_ci_low"], result["auc_ci_high"]]).all()


def test_rounding_of_fractional_weights_is_no_variance() -> None:
    events, non_events = np.zeros((200, 24)), np.zeros((200, 24))
    rng = np.random.default_rng(8)
    events[:, 12:], non_events[:, :12] = rng.random((2, 200, 12)) * 1e9
    for result, auc in ((rank(events, non_events), 1), (rank(non_events, events), 0)):
        assert (result.auc == auc).all()
        assert np.isnan([result.auc_standard_error, result.auc_ci_low, result.auc_ci_high]).all()


@given(events=COUNTS, non_events=COUNTS)
def test_turning_the_scores_around_turns_auc_and_its_interval_around(events: IntArray, non_events: IntArray) -> None:
    straight, turned = ranked(events, non_events), ranked(events[::-1], non_events[::-1])
    for one, other in (("auc", "auc"), ("auc_ci_low", "auc_ci_high"), ("auc_ci_high", "auc_ci_low")):
        assert straight[one] == pytest.approx(1 - turned[other], abs=1e-9, nan_ok=True)
    for name in ("auc_standard_error", "auc_binning_error"):
        assert straight[name] == pytest.approx(turned[name], rel=1e-9, nan_ok=True)


@given(
    scores=arrays(np.float64, 60, elements=st.floats(0, 1)),
    labels=arrays(np.bool_, 60),
    count=st.integers(1, 12),
)
def test_auc_of_buckets_is_within_the_binning_error_of_the_unbinned(
    scores: FloatArray, labels: NDArray[np.bool_], count: int
) -> None:
    if labels.all() or not labels.any():
        return
    bucket = CutoffGrid.evenly("0", "1", count).bucket(scores)
    events, non_events = (np.bincount(bucket[labels == label], minlength=count + 1) for label in (True, False))
    result = ranked(events, non_events)
    assert abs(result["auc"] - roc_auc_score(labels, scores)) <= result["auc_binning_error"] + 1e-12


def test_groups_of_a_block_do_not_touch_one_another() -> None:
    rng = np.random.default_rng(3)
    events, non_events = rng.integers(0, 5, (2, 40, 30))
    events[7] = 0
    block = astuple(rank(events, non_events))
    alone = [astuple(rank(events[[g]], non_events[[g]])) for g in range(40)]
    for field, column in enumerate(block):
        assert np.allclose(column, [one[field][0] for one in alone], rtol=1e-13, atol=0, equal_nan=True)


def binned_normal_scores(auc: float, spread: float = 1.0, buckets: int = 200) -> tuple[FloatArray, FloatArray, float]:
    """Chances of each bucket for events and non-events of normal scores, and the AUC of the buckets."""
    edges = np.linspace(-4, 6, buckets - 1)
    shift = norm.ppf(auc) * np.sqrt(1 + spread**2)
    chances = [np.diff(np.concatenate([[0], norm.cdf(edges, mean, sd), [1]])) for mean, sd in ((shift, spread), (0, 1))]
    return chances[0], chances[1], float(np.sum(chances[0] * (np.cumsum(chances[1]) - chances[1] / 2)))


@pytest.mark.parametrize(
    ("p", "n", "auc", "spread"), [(20, 50, 0.75, 1), (20, 2_000, 0.8, 2), (50, 500, 0.9, 1), (100, 5_000, 0.6, 1)]
)
def test_interval_of_auc_covers_95_percent(p: int, n: int, auc: float, spread: float) -> None:
    rng = np.random.default_rng(5)
    of_events, of_non_events, truth = binned_normal_scores(auc, spread)
    result = rank(rng.multinomial(p, of_events, 4_000), rng.multinomial(n, of_non_events, 4_000))
    covered = (result.auc_ci_low <= truth) & (truth <= result.auc_ci_high)
    assert 0.937 < covered.mean() < 0.967


@settings(max_examples=30)
@given(events=COUNTS, non_events=COUNTS, scale=st.sampled_from([2, 1_000, 1_000_000]))
def test_equal_weights_change_nothing(events: IntArray, non_events: IntArray, scale: int) -> None:
    plain = rank(events[np.newaxis], non_events[np.newaxis])
    weighted = [a[np.newaxis] * factor for factor in (scale, float(scale) ** 2) for a in (events, non_events)]
    for one, other in zip(astuple(plain), astuple(rank(*weighted)), strict=True):
        assert np.allclose(one, other, rtol=1e-9, equal_nan=True)


def test_standard_error_with_weights_is_the_spread_of_weighted_auc() -> None:
    rng = np.random.default_rng(7)
    of_events, of_non_events, truth = binned_normal_scores(0.8, buckets=50)
    levels = np.array([1, 3, 12])
    drawn = [
        np.stack([rng.multinomial(size, chances, 3_000) for size in sizes], axis=-1)
        for chances, sizes in ((of_events, (60, 40, 20)), (of_non_events, (200, 100, 50)))
    ]
    result = rank(*(a @ levels for a in drawn), *(a @ levels**2 for a in drawn))
    assert result.auc_standard_error.mean() == pytest.approx(result.auc.std(), rel=0.04)
    covered = (result.auc_ci_low <= truth) & (truth <= result.auc_ci_high)
    assert 0.93 < covered.mean() < 0.97
    without_squares = rank(*(a @ levels for a in drawn))
    assert without_squares.auc_standard_error.mean() < 0.7 * result.auc.std()


@given(
    flagged=st.lists(st.integers(0, 1_000), min_size=1, max_size=12).map(lambda a: sorted(a, reverse=True)),
    spare=st.integers(0, 500),
    rate=st.sampled_from(["0.01", "0.03", "0.05", "0.10", "0.29", "1", Fraction(1, 3)]),
)
def test_alert_cutoffs_are_those_of_the_operating_point_and_of_a_slow_search(
    flagged: list[int], spare: int, rate: str | Fraction
) -> None:
    n = flagged[0] + spare
    found = alert_cutoffs(flagged, n, [rate])
    slow = next((k for k, f in enumerate(flagged) if n and f <= Fraction(rate) * n), None)
    counts = ConfusionCounts.of(0, flagged, 0, n - np.array(flagged))
    grid = CutoffGrid(np.linspace(0, 1, len(flagged)))
    assert found == [slow]
    assert found == [choose(OperatingPoint("rate", "alert_rate", str(rate)), grid, counts).cutoff_index]


def test_alert_cutoffs_are_exact_where_doubles_are_not() -> None:
    assert alert_cutoffs([30, 29, 5], 100, ["0.29", "0.28", "0.01"]) == [1, 2, None]
    assert alert_cutoffs([50, 10, 5, 3, 1], 100) == [4, 3, 2, 1]
    weights = [10**18, 10**17 + 1, 10**17, 0]
    assert alert_cutoffs(weights, 10**18, ["0.1"]) == [2]
