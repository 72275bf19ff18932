"""Rows of `threshold_sweep` and `group_metrics`: metrics, intervals and verdicts of groups, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference import intervals, verdicts
from fairsweep.core.inference.precision import INDEPENDENT, Precision
from fairsweep.core.inference.weights import MILLION
from fairsweep.core.metrics import DEFINED, EMPTY, GBE, Metric, metric_values
from fairsweep.tables.tabulating import Columns, repeated

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Swept:
    """Some groups of an attribute at some cutoffs, as rows of `threshold_sweep`.

    Attributes:
        attribute: its name.
        groups: the groups.
        indices: places of the cutoffs on the grid.
        cutoffs: the values of the whole grid.
        points: for a place, the operating points that have it.
    """

    attribute: str
    groups: Sequence[str]
    indices: Sequence[int]
    cutoffs: NDArray[np.float64]
    points: Mapping[int, list[str]]

    def rows(
        self,
        rows: ConfusionCounts,
        weighted: ConfusionCounts | None = None,
        precision: Precision = INDEPENDENT,
        chosen: NDArray[np.int64] | None = None,
        *,
        with_intervals: bool = True,
    ) -> Columns:
        """The rows of every group at every cutoff, or of some of them.

        Args:
            rows: counts of rows, `[groups, len(indices)]`.
            weighted: weights in millionths, of which the metrics are; None where these are of the rows.
            precision: how much the counts say.
            chosen: indices of groups and cutoffs in the flattened counts; None for all.
            with_intervals: whether group benefit equality has its interval.
        """
        import pyarrow as pa

        kept = np.arange(rows.tp.size) if chosen is None else chosen
        group, place = np.divmod(kept, max(len(self.indices), 1))
        every = len(kept) == rows.tp.size
        told = rows.reshape(-1) if every else rows[group, place]
        counts = told if weighted is None else weighted[group, place]
        worth = precision[group, place].paired(GBE, counts) if with_intervals else None
        limits = (None, None) if worth is None else intervals.bonett_price(*worth)
        indices = np.array(self.indices, dtype=np.int32)
        named = pa.array([self.points.get(k, []) for k in self.indices], type=pa.list_(pa.string()))
        by_weight = ("tp", "fp", "fn", "tn") if weighted is not None else ()
        return {
            "attribute": repeated(self.attribute, len(kept)),
            "group_value": pa.array(self.groups, pa.string()).take(pa.array(group)),
            "cutoff_index": indices[place],
            "cutoff": self.cutoffs[indices[place]],
            "n": told.n,
            **{field.name: getattr(told, field.name) for field in fields(ConfusionCounts)},
            **metric_values(counts),
            "gbe_ci_low": limits[0],
            "gbe_ci_high": limits[1],
            "status": pa.DictionaryArray.from_arrays((told.n > 0).astype(np.int32), [EMPTY, DEFINED]),
            "operating_points": named.take(pa.array(place)),
            **{f"weighted_{name}": getattr(counts, name) / MILLION for name in by_weight},
        }


def metric_columns(
    metric: Metric, counts: ConfusionCounts, precision: Precision = INDEPENDENT, rows: ConfusionCounts | None = None
) -> Columns:
    """A metric of some groups, with its interval where it has one.

    Args:
        metric: which.
        counts: what it is made of.
        precision: how much these say.
        rows: where `counts` are weights, the rows that they are of.
    """
    value, status = metric.evaluate(counts)
    told = counts if rows is None else rows
    columns: Columns = {
        "numerator": metric.numerator.of(told),
        "denominator": metric.denominator.of(told),
        "value": value,
        "status": status,
    }
    if rows is not None:
        columns["weighted_numerator"] = metric.numerator.of(counts) / MILLION
        columns["weighted_denominator"] = metric.denominator.of(counts) / MILLION
    if metric.interval == "proportion":
        limits = intervals.wilson(*precision.proportion(metric, counts))
    elif metric.interval == "paired_ratio":
        limits = intervals.bonett_price(*precision.paired(metric, counts))
    else:
        return columns
    return columns | {"ci_low": limits[0], "ci_high": limits[1]}


def verdict_columns(judged: verdicts.Verdicts, rule: verdicts.Rule, *, balance: bool) -> Columns:
    """What the row of group benefit equality says besides; `balance` is False where there is no cutoff to flag at."""
    size = len(judged.verdict)
    columns: Columns = {
        name: getattr(judged, name)
        for name in (
            "judged_value", "verdict_basis", "p_below", "p_above", "p_adjusted", "family", "family_size", "below_floor",
            "above_ceiling", "verdict",
        )
    }  # fmt: skip
    columns["alpha"] = np.full(size, rule.alpha)
    columns["flag_balance"] = judged.flag_balance if balance else None
    return columns
