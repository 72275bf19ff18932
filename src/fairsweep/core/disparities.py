"""Disparities: how a metric differs between a group and others. They are reported, not judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference.intervals import FloatArray, Limits, gbe_ratio, koopman_ratio, newcombe_difference
from fairsweep.core.inference.precision import Evidence
from fairsweep.core.metrics import DEFINED, METRIC, Metric

Comparator = Literal["reference", "rest", "overall", "worst_pair"]
ComparedBy = Literal["ratio", "difference"]

COMPARATORS: tuple[Comparator, ...] = ("reference", "rest", "overall", "worst_pair")
"""A named group, the rest without the group, the overall population, and the two groups that are furthest apart.

The population contains the group, so that a comparison with `overall` has no interval.
"""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A metric of some groups against its value elsewhere; all arrays have the shape of the counts compared.

    Attributes:
        ratio: the group's value over the other; NaN where a value is undefined or the other is 0.
        ratio_ci_low: lower 95 % limit, NaN where the ratio is or where the metric has no interval.
        ratio_ci_high: upper 95 % limit, likewise.
        difference: the group's value minus the other; NaN where one is undefined.
        difference_ci_low: lower 95 % limit, NaN where the difference is or where the metric has no interval.
        difference_ci_high: upper 95 % limit, likewise.
        status: `defined`, or why there is no ratio: the status of the group's value, else of the other value,
            else the status of a zero denominator of the ratio.
    """

    ratio: FloatArray
    ratio_ci_low: FloatArray
    ratio_ci_high: FloatArray
    difference: FloatArray
    difference_ci_low: FloatArray
    difference_ci_high: FloatArray
    status: NDArray[np.object_]


def compare(
    metric: Metric,
    group: ConfusionCounts,
    other: ConfusionCounts,
    evidence: tuple[Evidence, Evidence] | None,
    where: NDArray[np.bool_] | None = None,
) -> Comparison:
    """Compare a metric of groups with its value elsewhere.

    Ratios of proportions have Koopman's score interval and their differences Newcombe's; ratios of group
    benefit equality have a log interval, their differences none; metrics without an interval have none here.

    Args:
        metric: the metric that is compared.
        group: counts of the groups.
        other: counts of the comparison groups, of a shape that broadcasts to the groups'.
        evidence: the effective counts for the intervals of the two, see `precision.evidence`; None if the two share
            people, as a group and the population do: the intervals are of independent rates.
        where: which groups have intervals; all by default. The limits of ratios take most of the time.
    """
    value, group_status = metric.evaluate(group)
    other_value, other_status = metric.evaluate(other)
    status = np.where(group_status != DEFINED, group_status, other_status)
    status[(status == DEFINED) & (other_value == 0)] = metric.numerator.zero
    ratio = np.full(group.shape, np.nan)
    np.divide(value, other_value, out=ratio, where=status == DEFINED)
    difference = value - other_value
    nothing = _unknown(group), _unknown(group)
    ratio_limits, difference_limits = nothing if evidence is None else _limits(metric, *evidence, nothing, where)
    ratio_low, ratio_high = (np.where(np.isnan(ratio), np.nan, limit) for limit in ratio_limits)
    low, high = (np.where(np.isnan(difference), np.nan, limit) for limit in difference_limits)
    return Comparison(ratio, ratio_low, ratio_high, difference, low, high, status)


def worst_pair(metric: Metric, names: Sequence[str], groups: ConfusionCounts) -> tuple[int, int] | None:
    """The two groups of an attribute whose ratio is smallest.

    Args:
        metric: the metric that is compared.
        names: the groups, which decide ties.
        groups: their counts, shape `[groups]`.

    Returns:
        The indices of the groups with the lowest and the highest value; None if the metric is
        defined for fewer than two groups.
    """
    value, status = metric.evaluate(groups)
    known = np.flatnonzero(status == DEFINED)
    if len(known) < 2:
        return None
    lowest = _first(known[value[known] == value[known].min()], names)
    others = known[known != lowest]
    highest = _first(others[value[others] == value[others].max()], names)
    return lowest, highest


