"""From a model's assessment to its result tables: rows of everything, then suppression of what may not be shown.

Builders of rows (`*_rows.py`) know nothing of disclosure. Where the figures of a group follow from those of others,
they are given which counts are `known`; they give rows of all, and here those are suppressed that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fairsweep.auditing.disclosing import is_safe_subgroup
from fairsweep.auditing.disparity_rows import Members, compared
from fairsweep.auditing.group_names import with_unnamed_groups
from fairsweep.auditing.point_rows import point_rows
from fairsweep.auditing.state_rows import cell_rows, entry_rows, tally_rows
from fairsweep.auditing.suppressing import (
    points_suppressed,
    ranks_suppressed,
    subgroups_suppressed,
    suppressed,
    with_kept,
    without_unscored,
)
from fairsweep.auditing.sweep_rows import Swept
from fairsweep.core.groups import attribute_name
from fairsweep.core.metrics import GBE, GBE_INCLUDING_UNSCORED, METRICS
from fairsweep.tables.catalogue import TABLES
from fairsweep.tables.tabulating import Columns, Parts, table_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.auditing.assessment import Assessment
    from fairsweep.auditing.group_names import Unnamed
    from fairsweep.auditing.metric_rows import Judged
    from fairsweep.auditing.reported import Attribute
    from fairsweep.auditing.suppression import Disclosure
    from fairsweep.engines.protocol import Histogram, OfBlock
    from fairsweep.tables.distributed import DistributedRows


@dataclass(frozen=True)
class Publishable:
    """What may be published of a model, as rows of the result tables.

    Attributes:
        assessment: everything that its state says.
        disclosure: what of it may be shown.
        unnamed: the groups that may not be named.
    """

    assessment: Assessment
    disclosure: Disclosure
    unnamed: Unnamed

    @property
    def full_sweep(self) -> bool:
        """Whether every attribute has the whole grid in `threshold_sweep`."""
        return all(self._is_full(attribute) for attribute in self.assessment.attributes)

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

    def distributed(self, keys: Mapping[str, object]) -> dict[str, list[DistributedRows]]:
        """Rows of result tables that tasks make of the histograms that they have.

        Args:
            keys: the columns that all rows share: run, model and window.
        """
        from fairsweep.auditing import block_rows as distributing

        whole = [a.histogram for a in self.assessment.attributes if self._is_full(a)]
        sweep = partial(distributing.sweep, points=self.assessment.points_at, keys=keys)
        made: list[tuple[str, OfBlock, Sequence[Histogram]]] = [
            ("score_histograms", partial(distributing.entries, keys=keys), self.assessment.state.histograms),
            ("threshold_sweep", sweep, whole),
        ]
        return {
            name: [made for one in of for made in one.distributed_rows(rows, TABLES[name].arrow_schema)]
            for name, rows, of in made
        }

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

    def _named(self, name: str, parts: Parts, keys: Mapping[str, object]) -> pa.Table:
        rows = table_of(name, parts, keys)
        unlisted = [a.name for a in self.assessment.attributes if not self.disclosure.lists(a.name)]
        if unlisted and "attribute" in rows.column_names:
            rows = rows.filter(pc.invert(pc.is_in(rows["attribute"], value_set=pa.array(unlisted))))
        return with_unnamed_groups(rows, self.unnamed, TABLES[name])

    # --- what is known

    def _is_full(self, attribute: Attribute) -> bool:
        """Whether an attribute has the whole grid; what tasks make is shown whole or not at all."""
        here = attribute.histogram.cutoffs_here or not self.disclosure.minimum
        return bool(here) and self.assessment.is_full(attribute)

    def _known_at_grid(self, attribute: Attribute) -> NDArray[np.bool_]:
        """At which cutoffs each group is shown, `[groups, cutoffs]`."""
        return self.disclosure.at(attribute.name, range(len(self.assessment.grid)), len(attribute.groups))

    def _known(self, judged: Judged) -> NDArray[np.bool_]:
        """Which groups are shown at an operating point with their exact counts; those without a row always are."""
        k = judged.chosen.cutoff_index
        if k is None:
            return np.ones(len(judged.groups), dtype=bool)
        parts = [self.disclosure.at(name, [k], size)[:, 0] for name, size in judged.sizes]
        return np.concatenate(parts) | ~judged.present

    # --- the tables

    def _refused_counts(self) -> Parts:
        return [tally_rows(self.disclosure.tallies(self.assessment.state.tallies))]

    def _score_histograms(self) -> Parts:
        histograms = sorted(self.assessment.state.histograms, key=lambda h: attribute_name(h.attributes))
        return [entry_rows(histogram.here()) for histogram in histograms]

    def _cells(self) -> Parts:
        return [cell_rows(histogram) for histogram in self.assessment.state.histograms]

    def _threshold_sweep(self) -> Parts:
        everywhere, chosen = range(len(self.assessment.grid)), sorted(self.assessment.points_at)
        # As the table is sorted, so that nothing has to be sorted again.
        attributes = sorted(self.assessment.attributes, key=lambda attribute: attribute.name)
        return [
            part
            for a in attributes
            for part in (self._sweep(a.swept_here(), everywhere) if self._is_full(a) else self._sweep(a, chosen))
        ]

    def _sweep_at(self, cutoff_index: int) -> Parts:
        """Rows of `threshold_sweep` for every group at one cutoff, also where the published sweep is thinner."""
        return [part for a in self.assessment.attributes for part in self._sweep(a, [cutoff_index], keep=True)]

    def _sweep(self, attribute: Attribute, indices: Sequence[int], *, keep: bool = False) -> Parts:
        """The rows that are shown; of operating points also the others, and with `keep` of any cutoff."""
        points = self.assessment.points_at
        swept = Swept(attribute.name, attribute.groups, indices, self.assessment.grid.values, points)
        rows, precision = attribute.rows_at(indices), attribute.precision_at(indices)
        weighted = None if attribute.units.weight_kind is None else attribute.counts_at(indices)
        if not self.disclosure.minimum:
            return swept.parts(rows, weighted, precision)
        absent = rows.n + rows.unscored_events + rows.unscored_non_events == 0
        known = self.disclosure.at(attribute.name, indices, len(attribute.groups)) | absent
        at_points = np.array([k in points for k in indices], dtype=bool)
        chosen = np.flatnonzero(known | at_points[np.newaxis, :] | keep)
        unscored = self.disclosure.tells_unscored(attribute.name)
        of_absent, of_suppressed = absent.reshape(-1)[chosen], ~known.reshape(-1)[chosen]

        def finish(columns: Columns, part: slice) -> Columns:
            told = columns if unscored else without_unscored(columns, of_absent[part])
            return suppressed(told, of_suppressed[part])

        return swept.parts(rows, weighted, precision, chosen, finish=finish)

    def _group_metrics(self) -> Parts:
        return [part for judged in self.assessment.judged for part in self._metrics(judged)]

    def _metrics_at(self, cutoff_index: int) -> Parts:
        """Rows of `group_metrics` for every group at one cutoff: exploration, so without verdicts."""
        return self._metrics(self.assessment.judged_at(cutoff_index), with_verdict=False)

    def _metrics(self, judged: Judged, *, with_verdict: bool = True) -> Parts:
        known = self._known(judged)
        unscored = np.array([self.disclosure.tells_unscored(name) for name in judged.attributes], dtype=bool)
        kept = self.disclosure.kept(judged.chosen.name, len(judged.groups))
        parts = []
        for metric, rows in zip(METRICS, judged.rows_of(known, with_verdict=with_verdict), strict=True):
            shown = known & unscored if metric is GBE_INCLUDING_UNSCORED else known
            part = suppressed(rows, ~shown)
            if metric is GBE:
                part = with_kept(part, ~known, kept, judged.verdicts if with_verdict else None)
            parts.append(part)
        return parts

    def _disparities(self) -> Parts:
        names, groups, _ = self.assessment.names
        references = {a.name: a.reference for a in self.assessment.attributes if a.reference is not None}
        parts: Parts = []
        for judged in self.assessment.judged:
            if judged.chosen.cutoff_index is None:
                continue
            known = self._known(judged)
            members = Members(names, groups, references, known)
            for metric in METRICS:
                pairs = compared(judged.chosen.name, metric, members, judged.counts, judged.precision)
                parts += [suppressed(rows, ~(known[one] & known[other])) for rows, (one, other) in pairs]
        return parts

    def _operating_points(self) -> Parts:
        assessment = self.assessment
        which = np.array([not self._known(judged)[0] for judged in assessment.judged], dtype=bool)
        limits = [assessment.cutoff_limits(chosen) for chosen in assessment.chosen]
        return [points_suppressed(point_rows(assessment.chosen, limits), which)]

    def _ranking(self) -> Parts:
        ranker, parts = self.assessment.ranker, []
        for attribute in self._ranked:
            known, first = self._known_at_grid(attribute), 0
            for rows in ranker.ranking(attribute):
                last = first + len(rows["status"])
                parts.append(ranks_suppressed(rows, known[first:last], ranker.sensitivities))
                first = last
        return parts

    def _reliability(self) -> Parts:
        ranker = self.assessment.ranker
        return [part for a in self._ranked for part in ranker.reliability(a, self._known_at_grid(a))]

    @cached_property
    def _ranked(self) -> list[Attribute]:
        """The attributes whose groups are ranked: tasks rank none."""
        return [a for a in self.assessment.attributes if self._is_full(a) and a.histogram.cutoffs_here]

    def _subgroups(self) -> Parts:
        if self.assessment.spec.discover is None:
            return []
        from fairsweep.auditing.subgroup_rows import searched, subgroup_rows

        parts = []
        for point, found in searched(self.assessment):
            shown = [one for one in found if is_safe_subgroup(one.counts, self.disclosure.minimum)]
            if shown:
                rows = subgroup_rows(point, shown)
                parts.append(subgroups_suppressed(rows) if self.disclosure.minimum else rows)
        return parts
