"""Identities between metrics, in fractions, and agreement with scikit-learn and Fairlearn."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.metrics import DEFINED, METRIC, METRICS, Metric
from tests import reference
from tests.examples import examples
from tests.laws.strategies import confusion

QUICK = examples(100)
FLAGS_AND_EVENTS = (
    "group_benefit_equality",
    "true_positive_rate",
    "positive_predictive_value",
    "selection_rate",
    "prevalence",
)
NAMES = ("tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")


def exact(name: str, counts: ConfusionCounts, place: int) -> Fraction | None:
    """A metric of one group as the product's forms give it, in fractions."""
    metric = METRIC[name]
    value = Fraction(int(metric.numerator.of(counts)[place])), Fraction(int(metric.denominator.of(counts)[place]))
    return value[0] / value[1] if value[1] else None


@QUICK
@given(counts=confusion())
def test_every_metric_and_status_is_the_references(counts: ConfusionCounts) -> None:
    assert {metric.name for metric in METRICS} == set(reference.METRICS)
    for metric in METRICS:
        values, statuses = metric.evaluate(counts)
        for place in range(counts.shape[0]):
            one = Counter({n: int(a[place]) for n, a in zip(NAMES, counts.arrays, strict=True)})
            value, status = reference.metric(metric.name, one)
            assert statuses[place] == status
            assert np.isnan(values[place]) if value is None else values[place] == float(value)
            assert value == (exact(metric.name, counts, place) if status == DEFINED else None)


@QUICK
@given(counts=confusion())
def test_group_benefit_equality_is_recall_over_precision(counts: ConfusionCounts) -> None:
    for place in range(3):
        gbe, tpr, ppv, rate, prevalence = (exact(name, counts, place) for name in FLAGS_AND_EVENTS)
        if tpr is not None and ppv:
            assert gbe == tpr / ppv
        if rate is not None and prevalence:
            assert gbe == rate / prevalence
        if gbe is not None:
            assert (gbe == 1) == (counts.fp[place] == counts.fn[place])


@QUICK
@given(counts=confusion())
def test_population_gbe_is_the_mean_of_the_groups_weighted_by_events(counts: ConfusionCounts) -> None:
    events = [int(e) for e in counts.events]
    if not all(events):
        return
    whole = exact("group_benefit_equality", counts.sum()[np.newaxis], 0)
    groups = [exact("group_benefit_equality", counts, g) or Fraction(0) for g in range(3)]
    assert whole == sum(Fraction(p, sum(events)) * gbe for p, gbe in zip(events, groups, strict=True))
    balance = sum(int(b) for b in counts.flagged - counts.events)
    assert (whole == 1) == (balance == 0)


@QUICK
@given(counts=confusion(smallest=1))
def test_disparate_impact_is_the_ratio_of_gbe_times_the_ratio_of_prevalence(counts: ConfusionCounts) -> None:
    def ratio(name: str) -> Fraction:
        one, other = (exact(name, counts, place) for place in (0, 1))
        assert one is not None
        assert other is not None
        return one / other

    assert ratio("selection_rate") == ratio("group_benefit_equality") * ratio("prevalence")


@QUICK
@given(counts=confusion(smallest=1))
def test_rates_that_complement_each_other_sum_to_one(counts: ConfusionCounts) -> None:
    for one, other in (
        ("true_positive_rate", "false_negative_rate"),
        ("false_positive_rate", "true_negative_rate"),
        ("positive_predictive_value", "false_discovery_rate"),
        ("negative_predictive_value", "false_omission_rate"),
    ):
        assert (exact(one, counts, 0) or 0) + (exact(other, counts, 0) or 0) == 1


ROWS = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("ABC")), min_size=1, max_size=60)
SKLEARN = {
    "prevalence": lambda y, p: np.mean(y),
    "true_positive_rate": lambda y, p: sklearn.recall_score(y, p, zero_division=np.nan),
    "true_negative_rate": lambda y, p: sklearn.recall_score(y, p, pos_label=0, zero_division=np.nan),
    "false_negative_rate": lambda y, p: 1 - sklearn.recall_score(y, p, zero_division=np.nan),
    "false_positive_rate": lambda y, p: 1 - sklearn.recall_score(y, p, pos_label=0, zero_division=np.nan),
    "positive_predictive_value": lambda y, p: sklearn.precision_score(y, p, zero_division=np.nan),
    "negative_predictive_value": lambda y, p: sklearn.precision_score(y, p, pos_label=0, zero_division=np.nan),
    "false_discovery_rate": lambda y, p: 1 - sklearn.precision_score(y, p, zero_division=np.nan),
    "false_omission_rate": lambda y, p: 1 - sklearn.precision_score(y, p, pos_label=0, zero_division=np.nan),
    "accuracy": sklearn.accuracy_score,
    "f1_score": lambda y, p: sklearn.f1_score(y, p, zero_division=np.nan),
    "group_benefit_equality": lambda y, p: np.mean(p) / np.mean(y) if any(y) else np.nan,
    "selection_rate": lambda y, p: np.mean(p),
    "number_needed_to_screen": lambda y, p: 1 / v if (v := sklearn.precision_score(y, p, zero_division=0)) else np.nan,
    "treatment_equality": lambda y, p: _missed_per_wrong_flag(*sklearn.confusion_matrix(y, p, labels=[0, 1]).ravel()),
}
FAIRLEARN = {
    "selection_rate": fairlearn.selection_rate,
    "true_positive_rate": fairlearn.true_positive_rate,
    "false_positive_rate": fairlearn.false_positive_rate,
    "true_negative_rate": fairlearn.true_negative_rate,
    "false_negative_rate": fairlearn.false_negative_rate,
}


def _missed_per_wrong_flag(tn: int, fp: int, fn: int, tp: int) -> float:
    return fn / fp if fp else np.nan


def tallied(y: np.ndarray, p: np.ndarray) -> ConfusionCounts:
    return ConfusionCounts.of(sum(y & p), sum(~y & p), sum(y & ~p), sum(~y & ~p))


@examples(40)
@given(rows=ROWS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_metrics_are_scikit_learns(rows: list[tuple[bool, bool, str]]) -> None:
    y, p = (np.array([row[i] for row in rows]) for i in (0, 1))
    assert set(SKLEARN) | {"group_benefit_equality_including_unscored"} == set(METRIC)
    for name, theirs in SKLEARN.items():
        value, _ = METRIC[name].evaluate(tallied(y, p))
        assert value == pytest.approx(theirs(y, p), nan_ok=True, abs=1e-12), name


@examples(20)
@given(rows=ROWS)
def test_metrics_by_group_are_fairlearns(rows: list[tuple[bool, bool, str]]) -> None:
    y, p = (np.array([row[i] for row in rows]).astype(int) for i in (0, 1))
    groups = pd.Series([row[2] for row in rows])
    theirs = fairlearn.MetricFrame(metrics=FAIRLEARN, y_true=y, y_pred=p, sensitive_features=groups).by_group
    for group in sorted(set(groups)):
        inside = groups == group
        counts = tallied(y[inside].astype(bool), p[inside].astype(bool))
        for name in FAIRLEARN:
            metric: Metric = METRIC[name]
            value, status = metric.evaluate(counts)
            # Fairlearn gives 0 where the denominator is; only defined values are comparable.
            if status == DEFINED:
                assert value == pytest.approx(theirs.loc[group, name], abs=1e-12), name
