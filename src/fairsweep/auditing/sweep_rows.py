"""Rows of `threshold_sweep` and `group_metrics`: metrics, intervals and verdicts of groups, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.groups import attribute_name
from fairsweep.core.histogram import ScoreHistogram
from fairsweep.core.inference import intervals, verdicts
from fairsweep.core.inference.precision import INDEPENDENT, Precision
from fairsweep.core.inference.weights import MILLION
from fairsweep.core.metrics import DEFINED, EMPTY, GBE, GBE_INCLUDING_UNSCORED, SUPPRESSED, Metric, metric_values
from fairsweep.cores import available_cores
from fairsweep.tables.tabulating import Columns, Parts, nullable, repeated

if TYPE_CHECKING:
    from numpy.typing import NDArray


def entry_rows(histogram: ScoreHistogram, first_cell: int = 0) -> Columns:
    """Rows of `score_histograms`.

    Args:
        histogram: of a grouping set, or of a block of it.
        first_cell: the index of its first cell in the set.
    """
    size = len(histogram.cell)
    return {
        "grouping_set": repeated(attribute_name(histogram.attributes), size),
        "grid_id": repeated(histogram.grid.id, size),
        "cell_id": histogram.cell + np.int32(first_cell),
        "bucket": histogram.bucket,
        "events": histogram.events,
        "non_events": histogram.non_events,
        **histogram.measures,
    }


# Arrays of that many doubles stay in the processor's cache.
_BLOCK_ROWS = 1 << 15

_KEPT = {
    "attribute", "group_value", "cutoff_index", "cutoff", "operating_points", "operating_point", "metric", "comparator",
    "compared_group",
}  # fmt: skip
"""The columns that identify a row; suppressed rows keep them."""


def hidden(columns: Columns, hide: NDArray[np.bool_]) -> Columns:
    """The columns with nothing but keys, and the status `suppressed`, where something may not be shown."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not hide.any():
        return columns
    found: Columns = {}
    for name, values in columns.items():
        if name in _KEPT or values is None:
            found[name] = values
            continue
        if name == "status" and isinstance(values, pa.Array):
            found[name] = pc.if_else(pa.array(hide), SUPPRESSED, values.cast(pa.string())).dictionary_encode()
            continue
        column = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
        if column.dtype.kind in "ib":
            # Nothing else is done with whole numbers than to store them; as objects they would take ten times the room.
            found[name] = pa.array(column, mask=hide)
            continue
        column = column.copy()
        column[hide] = np.nan if column.dtype == np.float64 else SUPPRESSED if name == "status" else None
        found[name] = column
    return found


@dataclass(frozen=True)
class Swept:
    """Some groups of an attribute at some cutoffs, as rows of `threshold_sweep`.

    Attributes:
        attribute: its name.
        groups: the groups.
        indices: indices of the cutoffs on the grid.
        cutoffs: the values of the whole grid.
        points: for an index, the operating points with this cutoff.
    """

    attribute: str
    groups: Sequence[str]
    indices: Sequence[int]
    cutoffs: NDArray[np.float64]
    points: Mapping[int, list[str]]

    def parts(
        self,
        rows: ConfusionCounts,
        weighted: ConfusionCounts | None = None,
        precision: Precision = INDEPENDENT,
        shown: NDArray[np.bool_] | None = None,
        *,
        keep: bool = False,
        unscored: bool = True,
        with_intervals: bool = True,
    ) -> Parts:
        """The rows that are shown; at operating points also suppressed rows, without figures.

        They come in blocks of whole groups, made by several threads: a block stays in the processor's cache.

        Args:
            rows: counts of rows, `[groups, len(indices)]`.
            weighted: weights in millionths, from which metrics are computed; None if metrics are of the rows.
            precision: the effective sample size of the counts.
            shown: which entries may be shown; None for all. Groups without a row always are.
            keep: whether suppressed rows are kept without figures at every cutoff.
            unscored: whether counts of people without a score may be shown.
            with_intervals: whether group benefit equality has its interval.
        """
        size = max(1, _BLOCK_ROWS // max(len(self.indices), 1))

        def block(first: int) -> Columns:
            mine = slice(first, first + size)
            columns = replace(self, groups=self.groups[mine])._rows(
                rows[mine],
                None if weighted is None else weighted[mine],
                precision[mine] if with_intervals else None,
                None if shown is None else shown[mine],
                keep=keep,
                unscored=unscored,
            )
            return {name: nullable(values) for name, values in columns.items()}

        starts = range(0, len(self.groups), size)
        if len(starts) < 2:
            return [block(0)]
        with ThreadPoolExecutor(available_cores(), thread_name_prefix="fairsweep-rows") as pool:
            return list(pool.map(block, starts))

    def _rows(
        self,
        rows: ConfusionCounts,
        weighted: ConfusionCounts | None,
        worth: Precision | None,
        shown: NDArray[np.bool_] | None,
        *,
        keep: bool,
        unscored: bool,
    ) -> Columns:
        if shown is None:
            return self._columns(rows, weighted, worth, np.arange(rows.tp.size))
        absent = rows.n + rows.unscored_events + rows.unscored_non_events == 0
        visible = shown | absent
        at_points = np.array([k in self.points for k in self.indices], dtype=bool)
        kept = np.flatnonzero(visible | at_points[np.newaxis, :] | keep)
        columns = self._columns(rows, weighted, worth, kept)
        if not unscored:
            nothing = [0 if none else None for none in absent.reshape(-1)[kept]]
            columns |= {"unscored_events": nothing, "unscored_non_events": nothing}
            columns[GBE_INCLUDING_UNSCORED.name] = np.full(len(kept), np.nan)
        return hidden(columns, ~visible.reshape(-1)[kept])

    def _columns(
        self,
        rows: ConfusionCounts,
        weighted: ConfusionCounts | None,
        precision: Precision | None,
        kept: NDArray[np.int64],
    ) -> Columns:
        import pyarrow as pa

        group, place = np.divmod(kept, max(len(self.indices), 1))
        every = len(kept) == rows.tp.size
        told = rows.reshape(-1) if every else rows[group, place]
        counts = told if weighted is None else weighted[group, place]
        worth = None if precision is None else precision[group, place].paired(GBE, counts)
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
    """A metric of some groups, with its interval if it has one.

    Args:
        metric: the metric.
        counts: the counts from which it is computed.
        precision: the effective sample size of the counts.
        rows: if `counts` are weights, the numbers of rows.
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
    """The further columns of the row of group benefit equality; `balance` is False if there is no cutoff."""
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
