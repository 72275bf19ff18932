"""Rows of `threshold_sweep` and `group_metrics`: metrics, intervals and verdicts of groups, as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference import intervals, verdicts
from fairsweep.core.inference.precision import INDEPENDENT, Precision
from fairsweep.core.inference.weights import MILLION
from fairsweep.core.metrics import DEFINED, EMPTY, GBE, Metric, metric_values
from fairsweep.cores import available_cores
from fairsweep.tables.tabulating import Columns, Parts, nullable, repeated

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fairsweep.core.counts import IntArray
    from fairsweep.core.inference.precision import Paired

Finish = Callable[[Columns, slice], Columns]
# Arrays of that many doubles stay in the processor's cache.
_BLOCK_ROWS = 1 << 15


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
        chosen: IntArray | None = None,
        *,
        finish: Finish | None = None,
        with_intervals: bool = True,
    ) -> Parts:
        """The rows of every group at every cutoff, or of some of them, in blocks that several threads make.

        Args:
            rows: counts of rows, `[groups, len(indices)]`.
            weighted: weights in millionths, from which metrics are computed; None if metrics are of the rows.
            precision: the effective sample size of the counts.
            chosen: indices of groups and cutoffs in the flattened counts; None for all.
            finish: applied to each block, with the indices of its rows among the chosen ones.
            with_intervals: whether group benefit equality has its interval.
        """
        kept = np.arange(rows.tp.size) if chosen is None else chosen
        names = self._names

        def block(first: int) -> Columns:
            part = slice(first, first + _BLOCK_ROWS)
            at = np.divmod(kept[part], max(len(self.indices), 1))
            counts = rows[at]
            of_metrics = counts if weighted is None else weighted[at]
            worth = precision[at].paired(GBE, of_metrics) if with_intervals else None
            columns = self._columns(names, at, counts, of_metrics, worth)
            if weighted is not None:
                columns |= {f"weighted_{n}": getattr(of_metrics, n) / MILLION for n in ("tp", "fp", "fn", "tn")}
            finished = columns if finish is None else finish(columns, part)
            return {name: nullable(values) for name, values in finished.items()}

        starts = range(0, len(kept), _BLOCK_ROWS)
        if len(starts) < 2:
            return [block(0)]
        with ThreadPoolExecutor(available_cores(), thread_name_prefix="fairsweep-rows") as pool:
            return list(pool.map(block, starts))

    @property
    def _names(self) -> tuple[pa.Array, pa.Array]:
        """The groups, and the operating points at each cutoff."""
        import pyarrow as pa

        points = [self.points.get(k, []) for k in self.indices]
        return pa.array(self.groups, pa.string()), pa.array(points, type=pa.list_(pa.string()))

    def _columns(
        self,
        names: tuple[pa.Array, pa.Array],
        at: tuple[IntArray, IntArray],
        rows: ConfusionCounts,
        counts: ConfusionCounts,
        worth: Paired | None,
    ) -> Columns:
        import pyarrow as pa

        (groups, points), (group, place) = names, at
        limits = (None, None) if worth is None else intervals.bonett_price(*worth)
        indices = np.array(self.indices, dtype=np.int32)[place]
        return {
            "attribute": repeated(self.attribute, len(group)),
            "group_value": groups.take(pa.array(group)),
            "cutoff_index": indices,
            "cutoff": self.cutoffs[indices],
            "n": rows.n,
            **{field.name: getattr(rows, field.name) for field in fields(ConfusionCounts)},
            **metric_values(counts),
            "gbe_ci_low": limits[0],
            "gbe_ci_high": limits[1],
            "status": pa.DictionaryArray.from_arrays((rows.n > 0).astype(np.int32), [EMPTY, DEFINED]),
            "operating_points": points.take(pa.array(place)),
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
