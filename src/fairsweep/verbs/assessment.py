"""From the state of one model to its result tables: sweep, operating points, verdicts, disparities. No formula here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core import verdicts
from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.histogram import ScoreHistogram
from fairsweep.core.metrics import GBE, METRICS
from fairsweep.core.operating_points import ChosenCutoff, OperatingPoint, choose
from fairsweep.groups import OVERALL, attribute_name
from fairsweep.tables import TABLES
from fairsweep.verbs.attributes import Attribute, attribute_of
from fairsweep.verbs.comparing import Members, compared
from fairsweep.verbs.sweeping import entry_rows, metric_columns, sweep_rows, verdict_columns
from fairsweep.verbs.tabulating import Columns, Parts, table_of

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.distributed import DistributedRows
    from fairsweep.engines.protocol import Histogram, ModelState, OfBlock
    from fairsweep.specs.audit import AuditSpec, Grouping


@dataclass(frozen=True)
class Assessment:
    """Everything that one model's state says, as rows of the result tables.

    Attributes:
        spec: the checked config.
        state: what the scan kept.
    """

    spec: AuditSpec
    state: ModelState

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Everybody first, then the attributes in config order."""
        everybody = attribute_of((), self.state.histograms, declared=(), reference=None)
        return (everybody, *(self._reported(grouping) for grouping in self.spec.groupings))

    def _reported(self, grouping: Grouping) -> Attribute:
        declared: tuple[str, ...] = ()
        reference = None
        if len(grouping.attributes) == 1:
            attribute = next(a for a in self.spec.base_attributes if a.name == grouping.attributes[0])
            declared, reference = attribute.values or (), attribute.reference
            if attribute.breaks is not None and reference is not None:
                declared = (reference,)
        return attribute_of(grouping.attributes, self.state.histograms, declared=declared, reference=reference)

    @cached_property
    def population(self) -> ConfusionCounts:
        """Everybody at every cutoff, `[cutoffs]`."""
        everybody = self.attributes[0]
        if not isinstance(everybody.histogram, ScoreHistogram):
            raise TypeError("everybody's histogram is in this process")
        return everybody.spread(everybody.histogram.counts())[0]

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
        return all(self._is_full(attribute) for attribute in self.attributes)

    def _is_full(self, attribute: Attribute) -> bool:
        return len(attribute.groups) <= self.spec.limits.full_sweep_groups

    def warnings(self) -> list[str]:
        """What a person should know beside the figures."""
        found = []
        declared = {a.name: a.values for a in self.spec.base_attributes if a.values is not None}
        for attribute in self.attributes:
            values = declared.get(attribute.name)
            extra = [group for group in attribute.groups if values is not None and group not in (*values, "unknown")]
            if attribute.single and extra:
                found.append(
                    f"{attribute.name}: {len(extra)} group(s) not in its declared values: {', '.join(extra[:10])}"
                )
        return found

    @property
    def has_events(self) -> bool:
        """Whether any scored row had the event."""
        return bool(self.population.events[0])

    def rows_by_group(self) -> dict[tuple[str, str], int]:
        """Used and unscored rows of every group, by attribute and group."""
        found: dict[tuple[str, str], int] = {}
        for attribute in self.attributes:
            counts = attribute.spread(attribute.histogram.counts_at([0]))[:, 0]
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
        """One of these tables."""
        return table_of(name, self._parts[name](), keys)

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
        }

    def distributed(self, keys: Mapping[str, object]) -> dict[str, list[DistributedRows]]:
        """Rows of result tables that are made of distributed histograms, where these are.

        Args:
            keys: the columns that all rows share: run, model and window.
        """
        from fairsweep.verbs import distributing

        swept = [a.histogram for a in self.attributes if self._is_full(a)]
        made: list[tuple[str, OfBlock, Sequence[Histogram]]] = [
            ("score_histograms", partial(distributing.entries, keys=keys), self.state.histograms),
            ("threshold_sweep", partial(distributing.sweep, points=self._points, keys=keys), swept),
        ]
        return {
            name: [one.rows(rows, TABLES[name].arrow_schema) for one in of if not isinstance(one, ScoreHistogram)]
            for name, rows, of in made
        }

    def _refused_counts(self) -> Parts:
        names = ("attribute", "group_value", "reason", "label", "n")
        return [{name: [getattr(tally, name) for tally in self.state.tallies] for name in names}]

    def _score_histograms(self) -> Parts:
        here = [histogram for histogram in self.state.histograms if isinstance(histogram, ScoreHistogram)]
        return [entry_rows(histogram) for histogram in sorted(here, key=lambda h: attribute_name(h.attributes))]

    def _cells(self) -> Parts:
        cells = [
            (attribute_name(histogram.attributes), cell_id, list(histogram.attributes), list(cell))
            for histogram in sorted(self.state.histograms, key=lambda h: attribute_name(h.attributes))
            for cell_id, cell in enumerate(histogram.cells)
        ]
        names = ("grouping_set", "cell_id", "attributes", "group_values")
        return [{name: [cell[i] for cell in cells] for i, name in enumerate(names)}]

    def _threshold_sweep(self) -> Parts:
        everywhere, chosen = range(len(self.grid)), sorted(self._points)
        return [self._sweep(a, everywhere if self._is_full(a) else chosen) for a in self.attributes]

    def sweep_at(self, cutoff_index: int) -> Parts:
        """Rows of `threshold_sweep` for every group at one cutoff, also where the published sweep is thinner."""
        return [self._sweep(attribute, [cutoff_index]) for attribute in self.attributes]

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

    def _sweep(self, attribute: Attribute, indices: Sequence[int]) -> Columns:
        histogram, groups = attribute.histogram, attribute.groups
        if len(indices) < len(self.grid):
            counts = attribute.spread(histogram.counts_at(indices))
        elif isinstance(histogram, ScoreHistogram):
            counts = attribute.spread(histogram.counts())
        else:
            # Those that rows have are distributed.
            groups = attribute.absent
            counts = ConfusionCounts.of(*np.zeros((6, len(groups), len(indices)), dtype=np.int64))
        return sweep_rows(attribute.name, groups, counts, indices, self.grid.values, self._points)

    @cached_property
    def _judged(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[ConfusionCounts, ...]]:
        """Attribute and group of every group, and their counts at each operating point, `[groups]`."""
        indices = sorted({chosen.cutoff_index for chosen in self.chosen if chosen.cutoff_index is not None})
        each = [attribute.spread(attribute.histogram.counts_at(indices)) for attribute in self.attributes]
        names = [attribute.name for attribute in self.attributes for _ in attribute.groups]
        groups = [group for attribute in self.attributes for group in attribute.groups]
        everything = ConfusionCounts(*(np.concatenate(a) for a in zip(*(c.arrays for c in each), strict=True)))
        at = tuple(
            everything[:, indices.index(chosen.cutoff_index)]
            if chosen.cutoff_index is not None
            else ConfusionCounts.of(*np.zeros((6, len(groups)), dtype=np.int64))
            for chosen in self.chosen
        )
        return tuple(names), tuple(groups), at

    @cached_property
    def _families(self) -> list[verdicts.Family]:
        return [
            verdicts.OVERALL
            if attribute.name == OVERALL
            else verdicts.Family.of_attribute(attribute.name)
            if attribute.single
            else verdicts.INTERSECTIONS
            for attribute in self.attributes
            for _ in attribute.groups
        ]

    def _group_metrics(self) -> Parts:
        names, groups, counts_at = self._judged
        rule = verdicts.Rule(self.spec.flag_is, self.spec.verdict.floor, self.spec.verdict.alpha)
        parts: Parts = []
        for chosen, counts in zip(self.chosen, counts_at, strict=True):
            judged = verdicts.judge(counts, counts[0], self._families, rule)
            for metric in METRICS:
                columns = metric_columns(metric, counts)
                if chosen.cutoff_index is None:
                    columns |= {
                        "numerator": None,
                        "denominator": None,
                        "value": None,
                        "status": [chosen.status] * len(groups),
                    }
                columns |= {
                    "operating_point": [chosen.name] * len(groups),
                    "attribute": names,
                    "group_value": groups,
                    "metric": [metric.name] * len(groups),
                }
                if metric is GBE:
                    columns |= verdict_columns(judged, rule, balance=chosen.cutoff_index is not None)
                parts.append(columns)
        return parts

    def _disparities(self) -> Parts:
        names, groups, counts_at = self._judged
        members = Members(names, groups, {a.name: a.reference for a in self.attributes if a.reference is not None})
        parts: Parts = []
        for chosen, counts in zip(self.chosen, counts_at, strict=True):
            if chosen.cutoff_index is not None:
                for metric in METRICS:
                    parts += compared(chosen.name, metric, members, counts)
        return parts

    def _operating_points(self) -> Parts:
        fields = {
            "operating_point": "name", "rule": "rule", "target": "target", "cutoff_index": "cutoff_index",
            "cutoff": "cutoff", "achieved": "achieved", "cutoff_below": "cutoff_below", "cutoff_above": "cutoff_above",
            "cutoff_origin": "origin", "population_gbe": "population_gbe", "status": "status",
        }  # fmt: skip
        return [{column: [getattr(chosen, field) for chosen in self.chosen] for column, field in fields.items()}]
