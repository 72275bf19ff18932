"""Operating points: the cutoffs that groups are judged at, given beforehand or found by a rule."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.metrics import DEFINED, EMPTY, EVENTS, GBE, SELECTION_RATE, Metric

CutoffRule = Literal["fixed", "population_gbe", "alert_rate"]
Origin = Literal["prespecified", "tuned_here"]
NO_CUTOFF = "no_cutoff"


@dataclass(frozen=True)
class OperatingPoint:
    """A rule that gives one cutoff.

    Attributes:
        name: its name in the results.
        rule: `fixed` takes the given cutoff; `population_gbe` the cutoff whose population group benefit equality
            is nearest the target, then at or above it, then lowest; `alert_rate` the lowest that flags at most
            the given share of the scored.
        parameter: the cutoff, the target or the share, as a decimal: comparisons with it are exact.
    """

    name: str
    rule: CutoffRule
    parameter: str

    @property
    def exact(self) -> Fraction:
        """The parameter as the rational number that was written."""
        return Fraction(self.parameter)


@dataclass(frozen=True)
class ChosenCutoff:
    """The cutoff that an operating point has on one population.

    Attributes:
        name: the operating point.
        rule: its rule.
        target: its parameter as a double.
        cutoff_index: the index of the cutoff on the grid; None if no cutoff satisfies the rule.
        cutoff: the value with which scores are compared.
        achieved: the value that the rule reached: the cutoff itself, the population's group benefit equality, or the
            share flagged.
        cutoff_below: the neighbour below on the grid.
        cutoff_above: the neighbour above on the grid.
        origin: `tuned_here` for a cutoff found on the rows it is judged on, otherwise `prespecified`.
        population_gbe: group benefit equality of the overall population at the cutoff, None where undefined.
        status: `defined`, or why there is no cutoff: `empty`, `no_events` or `no_cutoff`.
    """

    name: str
    rule: CutoffRule
    target: float
    cutoff_index: int | None
    cutoff: float | None
    achieved: float | None
    cutoff_below: float | None
    cutoff_above: float | None
    origin: Origin
    population_gbe: float | None
    status: str


def choose(point: OperatingPoint, grid: CutoffGrid, population: ConfusionCounts) -> ChosenCutoff:
    """Find the cutoff of an operating point, in exact integer arithmetic.

    Args:
        point: the rule.
        grid: the cutoffs to choose from; a `fixed` cutoff has been added to it before.
        population: counts of the overall population at every cutoff of the grid, shape `[cutoffs]`.

    Raises:
        ValueError: if a `fixed` cutoff is not on the grid.
    """
    index, status = _find(point, grid, population)
    origin: Origin = "prespecified" if point.rule == "fixed" else "tuned_here"
    target = float(point.exact)
    if index is None:
        return ChosenCutoff(point.name, point.rule, target, None, None, None, None, None, origin, None, status)
    cutoff = float(grid.values[index])
    below, above = grid.neighbours(cutoff)
    population_gbe = _value(GBE, population, index)
    achieved = {
        "fixed": cutoff,
        "population_gbe": population_gbe,
        "alert_rate": _value(SELECTION_RATE, population, index),
    }[point.rule]
    return ChosenCutoff(
        point.name, point.rule, target, index, cutoff, achieved, below, above, origin, population_gbe, status
    )


def _find(point: OperatingPoint, grid: CutoffGrid, population: ConfusionCounts) -> tuple[int | None, str]:
    """The index of the cutoff on the grid, and the status."""
    if point.rule == "fixed":
        return _on_grid(point, grid), DEFINED
    if not population.n[0]:
        return None, EMPTY
    if point.rule == "alert_rate":
        return _lowest_within(point.exact, population)
    return _nearest_gbe(point.exact, population)


def _on_grid(point: OperatingPoint, grid: CutoffGrid) -> int:
    cutoff = float(point.exact)
    index = grid.index_of(cutoff)
    if index is None:
        below, above = grid.neighbours(cutoff)
        raise ValueError(f"cutoff {point.parameter} is off the grid; its neighbours are {below} and {above}")
    return index


def _lowest_within(rate: Fraction, population: ConfusionCounts) -> tuple[int | None, str]:
    allowed = rate.numerator * int(population.n[0]) // rate.denominator
    within = np.flatnonzero(population.flagged <= allowed)
    return (int(within[0]), DEFINED) if len(within) else (None, NO_CUTOFF)


def _nearest_gbe(target: Fraction, population: ConfusionCounts) -> tuple[int | None, str]:
    events = int(population.events[0])
    if not events:
        return None, EVENTS.zero
    # |F/P - a/b| is ordered like |F b - a P|: P is the same everywhere, and Python's integers do not round.
    surplus = [int(flagged) * target.denominator - target.numerator * events for flagged in population.flagged]
    return min(range(len(surplus)), key=lambda k: (abs(surplus[k]), surplus[k] < 0, k)), DEFINED


def _value(metric: Metric, population: ConfusionCounts, index: int) -> float | None:
    value, status = metric.evaluate(population[index])
    return float(value) if status == DEFINED else None
