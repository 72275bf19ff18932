"""Counts with one row per cell, its buckets as lists: small enough to travel between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fairsweep.engines.states import KEYS, MEASURES, group_columns

if TYPE_CHECKING:
    from fairsweep.input.intake import Intake

LISTED = {"rule": "int", "bucket": "int", "events": "bigint", "non_events": "bigint", "unknown": "bigint"}
_ARROW = {"int": pa.int32(), "bigint": pa.int64()}


def cell_columns(intake: Intake) -> list[str]:
    """The columns that identify cells."""
    return [*KEYS[:2], *group_columns(intake)]


def packed(counts: pa.Table, intake: Intake) -> pa.Table:
    """Counts with a row for each run of rows of one cell; rows of a cell need not be consecutive.

    Args:
        counts: in the form that `states` takes.
        intake: the intake, for the names of its groups.
    """
    names = cell_columns(intake)
    if not counts.num_rows:
        return pa.table({name: [] for name in (*names, *LISTED)}, schema=_schema(names))
    changes = np.zeros(counts.num_rows, dtype=bool)
    changes[0] = True
    encoded = [counts[name].unify_dictionaries().combine_chunks() for name in names]
    for column in encoded:
        codes = column.indices.fill_null(-1).to_numpy()
        changes[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(changes)
    offsets = pa.array(np.append(starts, counts.num_rows), pa.int32())
    cells = [column.take(pa.array(starts)).cast(pa.string()) for column in encoded]
    lists = [
        pa.ListArray.from_arrays(offsets, counts[name].combine_chunks().cast(_ARROW[kind]))
        for name, kind in LISTED.items()
    ]
    return pa.table([*cells, *lists], schema=_schema(names))


def unpacked(cells: pa.Table, intake: Intake) -> pa.Table:
    """The rows that `packed` has put together."""
    cells = cells.combine_chunks()
    lengths = cells["bucket"].combine_chunks().value_lengths().to_numpy() if cells.num_rows else np.zeros(0, np.int32)
    place = pa.array(np.repeat(np.arange(cells.num_rows), lengths))
    columns = {name: cells[name].dictionary_encode().combine_chunks().take(place) for name in cell_columns(intake)}
    columns |= {name: cells[name].combine_chunks().flatten() for name in LISTED}
    return pa.table({name: columns[name] for name in (*KEYS, *group_columns(intake), *MEASURES)})


def plain(table: pa.Table) -> pa.Table:
    """The table without dictionaries, which Spark does not take."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _schema(names: list[str]) -> pa.Schema:
    lists = [(name, pa.list_(_ARROW[kind])) for name, kind in LISTED.items()]
    return pa.schema([*((name, pa.string()) for name in names), *lists])
