"""A column as levels and codes, so that each condition is evaluated once for each distinct value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]

# Whole numbers within so narrow a range need no hashing: their distance from the smallest is their code.
WIDEST_RANGE = 1 << 10
# Where so many of the first values differ, a column names rows, and finding its levels costs more than it saves.
_SAMPLED, _DIFFERENT = 1 << 12, 0.9


@dataclass(frozen=True, eq=False)
class CodedColumn:
    """Row i has the value `levels[codes[i]]`; without codes the levels are the rows themselves.

    Attributes:
        levels: the values of the codes, perhaps some that no row has; NULL is one of them if it occurs.
        codes: one for each row, or None.
    """

    levels: pa.Array
    codes: Codes | None

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> CodedColumn:
        """Encode a column; fractions, points in time and what differs from row to row stay as they are."""
        array = _one_chunk(column)
        kind = array.type
        if pa.types.is_dictionary(kind):
            return _of_dictionary(array)
        if pa.types.is_boolean(kind):
            return _of_small_integers(pa.array([False, True]), array.cast(pa.int8()), 0)
        if pa.types.is_integer(kind) or pa.types.is_date32(kind):
            return _of_integers(array)
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_timestamp(kind):
            return cls(array, None)
        return _of_many(array)

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """The result of each row, from the results of the levels."""
        return values if self.codes is None else values.take(self.codes)


def _one_chunk(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _of_many(array: pa.Array) -> CodedColumn:
    first = array.slice(0, _SAMPLED)
    if len(first) == _SAMPLED and pc.count_distinct(first).as_py() > _DIFFERENT * _SAMPLED:
        return CodedColumn(array, None)
    return _of_dictionary(array.dictionary_encode())


def _of_dictionary(array: pa.DictionaryArray) -> CodedColumn:
    levels, indices = array.dictionary, array.indices
    if indices.null_count:
        levels = pa.concat_arrays([levels, pa.nulls(1, levels.type)])
        indices = indices.fill_null(pa.scalar(len(levels) - 1, indices.type))
    return CodedColumn(levels, indices.to_numpy())


def _of_integers(array: pa.Array) -> CodedColumn:
    limits = pc.min_max(array.view(pa.int32()) if pa.types.is_date32(array.type) else array)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    if low is None:
        return CodedColumn(pa.nulls(1, array.type), np.zeros(len(array), dtype=np.int32))
    if high - low >= WIDEST_RANGE:
        return _of_many(array)
    numbers = array.view(pa.int32()) if pa.types.is_date32(array.type) else array
    return _of_small_integers(pa.array(range(low, high + 1), numbers.type).cast(array.type), numbers, low)


def _of_small_integers(levels: pa.Array, numbers: pa.Array, low: int) -> CodedColumn:
    """Codes are distances from the smallest; NULL comes after the greatest."""
    if not numbers.null_count:
        values = numbers.to_numpy()
        return CodedColumn(levels, values - values.dtype.type(low) if low else values)
    codes = numbers.fill_null(low).to_numpy() - low
    codes = np.where(numbers.is_null().to_numpy(zero_copy_only=False), len(levels), codes)
    return CodedColumn(pa.concat_arrays([levels, pa.nulls(1, levels.type)]), codes)
