"""Checksums of tables that do not depend on the order of rows or columns, nor on the engine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]

_BLOCK_ROWS = 1 << 16  # a block of hashes stays in the processor's cache
_NULL = np.uint64(0x6E756C6C)
_NAN = np.float64("nan").view(np.uint64)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

# The columns of what `by_run` gives, as Spark declares them.
PARTS = "run_id string, rows bigint, digest string"


class Checksum(NamedTuple):
    """The number of rows, and the sum of their 64-bit hashes in hex: for finding faults, not for security."""

    rows: int
    digest: str


def checksum(table: pa.Table) -> Checksum:
    """The checksum of a table's rows.

    Integers of any width, DOUBLE and FLOAT of the same value, and text in any encoding of Arrow count as the
    same; every NaN is one NaN, -0.0 is 0.0, and NULL differs from every value.

    Args:
        table: columns of integers, floating point, booleans, dates, timestamps, text, or lists of text.

    Raises:
        TypeError: when a column is of another type.
    """
    total = 0
    for block in table.to_batches(max_chunksize=_BLOCK_ROWS):
        rows = np.zeros(block.num_rows, dtype=np.uint64)
        for name, column in zip(block.schema.names, block.columns, strict=True):
            rows += _mixed(_hashes(column) ^ _text_hash(name))
        total += int(_mixed(rows).sum(dtype=np.uint64))
    return _checksum_of(table.num_rows, total)


def row_digests(table: pa.Table) -> list[str]:
    """A digest of each row, in hex.

    A NULL adds nothing, so that a later column changes no digest where it is NULL; each value differs from NULL.
    """
    rows = np.zeros(table.num_rows, dtype=np.uint64)
    for name in table.column_names:
        column = table[name].combine_chunks()
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        values = _mixed(_hashes(column) ^ _text_hash(name))
        rows += np.where(column.is_null().to_numpy(zero_copy_only=False), np.uint64(0), values)
    return [f"{digest:016x}" for digest in _mixed(rows).tolist()]


def combined(parts: Iterable[Checksum]) -> Checksum:
    """The checksum of tables below one another."""
    rows = total = 0
    for part in parts:
        rows += part.rows
        total += int(part.digest, 16)
    return _checksum_of(rows, total)


def _checksum_of(rows: int, total: int) -> Checksum:
    return Checksum(rows, f"{total & 0xFFFFFFFFFFFFFFFF:016x}")


def by_run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The checksums of each batch's rows by their `run_id`: the columns `PARTS`."""
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        ids = pc.unique(rows["run_id"]).to_pylist()
        for run_id in ids:
            part = checksum(rows if len(ids) == 1 else rows.filter(pc.equal(rows["run_id"], run_id)))
            yield pa.RecordBatch.from_pylist([{"run_id": run_id, **part._asdict()}])


def combined_by_run(parts: pa.Table) -> dict[str, Checksum]:
    """The results of `by_run` of all batches, combined."""
    found: dict[str, list[Checksum]] = defaultdict(list)
    for row in parts.to_pylist():
        found[row["run_id"]].append(Checksum(row["rows"], row["digest"]))
    return {run_id: combined(several) for run_id, several in found.items()}


def _mixed(values: UInt64) -> UInt64:
    """Spread every bit of each value over all 64 (finaliser of SplitMix64: Steele, Lea and Flood, 2014)."""
    mixed = values + _GOLDEN
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


@lru_cache(maxsize=1 << 18)
def _text_hash(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _hashes(column: pa.Array) -> UInt64:
    """One number for each value; equal values have equal numbers."""
    kind = column.type
    if len(column) and column.null_count == len(column):
        return np.array([_NULL])  # one for all: most columns of most rows are NULL
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        values = _list_hashes(column)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        values = _string_hashes(column)
    elif pa.types.is_floating(kind):
        values = _double_bits(column)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        values = _integer_bits(column)
    else:
        raise TypeError(f"a column of type {kind} has no checksum")
    if not column.null_count:
        return values
    return np.where(column.is_null().to_numpy(zero_copy_only=False), _NULL, values)


def _integer_bits(column: pa.Array) -> UInt64:
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64())
    elif pa.types.is_date(kind):
        column = column.cast(pa.date32()).cast(pa.int32())
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.int64).view(np.uint64)


def _double_bits(column: pa.Array) -> UInt64:
    numbers = column.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0  # -0.0 becomes 0.0
    bits: UInt64 = numbers.view(np.uint64)
    return np.where(np.isnan(numbers), _NAN, bits)


def _string_hashes(column: pa.Array) -> UInt64:
    """Only the distinct values are hashed: result tables repeat a few names a million times."""
    if not pa.types.is_dictionary(column.type) and _is_constant(column):
        return np.array([_text_hash(column[0].as_py())])
    coded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    levels = [_NULL if value is None else _text_hash(value) for value in coded.dictionary.to_pylist()]
    lookup = np.array([*levels, _NULL], dtype=np.uint64)
    codes: UInt64 = lookup[coded.indices.fill_null(len(levels)).to_numpy(zero_copy_only=False)]
    return codes


def _is_constant(column: pa.Array) -> bool:
    """Whether all texts are equal, by a quick comparison of bytes: those of runs, models and windows are."""
    if len(column) < 2 or column.null_count or column[0] != column[len(column) - 1] or column[0] != column[1]:
        return False
    return bool(pc.all(pc.equal(column, column[0])).as_py())


def _list_hashes(column: pa.Array) -> UInt64:
    """Values and their positions; the empty list is not NULL, and `[a, b]` is not `[b, a]`."""
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    ends = np.cumsum(lengths)
    places = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    values = _mixed(_hashes(column.flatten()) ^ _mixed(places.astype(np.uint64)))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(values, dtype=np.uint64)])
    return _mixed(sums[ends] - sums[ends - lengths] + lengths.astype(np.uint64))
