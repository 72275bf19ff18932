"""Pieces of an input that are read one by one: row groups of Parquet, slices of a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.engines.arrow.conditions import Batch
from fairsweep.engines.protocol import SourceColumn
from fairsweep.errors import DataRefusedError, Problem, UsageError, quoted
from fairsweep.inputs import column_type

BATCH_ROWS = 1 << 19
# What a column is called in a batch that has none of its rows: any type of its kind serves.
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
        """How many rows there are; 0 where only reading them could tell."""
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
        constants: columns whose value the file does not hold, by position: those that a table is partitioned by.
    """

    path: str
    row_groups: tuple[int, ...]
    size: int
    rows: int
    columns: tuple[SourceColumn, ...]
    constants: Mapping[int, Any] = field(default_factory=dict)

    def batches(self, wanted: Collection[int]) -> Iterator[Batch]:
        """The rows in batches, text as dictionaries, so that no string is made for a row."""
        stored = [i for i in wanted if i not in self.constants]
        texts = [self.columns[i].name for i in stored if self.columns[i].type == "text"]
        try:
            with pq.ParquetFile(
                self.path, read_dictionary=texts, coerce_int96_timestamp_unit="us", memory_map=True
            ) as file:
                place = _places(self.path, file.schema_arrow, [(i, self.columns[i]) for i in stored])
                names = [file.schema_arrow.names[at] for at in place.values()]
                batches = file.iter_batches(BATCH_ROWS, list(self.row_groups), names, use_threads=False)
                for rows in batches:
                    found = {i: rows.column(file.schema_arrow.names[at]) for i, at in place.items()}
                    yield Batch(self._complete(found, stored, rows.num_rows), rows.num_rows)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from None

    def _complete(self, found: dict[int, pa.Array], stored: Sequence[int], rows: int) -> dict[int, pa.Array]:
        """The columns of the file, those that it lacks, which are NULL, and those that are the same in all rows."""
        lacking = {i: pa.nulls(rows, _TYPE_OF_KIND[self.columns[i].type]) for i in stored if i not in found}
        constant = {i: _constant(value, self.columns[i], rows) for i, value in self.constants.items()}
        return found | lacking | constant


def _constant(value: Any, column: SourceColumn, rows: int) -> pa.Array:  # noqa: ANN401
    levels = pa.array([value], _TYPE_OF_KIND[column.type])
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), levels)


def _places(path: str, schema: pa.Schema, wanted: Sequence[tuple[int, SourceColumn]]) -> dict[int, int]:
    """Where the wanted columns stand in a file; without those that it lacks."""
    places = {}
    for i, column in wanted:
        at = schema.get_field_index(column.name)
        if at < 0:
            continue
        kind = column_type(schema.field(at).type)
        if kind != column.type:
            raise DataRefusedError(
                Problem(
                    f"{quoted(Path(path).name)}, column {quoted(column.name)}",
                    f"of type {kind}, and {column.type} in another file",
                    "one type in all files",
                    "write the files anew with one schema, or audit them one by one",
                )
            )
        places[i] = at
    return places


def row_groups(path: str, columns: tuple[SourceColumn, ...], constants: Mapping[int, Any]) -> list[Piece]:
    """One piece for each row group of a Parquet file."""
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from None
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    return [
        ParquetPiece(path, (i,), group.total_byte_size, group.num_rows, columns, constants)
        for i, group in enumerate(groups)
    ]


@dataclass(frozen=True)
class TablePiece:
    """Rows of a table in memory."""

    table: pa.Table

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
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "a broken file"
    # Arrow's own words can quote a row.
    reason = "broken text" if re.search("CSV|UTF", str(error)) else reason
    step = "check its permissions and that it is whole"
    place = f"input.path: file {quoted(Path(path).name)}"
    return UsageError(Problem(place, f"not readable ({reason})", "a readable file", step))
