"""Rows of `subgroups`: the findings of the search over combinations of attributes at each operating point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.auditing.reported import summed
from fairsweep.core.evidence import subgroups
from fairsweep.core.inference.intervals import bonett_price

if TYPE_CHECKING:
    from fairsweep.auditing.metric_rows import Judged
    from fairsweep.core.counts import ConfusionCounts
    from fairsweep.core.histogram import Cell
    from fairsweep.engines.protocol import Histogram
    from fairsweep.tables.tabulating import Columns, Parts

Sets = dict[tuple[str, ...], tuple[Sequence["Cell"], "ConfusionCounts"]]
# Values of suppressed groups are rounded to multiples of at least this.
ROUNDED_TO = 0.05


def searched(
    combinations: Sequence[tuple[str, ...]],
    minimum_events: int,
    histograms: Sequence[Histogram],
    judged: Sequence[Judged],
    minimum_cell_size: int,
) -> Parts:
    """Search every operating point.

    Args:
        combinations: all combinations of attributes that are searched.
        minimum_events: the fewest events of a subgroup that is searched.
        histograms: the histograms that the scan kept.
        judged: the overall population and the groups at each operating point.
        minimum_cell_size: above 0, no count of a subgroup is shown, and its values are rounded.
    """
    coarse = {names: summed(histograms, names) for names in combinations}
    parts = []
    for one in judged:
        k = one.chosen.cutoff_index
        if k is None:
            continue
        sets: Sets = {names: (h.cells, h.counts_at([k])[:, 0]) for names, h in coarse.items()}
        found = subgroups.search(sets, one.rows[0], one.rule, minimum_events=minimum_events)
        if minimum_cell_size:
            found = tuple(s for s in found if _margins_are_safe(s.counts, minimum_cell_size))
        if found:
            parts.append(_rows(one.chosen.name, found, hide=minimum_cell_size > 0))
    return parts


def _margins_are_safe(counts: ConfusionCounts, minimum: int) -> bool:
    margins = (counts.flagged, counts.events, counts.n - counts.flagged, counts.n - counts.events)
    return all(int(margin) >= minimum for margin in margins)


def _rows(operating_point: str, found: Sequence[subgroups.Subgroup], *, hide: bool) -> Columns:
    size = len(found)

    def count(values: Sequence[int]) -> list[int | None]:
        return [None if hide else int(value) for value in values]

    def value(values: Sequence[float]) -> list[float]:
        return [round(v / ROUNDED_TO) * ROUNDED_TO if hide else v for v in values]

    stacked = [np.array([int(getattr(s.counts, name)) for s in found]) for name in ("tp", "fp", "fn")]
    limits = bonett_price(stacked[0], stacked[1], stacked[2])
    gbe = [float(s.counts.flagged) / float(s.counts.events) for s in found]
    return {
        "operating_point": [operating_point] * size,
        "place": np.arange(1, size + 1, dtype=np.int32),
        "attributes": [list(s.attributes) for s in found],
        "group_values": [list(s.values) for s in found],
        "n": count([int(s.counts.n) for s in found]),
        "events": count([int(s.counts.events) for s in found]),
        "flagged": count([int(s.counts.flagged) for s in found]),
        "group_benefit_equality": value(gbe),
        "judged_value": value([s.value for s in found]),
        "gbe_ci_low": None if hide else limits[0],
        "gbe_ci_high": None if hide else limits[1],
        "shortfall": None if hide else [s.shortfall for s in found],
        "shortfall_low": None if hide else [s.shortfall_low for s in found],
        "p_adjusted": [_leading_digit(s.p_adjusted) if hide else s.p_adjusted for s in found],
        "searched": np.array([s.searched for s in found], dtype=np.int32),
        "rounded_to": [ROUNDED_TO if hide else None] * size,
    }


def _leading_digit(p: float) -> float:
    """A p-value rounded to one significant digit: more digits would disclose counts."""
    return float(f"{p:.0e}")
