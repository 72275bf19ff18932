"""Pieces of an input that are read one by one: row groups of Parquet, slices of a table."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.engines.arrow.conditions import Batch
from fairsweep.errors import DataRefusedError, Problem, UsageError, quoted
from fairsweep.input.files import stored_columns
from fairsweep.input.source_columns import SourceColumn

BATCH_ROWS = 1 << 19
# The type of a column in a batch without rows: any type of its kind is suitable.
_TYPE_OF_KIND = {
    "text": pa.string(), "boolean": pa.bool_(), "integer": pa.int64(), "decimal": pa.decimal128(38, 10),
    "float": pa.float32(), "double": pa.float64(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}  # fmt: skip


class Piece(Protocol):
    """A part of an input that one thread or task reads; it can be sent to another process."""

    @property
    def size(self) -> int:
        """About how many bytes are read."""
        ...

    @property
    def rows(self) -> int:
        """The number of rows; 0 if it is not known before reading them."""
        ...

    @property
    def alike(self) -> bool:
        """Whether the columns have the types of the input, including columns that are not used."""
        ...

    def batches(self, wanted: Collection[int]) -> Iterator[Batch]:
        """The rows, with the columns at these positions."""
        ...


@dataclass(frozen=True)
class ParquetPiece:
    """Row groups of one Parquet file.

    Attributes:
        path: the file.
        row_groups: which of its row groups.
        size: their bytes.
        rows: their rows.
        columns: all columns of the input.
        alike: whether the file has the columns that it has with the types of the input.
        constants: columns whose value the file does not hold, by position: those that a table is partitioned by.
    """

    path: str
    row_groups: tuple[int, ...]
    size: int
    rows: int
    columns: tuple[SourceColumn, ...]
    alike: bool = True
    constants: Mapping[int, Any] = field(default_factory=dict)

    def batches(self, wanted: Collection[int]) -> Iterator[Batch]:
        """The rows in batches, text as dictionaries, so that no string is made for a row."""
        stored = [i for i in wanted if i not in self.constants]
        try:
            metadata = _metadata(self.path)
            names = _names(self.path, metadata, [(i, self.columns[i]) for i in stored])
            texts = [name for i, name in names.items() if self.columns[i].type == "text"]
            with pq.ParquetFile(
                self.path,
                metadata=metadata,
                read_dictionary=texts,
                coerce_int96_timestamp_unit="us",
                memory_map=True,
            ) as file:
                chosen = list(names.values())
                for rows in file.iter_batches(BATCH_ROWS, list(self.row_groups), chosen, use_threads=False):
                    found = {i: rows.column(name) for i, name in names.items()}
                    yield Batch(self._complete(found, wanted, rows.num_rows), rows.num_rows)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from None

    def _complete(self, found: dict[int, pa.Array], wanted: Collection[int], rows: int) -> dict[int, pa.Array]:
        """The columns of the file, those that are the same in all rows, and those that it lacks, which are NULL."""
        return {i: found[i] if i in found else _constant(self.constants.get(i), self.columns[i], rows) for i in wanted}


def _metadata(path: str) -> pq.FileMetaData:
    """The content of a file's footer; it is read once for all pieces, of which there can be thousands."""
    status = Path(path).stat()
    return _footer(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _footer(path: str, size: int, modified: int) -> pq.FileMetaData:
    return pq.read_metadata(path)


def _constant(value: Any, column: SourceColumn, rows: int) -> pa.Array:  # noqa: ANN401
    levels = pa.array([value], _TYPE_OF_KIND[column.type])
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), levels)


def _names(path: str, metadata: pq.FileMetaData, wanted: Sequence[tuple[int, SourceColumn]]) -> dict[int, str]:
    """The names of the wanted columns that a file has, by position in the input."""
    untyped = {column.name for column in metadata.schema.to_arrow_schema() if pa.types.is_null(column.type)}
    kinds = {column.name: column.type for column in stored_columns(metadata) if column.name not in untyped}
    names = {i: column.name for i, column in wanted if column.name in kinds}
    for i, name in names.items():
        if kinds[name] != (expected := dict(wanted)[i].type):
            raise DataRefusedError(
                Problem(
                    f"{quoted(Path(path).name)}, column {quoted(name)}",
                    f"of type {kinds[name]}, and {expected} in another file",
                    "one type in all files",
                    "write the files again with one schema, or audit them one by one",
                )
            )
    return names


def row_groups(path: str, columns: tuple[SourceColumn, ...], constants: Mapping[int, Any]) -> list[Piece]:
    """One piece for each row group of a Parquet file."""
    try:
        metadata = _metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from None
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    kinds = {column.name: column.type for column in columns}
    alike = all(kinds.get(column.name, column.type) == column.type for column in stored_columns(metadata))
    return [
        ParquetPiece(path, (i,), group.total_byte_size, group.num_rows, columns, alike, constants)
        for i, group in enumerate(groups)
    ]


@dataclass(frozen=True)
class TablePiece:
    """Rows of a table in memory."""

    table: pa.Table
    alike = True

    @property
    def size(self) -> int:
        """Its bytes."""
        return int(self.table.nbytes)

    @property
    def rows(self) -> int:
        """Its rows."""
        return int(self.table.num_rows)

    def batches(self, wanted: Collection[int]) -> Iterator[Batch]:
        """All rows as one batch."""
        if self.table.num_rows:
            yield Batch({i: self.table.column(i) for i in wanted}, self.table.num_rows)


def unreadable(path: str, error: Exception) -> UsageError:
    """A file that turned out broken, in words that quote no row."""
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "a broken file"
    # Arrow's own words can quote a row.
    reason = "broken text" if re.search("CSV|UTF", str(error)) else reason
    step = "check its permissions and that it is complete"
    place = f"input.path: file {quoted(Path(path).name)}"
    return UsageError(Problem(place, f"not readable ({reason})", "a readable file", step))
