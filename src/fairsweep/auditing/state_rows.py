"""Rows that say what the scan kept: `score_histograms`, `cells` and `refused_counts`.

Workers have no more than Spark's own packages: only the standard library, numpy and pyarrow may be imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.groups import attribute_name
from fairsweep.tables.tabulating import Columns, repeated

if TYPE_CHECKING:
    from fairsweep.core.histogram import ScoreHistogram
    from fairsweep.engines.protocol import Histogram, Tally


def entry_rows(histogram: ScoreHistogram, first_cell: int = 0) -> Columns:
    """Rows of `score_histograms`.

    Args:
        histogram: of a grouping set, or of a block of it.
        first_cell: the place of its first cell in the set.
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


def cell_rows(histogram: Histogram) -> Columns:
    """Rows of `cells`, of a grouping set."""
    return {
        "grouping_set": repeated(attribute_name(histogram.attributes), len(histogram.cells)),
        "cell_id": np.arange(len(histogram.cells), dtype=np.int32),
        "attributes": [list(histogram.attributes)] * len(histogram.cells),
        "group_values": list(map(list, histogram.cells)),
    }


def tally_rows(tallies: Sequence[Tally]) -> Columns:
    """Rows of `refused_counts`."""
    names = ("attribute", "group_value", "reason", "label", "n")
    return {name: [getattr(tally, name) for tally in tallies] for name in names}
