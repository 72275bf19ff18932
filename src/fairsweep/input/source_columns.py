"""Columns of an input: names and types, independent of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    pass

ColumnType = Literal[
    "text", "boolean", "integer", "decimal", "float", "double", "date", "timestamp", "timestamp_ntz", "other"
]  # fmt: skip


class SourceColumn(NamedTuple):
    """A column of the input: its name as users know it, and the kind of its values."""

    name: str
    type: ColumnType
