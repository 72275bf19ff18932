"""Rows of `subgroups`: the findings of the search over combinations of attributes at each operating point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.auditing.reported import summed
from fairsweep.core.evidence import subgroups
from fairsweep.core.inference.intervals import bonett_price

if TYPE_CHECKING:
    from fairsweep.auditing.assessment import Assessment
    from fairsweep.core.counts import ConfusionCounts
    from fairsweep.core.histogram import Cell
    from fairsweep.tables.tabulating import Columns

Sets = dict[tuple[str, ...], tuple[Sequence["Cell"], "ConfusionCounts"]]


def searched(assessment: Assessment) -> Iterator[tuple[str, Sequence[subgroups.Subgroup]]]:
    """What a search finds at each operating point that has a cutoff, by its name."""
    spec = assessment.spec
    least = 0 if spec.discover is None else spec.discover.minimum_events
    coarse = {names: summed(assessment.state.histograms, names) for names in spec.searched}
    for one in assessment.judged:
        k = one.chosen.cutoff_index
        if k is None:
            continue
        sets: Sets = {names: (h.cells, h.counts_at([k])[:, 0]) for names, h in coarse.items()}
        yield one.chosen.name, subgroups.search(sets, one.rows[0], one.rule, minimum_events=least)


def subgroup_rows(operating_point: str, found: Sequence[subgroups.Subgroup]) -> Columns:
    """Rows of `subgroups` at one operating point; at least one."""
    size = len(found)
    stacked = [np.array([int(getattr(s.counts, name)) for s in found]) for name in ("tp", "fp", "fn")]
    limits = bonett_price(stacked[0], stacked[1], stacked[2])
    return {
        "operating_point": [operating_point] * size,
        "place": np.arange(1, size + 1, dtype=np.int32),
        "attributes": [list(s.attributes) for s in found],
        "group_values": [list(s.values) for s in found],
        "n": [int(s.counts.n) for s in found],
        "events": [int(s.counts.events) for s in found],
        "flagged": [int(s.counts.flagged) for s in found],
        "group_benefit_equality": [float(s.counts.flagged) / float(s.counts.events) for s in found],
        "judged_value": [s.value for s in found],
        "gbe_ci_low": limits[0],
        "gbe_ci_high": limits[1],
        "shortfall": [s.shortfall for s in found],
        "shortfall_low": [s.shortfall_low for s in found],
        "p_adjusted": [s.p_adjusted for s in found],
        "searched": np.array([s.searched for s in found], dtype=np.int32),
    }
