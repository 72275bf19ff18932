"""How rows become Parquet files, and whether files that were just written hold them, without decoding one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from deltalake import WriterProperties


def properties(schema: pa.Schema) -> WriterProperties:
    """How rows are encoded: to make dictionaries of doubles takes long, and most of them differ."""
    from deltalake import ColumnProperties, WriterProperties

    doubles = [field.name for field in schema if pa.types.is_floating(field.type)]
    plain = {name: ColumnProperties(dictionary_enabled=False) for name in doubles}
    return WriterProperties(compression="ZSTD", compression_level=1, column_properties=plain)


def with_later_columns(rows: pa.Table, stored: pa.Schema) -> pa.Table:
    """The rows in the schema of a newer program's table: added columns are NULL."""
    for field in stored:
        if field.name not in rows.column_names:
            rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    return rows


class _Column(NamedTuple):
    """The statistics of a column in the footers of files: the number of NULLs, and minimum and maximum if present."""

    nulls: int
    limits: tuple[Any, Any] | None


def difference(footers: Iterable[pq.FileMetaData], rows: pa.Table) -> str:
    """How files differ from the rows that they should hold, by their footers; empty if no difference is found.

    Rows and NULLs are counted in every column; minimum and maximum are compared for numbers and days,
    because writers shorten those of text.

    Args:
        footers: of all files of the rows.
        rows: the rows that were written.
    """
    known = list(footers)
    found = sum(footer.num_rows for footer in known)
    if found != rows.num_rows:
        return f"{found:,} rows, {rows.num_rows:,} expected"
    for name, column in _columns(known).items():
        if name not in rows.column_names:
            continue
        written = rows[name]
        if column.nulls != written.null_count:
            return f"column {name} with {column.nulls:,} NULLs, {written.null_count:,} expected"
        if column.limits is not None and column.limits != _limits(written):
            return f"column {name} with other values"
    return ""


def _columns(footers: Iterable[pq.FileMetaData]) -> Mapping[str, _Column]:
    """The columns whose statistics every row group has."""
    parts: dict[str, list[pq.Statistics | None]] = {}
    for footer in footers:
        for group in range(footer.num_row_groups):
            for place in range(footer.num_columns):
                chunk = footer.row_group(group).column(place)
                parts.setdefault(chunk.path_in_schema, []).append(chunk.statistics)
    found = {}
    for name, statistics in parts.items():
        whole = [one for one in statistics if one is not None and one.has_null_count]
        if len(whole) == len(statistics):
            found[name] = _Column(sum(one.null_count for one in whole), _of_numbers(whole))
    return found


def _of_numbers(statistics: Iterable[pq.Statistics]) -> tuple[Any, Any] | None:
    valued = [one for one in statistics if one.has_min_max]
    if not valued or isinstance(valued[0].min, str | bytes):
        return None
    return min(one.min for one in valued), max(one.max for one in valued)


def _limits(column: pa.ChunkedArray) -> tuple[Any, Any]:
    limits = pc.min_max(column)
    return limits["min"].as_py(), limits["max"].as_py()