def _first(places: NDArray[np.int64], names: Sequence[str]) -> int:
    """The index of the first name in sort order."""
    return int(min(places.tolist(), key=lambda place: names[place]))


def _unknown(counts: ConfusionCounts) -> Limits:
    """Limits that the metric does not have."""
    nothing = np.full(counts.shape, np.nan)
    return nothing, nothing


def _limits(
    metric: Metric,
    group: Evidence,
    other: Evidence,
    nothing: tuple[Limits, Limits],
    where: NDArray[np.bool_] | None = None,
) -> tuple[Limits, Limits]:
    """The limits of the ratio and of the difference of two independent groups."""
    if where is not None and not where.all():
        some = tuple(one[where] for one in group), tuple(one[where] for one in other)
        none = np.full(int(where.sum()), np.nan)
        found = _limits(metric, *some, ((none, none), (none, none)))
        return _spread(found[0], where), _spread(found[1], where)
    if metric.interval == "proportion":
        rates = (group[0], group[1], other[0], other[1])
        return koopman_ratio(*rates), newcombe_difference(*rates)
    if metric.interval == "paired_ratio":
        return gbe_ratio(group, other), nothing[1]  # type: ignore[arg-type]
    return nothing


def _spread(limits: Limits, where: NDArray[np.bool_]) -> Limits:
    """Limits of some groups as limits of all: the others have none."""
    low, high = np.full((2, len(where)), np.nan)
    low[where], high[where] = limits
    return low, high


@dataclass(frozen=True)
class Criterion:
    """A named notion of fairness: which metrics have to be equal between groups, and how they are compared.

    Attributes:
        name: the field's name for it.
        metrics: names of the metrics; all of them have to be equal.
        compared_by: whether the literature states it as a ratio or as a difference.
        source: where it was defined.
    """

    name: str
    metrics: tuple[str, ...]
    compared_by: ComparedBy
    source: str

    def __post_init__(self) -> None:
        """Check that every metric is one of the catalogue."""
        unknown = [name for name in self.metrics if name not in METRIC]
        if unknown:
            raise ValueError(f"{self.name}: {unknown} are not metrics")


_VERMA_RUBIN = "Verma and Rubin, Fairness definitions explained, 2018"
_BERK = "Berk et al., Fairness in Criminal Justice Risk Assessments, 2018"
_HARDT = "Hardt, Price and Srebro, Equality of Opportunity in Supervised Learning, 2016"
_CHOULDECHOVA = "Chouldechova, Fair Prediction with Disparate Impact, 2017"

CRITERIA: tuple[Criterion, ...] = (
    Criterion("demographic_parity", ("selection_rate",), "difference", _VERMA_RUBIN),
    Criterion("disparate_impact", ("selection_rate",), "ratio", "29 CFR 1607.4 (D), the four-fifths rule"),
    Criterion("equal_opportunity", ("true_positive_rate",), "difference", _HARDT),
    Criterion("predictive_equality", ("false_positive_rate",), "difference", _VERMA_RUBIN),
    Criterion("predictive_parity", ("positive_predictive_value",), "difference", _CHOULDECHOVA),
    Criterion("equalized_odds", ("true_positive_rate", "false_positive_rate"), "difference", _HARDT),
    Criterion(
        "conditional_use_accuracy_equality",
        ("positive_predictive_value", "negative_predictive_value"),
        "difference",
        _BERK,
    ),
    Criterion("overall_accuracy_equality", ("accuracy",), "difference", _BERK),
    Criterion("treatment_equality", ("treatment_equality",), "ratio", _BERK),
)
"""The criteria that the disparities answer; Group Benefit Equality itself is judged, in `verdicts`."""
