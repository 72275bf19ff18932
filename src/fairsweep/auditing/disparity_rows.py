"""Rows of `disparities`: each group against a reference, the rest and the population, and worst pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.disparities import Comparison, compare, worst_pair
from fairsweep.core.groups import ALL, OVERALL
from fairsweep.core.inference.precision import Evidence, evidence
from fairsweep.tables.tabulating import coded, repeated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.core.counts import IntArray
    from fairsweep.core.inference.precision import Precision
    from fairsweep.core.metrics import Metric
    from fairsweep.tables.tabulating import Columns

THE_REST = "the rest"
_FIGURES = (
    "ratio",
    "ratio_ci_low",
    "ratio_ci_high",
    "difference",
    "difference_ci_low",
    "difference_ci_high",
    "status",
)


@dataclass(frozen=True)
class Members:
    """The attribute and group of each entry of the counts; the first entry is the overall population.

    Attributes:
        attributes: the attribute of each entry.
        groups: the group of each entry.
        references: the reference of an attribute, if it has one.
        known: whether the counts of each entry are known.
    """

    attributes: Sequence[str]
    groups: Sequence[str]
    references: Mapping[str, str]
    known: NDArray[np.bool_]

    @cached_property
    def places(self) -> IntArray:
        """The entries that are groups."""
        found = [i for i, attribute in enumerate(self.attributes) if attribute != OVERALL]
        return np.array(found, dtype=np.int64)

    @cached_property
    def of_attribute(self) -> dict[str, IntArray]:
        """The entries of each attribute."""
        found: dict[str, list[int]] = {}
        for i in self.places.tolist():
            found.setdefault(self.attributes[i], []).append(i)
        return {attribute: np.array(places, dtype=np.int64) for attribute, places in found.items()}

    @cached_property
    def with_reference(self) -> tuple[IntArray, IntArray]:
        """Each group, and the reference of its attribute."""
        first, second = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for attribute, places in self.of_attribute.items():
            reference = self.references.get(attribute)
            standard = [i for i in places.tolist() if self.groups[i] == reference] if reference is not None else []
            if standard:
                first.append(places[places != standard[0]])
                second.append(np.full(len(places) - 1, standard[0], dtype=np.int64))
        return np.concatenate(first), np.concatenate(second)

    @cached_property
    def coded(self) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
        """Attributes and groups, as columns to take rows of."""
        return coded(self.attributes), coded(self.groups)


def compared(
    operating_point: str, metric: Metric, members: Members, counts: ConfusionCounts, precision: Precision
) -> list[tuple[Columns, IntArray]]:
    """One metric at one operating point, with every comparator.

    Each part comes with the two entries whose counts its rows rest on, `[2, rows]`; the rest is everybody without the
    group, so that it rests on everybody's.

    Args:
        operating_point: its name.
        metric: the metric that is compared.
        members: the attribute and group of each entry.
        counts: shape `[entries]`.
        precision: the effective sample size of the counts.
    """
    places = members.places
    everybody = ConfusionCounts(*(np.broadcast_to(a[0], (len(places),)) for a in counts.arrays))
    groups, of_groups = counts[places], evidence(metric, counts[places], precision[places])
    rest = everybody - groups
    of_rest = evidence(metric, rest, precision[np.zeros(len(places), dtype=np.int64)] - precision[places])
    with_everybody = np.stack([places, np.zeros(len(places), dtype=np.int64)])
    the_rest = repeated(THE_REST, len(places))
    independent = [_Pairs("rest", places, the_rest, groups, rest, of_groups, of_rest, with_everybody)]
    pairs = (("reference", members.with_reference), ("worst_pair", _worst(metric, members, counts)))
    for comparator, (first, second) in pairs:
        independent.append(
            _Pairs(
                comparator, first, members.coded[1].take(pa.array(second)), counts[first], counts[second],
                evidence(metric, counts[first], precision[first]), evidence(metric, counts[second], precision[second]),
                np.stack([first, second]),
            )
        )  # fmt: skip
    # All at once, because the limits of one ratio take nearly as long as those of a thousand.
    figures = compare(
        metric,
        _joined([p.group for p in independent]),
        _joined([p.other for p in independent]),
        (_side([p.of_group for p in independent]), _side([p.of_other for p in independent])),
        np.concatenate([members.known[p.entries].all(axis=0) for p in independent]),
    )
    same = {"operating_point": operating_point, "metric": metric.name}
    parts, start = [], 0
    for one in independent:
        stop = start + len(one.places)
        mine = Comparison(*(getattr(figures, field.name)[start:stop] for field in fields(Comparison)))
        parts.append((_rows(members, one.places, one.comparator, one.compared_groups, mine, same), one.entries))
        start = stop
    overall = compare(metric, groups, everybody, None)
    rows = _rows(members, places, "overall", repeated(ALL, len(places)), overall, same)
    parts.insert(1, (rows, with_everybody))
    return parts


def _worst(metric: Metric, members: Members, counts: ConfusionCounts) -> tuple[IntArray, IntArray]:
    """The worst pair of each attribute among the groups whose counts are known."""
    worst = []
    for every in members.of_attribute.values():
        places = every[members.known[every]]
        pair = worst_pair(metric, [members.groups[i] for i in places.tolist()], counts[places])
        worst += [(places[pair[0]], places[pair[1]])] if pair is not None else []
    lowest, highest = np.array(worst, dtype=np.int64).reshape(-1, 2).T
    return lowest, highest


class _Pairs(NamedTuple):
    """Groups and the disjoint groups that they are compared with."""

    comparator: str
    places: IntArray
    compared_groups: pa.DictionaryArray
    group: ConfusionCounts
    other: ConfusionCounts
    of_group: Evidence
    of_other: Evidence
    entries: IntArray


def _side(several: Sequence[Evidence]) -> Evidence:
    return tuple(np.concatenate(arrays) for arrays in zip(*several, strict=True))


def _joined(several: Sequence[ConfusionCounts]) -> ConfusionCounts:
    return ConfusionCounts(*(np.concatenate(a) for a in zip(*(counts.arrays for counts in several), strict=True)))


def _rows(
    members: Members,
    places: IntArray,
    comparator: str,
    compared_groups: pa.DictionaryArray,
    figures: Comparison,
    same: Mapping[str, str],
) -> Columns:
    return {
        **{name: c.take(pa.array(places)) for name, c in zip(("attribute", "group_value"), members.coded, strict=True)},
        "comparator": repeated(comparator, len(places)),
        "compared_group": compared_groups,
        **{name: getattr(figures, name) for name in _FIGURES},
        **{name: repeated(value, len(places)) for name, value in same.items()},
    }
