"""Comparison of stored runs with their records: rows and checksums, read from the tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

from fairsweep.errors import Problem, StorageError
from fairsweep.stores.protocol import Checksums, Primitives, RunRecord
from fairsweep.tables.checksums import Checksum
from fairsweep.tables.integrity import again, not_as_written, what

Result = TypeVar("Result")


def compare(storage: Primitives, records: Mapping[str, RunRecord], tables: Sequence[str] | None = None) -> None:
    """Read stored results and compare them with what run records say of them.

    Args:
        storage: where.
        records: of runs that have succeeded, by run id.
        tables: which result tables; all where not given.

    Raises:
        StorageError: naming each run and table that differs, and the command that mends it.
    """
    expected: dict[str, Checksums] = {run_id: json.loads(record["checksums"]) for run_id, record in records.items()}
    if tables is not None:
        expected = {run_id: {t: sums[t] for t in tables if t in sums} for run_id, sums in expected.items()}
    expect(storage, expected, records)


def _stored(
    storage: Primitives, expected: Mapping[str, Checksums], records: Mapping[str, RunRecord]
) -> dict[str, Checksums]:
    """Rows and checksums as they are stored, by run and table."""

    def read(table: str) -> Mapping[str, Checksum]:
        rows = {run_id: tables.get(table, [0])[0] for run_id, tables in expected.items()}
        try:
            return storage.checksums(table, {run_id: int(n) for run_id, n in rows.items()})
        except (UnicodeError, pa.ArrowException) as error:  # bytes that are no text
            step = again(next(iter(records.values())))
            raise StorageError(Problem(f"table {table}", f"damaged ({type(error).__name__})", "", step)) from error

    tables = sorted({table for of_run in expected.values() for table in of_run})
    found = at_once(read, tables)
    return {run_id: {table: list(found[table][run_id]) for table in of_run} for run_id, of_run in expected.items()}


def expect(storage: Primitives, expected: Mapping[str, Checksums], records: Mapping[str, RunRecord]) -> None:
    """Raise unless exactly the expected rows are stored."""
    if not any(expected.values()):
        return
    stored = _stored(storage, expected, records)
    problems = [
        Problem(
            f"{table} of run {run_id} ({what(records[run_id])})",
            not_as_written(int(rows[0]), int(expected[run_id].get(table, [0])[0])),
            "",
            again(records[run_id]),
        )
        for run_id, tables in stored.items()
        for table, rows in tables.items()
        if rows != expected[run_id].get(table)
    ]
    if problems:
        raise StorageError(problems)


def at_once(action: Callable[[str], Result], tables: Sequence[str]) -> dict[str, Result]:
    """Do it for every table in a thread of its own: storages spend most of the time waiting."""
    with ThreadPoolExecutor(max(1, len(tables)), thread_name_prefix="fairsweep-store") as pool:
        return dict(zip(tables, pool.map(action, tables), strict=True))
