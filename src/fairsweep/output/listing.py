"""Rows of a query as text: columns side by side where they fit, otherwise one row after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fairsweep.output.lines import Line, Span, padded, width_of
from fairsweep.output.wording import clipped, counted, printable

if TYPE_CHECKING:
    import pyarrow as pa

_GAP = "  "


def lines(table: pa.Table, width: int | None, at_most: int | None = None) -> Iterator[Line]:
    """The rows of a table as lines.

    Args:
        table: the result of a query.
        width: columns of text that there are; None puts the columns side by side however wide.
        at_most: rows that are shown; the rest is counted.
    """
    import pyarrow as pa

    shown = table if at_most is None else table.slice(0, at_most)
    # By column, not by row: a query can give two columns one name, which a row as a mapping would merge.
    columns = [[_cell(value) for value in column.to_pylist()] for column in shown.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    headers = [printable(clipped(name)) for name in table.column_names]
    widths = [max(map(width_of, column)) for column in zip(headers, *rows, strict=True)]
    if width is None or sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        numeric = [pa.types.is_integer(field.type) or pa.types.is_floating(field.type) for field in table.schema]
        yield (Span(_aligned(headers, widths, numeric), "strong"),)
        for row in rows:
            yield (Span(_aligned(row, widths, numeric)),)
    else:
        yield from _stacked(headers, rows)
    if shown.num_rows < table.num_rows:
        yield (Span(f"and {counted(table.num_rows - shown.num_rows, 'more row')}", "dim"),)
    elif not rows:
        yield (Span("no rows", "dim"),)


def _aligned(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    return _GAP.join(
        " " * (width - width_of(cell)) + cell if right else padded(cell, width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    ).rstrip()


def _stacked(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Line]:
    widest = max(map(width_of, headers))
    for row in rows:
        for header, cell in zip(headers, row, strict=True):
            yield (Span(padded(header, widest), "dim"), Span(f"{_GAP}{cell}"))
        yield ()


def _cell(value: Any) -> str:  # noqa: ANN401  (whatever Arrow holds)
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return clipped(", ".join(_cell(item) for item in value))
    return printable(clipped(str(value)))
