"""The published rows of the current run of a model and window; they limit what the run that replaces it may show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairsweep.errors import Problem, StorageError
from fairsweep.tables.checksums import checksum
from fairsweep.tables.integrity import WINDOW_KEY, again, are_whole, check_digests, check_records, not_as_written, what

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.stores.protocol import RunRecord, Store

SWEEP, CELLS = "threshold_sweep", "cells"


@dataclass(frozen=True, eq=False)
class RunBefore:
    """A run that another run replaces.

    Attributes:
        run_id: its id; None if there is none.
        sweep: its rows of `threshold_sweep`.
        cells: its rows of `cells`: all of its groups, also those that it did not name.
        is_known: whether these rows are certain; otherwise nothing can be compared with them.
    """

    run_id: str | None = None
    sweep: pa.Table | None = None
    cells: pa.Table | None = None
    is_known: bool = True


NO_RUN = RunBefore()


def current_run(store: Store, keys: Mapping[str, object], *, force: bool) -> RunBefore:
    """The current run of a model and window.

    Args:
        store: the store of the runs.
        keys: the values of `WINDOW_KEY`.
        force: publish even if it is unknown what was shown.

    Raises:
        StorageError: if its record or its rows differ from what was written, unless forced.
    """
    store.ensure()
    records = store.records()
    try:
        record = _current(records, keys)
        return NO_RUN if record is None else _run_of(store, record)
    except StorageError as error:
        if not force:
            raise StorageError([*error.problems, _unknown(keys)]) from error
        return _of_damaged_record(store, records, keys)


def as_recorded(store: Store, run_id: str) -> tuple[Mapping[str, object], RunBefore] | None:
    """The results in a run's own record, and the run with which they were compared when it was published.

    None if it has no intact record, or if that earlier run cannot be read.
    """
    store.ensure()
    record = _intact(store, run_id)
    if record is None:
        return None
    earlier = json.loads(record["hidden"] or "{}").get("run_before")
    if earlier is None:
        return json.loads(record["checksums"]), NO_RUN
    before = _intact(store, earlier)
    if before is None:
        return None
    try:
        return json.loads(record["checksums"]), _run_of(store, before)
    except StorageError:
        return None


def _current(records: pa.Table, keys: Mapping[str, object]) -> RunRecord | None:
    """The record of the current run.

    Raises:
        StorageError: where it is damaged, or where a damaged record could be the one.
    """
    rows: list[RunRecord] = records.to_pylist()
    mine = [_is_of(row, keys) and row["status"] == "succeeded" for row in rows]
    current = [row for row, is_mine in zip(rows, mine, strict=True) if is_mine and row["is_current"]]
    if len(current) == 1:
        check_digests(records.filter([row["run_id"] == current[0]["run_id"] for row in rows]))
        return current[0]
    if any(mine):
        check_records(records.filter(mine))
    # The model and window of a damaged record are not known.
    check_digests(records)
    return None


def _of_damaged_record(store: Store, records: pa.Table, keys: Mapping[str, object]) -> RunBefore:
    """The current run where only its record is damaged: rows that fit its checksums are what was written."""
    current = [row for row in records.to_pylist() if row["is_current"] and _is_of(row, keys)]
    if len(current) == 1:
        run_id = str(current[0]["run_id"])
        try:
            return _run_of(store, current[0])
        except (StorageError, ValueError, KeyError, TypeError):
            return RunBefore(run_id, is_known=False)
    return RunBefore(is_known=False)


def _is_of(record: RunRecord, keys: Mapping[str, object]) -> bool:
    return all(record[name] == keys[name] for name in WINDOW_KEY)


def _intact(store: Store, run_id: str) -> RunRecord | None:
    records = store.records()
    rows: list[RunRecord] = records.to_pylist()
    whole = zip(rows, are_whole(records), strict=True)
    found = [row for row, is_whole in whole if is_whole and row["run_id"] == run_id and row["status"] == "succeeded"]
    return found[0] if len(found) == 1 else None


def _run_of(store: Store, record: RunRecord) -> RunBefore:
    """A run with its published rows.

    Raises:
        StorageError: if the rows differ from those that were written.
    """
    return RunBefore(str(record["run_id"]), _written(store, record, SWEEP), _written(store, record, CELLS))


def _written(store: Store, record: RunRecord, table: str) -> pa.Table:
    rows = store.read(table, [str(record["run_id"])])
    found, expected = list(checksum(rows)), json.loads(record["checksums"])[table]
    if found != expected:
        place = f"{table} of run {record['run_id']} ({what(record)})"
        raise StorageError(Problem(place, not_as_written(rows.num_rows, expected[0]), "", again(record)))
    return rows


def _unknown(keys: Mapping[str, object]) -> Problem:
    return Problem(
        what(keys),
        "not published: small cells are suppressed, so it must be known what the previous run has shown",
        "",
        "repair that run first, or publish with --force: then no counts are shown (docs/privacy.md)",
    )
