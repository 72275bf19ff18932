"""Reported attributes: everybody, single attributes and intersections, with their groups and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.histogram import ScoreHistogram
from fairsweep.engines.protocol import Histogram
from fairsweep.groups import ALL, attribute_name, group_name


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
    """

    name: str
    groups: tuple[str, ...]
    histogram: Histogram
    present: np.ndarray[Any, np.dtype[np.int64]]
    reference: str | None
    single: bool

    @property
    def absent(self) -> tuple[str, ...]:
        """The groups that no row has."""
        return tuple(np.delete(np.array(self.groups, dtype=object), self.present))

    def spread(self, counts: ConfusionCounts) -> ConfusionCounts:
        """Counts of the present groups as counts of all groups: the absent ones have zeros."""
        width = counts.shape[1]
        arrays = []
        for array in counts.arrays:
            whole = np.zeros((len(self.groups), width), dtype=np.int64)
            whole[self.present] = array
            arrays.append(whole)
        return ConfusionCounts(*arrays)


@overload
def summed(histograms: Sequence[ScoreHistogram], attributes: tuple[str, ...]) -> ScoreHistogram: ...


@overload
def summed(histograms: Sequence[Histogram], attributes: tuple[str, ...]) -> Histogram: ...


def summed(histograms: Sequence[Histogram], attributes: tuple[str, ...]) -> Histogram:
    """The histogram of some attributes, from the nearest of several that has them all.

    Raises:
        ValueError: where none has.
    """
    finer = [histogram for histogram in histograms if set(attributes) <= set(histogram.attributes)]
    if not finer:
        raise ValueError(f"no histogram has {attributes}")
    return min(finer, key=lambda one: (not isinstance(one, ScoreHistogram), len(one.attributes))).by(attributes)


def attribute_of(
    attributes: tuple[str, ...],
    histograms: Sequence[Histogram],
    *,
    declared: tuple[str, ...],
    reference: str | None,
) -> Attribute:
    """The groups of some attributes, out of the finer histograms of the scan.

    Args:
        attributes: none for everybody, one, or those of an intersection.
        histograms: what the scan kept.
        declared: groups that are listed even when no row has them.
        reference: the group that others are compared with.
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
    )
