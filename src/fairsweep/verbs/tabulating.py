"""Columns of numbers and names, as the rows of a result table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsweep.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[str, Any]
"""Columns under construction: arrays or lists of one length; a column left out, or None, is NULL."""
Parts = list[Columns]
"""Parts of one table, to be stacked."""


def table_of(name: str, parts: Parts, keys: Mapping[str, object]) -> pa.Table:
    """Parts below one another as a table of the schema, its rows sorted by key.

    Args:
        name: one of the result tables.
        parts: columns; one that a part lacks is NULL there.
        keys: the columns that all rows share.
    """
    import pyarrow as pa

    table = TABLES[name]
    schema = table.arrow_schema
    rows = pa.concat_tables([schema.empty_table(), *(_part(schema, part, keys) for part in parts)]).combine_chunks()
    order = [(column, "ascending") for column in table.key if column not in keys]
    return rows.sort_by(order)


def _part(schema: pa.Schema, columns: Columns, keys: Mapping[str, object]) -> pa.Table:
    import pyarrow as pa

    size = max((len(values) for values in columns.values() if values is not None), default=0)
    arrays = []
    for field in schema:
        values = columns.get(field.name)
        if field.name in keys:
            arrays.append(pa.repeat(pa.scalar(keys[field.name], field.type), size))
        elif values is None:
            arrays.append(pa.nulls(size, field.type))
        elif isinstance(values, np.ndarray) and values.dtype == np.float64:
            # NaN is "undefined" and an unbounded limit is "none": both are NULL in a table.
            arrays.append(pa.array(np.where(np.isfinite(values), values, np.nan), field.type, from_pandas=True))
        elif isinstance(values, pa.Array):
            arrays.append(values)
        else:
            arrays.append(pa.array(values, field.type, from_pandas=True))
    return pa.Table.from_arrays(arrays, schema=schema)
