"""Tables as JSON for programs: one object, table name -> rows, in an order that never changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from fairsweep.errors import FairsweepError

# Line breaks are the layout of our own; within strings `json` has escaped them.
_NOT_ASCII = re.compile("[^\n -~]")

if TYPE_CHECKING:
    import pyarrow as pa


def of_tables(tables: Mapping[str, pa.Table], *, in_order: bool = False) -> Iterator[str]:
    """The pieces of one JSON object, a row to a line, so that a large table is never one string.

    Tables come in the order of their names, rows in the order of their scalar columns, or with `in_order` in
    their own order. Dates and times are ISO strings; numbers that are not finite are null.
    """
    yield "{"
    for place, name in enumerate(sorted(tables)):
        yield f"{',' if place else ''}\n{_escaped(json.dumps(name, ensure_ascii=False))}: ["
        yield from _rows(_distinct(tables[name]) if in_order else _sorted(tables[name]))
        yield "]"
    yield "\n}\n"


def of_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """A few rows as one JSON object, name -> rows."""
    return _escaped(json.dumps({name: _plain(list(rows))}, ensure_ascii=False, indent=1, allow_nan=False)) + "\n"


def of_error(error: FairsweepError) -> str:
    """The problems of a known error as one JSON object."""
    return of_rows("error", [asdict(problem) for problem in error.problems])


def _distinct(table: pa.Table) -> pa.Table:
    """The table with names that differ: a query can give two columns one name, and an object has each key once."""
    from fairsweep.input.files import distinct_names

    return table.rename_columns(list(distinct_names(table.column_names)))


def _sorted(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    scalars = [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    return table.sort_by([(name, "ascending") for name in scalars])


def _rows(table: pa.Table) -> Iterator[str]:
    first = True
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            yield ("\n" if first else ",\n") + _escaped(json.dumps(_plain(row), ensure_ascii=False, allow_nan=False))
            first = False


def _escaped(text: str) -> str:
    r"""JSON with every control character, and every character that changes the text direction, as an escape.

    Such characters occur only in strings, where an escape means the same.

    >>> print(_escaped(json.dumps("A\N{RIGHT-TO-LEFT OVERRIDE}B\x9b", ensure_ascii=False)))
    "A\u202eB\u009b"
    """
    return text if text.isprintable() else _NOT_ASCII.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    escapes = (f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
    return character if character.isprintable() else "".join(escapes)


def _plain(value: Any) -> Any:  # noqa: ANN401  (whatever Arrow holds)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if value is None or isinstance(value, str | int):
        return value
    return str(value)
