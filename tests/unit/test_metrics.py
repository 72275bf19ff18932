from __future__ import annotations

import math

import duckdb
import numpy as np
import pytest

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.metrics import DEFINED, EMPTY, GBE, METRIC, METRICS, UNDEFINED_STATUSES, Form, Metric

COLUMNS = ("tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")
# The paper's population at .071: males.
MALES = (1_000, 1_742, 2_133, 451_882, 0, 0)


def evaluated(metric: Metric, counts: tuple[int, ...]) -> tuple[float, str]:
    value, status = metric.evaluate(ConfusionCounts.of(*counts))
    return float(value), str(status)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("group_benefit_equality", 2_742 / 3_133),
        ("selection_rate", 2_742 / 456_757),
        ("prevalence", 3_133 / 456_757),
        ("true_positive_rate", 1_000 / 3_133),
        ("false_negative_rate", 2_133 / 3_133),
        ("false_positive_rate", 1_742 / 453_624),
        ("true_negative_rate", 451_882 / 453_624),
        ("positive_predictive_value", 1_000 / 2_742),
        ("false_discovery_rate", 1_742 / 2_742),
        ("negative_predictive_value", 451_882 / 454_015),
        ("false_omission_rate", 2_133 / 454_015),
        ("accuracy", 452_882 / 456_757),
        ("f1_score", 2_000 / 5_875),
        ("treatment_equality", 2_133 / 1_742),
        ("number_needed_to_screen", 2.742),
    ],
)
def test_metrics_have_the_values_of_their_definitions(metric: str, value: float) -> None:
    assert evaluated(METRIC[metric], MALES) == (value, DEFINED)


@pytest.mark.parametrize(
    ("counts", "undefined"),
    [
        ((0, 1, 0, 1, 0, 0), {"group_benefit_equality": "no_events", "true_positive_rate": "no_events",
                              "false_negative_rate": "no_events", "number_needed_to_screen": "no_true_positives",
                              "group_benefit_equality_including_unscored": "no_events"}),
        ((1, 0, 1, 0, 0, 0), {"false_positive_rate": "no_non_events", "true_negative_rate": "no_non_events",
                              "treatment_equality": "no_false_positives"}),
        ((0, 0, 1, 1, 0, 0), {"positive_predictive_value": "none_flagged", "false_discovery_rate": "none_flagged",
                              "treatment_equality": "no_false_positives",
                              "number_needed_to_screen": "no_true_positives"}),
        ((1, 1, 0, 0, 0, 0), {"negative_predictive_value": "all_flagged", "false_omission_rate": "all_flagged"}),
        ((1, 1, 1, 1, 9, 9), {}),
    ],
)  # fmt: skip
def test_an_undefined_metric_is_nan_and_names_the_empty_denominator(
    counts: tuple[int, ...], undefined: dict[str, str]
) -> None:
    for metric in METRICS:
        value, status = evaluated(metric, counts)
        assert status == undefined.get(metric.name, DEFINED), metric.name
        assert math.isnan(value) == (metric.name in undefined), metric.name


def test_a_group_without_anybody_is_empty_whatever_the_denominator() -> None:
    for metric in METRICS:
        assert evaluated(metric, (0, 0, 0, 0, 0, 0))[1] == EMPTY


def test_a_group_that_is_never_scored_is_empty_but_not_fair() -> None:
    values = {metric.name: evaluated(metric, (0, 0, 0, 0, 3, 5)) for metric in METRICS}
    assert values.pop("group_benefit_equality_including_unscored") == (0.0, DEFINED)
    assert {status for _, status in values.values()} == {EMPTY}


def test_metrics_keep_the_shape_of_the_counts() -> None:
    counts = ConfusionCounts.of(np.arange(6).reshape(2, 3), 1, 1, 1)
    value, status = GBE.evaluate(counts)
    assert value.shape == status.shape == (2, 3)
    assert value.tolist() == [[(tp + 1) / (tp + 1) for tp in row] for row in ([0, 1, 2], [3, 4, 5])]


def test_the_sql_of_a_metric_says_what_its_value_is() -> None:
    random = np.random.default_rng(3)
    rows = random.integers(0, 3, (200, 6))
    values = ", ".join(str(tuple(map(int, row))) for row in rows)
    metrics = ", ".join(metric.sql for metric in METRICS)
    found = duckdb.execute(f"SELECT {metrics} FROM (VALUES {values}) AS t({', '.join(COLUMNS)})").fetchall()
    expected = [metric.evaluate(ConfusionCounts.of(*rows.T))[0] for metric in METRICS]
    for i, row in enumerate(found):
        for value, column in zip(row, expected, strict=True):
            assert (value is None and math.isnan(column[i])) or value == column[i]


def test_the_catalogue_is_whole_and_consistent() -> None:
    assert len(METRIC) == len(METRICS) == 16
    for metric in METRICS:
        assert metric.denominator.zero in {*UNDEFINED_STATUSES, EMPTY}, metric.name
        assert metric.meaning, metric.name
        assert metric.source, metric.name
        if metric.interval == "proportion":
            inside = zip(metric.numerator[1:], metric.denominator[1:], strict=True)
            assert all(above <= below for above, below in inside), metric.name
        if metric.ideal is not None:
            assert metric.direction != "none" or metric.name == "treatment_equality"


@pytest.mark.parametrize("counts", [(1, 0, 0, 3, 0, 0), (5, 0, 0, 5, 0, 0)])
def test_a_perfect_model_has_the_ideal_of_every_metric(counts: tuple[int, ...]) -> None:
    for metric in METRICS:
        value, status = evaluated(metric, counts)
        if metric.ideal is not None and status == DEFINED:
            assert value == metric.ideal, metric.name


def test_forms_are_linear_in_every_count() -> None:
    form = Form("nothing", tp=1, fp=2, fn=3, tn=4, unscored_events=5, unscored_non_events=6)
    assert int(form.of(ConfusionCounts.of(1, 10, 100, 1_000, 10_000, 100_000))) == 654_321
    assert form.sql == "tp + 2 * fp + 3 * fn + 4 * tn + 5 * unscored_events + 6 * unscored_non_events"
