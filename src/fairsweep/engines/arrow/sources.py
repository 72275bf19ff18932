"""Sources of rows without Spark: each source has columns and a version, and returns pieces to read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from fairsweep.engines.arrow.reading import Piece, TablePiece, row_groups
from fairsweep.engines.arrow.text_files import pieces_of
from fairsweep.engines.protocol import Inspection
from fairsweep.errors import Problem, UsageError, quoted
from fairsweep.input import files as inputs
from fairsweep.input.source_columns import SourceColumn

if TYPE_CHECKING:
    from fairsweep.config.sections import InputSpec

SLICE_ROWS = 1 << 18
USE_SPARK = "use --engine spark"


class Source(Protocol):
    """Rows for the Arrow kernel."""

    def inspect(self) -> Inspection:
        """Columns, name and pinned version; reads no row."""
        ...

    def pieces(self) -> list[Piece]:
        """All rows of that version, in parts."""
        ...


def source_of(spec: InputSpec) -> Source:
    """The source that a config names.

    Raises:
        UsageError: where only Spark can read it; see `why_not`.
    """
    reason = why_not(spec)
    if reason is not None:
        place = f"input {quoted(spec.path or spec.table or '')}"
        raise UsageError(Problem(place, reason, "local files of CSV, Parquet or plain Delta", USE_SPARK))
    return opened(spec)


def opened(spec: InputSpec) -> Source:
    """The source of an input that `why_not` has nothing against."""
    path = spec.path or ""
    local = inputs.local_path(path) or Path(path)
    if spec.format == "csv":
        return CsvSource(path, local)
    if spec.format == "parquet":
        return ParquetSource(path, local)
    from fairsweep.engines.arrow.delta import DeltaSource

    return DeltaSource(path, local, spec.version)


def why_not(spec: InputSpec) -> str | None:
    """Why the kernel cannot read an input, or None where it can."""
    if spec.format == "table":
        return "a table of a catalog"
    if spec.format == "cohort":
        return "a cohort, which Spark keeps and reads"
    path = inputs.local_path(spec.path or "")
    if path is None:
        return "not on this machine"
    if spec.format == "delta":
        from fairsweep.engines.arrow import delta

        return delta.why_not(path, spec.version)
    if spec.format == "parquet" and path.is_dir():
        # Spark takes the types of such columns from all the folders' names.
        folders = any("=" in part for file in inputs.local_files(path) for part in file.relative_to(path).parts[:-1])
        return "columns in the names of its folders" if folders else None
    return None


@dataclass
class FrameSource:
    """A table in memory; its version is derived from its counted rows."""

    table: pa.Table
    name: str = "dataframe"

    def inspect(self) -> Inspection:
        """The schema of the table."""
        columns = tuple(SourceColumn(column.name, inputs.column_type(column.type)) for column in self.table.schema)
        return Inspection(columns, self.name, None)

    def pieces(self) -> list[Piece]:
        """Slices that several threads can share."""
        return [TablePiece(self.table.slice(first, SLICE_ROWS)) for first in range(0, self.table.num_rows, SLICE_ROWS)]


class CsvSource:
    """Text files, every field as text."""

    def __init__(self, path: str, local: Path) -> None:
        """Take the path as people call it, and as it is here."""
        self._path, self._local = path, local

    def inspect(self) -> Inspection:
        """The names of the header line; the version of the files."""
        columns = tuple(SourceColumn(name, "text") for name in self._names)
        return Inspection(columns, self._path, inputs.files_version(self._local))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return inputs.common_header(inputs.local_files(self._local))

    def pieces(self) -> list[Piece]:
        """Some lines of each file."""
        return [piece for file in inputs.local_files(self._local) for piece in pieces_of(file, len(self._names))]


class ParquetSource:
    """Parquet files."""

    def __init__(self, path: str, local: Path) -> None:
        """Take the path as people call it, and as it is here."""
        self._path, self._local = path, local

    def inspect(self) -> Inspection:
        """The schema of the first file; the version of all."""
        return Inspection(self._columns, self._path, inputs.files_version(self._local))

    @cached_property
    def _columns(self) -> tuple[SourceColumn, ...]:
        return inputs.parquet_columns(inputs.local_files(self._local)[0])

    def pieces(self) -> list[Piece]:
        """One for each row group of each file."""
        return [piece for file in inputs.local_files(self._local) for piece in row_groups(str(file), self._columns, {})]
