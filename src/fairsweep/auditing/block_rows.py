"""Rows that tasks make of a block of a histogram that is too large for one process.

Workers have only Spark's own packages: only the standard library, numpy and pyarrow may be imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from fairsweep.auditing.state_rows import entry_rows
from fairsweep.auditing.sweep_rows import Swept
from fairsweep.core.groups import attribute_name, group_name
from fairsweep.tables.checksums import checksum
from fairsweep.tables.tabulating import table_of

if TYPE_CHECKING:
    from fairsweep.core.histogram import ScoreHistogram

CHECKSUM_SCHEMA = pa.schema([("rows", pa.int64()), ("digest", pa.string())])


def entries(histogram: ScoreHistogram, first: int, keys: Mapping[str, object]) -> pa.Table:
    """The block's rows of `score_histograms`."""
    return table_of("score_histograms", [entry_rows(histogram, first)], keys)


def sweep(histogram: ScoreHistogram, _: int, points: Mapping[int, list[str]], keys: Mapping[str, object]) -> pa.Table:
    """The block's rows of `threshold_sweep`, at every cutoff."""
    groups = [group_name(cell) for cell in histogram.cells]
    everywhere = range(len(histogram.grid))
    name = attribute_name(histogram.attributes)
    parts = Swept(name, groups, everywhere, histogram.grid.values, points).parts(histogram.counts())
    return table_of("threshold_sweep", parts, keys)


def content_of_block(histogram: ScoreHistogram, _: int) -> pa.Table:
    """The block's part of the checksum of what a histogram holds, whatever its order or its blocks."""
    texts = {
        f"g{i}": pa.array([cell[i] for cell in histogram.cells], pa.string()).take(pa.array(histogram.cell))
        for i in range(len(histogram.attributes))
    }
    measures = {name: pa.array(getattr(histogram, name)) for name in ("bucket", "events", "non_events")}
    measures |= {name: pa.array(measure) for name, measure in histogram.measures.items()}
    return pa.Table.from_pylist([checksum(pa.table(texts | measures))._asdict()], schema=CHECKSUM_SCHEMA)
