"""Checks of readers before they answer: current runs must match their records. Damage is never reported as "no rows".

Counts are compared by every reader, checksums where results are published again or verified.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from fairsweep.errors import Problem, StorageError
from fairsweep.stores.comparing import compare
from fairsweep.stores.delta_logs import LOG, log_faults
from fairsweep.stores.places import is_there
from fairsweep.tables.catalogue import RESULT_TABLES, RUNS, TABLES_OF
from fairsweep.tables.integrity import REPAIR_PAGE, check_found, check_records

if TYPE_CHECKING:
    from fairsweep.stores.places import Place
    from fairsweep.stores.protocol import Primitives, RunRecord


def checked_records(storage: Primitives, tables: Sequence[str] = ()) -> pa.Table:
    """Every run record, once it is certain that nothing of the current runs is missing.

    Args:
        storage: where.
        tables: the result tables that are going to be read.

    Raises:
        StorageError: naming each record, table and run that is not as it was written.
    """
    records = storage.records()
    check_records(records)
    check_counts(storage, tables, current_of(records))
    return records


def current_of(records: pa.Table) -> list[RunRecord]:
    """The records of current runs."""
    found: list[RunRecord] = records.filter(records.column("is_current")).to_pylist()
    return found


def check_counts(storage: Primitives, tables: Sequence[str], records: Sequence[RunRecord]) -> None:
    """Compare how many rows runs have in some tables with what their records say.

    Raises:
        StorageError: naming each table and run that differs, and the command that mends it.
    """
    problems: list[Problem] = []
    for table in (table for table in tables if table in RESULT_TABLES):
        mine = [record for record in records if f'"{table}"' in (record["checksums"] or "")]
        if mine:
            found = storage.found(table, [str(record["run_id"]) for record in mine])
            problems += check_found(table, mine, found)
    if problems:
        raise StorageError(problems)


def explain_failure(storage: Primitives, tables: Sequence[str], records: pa.Table) -> None:
    """Report damage if it made a query fail: read all rows that the query may have read.

    Raises:
        StorageError: if the stored rows differ from those that were written.
    """
    compare(storage, {record["run_id"]: record for record in current_of(records)}, tables)


def check_runs(place: Place) -> None:
    """Refuse a local folder whose `runs` has lost a part of its log, or the whole log although there are results.

    Raises:
        StorageError: naming each file.
    """
    folder = place.local_folder
    if folder is None:
        return
    faults = log_faults(folder / RUNS)
    if faults:
        raise StorageError(
            Problem(f"table {RUNS}", f"damaged: {fault}", "", _mend_log(place, RUNS)) for fault in faults
        )


def check_runs_are_there(place: Place) -> None:
    """Refuse to read a local folder that has results and no `runs`, which would say "no rows".

    Raises:
        StorageError: where it is so.
    """
    folder = place.local_folder
    if folder is None or is_there(folder / RUNS / LOG):
        return
    if any(next((folder / table).glob("run_id=*"), None) is not None for table in RESULT_TABLES):
        raise StorageError(Problem(f"table {RUNS}", f"missing in {place.text}, where results are", "", _mend(RUNS)))


def unreadable(place: Place, table: str, code: str, reason: str = "") -> Problem:
    """A table whose log, or one of whose files, cannot be read.

    Args:
        place: the location of the tables.
        table: its name.
        code: the storage's name of the error.
        reason: which file is damaged, and how, if known.
    """
    folder = place.local_folder
    if folder is not None and (folder / table).exists() and not os.access(folder / table, os.R_OK | os.X_OK):
        return Problem(f"table {table}", f"not readable by this user ({code})", "", "ask the owner of its folder")
    faults = log_faults(folder / table) if folder is not None else []
    if reason and not faults:
        return Problem(f"table {table}", f"damaged: {reason}", "", _mend(table))
    found = f"damaged: {', '.join(faults)}" if faults else f"not readable ({code})"
    step = _mend_log(place, table)
    return Problem(f"table {table}", found, "", step if faults else f"run again; if the error stays, {step}")


def _mend(table: str) -> str:
    if table == RUNS:
        return f"repair it as {REPAIR_PAGE} describes"
    return f"run again with --force: {_forced(table)}"


def _forced(table: str) -> str:
    verb = next(verb for verb, tables in TABLES_OF.items() if table in tables)
    return f"`fairsweep {verb} --config FILE --force`"


def _mend_log(place: Place, table: str) -> str:
    """The next step if the table cannot be written either."""
    if table == RUNS:
        return _mend(RUNS)
    away = f"drop {place.text}.{table}" if place.folder is None else f"move the folder {place.location(table)} away"
    return f"{away}, then run again with --force whatever was published in it: {_forced(table)}"
