"""From the state of one model to its result tables: sweep, operating points, verdicts, disparities. No formula here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.auditing.disparity_rows import Members, compared
from fairsweep.auditing.group_names import unnamed_groups, with_unnamed_groups
from fairsweep.auditing.metric_rows import Judged, Nearby
from fairsweep.auditing.ranking_rows import Ranker
from fairsweep.auditing.reported import PEOPLE, Attribute, Units, attribute_of, joined, stacked
from fairsweep.auditing.suppression import EVERYTHING, Disclosure
from fairsweep.auditing.sweep_rows import Swept, entry_rows
from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.evidence.calibration import BILLION
from fairsweep.core.groups import OVERALL, attribute_name
from fairsweep.core.histogram import SCORE_MEASURES
from fairsweep.core.inference import tuning, verdicts
from fairsweep.core.inference.precision import INDEPENDENT, Precision
from fairsweep.core.metrics import METRICS
from fairsweep.core.operating_points import ChosenCutoff, OperatingPoint, choose
from fairsweep.tables.catalogue import TABLES
from fairsweep.tables.tabulating import Parts, repeated, table_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fairsweep.auditing.spec import AuditSpec, Grouping
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.core.inference.intervals import FloatArray
    from fairsweep.engines.protocol import Histogram, ModelState, OfBlock
    from fairsweep.tables.distributed import DistributedRows


@dataclass(frozen=True)
class Assessment:
    """Everything that one model's state says, as rows of the result tables.

    Attributes:
        spec: the checked config.
        state: what the scan kept.
        disclosure: what of it may be shown.
    """

    spec: AuditSpec
    state: ModelState
    disclosure: Disclosure = EVERYTHING

    def with_disclosure(self, disclosure: Disclosure) -> Assessment:
        """The same of which only so much may be shown; what was computed follows from the state, and is kept."""
        shown = replace(self, disclosure=disclosure)
        given = {field.name for field in fields(self)}
        shown.__dict__.update({name: value for name, value in self.__dict__.items() if name not in given})
        return shown

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

    @property
    def full_sweep(self) -> bool:
        """Whether every attribute has the whole grid in `threshold_sweep`."""
        return all(self.is_full(attribute) for attribute in self.attributes)

    def is_full(self, attribute: Attribute) -> bool:
        """Whether an attribute has the whole grid; what tasks make is shown whole or not at all."""
        here = attribute.histogram.cutoffs_here or not self.disclosure.minimum
        return bool(here) and len(attribute.groups) <= self.spec.limits.full_sweep_groups

    @property
    def result_rows(self) -> int:
        """How many rows the result tables that this process makes have, before any is left out."""
        size = self.spec.result_size
        held = sum(len(histogram.here().cell) for histogram in self.state.histograms)
        sizes = ((a.histogram, len(a.groups)) for a in self.attributes)
        return held + sum(size.rows(h.attributes, groups, len(h.cutoffs_here)) for h, groups in sizes)

    def conditions(self) -> dict[str, int]:
        """How many groups meet each condition of `--fail-on` at any operating point, whatever of them is shown."""
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

    def tables(self, keys: Mapping[str, object]) -> dict[str, pa.Table]:
        """Every result table, its rows sorted by key, without those that are `distributed`.

        Args:
            keys: the columns that all rows share: run, model and window.
        """
        return {name: self.table(name, keys) for name in self._parts}

    def table(self, name: str, keys: Mapping[str, object]) -> pa.Table:
        """One of these tables, without the groups that may not be named."""
        return self._named(name, self._parts[name](), keys)

    def table_at(self, name: str, cutoff_index: int, keys: Mapping[str, object]) -> pa.Table:
        """Rows of `threshold_sweep` or `group_metrics` for every group at any cutoff of the grid."""
        parts = {"threshold_sweep": self._sweep_at, "group_metrics": self._metrics_at}[name](cutoff_index)
        return self._named(name, parts, keys)

    def _named(self, name: str, parts: Parts, keys: Mapping[str, object]) -> pa.Table:
        rows = table_of(name, parts, keys)
        unlisted = [a.name for a in self.attributes if not self.disclosure.lists(a.name)]
        if unlisted and "attribute" in rows.column_names:
            import pyarrow as pa
            import pyarrow.compute as pc

            rows = rows.filter(pc.invert(pc.is_in(rows["attribute"], value_set=pa.array(unlisted))))
        return with_unnamed_groups(rows, self.unnamed_groups, TABLES[name])

    @cached_property
    def unnamed_groups(self) -> Mapping[str, frozenset[str]]:
        """By attribute, the groups of too few members to be named."""
        named = {
            one.name: frozenset({*(one.values or ()), *((one.reference,) if one.reference is not None else ())})
            for one in self.spec.base_attributes
        }
        return unnamed_groups(self.attributes, self.state.tallies, named, self.spec.privacy.minimum_cell_size)

    @property
    def _parts(self) -> Mapping[str, Callable[[], Parts]]:
        return {
            "refused_counts": self._refused_counts,
            "score_histograms": self._score_histograms,
            "cells": self._cells,
            "threshold_sweep": self._threshold_sweep,
            "group_metrics": self._group_metrics,
            "disparities": self._disparities,
            "operating_points": self._operating_points,
            "ranking": self._ranking,
            "reliability": self._reliability,
            "subgroups": self._subgroups,
        }

    def distributed(self, keys: Mapping[str, object]) -> dict[str, list[DistributedRows]]:
        """Rows of result tables that are made of distributed histograms, where these are.

        Args:
            keys: the columns that all rows share: run, model and window.
        """
        from fairsweep.auditing import block_rows as distributing

        swept = [a.histogram for a in self.attributes if self.is_full(a)]
        made: list[tuple[str, OfBlock, Sequence[Histogram]]] = [
            ("score_histograms", partial(distributing.entries, keys=keys), self.state.histograms),
            ("threshold_sweep", partial(distributing.sweep, points=self._points, keys=keys), swept),
        ]
        return {
            name: [made for one in of for made in one.distributed_rows(rows, TABLES[name].arrow_schema)]
            for name, rows, of in made
        }

    def _refused_counts(self) -> Parts:
        names = ("attribute", "group_value", "reason", "label", "n")
        tallies = self.disclosure.tallies(self.state.tallies)
        return [{name: [getattr(tally, name) for tally in tallies] for name in names}]

    def _score_histograms(self) -> Parts:
        histograms = sorted(self.state.histograms, key=lambda h: attribute_name(h.attributes))
        return [entry_rows(histogram.here()) for histogram in histograms]

    def _cells(self) -> Parts:
        return [
            {
                "grouping_set": repeated(attribute_name(histogram.attributes), len(histogram.cells)),
                "cell_id": np.arange(len(histogram.cells), dtype=np.int32),
                "attributes": [list(histogram.attributes)] * len(histogram.cells),
                "group_values": list(map(list, histogram.cells)),
            }
            for histogram in self.state.histograms
        ]

    def _threshold_sweep(self) -> Parts:
        everywhere, chosen = range(len(self.grid)), sorted(self._points)
        # As the table is sorted, so that nothing has to be sorted again.
        attributes = sorted(self.attributes, key=lambda attribute: attribute.name)
        return [
            part
            for a in attributes
            for part in (self._sweep(a.swept_here(), everywhere) if self.is_full(a) else self._sweep(a, chosen))
        ]

    def _sweep_at(self, cutoff_index: int) -> Parts:
        """Rows of `threshold_sweep` for every group at one cutoff, also where the published sweep is thinner."""
        return [part for a in self.attributes for part in self._sweep(a, [cutoff_index], keep=True)]

    def _metrics_at(self, cutoff_index: int) -> Parts:
        """Rows of `group_metrics` for every group at one cutoff: exploration, so without verdicts."""
        value = float(self.grid.values[cutoff_index])
        there = ChosenCutoff(
            "", "fixed", value, cutoff_index, value, value, None, None, "prespecified", None, "defined"
        )
        return self._judge(there).rows_of(self.disclosure, with_verdict=False)

    @property
    def grid(self) -> CutoffGrid:
        """The cutoffs that were counted at."""
        return self.state.histograms[0].grid

    @cached_property
    def _points(self) -> dict[int, list[str]]:
        """For a place on the grid, the operating points that have it."""
        points: dict[int, list[str]] = {}
        for chosen in self.chosen:
            if chosen.cutoff_index is not None:
                points.setdefault(chosen.cutoff_index, []).append(chosen.name)
        return points

    @property
    def points(self) -> list[int]:
        """The places of the operating points on the grid, in the order of the config."""
        return list(self._points)

    def _sweep(self, attribute: Attribute, indices: Sequence[int], *, keep: bool = False) -> Parts:
        """Rows of some groups: what is shown, and of the operating points also that something is not."""
        groups, rows = attribute.groups, attribute.rows_at(indices)
        counts = rows if self.units.weight_kind is None else attribute.counts_at(indices)
        precision = attribute.precision_at(indices)
        weighted = counts if self.units.weight_kind is not None else None
        swept = Swept(attribute.name, groups, indices, self.grid.values, self._points)
        shown = self.disclosure.at(attribute.name, indices, len(groups)) if self.disclosure.minimum else None
        unscored = self.disclosure.tells_unscored(attribute.name)
        return swept.parts(rows, weighted, precision, shown, keep=keep, unscored=unscored)

    @cached_property
    def _names(self) -> tuple[list[str], list[str], list[verdicts.Family]]:
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

    def _judge(self, chosen: ChosenCutoff) -> Judged:
        names, groups, families = self._names
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

    def _group_metrics(self) -> Parts:
        return [part for judged in self.judged for part in judged.rows_of(self.disclosure)]

    def _disparities(self) -> Parts:
        names, groups, _ = self._names
        references = {a.name: a.reference for a in self.attributes if a.reference is not None}
        parts: Parts = []
        for judged in self.judged:
            if judged.chosen.cutoff_index is None:
                continue
            shown = judged.shown(self.disclosure)
            members = Members(names, groups, references, shown)
            for metric in METRICS:
                parts += compared(judged.chosen.name, metric, members, judged.counts, judged.precision)
        return parts

    def _operating_points(self) -> Parts:
        fields = {
            "operating_point": "name", "rule": "rule", "target": "target", "cutoff_index": "cutoff_index",
            "cutoff": "cutoff", "achieved": "achieved", "cutoff_below": "cutoff_below", "cutoff_above": "cutoff_above",
            "cutoff_origin": "origin", "population_gbe": "population_gbe", "status": "status",
        }  # fmt: skip
        columns: dict[str, list[object]] = {
            column: [getattr(chosen, field) for chosen in self.chosen] for column, field in fields.items()
        }
        limits = [self._limits(chosen) for chosen in self.chosen]
        columns |= {f"cutoff_ci_{end}": [pair[i] for pair in limits] for i, end in enumerate(("low", "high"))}
        for i, judged in enumerate(self.judged):
            if judged.chosen.cutoff_index is not None and not judged.shown(self.disclosure)[0]:
                columns["population_gbe"][i] = None
                if judged.chosen.rule != "fixed":
                    columns["achieved"][i] = None
        return [columns]

    def _limits(self, chosen: ChosenCutoff) -> tuple[float | None, float | None]:
        """The ends of the cutoffs at which everybody's benefit equality cannot be told from the rule's target."""
        if chosen.rule != "population_gbe" or chosen.cutoff_index is None or self.units != PEOPLE:
            return None, None
        everybody = self.population
        near = tuning.indistinguishable(everybody.tp, everybody.fp, everybody.fn, chosen.target)
        found = self.grid.values[near]
        return (float(found[0]), float(found[-1])) if len(found) else (None, None)

    @property
    def _ranker(self) -> Ranker:
        return Ranker(self.population, self.attributes[0], self.spec.score_kind == "probability")

    def _ranking(self) -> Parts:
        return [part for a in self.attributes if self._ranked(a) for part in self._ranker.ranking(a, self._shown(a))]

    def _reliability(self) -> Parts:
        return [
            part for a in self.attributes if self._ranked(a) for part in self._ranker.reliability(a, self._shown(a))
        ]

    def _ranked(self, attribute: Attribute) -> bool:
        return self.is_full(attribute) and bool(attribute.histogram.cutoffs_here)

    def _shown(self, attribute: Attribute) -> NDArray[np.bool_]:
        return self.disclosure.at(attribute.name, range(len(self.grid)), len(attribute.groups))

    def _subgroups(self) -> Parts:
        if self.spec.discover is None:
            return []
        from fairsweep.auditing.subgroup_rows import searched

        least = self.spec.discover.minimum_events
        return searched(self.spec.searched, least, self.state.histograms, self.judged, self.disclosure.minimum)


def _family_of(attribute: Attribute) -> verdicts.Family:
    """What the groups of an attribute are corrected with."""
    if attribute.name == OVERALL:
        return verdicts.OVERALL
    return verdicts.Family.of_attribute(attribute.name) if attribute.single else verdicts.INTERSECTIONS
