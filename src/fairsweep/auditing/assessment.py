"""From the state of one model to its results: attributes, operating points, verdicts. No formula here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.auditing.metric_rows import Judged, Nearby
from fairsweep.auditing.ranking_rows import Ranker
from fairsweep.auditing.reported import PEOPLE, Attribute, Units, attribute_of, joined, stacked
from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.evidence.calibration import BILLION
from fairsweep.core.groups import OVERALL
from fairsweep.core.histogram import SCORE_MEASURES
from fairsweep.core.inference import tuning, verdicts
from fairsweep.core.inference.precision import INDEPENDENT, Precision
from fairsweep.core.operating_points import ChosenCutoff, OperatingPoint, choose

if TYPE_CHECKING:
    from fairsweep.auditing.spec import AuditSpec, Grouping
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.core.inference.intervals import FloatArray
    from fairsweep.engines.protocol import ModelState


@dataclass(frozen=True)
class Assessment:
    """All results of one model's state, before disclosure control; each is computed once, on first access.

    Attributes:
        spec: the checked config.
        state: what the scan kept.
    """

    spec: AuditSpec
    state: ModelState

    @cached_property
    def units(self) -> Units:
        """What the rows are; members have several where their rows, squared, are more than their rows."""
        everybody = attribute_of((), self.state.histograms, declared=(), reference=None).histogram.here()
        repeated = False
        if "flags_squared" in everybody.measures:
            repeated = int(everybody.dense("flags_squared").sum()) > self.state.rows_used
        return Units(self.spec.weight_kind, repeated)

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Everybody first, then the attributes in config order."""
        everybody = attribute_of((), self.state.histograms, declared=(), reference=None, units=self.units)
        return (everybody, *(self._reported(grouping) for grouping in self.spec.groupings))

    def _reported(self, grouping: Grouping) -> Attribute:
        declared: tuple[str, ...] = ()
        reference = None
        if len(grouping.attributes) == 1:
            attribute = next(a for a in self.spec.base_attributes if a.name == grouping.attributes[0])
            declared, reference = attribute.values or (), attribute.reference
            if attribute.breaks is not None and reference is not None:
                declared = (reference,)
        return attribute_of(
            grouping.attributes, self.state.histograms, declared=declared, reference=reference, units=self.units
        )

    @cached_property
    def population(self) -> ConfusionCounts:
        """Everybody at every cutoff, `[cutoffs]`: what metrics are made of."""
        return self.attributes[0].counts_at(range(len(self.grid)))[0]

    @cached_property
    def chosen(self) -> tuple[ChosenCutoff, ...]:
        """The cutoffs of the operating points, in config order."""
        return tuple(
            choose(OperatingPoint(point.name, point.rule, point.parameter), self.grid, self.population)
            for point in self.spec.operating_points
        )

    def is_full(self, attribute: Attribute) -> bool:
        """Whether an attribute has so few groups that the sweep has the whole grid of them."""
        return len(attribute.groups) <= self.spec.limits.full_sweep_groups

    @property
    def result_rows(self) -> int:
        """How many rows the result tables that this process makes have, before any is left out."""
        size = self.spec.result_size
        held = sum(len(histogram.here().cell) for histogram in self.state.histograms)
        sizes = ((a.histogram, len(a.groups)) for a in self.attributes)
        return held + sum(size.rows(h.attributes, groups, len(h.cutoffs_here)) for h, groups in sizes)

    def conditions(self) -> dict[str, int]:
        """How many groups meet each condition of `--fail-on` at any operating point."""
        each = [judged.conditions() for judged in self.judged]
        return {name: sum(one[name] for one in each) for name in each[0]} if each else {}

    @property
    def has_events(self) -> bool:
        """Whether any scored row had the event."""
        return bool(self.population.events[0])

    def rows_by_group(self) -> dict[tuple[str, str], int]:
        """Used and unscored rows of every group, by attribute and group."""
        found: dict[tuple[str, str], int] = {}
        for attribute in self.attributes:
            counts = attribute.rows_at([0])[:, 0]
            rows = counts.n + counts.unscored_events + counts.unscored_non_events
            found |= {(attribute.name, group): int(n) for group, n in zip(attribute.groups, rows, strict=True)}
        return found

    def without_reference(self) -> list[Attribute]:
        """Attributes whose reference no row has and no list declares."""
        return [a for a in self.attributes if a.reference is not None and a.reference not in a.groups]

    @property
    def grid(self) -> CutoffGrid:
        """The cutoffs that were counted at."""
        return self.state.histograms[0].grid

    @cached_property
    def points_at(self) -> dict[int, list[str]]:
        """By index of a cutoff, the operating points that have it."""
        points: dict[int, list[str]] = {}
        for chosen in self.chosen:
            if chosen.cutoff_index is not None:
                points.setdefault(chosen.cutoff_index, []).append(chosen.name)
        return points

    @property
    def points(self) -> list[int]:
        """The indices of the operating points' cutoffs, in the order of the config."""
        return list(self.points_at)

    @cached_property
    def names(self) -> tuple[list[str], list[str], list[verdicts.Family]]:
        """Attribute, group and family of every group, everybody first."""
        names: list[str] = []
        groups: list[str] = []
        families: list[verdicts.Family] = []
        for attribute in self.attributes:
            size = len(attribute.groups)
            names += [attribute.name] * size
            groups += attribute.groups
            families += [_family_of(attribute)] * size
        return names, groups, families

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """All groups at each operating point."""
        return tuple(self._judge(chosen) for chosen in self.chosen)

    def judged_at(self, cutoff_index: int) -> Judged:
        """All groups at any cutoff of the grid."""
        value = float(self.grid.values[cutoff_index])
        return self._judge(
            ChosenCutoff("", "fixed", value, cutoff_index, value, value, None, None, "prespecified", None, "defined")
        )

    def _judge(self, chosen: ChosenCutoff) -> Judged:
        names, groups, families = self.names
        k = chosen.cutoff_index
        if k is None:
            counts = rows = ConfusionCounts.of(*np.zeros((6, len(groups)), dtype=np.int64))
            precision: Precision = INDEPENDENT
        else:
            rows = stacked([a.rows_at([k])[:, 0] for a in self.attributes])
            counts = rows
            if self.units.weight_kind is not None:
                counts = stacked([a.counts_at([k])[:, 0] for a in self.attributes])
            precision = joined([a.precision_at([k])[:, 0] for a in self.attributes])
        return Judged(
            chosen, names, groups, families, counts, rows, precision, self._rule,
            nearby=self._nearby(chosen), expected=self._expected, weighted=self.units.weight_kind is not None,
        )  # fmt: skip

    @property
    def _rule(self) -> verdicts.Rule:
        return verdicts.Rule(self.spec.flag_is, self.spec.verdict.floor, self.spec.verdict.alpha)

    def _nearby(self, chosen: ChosenCutoff) -> Nearby | None:
        """What the variance of a cutoff tuned here needs; None where intervals do not use it."""
        k = chosen.cutoff_index
        if chosen.origin != "tuned_here" or k is None or self.units != PEOPLE:
            return None
        flagged = self.population.flagged
        low, high = tuning.neighbourhood(-np.diff(np.concatenate([self.population.n[:1], flagged, [0]])), k)
        # Bucket b begins at cutoff b - 1: the rows from there on are those flagged at it.
        at = np.clip([low - 1, high - 1], 0, len(self.grid) - 1).tolist()
        counts = stacked([attribute.rows_at(at) for attribute in self.attributes])
        first = counts.n[:, 0] if low == 0 else counts.flagged[:, 0]
        near = first - (counts.flagged[:, 1] if high <= len(self.grid) else 0)
        return Nearby(near / near[0] if near[0] else np.full(len(near), np.nan), flagged)

    @cached_property
    def _expected(self) -> FloatArray | None:
        """The sum of each group's scores, where they are probabilities of events of equal weight."""
        if self.spec.score_kind != "probability" or self.units.weight_kind is not None:
            return None
        of_events, of_non_events = (
            np.concatenate([a.between(name, ())[:, 0] for a in self.attributes]) for name in SCORE_MEASURES[:2]
        )
        expected: FloatArray = (of_events + of_non_events) / BILLION
        return expected

    def cutoff_limits(self, chosen: ChosenCutoff) -> tuple[float | None, float | None]:
        """The ends of the cutoffs at which everybody's benefit equality cannot be told from the rule's target."""
        if chosen.rule != "population_gbe" or chosen.cutoff_index is None or self.units != PEOPLE:
            return None, None
        everybody = self.population
        near = tuning.indistinguishable(everybody.tp, everybody.fp, everybody.fn, chosen.target)
        found = self.grid.values[near]
        return (float(found[0]), float(found[-1])) if len(found) else (None, None)

    @cached_property
    def ranker(self) -> Ranker:
        """Ranks the groups of any attribute."""
        return Ranker(self.population, self.attributes[0], self.spec.score_kind == "probability")


def _family_of(attribute: Attribute) -> verdicts.Family:
    """What the groups of an attribute are corrected with."""
    if attribute.name == OVERALL:
        return verdicts.OVERALL
    return verdicts.Family.of_attribute(attribute.name) if attribute.single else verdicts.INTERSECTIONS
