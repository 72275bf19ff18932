"""Reported attributes: everybody, single attributes and intersections, with their groups and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fairsweep.core.counts import ConfusionCounts, IntArray
from fairsweep.core.groups import ALL, attribute_name, group_name
from fairsweep.core.histogram import Cell
from fairsweep.core.inference import clusters, weights
from fairsweep.core.inference.clusters import ClusterSums
from fairsweep.core.inference.precision import INDEPENDENT, Clustered, Precision, Weighted
from fairsweep.core.inference.weights import WeightSums
from fairsweep.engines.protocol import Histogram


@dataclass(frozen=True)
class Units:
    """What the rows of an audit are.

    Attributes:
        weight_kind: what their weights mean; None where they weigh the same.
        repeated: whether some member has several of them.
    """

    weight_kind: weights.WeightKind | None = None
    repeated: bool = False


PEOPLE = Units()


@dataclass(frozen=True, eq=False)
class Attribute:
    """One reported attribute: the names of its groups, sorted, and its histogram, whose cells are those groups.

    Attributes:
        name: `overall`, a single attribute, or an intersection.
        groups: group names; declared values that no row has come last in no cell, with counts of zero.
        histogram: of the present groups, in the order of `present`.
        present: which of `groups` the cells of the histogram are.
        reference: the group that others are compared with.
        single: whether it is one attribute rather than everybody or an intersection.
        units: what the rows are.
    """

    name: str
    groups: tuple[str, ...]
    histogram: Histogram
    present: np.ndarray[Any, np.dtype[np.int64]]
    reference: str | None
    single: bool
    units: Units = PEOPLE

    def swept_here(self) -> Attribute:
        """The same without the groups that tasks sweep: at every cutoff, this process has the counts of the others."""
        if self.histogram.cutoffs_here:
            return self
        absent = tuple(np.delete(np.array(self.groups, dtype=object), self.present))
        return replace(self, groups=absent, histogram=self.histogram.here(), present=np.zeros(0, dtype=np.int64))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The values that each group has of the attributes that make it up."""
        found: list[Cell] = [(group,) for group in self.groups]
        for place, cell in zip(self.present, self.histogram.cells, strict=True):
            found[place] = cell
        return tuple(found) if self.histogram.attributes else ((),) * len(self.groups)

    def rows_at(self, indices: Sequence[int]) -> ConfusionCounts:
        """Rows of all groups at some cutoffs, `[groups, len(indices)]`."""
        return self._counts(self.histogram, indices)

    def counts_at(self, indices: Sequence[int]) -> ConfusionCounts:
        """What metrics are made of: rows, or their weights in millionths; `[groups, len(indices)]`."""
        if self.units.weight_kind is None:
            return self.rows_at(indices)
        return self._counts(self.histogram.whole().weighted(), indices)

    def precision_at(self, indices: Sequence[int]) -> Precision:
        """How much the counts at some cutoffs say, `[groups, len(indices)]`."""
        rising = sorted(set(indices))
        chosen = np.searchsorted(rising, indices)
        if self.units.weight_kind is not None:
            sums = WeightSums.of(self._between(weights.MEASURES, rising))
            return Weighted(sums, self.units.weight_kind)[:, chosen]
        if self.units.repeated:
            return Clustered(ClusterSums.of(self._between(clusters.MEASURES, rising)))[:, chosen]
        return INDEPENDENT

    def dense(self, name: str) -> IntArray:
        """A measure of all groups by bucket, `[groups, buckets]`, without the unscored."""
        return self._spread(self.histogram.whole().dense(name))

    def between(self, name: str, indices: Sequence[int]) -> IntArray:
        """A measure of all groups between some rising cutoffs, `[groups, cutoffs + 1]`, without the unscored."""
        if len(indices) == len(self.histogram.grid):
            return self.dense(name)
        return self._spread(self.histogram.whole().between(name, indices))

    def _between(self, names: Sequence[str], indices: Sequence[int]) -> dict[str, IntArray]:
        return {name: self.between(name, indices) for name in names}

    def _counts(self, histogram: Histogram, indices: Sequence[int]) -> ConfusionCounts:
        counts = histogram.counts_at(indices)
        return ConfusionCounts(*(self._spread(array) for array in counts.arrays))

    @cached_property
    def _all_present(self) -> bool:
        """Whether the groups are those of the histogram, in its order."""
        return bool(np.array_equal(self.present, np.arange(len(self.groups))))

    def _spread(self, array: IntArray) -> IntArray:
        """An array of the present groups as one of all groups: the absent ones have zeros."""
        if self._all_present:
            return array
        whole = np.zeros((len(self.groups), array.shape[1]), dtype=np.int64)
        whole[self.present] = array
        return whole


def summed(histograms: Sequence[Histogram], attributes: tuple[str, ...]) -> Histogram:
    """The histogram of some attributes, from the nearest of several that has them all.

    Raises:
        ValueError: where none has.
    """
    finer = [histogram for histogram in histograms if set(attributes) <= set(histogram.attributes)]
    if not finer:
        raise ValueError(f"no histogram has {attributes}")
    return min(finer, key=lambda one: (one.jobs, len(one.attributes))).by(attributes)


def attribute_of(
    attributes: tuple[str, ...],
    histograms: Sequence[Histogram],
    *,
    declared: tuple[str, ...],
    reference: str | None,
    units: Units = PEOPLE,
) -> Attribute:
    """The groups of some attributes, out of the finer histograms of the scan.

    Args:
        attributes: none for everybody, one, or those of an intersection.
        histograms: what the scan kept.
        declared: groups that are listed even when no row has them.
        reference: the group that others are compared with.
        units: what the rows are.
    """
    histogram = summed(histograms, attributes)
    present = [group_name(cell) for cell in histogram.cells]
    if not attributes and not present:
        present, declared = [], (ALL,)
    groups = tuple(sorted({*present, *declared}))
    place = {group: i for i, group in enumerate(groups)}
    return Attribute(
        name=attribute_name(attributes),
        groups=groups,
        histogram=histogram,
        present=np.array([place[group] for group in present], dtype=np.int64),
        reference=reference,
        single=len(attributes) == 1,
        units=units,
    )


def stacked(counts: Sequence[ConfusionCounts]) -> ConfusionCounts:
    """Counts of several attributes below one another."""
    return ConfusionCounts(*map(np.concatenate, zip(*(one.arrays for one in counts), strict=True)))


def joined(parts: Sequence[Precision]) -> Precision:
    """The precision of several attributes' groups below one another; all are of one kind."""
    clustered = [part.sums for part in parts if isinstance(part, Clustered)]
    if clustered:
        return Clustered(ClusterSums(*map(np.concatenate, zip(*(sums.arrays for sums in clustered), strict=True))))
    weighted = [part for part in parts if isinstance(part, Weighted)]
    if weighted:
        sums = WeightSums(stacked([w.sums.weights for w in weighted]), stacked([w.sums.squares for w in weighted]))
        return Weighted(sums, weighted[0].kind)
    return INDEPENDENT
