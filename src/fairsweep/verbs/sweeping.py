"""Rows of `threshold_sweep` and `group_metrics`: metrics, intervals and verdicts of groups, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairsweep.core import intervals, verdicts
from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.histogram import ScoreHistogram
from fairsweep.core.metrics import DEFINED, EMPTY, METRICS, Metric
from fairsweep.groups import attribute_name
from fairsweep.verbs.tabulating import Columns


def entry_rows(histogram: ScoreHistogram, first_cell: int = 0) -> Columns:
    """Rows of `score_histograms`.

    Args:
        histogram: of a grouping set, or of a block of it.
        first_cell: the place of its first cell in the set.
    """
    size = len(histogram.cell)
    return {
        "grouping_set": [attribute_name(histogram.attributes)] * size,
        "grid_id": [histogram.grid.id] * size,
        "cell_id": histogram.cell + np.int32(first_cell),
        "bucket": histogram.bucket,
        "events": histogram.events,
        "non_events": histogram.non_events,
    }


def sweep_rows(
    attribute: str,
    groups: Sequence[str],
    counts: ConfusionCounts,
    indices: Sequence[int],
    cutoffs: np.ndarray[Any, np.dtype[np.float64]],
    points: Mapping[int, list[str]],
) -> Columns:
    """Rows of `threshold_sweep`: some groups of an attribute at some cutoffs.

    Args:
        attribute: its name.
        groups: the groups that the counts are of.
        counts: shape `[groups, len(indices)]`.
        indices: places of the cutoffs on the grid.
        cutoffs: the values of the whole grid.
        points: for a place, the operating points that have it.
    """
    import pyarrow as pa

    size = len(groups)
    flat = counts.reshape(-1)
    low, high = intervals.bonett_price(flat.tp, flat.fp, flat.fn)
    named = pa.array([points.get(k, []) for k in indices], type=pa.list_(pa.string()))
    return {
        "attribute": [attribute] * (size * len(indices)),
        "group_value": pa.array(groups, pa.string()).take(pa.array(np.repeat(np.arange(size), len(indices)))),
        "cutoff_index": np.tile(np.array(indices, dtype=np.int32), size),
        "cutoff": np.tile(cutoffs[list(indices)], size),
        "n": flat.n,
        **{name: getattr(flat, name) for name in ("tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")},
        **{metric.name: metric.evaluate(flat)[0] for metric in METRICS},
        "gbe_ci_low": low,
        "gbe_ci_high": high,
        "status": np.where(flat.n > 0, DEFINED, EMPTY).astype(object),
        "operating_points": named.take(pa.array(np.tile(np.arange(len(indices)), size))),
    }


def metric_columns(metric: Metric, counts: ConfusionCounts) -> Columns:
    """A metric of some groups, with its interval where it has one."""
    value, status = metric.evaluate(counts)
    numerator, denominator = metric.numerator.of(counts), metric.denominator.of(counts)
    columns: Columns = {"numerator": numerator, "denominator": denominator, "value": value, "status": status}
    if metric.interval == "proportion":
        limits = intervals.wilson(numerator, denominator)
    elif metric.interval == "paired_ratio":
        limits = intervals.bonett_price(counts.tp, numerator - counts.tp, denominator - counts.tp)
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
    columns["alpha"] = [rule.alpha] * size
    columns["flag_balance"] = judged.flag_balance if balance else None
    return columns
