"""Plain Delta tables in a local folder, at a pinned version: its files, and the values of partition columns."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa

from fairsweep.engines.arrow.reading import Piece, row_groups
from fairsweep.engines.protocol import Inspection
from fairsweep.errors import install_step
from fairsweep.input import files as inputs
from fairsweep.input.source_columns import SourceColumn

if TYPE_CHECKING:
    from deltalake import DeltaTable

# Features of a table that do not change what its data files mean.
_HARMLESS = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "appendOnly", "invariants", "checkConstraints"}
_COLUMN_MAPPING = "delta.columnMapping.mode"


def why_not(path: Path, version: int | None) -> str | None:
    """Why a table's files cannot be read as they are, or None where they can."""
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError:
        return f"a Delta table; {install_step('local')}"
    try:
        table = DeltaTable(path, version=version)
    except (DeltaError, OSError, ValueError):
        return "a Delta table, or a version of it, that delta-rs cannot open"
    if table.metadata().configuration.get(_COLUMN_MAPPING, "none") != "none":
        return "a Delta table with column mapping"
    features = {str(name) for name in table.protocol().reader_features or ()}
    if "deletionVectors" in features:
        return "a Delta table with deletion vectors"
    unknown = sorted(features - _HARMLESS)
    return f"a Delta table with the feature {unknown[0]}" if unknown else None


class DeltaSource:
    """A Delta table by path; without a version in the config, the latest is pinned when it is first looked at."""

    def __init__(self, path: str, local: Path, version: int | None) -> None:
        """Take the folder as people call it and as it is here, and a version where the config pins one."""
        self._path, self._local, self._version = path, local, version

    def inspect(self) -> Inspection:
        """The schema at the pinned version."""
        version = f"delta:{self._table.metadata().id}:{self._table.version()}"
        return Inspection(self._columns, self._path, version)

    def pieces(self) -> list[Piece]:
        """One for each row group of each file of that version."""
        actions = pa.table(self._table.get_add_actions(flatten=True))
        files = [
            unquote(uri.removeprefix("file://")) if uri.startswith("file:") else uri for uri in self._table.file_uris()
        ]
        parts = self._table.metadata().partition_columns
        values = [actions[f"partition.{name}"].to_pylist() for name in parts]
        places = [[column.name for column in self._columns].index(name) for name in parts]
        found: list[Piece] = []
        for i, file in enumerate(files):
            constants: dict[int, Any] = {place: column[i] for place, column in zip(places, values, strict=True)}
            found += row_groups(file, self._columns, constants)
        return found

    @cached_property
    def _table(self) -> DeltaTable:
        from deltalake import DeltaTable

        return DeltaTable(self._local, version=self._version)

    @cached_property
    def _columns(self) -> tuple[SourceColumn, ...]:
        schema = pa.schema(self._table.schema().to_arrow())
        return tuple(SourceColumn(column.name, inputs.column_type(column.type)) for column in schema)
