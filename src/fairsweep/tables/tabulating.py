"""Columns of numbers and names, as the rows of a result table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsweep.cores import available_cores
from fairsweep.tables.catalogue import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

Columns = dict[str, Any]
"""Columns under construction: arrays or lists of one length; a missing column, or None, is NULL."""
Parts = list[Columns]
"""Parts of one table, to be stacked."""

# Codes of several key columns are one number as long as that number stays below this.
_LARGEST_CODE = 1 << 62
# Below this, threads cost more than they save.
_MANY_ROWS = 1 << 16


def table_of(name: str, parts: Parts, keys: Mapping[str, object]) -> pa.Table:
    """Parts concatenated to a table of the schema, its rows sorted by key.

    Each column is concatenated and sorted separately, so that there are never two copies of a whole table.

    Args:
        name: one of the result tables.
        parts: columns; a missing column of a part is NULL there.
        keys: the columns that all rows share.
    """
    import pyarrow as pa

    table = TABLES[name]
    schema = table.arrow_schema
    sizes = [_size(part) for part in parts]
    order = _order(schema, parts, sizes, [column for column in table.key if column not in keys])

    def column(field: pa.Field) -> pa.Array:
        if field.name in keys:
            return pa.repeat(pa.scalar(keys[field.name], field.type), sum(sizes))
        found = _stacked(field, parts, sizes)
        found = found if order is None else found.take(order)
        return found.cast(field.type) if pa.types.is_dictionary(found.type) else found

    if sum(sizes) < _MANY_ROWS:
        return pa.Table.from_arrays([column(field) for field in schema], schema=schema)
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="fairsweep-columns") as pool:
        return pa.Table.from_arrays(list(pool.map(column, schema)), schema=schema)


def repeated(value: str, size: int) -> pa.DictionaryArray:
    """A text column with the same value in every row."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, dtype=np.int32)), pa.array([value], pa.string()))


def coded(values: Sequence[str]) -> pa.DictionaryArray:
    """A text column whose rows are numbers into its different values."""
    import pyarrow as pa

    return pa.array(values, pa.string()).dictionary_encode()


def nullable(values: Any) -> Any:  # noqa: ANN401  (a column of any kind)
    """Doubles as Arrow has them, anything else as it is.

    NaN is "undefined" and an unbounded limit is "none": both are NULL in a table.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(values, np.ndarray) or values.dtype != np.float64:
        return values
    return pc.if_else(pa.array(np.isfinite(values)), pa.array(values), pa.scalar(None, pa.float64()))


def _size(columns: Columns) -> int:
    return max((len(values) for values in columns.values() if values is not None), default=0)


def _stacked(field: pa.Field, parts: Parts, sizes: Sequence[int]) -> pa.Array:
    """A column of all parts; texts as numbers into their different values."""
    import pyarrow as pa

    chunks = [_array(field, part.get(field.name), size) for part, size in zip(parts, sizes, strict=True)]
    if pa.types.is_string(field.type):
        kind = pa.dictionary(pa.int32(), pa.string())
        chunks = [chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode() for chunk in chunks]
        found = pa.chunked_array(chunks, kind).unify_dictionaries().combine_chunks()
    else:
        found = pa.chunked_array(chunks, field.type).combine_chunks()
    if isinstance(found, pa.ChunkedArray):
        found = found.chunk(0) if found.num_chunks else pa.array([], found.type)
    return found


def _array(field: pa.Field, values: Any, size: int) -> pa.Array:  # noqa: ANN401
    import pyarrow as pa

    if values is None:
        return pa.nulls(size, field.type)
    values = nullable(values)
    if isinstance(values, pa.Array):
        return values if pa.types.is_dictionary(values.type) else values.cast(field.type)
    return pa.array(values, field.type, from_pandas=True)


def _order(schema: pa.Schema, parts: Parts, sizes: Sequence[int], names: Sequence[str]) -> pa.Array | None:
    """Where the rows sorted by some columns are among the stacked ones; None where they are sorted already."""
    import pyarrow as pa

    code: NDArray[np.int64] = np.zeros(sum(sizes), dtype=np.int64)
    volume = 1
    for name in names:
        ranks, levels = _ranks(_stacked(schema.field(name), parts, sizes))
        if volume * levels >= _LARGEST_CODE:
            _, code = np.unique(code, return_inverse=True)
            volume = int(code.max(initial=0)) + 1
        code, volume = code * levels + ranks, volume * levels
    return None if (np.diff(code) >= 0).all() else pa.array(np.argsort(code, kind="stable"))


def _ranks(column: pa.Array) -> tuple[NDArray[np.int64], int]:
    """The rank of each value among the different ones, as text or as a whole number, and a bound of the ranks."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        numbers = column.cast(pa.int64()).to_numpy()
        least = int(numbers.min(initial=0))
        return numbers - least, int(numbers.max(initial=0)) - least + 1
    by_rank = pc.sort_indices(column.dictionary).to_numpy()
    rank = np.empty(len(by_rank), dtype=np.int64)
    rank[by_rank] = np.arange(len(by_rank))
    return rank[column.indices.to_numpy()], max(len(rank), 1)
