"""Checks of run records against themselves and against results, and the problems that report differences."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from fairsweep.errors import Problem, StorageError
from fairsweep.input.intake import FIRST_DAY, NO_END
from fairsweep.tables.catalogue import RUNS, TABLES_OF
from fairsweep.tables.checksums import row_digests

WINDOW_KEY = ("verb", "model_id", "model_version", "window_start", "window_end")
RECORD_CHECKSUM = "record_checksum"
REPAIR_PAGE = "docs/repair.md"
# `is_current` changes when another run replaces it.
_NOT_IN_THE_DIGEST = ("is_current", RECORD_CHECKSUM)
Record = Mapping[str, Any]


class Found(NamedTuple):
    """The rows of a run in a table, as far as this is known without reading them.

    Attributes:
        rows: how many rows.
        fault: which of its files is damaged, and how; empty if no damage is known.
    """

    rows: int
    fault: str = ""


def record_digests(records: pa.Table) -> list[str]:
    """The expected `record_checksum` of each record."""
    return row_digests(records.drop_columns([name for name in _NOT_IN_THE_DIGEST if name in records.column_names]))


def with_digests(records: pa.Table) -> pa.Table:
    """The records with `record_checksum` filled."""
    place = records.schema.get_field_index(RECORD_CHECKSUM)
    return records.set_column(place, records.schema.field(place), pa.array(record_digests(records), pa.string()))


def are_whole(records: pa.Table) -> list[bool]:
    """Whether each record is as it was written."""
    stored = records.column(RECORD_CHECKSUM).to_pylist()
    return [found == digest for found, digest in zip(stored, record_digests(records), strict=True)]


def check_digests(records: pa.Table) -> None:
    """Refuse records that are not as they were written.

    Raises:
        StorageError: naming each.
    """
    rows = records.to_pylist()
    _refuse(_not_as_written(row) for row, whole in zip(rows, are_whole(records), strict=True) if not whole)


def check_records(records: pa.Table) -> None:
    """Refuse a table `runs` that differs from what was written.

    Args:
        records: all of it.

    Raises:
        StorageError: naming records that differ from their digest or occur twice, and windows that have several
            current runs, or successful runs of which none is current.
    """
    check_digests(records)
    rows = records.to_pylist()
    times = Counter(row["run_id"] for row in rows)
    step = f"repair it as {REPAIR_PAGE} describes"
    problems = [
        Problem(f"{RUNS}: run {run}", f"damaged: {n} records", "one", step) for run, n in times.items() if n > 1
    ]
    windows: dict[tuple[object, ...], list[Record]] = defaultdict(list)
    for row in rows:
        if row["status"] == "succeeded":
            windows[tuple(row[name] for name in WINDOW_KEY)].append(row)
    for succeeded in windows.values():
        current = [row for row in succeeded if row["is_current"]]
        if len(current) != 1:
            found = ", ".join(str(row["run_id"]) for row in current) or "none"
            value = f"damaged: {len(current)} current runs ({found})"
            problems.append(Problem(f"{RUNS}: {what(succeeded[0])}", value, "one", again(succeeded[-1])))
    _refuse(problems)


def check_found(table: str, records: Iterable[Record], found: Mapping[str, Found]) -> list[Problem]:
    """The missing or surplus rows of some runs in a table, by their records.

    Args:
        table: the result table.
        records: the records of the runs.
        found: the rows of each run in the table.
    """
    problems = []
    for record in records:
        rows, expected = found.get(str(record["run_id"]), Found(0)), rows_expected(record, table)
        if expected is None:
            continue
        place = f"{table} of run {record['run_id']} ({what(record)})"
        if rows.fault:
            problems.append(Problem(place, f"damaged: {rows.fault}", "", again(record)))
        elif rows.rows != expected:
            problems.append(Problem(place, not_as_written(rows.rows, expected), "", again(record)))
    return problems


def not_as_written(rows: int, expected: int) -> str:
    """How rows that are not those that were written are reported."""
    if rows == expected:
        return f"not as it was written: its {rows:,} rows have other values"
    return f"not as it was written: {rows:,} rows, {expected:,} expected"


def rows_expected(record: Record, table: str) -> int | None:
    """How many rows a run has in a table, by its record; None where the record does not say."""
    entry = json.loads(record["checksums"] or "{}").get(table)
    return None if entry is None else int(entry[0])


def what(record: Record) -> str:
    """A description of the run: verb, model and window."""
    window = (record["window_start"], record["window_end"])
    days = "" if window == (FIRST_DAY, NO_END) else f", {window[0]} to {window[1]}"
    return f"{record['verb']} of {record['model_id']} {record['model_version']}{days}"


def again(record: Record) -> str:
    """The command that replaces the stored rows of a run."""
    verb = record["verb"]
    if verb not in TABLES_OF:
        return f"repair it as {REPAIR_PAGE} describes"
    window = (record["window_start"], record["window_end"])
    days = "" if window == (FIRST_DAY, NO_END) else f" --window-start {window[0]} --window-end {window[1]}"
    return f"run again with --force: `fairsweep {verb} --config FILE{days} --force`"


def _not_as_written(record: Record) -> Problem:
    place, value = f"{RUNS}: run {record['run_id']}", f"damaged: its record differs from its {RECORD_CHECKSUM}"
    if not record["is_current"]:
        return Problem(place, value, "", f"remove the record as {REPAIR_PAGE} says, or {again(record)}")
    return Problem(place, value, "", again(record))


def _refuse(problems: Iterable[Problem] | Sequence[Problem]) -> None:
    found = tuple(problems)
    if found:
        raise StorageError(found)
