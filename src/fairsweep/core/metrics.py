"""The metric catalogue: each metric is one declaration, a ratio of two linear forms of the confusion counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, reduce
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts, IntArray

DEFINED, EMPTY, SUPPRESSED = "defined", "empty", "suppressed"
Direction = Literal["higher", "lower", "nearer_ideal", "none"]
IntervalKind = Literal["proportion", "paired_ratio", "none"]


class Form(NamedTuple):
    """A linear form of tp, fp, fn, tn and the unscored rows, and the status of a metric where it is zero."""

    zero: str
    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0
    unscored_events: int = 0
    unscored_non_events: int = 0

    def of(self, counts: ConfusionCounts) -> IntArray:
        """The value of the form, int64, in the shape of the counts."""
        named = [(c, array) for c, array in zip(self[1:], counts.arrays, strict=True) if c]
        terms = [array if coefficient == 1 else coefficient * array for coefficient, array in named]
        return np.asarray(reduce(np.add, terms))

    @property
    def sql(self) -> str:
        """The form as SQL over columns of the same names, for example `tp + fp`."""
        terms = [
            name if coefficient == 1 else f"{coefficient} * {name}"
            for name, coefficient in zip(self._fields[1:], self[1:], strict=True)
            if coefficient
        ]
        return " + ".join(terms)


EVERYBODY = Form("empty", tp=1, fp=1, fn=1, tn=1)
EVERYBODY_INCLUDING_UNSCORED = Form("empty", 1, 1, 1, 1, 1, 1)
FLAGGED = Form("none_flagged", tp=1, fp=1)
NOT_FLAGGED = Form("all_flagged", fn=1, tn=1)
EVENTS = Form("no_events", tp=1, fn=1)
EVENTS_INCLUDING_UNSCORED = Form("no_events", tp=1, fn=1, unscored_events=1)
NON_EVENTS = Form("no_non_events", fp=1, tn=1)
TRUE_POSITIVES = Form("no_true_positives", tp=1)
FALSE_POSITIVES = Form("no_false_positives", fp=1)
FALSE_NEGATIVES = Form("no_false_negatives", fn=1)
TRUE_NEGATIVES = Form("no_true_negatives", tn=1)
CORRECT = Form("no_true_positives", tp=1, tn=1)
TWICE_TRUE_POSITIVES = Form("no_true_positives", tp=2)
FLAGGED_AND_EVENTS = Form("no_events", tp=2, fp=1, fn=1)


@dataclass(frozen=True)
class Metric:
    """A ratio of two linear forms of the confusion counts.

    Attributes:
        name: the column and the value of `metric` in every table.
        numerator: the numerator.
        denominator: the denominator; where it is zero the metric is undefined and the status is its `zero`.
        ideal: the value of a perfect and fair model, where there is one.
        direction: which way is better.
        interval: `proportion` where the numerator is part of the denominator (Wilson), `paired_ratio` where the
            same people are in both (Bonett-Price), `none` where no closed form is offered.
        meaning: one sentence for people; it becomes the column's COMMENT and the docs.
        source: where the definition comes from.
        population: the number of people that the metric describes; where it is zero, the status is `empty`.
    """

    name: str
    numerator: Form
    denominator: Form
    ideal: float | None
    direction: Direction
    interval: IntervalKind
    meaning: str
    source: str
    population: Form = EVERYBODY

    def evaluate(self, counts: ConfusionCounts) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
        """The value (NaN where undefined) and the status of each entry, in the shape of the counts."""
        numerator, denominator = self.numerator.of(counts), self.denominator.of(counts)
        value = _ratio(numerator, denominator)
        # A million rows share these three texts.
        names = np.array([DEFINED, self.denominator.zero, EMPTY], dtype=object)
        which = np.where(self.population.of(counts) == 0, 2, np.where(denominator != 0, 0, 1))
        return value, np.asarray(names[which], dtype=object)

    @property
    def sql(self) -> str:
        """The metric as SQL over the columns of `threshold_sweep`; NULL where undefined."""
        return f"({self.numerator.sql}) / nullif({self.denominator.sql}, 0)"


_CLOSEDLOOP = "ClosedLoop, A New Metric for Quantifying Machine Learning Fairness in Healthcare, 2020"
_VERMA = "Verma and Rubin, Fairness definitions explained, 2018"
_GROUP_BENEFIT = "the number of people flagged per person with the event; below 0.8 the group may be underserved"

GBE = Metric(
    "group_benefit_equality", FLAGGED, EVENTS, 1.0, "nearer_ideal", "paired_ratio",
    f"(tp + fp) / (tp + fn): {_GROUP_BENEFIT}", _CLOSEDLOOP,
)  # fmt: skip
GBE_INCLUDING_UNSCORED = Metric(
    "group_benefit_equality_including_unscored", FLAGGED, EVENTS_INCLUDING_UNSCORED, 1.0, "nearer_ideal",
    "paired_ratio",
    "(tp + fp) / (tp + fn + unscored events): group benefit equality where people without a score count as not flagged",
    _CLOSEDLOOP, EVERYBODY_INCLUDING_UNSCORED,
)  # fmt: skip
SELECTION_RATE = Metric(
    "selection_rate", FLAGGED, EVERYBODY, None, "none", "proportion",
    "(tp + fp) / n: the share of people who were flagged", _VERMA,
)  # fmt: skip
PREVALENCE = Metric(
    "prevalence", EVENTS, EVERYBODY, None, "none", "proportion",
    "(tp + fn) / n: the share of people who had the event", _VERMA,
)  # fmt: skip
TRUE_POSITIVE_RATE = Metric(
    "true_positive_rate", TRUE_POSITIVES, EVENTS, 1.0, "higher", "proportion",
    "tp / (tp + fn): the share of events that were flagged (sensitivity, recall)", _VERMA,
)  # fmt: skip
FALSE_POSITIVE_RATE = Metric(
    "false_positive_rate", FALSE_POSITIVES, NON_EVENTS, 0.0, "lower", "proportion",
    "fp / (fp + tn): the share of non-events that were flagged", _VERMA,
)  # fmt: skip
TRUE_NEGATIVE_RATE = Metric(
    "true_negative_rate", TRUE_NEGATIVES, NON_EVENTS, 1.0, "higher", "proportion",
    "tn / (fp + tn): the share of non-events that were not flagged (specificity)", _VERMA,
)  # fmt: skip
FALSE_NEGATIVE_RATE = Metric(
    "false_negative_rate", FALSE_NEGATIVES, EVENTS, 0.0, "lower", "proportion",
    "fn / (tp + fn): the share of events that were missed", _VERMA,
)  # fmt: skip
POSITIVE_PREDICTIVE_VALUE = Metric(
    "positive_predictive_value", TRUE_POSITIVES, FLAGGED, 1.0, "higher", "proportion",
    "tp / (tp + fp): the share of flags that were right (precision)", _VERMA,
)  # fmt: skip
NEGATIVE_PREDICTIVE_VALUE = Metric(
    "negative_predictive_value", TRUE_NEGATIVES, NOT_FLAGGED, 1.0, "higher", "proportion",
    "tn / (tn + fn): the share of people not flagged who had no event", _VERMA,
)  # fmt: skip
FALSE_DISCOVERY_RATE = Metric(
    "false_discovery_rate", FALSE_POSITIVES, FLAGGED, 0.0, "lower", "proportion",
    "fp / (tp + fp): the share of flags that were wrong", _VERMA,
)  # fmt: skip
FALSE_OMISSION_RATE = Metric(
    "false_omission_rate", FALSE_NEGATIVES, NOT_FLAGGED, 0.0, "lower", "proportion",
    "fn / (tn + fn): the share of people not flagged who had the event", _VERMA,
)  # fmt: skip
ACCURACY = Metric(
    "accuracy", CORRECT, EVERYBODY, 1.0, "higher", "proportion",
    "(tp + tn) / n: the share of people who were classified correctly", _VERMA,
)  # fmt: skip
F1_SCORE = Metric(
    "f1_score", TWICE_TRUE_POSITIVES, FLAGGED_AND_EVENTS, 1.0, "higher", "none",
    "2 tp / (2 tp + fp + fn): the harmonic mean of precision and sensitivity",
    "van Rijsbergen, Information Retrieval, 1979",
)  # fmt: skip
TREATMENT_EQUALITY = Metric(
    "treatment_equality", FALSE_NEGATIVES, FALSE_POSITIVES, 1.0, "none", "none",
    "fn / fp: missed events for each wrong flag", "Berk et al., Fairness in Criminal Justice Risk Assessments, 2018",
)  # fmt: skip
NUMBER_NEEDED_TO_SCREEN = Metric(
    "number_needed_to_screen", FLAGGED, TRUE_POSITIVES, 1.0, "lower", "none",
    "(tp + fp) / tp: people flagged for each event found", "Rembold, Number needed to screen, BMJ 1998",
)  # fmt: skip

METRICS: tuple[Metric, ...] = (
    GBE, GBE_INCLUDING_UNSCORED, SELECTION_RATE, PREVALENCE, TRUE_POSITIVE_RATE, FALSE_POSITIVE_RATE,
    TRUE_NEGATIVE_RATE, FALSE_NEGATIVE_RATE, POSITIVE_PREDICTIVE_VALUE, NEGATIVE_PREDICTIVE_VALUE,
    FALSE_DISCOVERY_RATE, FALSE_OMISSION_RATE, ACCURACY, F1_SCORE, TREATMENT_EQUALITY, NUMBER_NEEDED_TO_SCREEN,
)  # fmt: skip
METRIC: dict[str, Metric] = {metric.name: metric for metric in METRICS}


def metric_values(counts: ConfusionCounts) -> dict[str, NDArray[np.float64]]:
    """The value of every metric (NaN where undefined), in the shape of the counts; each form is summed once."""
    sums = cache(lambda form: form.of(counts))
    return {metric.name: _ratio(sums(metric.numerator), sums(metric.denominator)) for metric in METRICS}


def _ratio(numerator: IntArray, denominator: IntArray) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = np.asarray(numerator / denominator)
    ratio[denominator == 0] = np.nan
    return ratio


# The `zero` of every form: the closed list against which status columns are checked.
UNDEFINED_STATUSES: tuple[str, ...] = (
    "no_events", "no_non_events", "none_flagged", "all_flagged", "no_true_positives", "no_false_positives",
    "no_true_negatives", "no_false_negatives",
)  # fmt: skip
