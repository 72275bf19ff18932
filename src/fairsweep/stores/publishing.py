"""The write order, once for every storage: result tables, read-back, then one commit that publishes.

Readers see the runs that `runs.is_current` marks. Result tables are written first, under run ids that are
not read yet, so that a process that dies at any point does not change what readers see.
"""

from __future__ import annotations

import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Protocol
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.compute as pc

from fairsweep import stopping
from fairsweep.errors import Problem, StorageError
from fairsweep.stores.comparing import at_once, compare, expect
from fairsweep.stores.failpoints import failpoint
from fairsweep.stores.protocol import Checksums, Outcome, Primitives, Run, RunRecord, WriteConflictError
from fairsweep.tables.catalogue import RUNS, TABLES, TABLES_OF
from fairsweep.tables.checksums import Checksum, checksum, combined
from fairsweep.tables.distributed import DistributedRows
from fairsweep.tables.integrity import WINDOW_KEY, Found, check_digests, with_digests
from fairsweep.tables.schema import conform

ATTEMPTS = 10
# A run has one file in a table, unless it takes more than this.
FILE_BYTES = 128 << 20
RUN_ID = re.compile(r"[0-9a-f]{16,64}")
SUPERSEDES = "supersedes"
CHANGES_SCHEMA: pa.Schema = TABLES[RUNS].arrow_schema.append(pa.field(SUPERSEDES, pa.bool_(), nullable=False))

# How `commit` applies the changes to `runs`, in the SQL of every storage that can merge.
MATCHES = (
    f"(NOT change.{SUPERSEDES} AND runs.run_id = change.run_id) OR (change.{SUPERSEDES} AND runs.is_current "
    "AND runs.run_id <> change.run_id AND " + " AND ".join(f"runs.{k} = change.{k}" for k in WINDOW_KEY) + ")"
)
CLEARS = f"change.{SUPERSEDES}"
REPLACES = f"NOT change.{SUPERSEDES} AND (change.status = 'succeeded' OR runs.status <> 'succeeded')"
INSERTS = f"NOT change.{SUPERSEDES}"

_log = logging.getLogger(__name__)
_turns: WeakValueDictionary[tuple[str, str], threading.Lock] = WeakValueDictionary()
_turns_guard = threading.Lock()


def changes(records: Sequence[RunRecord]) -> pa.Table:
    """The changes of one commit to `runs`: each record as a row, and a row that clears the run that it supersedes.

    Args:
        records: complete run records; those with `is_current` supersede the current run of their window.
    """
    rows = [{**record, SUPERSEDES: False} for record in records]
    rows += [{**record, SUPERSEDES: True} for record in records if record["is_current"]]
    return with_digests(pa.Table.from_pylist(rows, schema=CHANGES_SCHEMA).drop_columns([SUPERSEDES])).append_column(
        CHANGES_SCHEMA.field(SUPERSEDES), pa.array([row[SUPERSEDES] for row in rows], pa.bool_())
    )


def publish(storage: Primitives, runs: Sequence[Run], *, force: bool = False) -> dict[str, Outcome]:
    """Publish runs together: afterwards readers see all runs that succeeded, or the same as before.

    A run that failed or was refused leaves its record, which never replaces one that succeeded. A run
    that has succeeded before is verified instead, and made current again if another superseded it.

    Args:
        storage: the storage of the tables.
        runs: runs of one batch, each of another model or window.
        force: write runs again that succeeded before.

    Returns:
        The state of each run id.

    Raises:
        StorageError: if rows cannot be written or read back unchanged, or conflicts do not end.
    """
    _check(runs)
    with _taking_turns(storage, [run.id for run in runs]):
        storage.ensure()
        failpoint("tables_ensured")
        asked = [run for run in runs if run.succeeded]
        done = {} if force else _succeeded(storage, [run.id for run in asked])
        compare(storage, done)
        todo = {run.id: run for run in asked if run.id not in done}
        with ThreadPoolExecutor(1, thread_name_prefix="fairsweep-checksums") as beside:
            # Only the read-back and the records need them, and writing waits for the disk.
            sums = beside.submit(lambda: {run.id: checksums_of(run) for run in todo.values()})
            written = _write(storage, list(todo.values()), force=force) if todo else frozenset()
            expected = sums.result()
        if written is None:
            done |= _succeeded(storage, list(todo))
            compare(storage, {run_id: done[run_id] for run_id in todo})
            todo = {}
        elif todo:
            failpoint("tables_written")
            sums_written = {run_id: {t: sums[t] for t in written} for run_id, sums in expected.items()}
            storage.read_back(list(todo.values()), sums_written)
            failpoint("read_back")
        records = [
            {**run.record, "is_current": True, "checksums": json.dumps(expected[run.id], sort_keys=True)}
            for run in todo.values()
        ]
        others = [{**run.record, "is_current": False, "checksums": None} for run in runs if not run.succeeded]
        done |= _commit(storage, records, others, done, force=force)
        failpoint("committed")
    return {run.id: "recorded" if not run.succeeded else _outcome(run.id, done) for run in runs}


def confirm(storage: Primitives, records: Sequence[RunRecord]) -> None:
    """Verify runs that succeeded earlier, and make those current again that another has superseded.

    Raises:
        StorageError: if the stored rows differ from the records, or conflicts do not end.
    """
    done = {str(record["run_id"]): record for record in records if record["status"] == "succeeded"}
    with _taking_turns(storage, list(done)):
        storage.bind()
        compare(storage, done)
        _commit(storage, [], [], done, force=False)


def verify(storage: Primitives, run_ids: Sequence[str]) -> None:
    """Compare numbers and checksums of stored rows with the run records.

    Raises:
        StorageError: naming every run and table that differs, or run ids without a successful run.
    """
    _check_ids(run_ids)
    storage.bind()
    found = _succeeded(storage, run_ids)
    unknown = [run_id for run_id in run_ids if run_id not in found]
    if unknown:
        raise StorageError(
            Problem(f"run {run_id}", "unknown here, or has not succeeded", "", "run it again") for run_id in unknown
        )
    compare(storage, found)


def refuse_distributed(distributed: Sequence[DistributedRows]) -> None:
    """Reject distributed rows in a store without an engine: this is a bug of the program."""
    if distributed:
        raise ValueError("only the store beside the engine that makes distributed rows can write them")


class Publishing(Primitives, Protocol):
    """The part of a store that is the same for every storage."""

    def found(self, table: str, run_ids: Sequence[str]) -> dict[str, Found]:
        """How many rows runs have in a result table."""
        ids = self.read(table, run_ids).column("run_id")
        return {run_id: Found(int(pc.sum(pc.equal(ids, run_id)).as_py() or 0)) for run_id in run_ids}

    def checksums(self, table: str, rows: Mapping[str, int]) -> dict[str, Checksum]:
        """The checksums of runs in a result table, from its rows."""
        stored = self.read(table, list(rows))
        ids = stored.column("run_id")
        return {run_id: checksum(stored.filter(pc.equal(ids, run_id))) for run_id in rows}

    def read_back(self, runs: Sequence[Run], written: Mapping[str, Checksums]) -> None:
        """Compare the checksums of what was just written with those of what should have been."""
        expect(self, written, {run.id: run.record for run in runs})

    def open_to_others(self, tables: Sequence[str]) -> tuple[str, ...]:
        """Empty: without a local folder there are no file permissions to check."""
        del tables
        return ()

    def publish(self, runs: Sequence[Run], *, force: bool = False) -> dict[str, Outcome]:
        """Publish runs together; see `publish`."""
        return publish(self, runs, force=force)

    def confirm(self, records: Sequence[RunRecord]) -> None:
        """Verify runs that succeeded earlier and make them current again; see `confirm`."""
        confirm(self, records)

    def verify(self, run_ids: Sequence[str]) -> None:
        """Compare stored rows with the run records; see `verify`."""
        verify(self, run_ids)


def _check(runs: Sequence[Run]) -> None:
    """Check conditions that only a bug of the program can violate."""
    _check_ids([run.id for run in runs])
    if len({run.verb for run in runs}) > 1:
        raise ValueError("the runs of a batch must be of one verb")
    windows = [tuple(run.record[name] for name in WINDOW_KEY) for run in runs]
    if len(set(windows)) != len(runs) or len({run.id for run in runs}) != len(runs):
        raise ValueError("the runs of a batch must have different ids, and different models or windows")
    for run in runs:
        unknown = sorted({*run.results, *run.distributed} - set(TABLES_OF[run.verb]))
        if unknown or (run.results and not run.succeeded):
            raise ValueError(f"run {run.id} cannot publish {unknown or 'results, since it did not succeed'}")
        for table, rows in run.results.items():
            if pc.any(pc.not_equal(rows.column("run_id"), run.id)).as_py():
                raise ValueError(f"{table} has rows of another run than {run.id}")


def _check_ids(run_ids: Sequence[str]) -> None:
    for run_id in run_ids:
        if not RUN_ID.fullmatch(run_id):
            raise ValueError("a run id is 16 to 64 hexadecimal digits")


def _succeeded(storage: Primitives, run_ids: Sequence[str]) -> dict[str, RunRecord]:
    if not run_ids:
        return {}
    stored = storage.read(RUNS, run_ids)
    check_digests(stored)
    records: list[RunRecord] = stored.to_pylist()
    return {str(record["run_id"]): record for record in records if record["status"] == "succeeded"}


def _outcome(run_id: str, done: Mapping[str, RunRecord]) -> Outcome:
    return "already_done" if run_id in done else "published"


def rows_of(run: Run, table: str) -> pa.Table:
    """The rows that a run has for a result table, in its schema; none where it has none."""
    rows = run.results.get(table)
    return TABLES[table].arrow_schema.empty_table() if rows is None else conform(TABLES[table], rows)


def checksums_of(run: Run) -> Checksums:
    """Rows and checksum of each of a run's results, as its record will have them."""
    found: Checksums = {}
    for table in TABLES_OF[run.verb]:
        distributed = [part.checksum() for part in run.distributed.get(table, ())]
        found[table] = list(combined([checksum(rows_of(run, table)), *distributed]))
    return found


def _write(storage: Primitives, runs: Sequence[Run], *, force: bool) -> frozenset[str] | None:
    """Write the result tables that runs have rows of, and clear the others.

    Returns:
        The tables written or cleared, others have no rows of these runs; None when another runner has published
        the runs meanwhile.
    """
    run_ids = [run.id for run in runs]

    def settled() -> bool:
        return not force and len(_succeeded(storage, run_ids)) == len(run_ids)

    def write(table: str) -> bool | None:
        rows = pa.concat_tables([rows_of(run, table) for run in runs])
        distributed = [part for run in runs for part in run.distributed.get(table, ())]
        written = None
        # Most runs have nothing for some tables; to look takes less time than to commit nothing.
        if rows.num_rows or distributed or _may_have_rows(storage, table, run_ids):
            written = _persistently(table, lambda: storage.replace(table, run_ids, rows, distributed), settled)
        failpoint(f"{table}_written")
        return written

    found = at_once(write, TABLES_OF[runs[0].verb])
    return None if False in found.values() else frozenset(table for table, written in found.items() if written)


def _may_have_rows(storage: Primitives, table: str, run_ids: Sequence[str]) -> bool:
    """Whether a table may have rows of some runs; where its files are damaged, it may."""
    try:
        return any(found.rows or found.fault for found in storage.found(table, run_ids).values())
    except StorageError:
        return True


def _persistently(place: str, action: Callable[[], None], settled: Callable[[], bool]) -> bool:
    """Try a commit until it succeeds; False when a conflict showed that another runner has settled it."""
    for attempt in range(ATTEMPTS):
        try:
            action()
        except WriteConflictError:
            _log.info("%s: another writer was first (attempt %d of %d)", place, attempt + 1, ATTEMPTS)
            if settled():
                return False
            # Writers that met once would meet again without a pause of random length.
            time.sleep(min(0.1 * 2**attempt, 3.0) * random.uniform(0.5, 1.5))  # noqa: S311
        else:
            return True
    raise StorageError(
        Problem(
            place,
            f"contested by other writers, {ATTEMPTS} times in a row",
            "",
            "run again when fewer runs publish at once",
        )
    )


def _commit(
    storage: Primitives,
    records: Sequence[RunRecord],
    others: Sequence[RunRecord],
    done: Mapping[str, RunRecord],
    *,
    force: bool,
) -> dict[str, RunRecord]:
    """The one commit on `runs`.

    Args:
        storage: the storage of the tables.
        records: runs whose results have been written.
        others: runs without results.
        done: runs that have succeeded before; superseded ones become current again.
        force: `records` replace those of earlier successes.

    Returns:
        The records of runs that another process had already published, which were verified instead.
    """
    overtaken: dict[str, RunRecord] = {}

    def attempt() -> None:
        found = {} if force else _succeeded(storage, [str(record["run_id"]) for record in records])
        compare(storage, {run_id: found[run_id] for run_id in found.keys() - overtaken.keys()})
        overtaken.update(found)
        latest = {**_succeeded(storage, list(done)), **found}
        written = [record for record in records if record["run_id"] not in found]
        revived = [{**record, "is_current": True} for record in latest.values() if not record["is_current"]]
        if written or revived or others:
            storage.ensure()
            failpoint("before_commit")
            with stopping.whole():
                storage.commit(changes([*written, *revived, *others]))
                stopping.publishing(*map(_named, [*written, *revived]))

    _persistently(RUNS, attempt, settled=lambda: False)
    stopping.publishing(*map(_named, [*records, *done.values()]))
    return overtaken


def _named(record: RunRecord) -> str:
    return f"{record['model_id']} {record['model_version']} (run {record['run_id']})"


@contextmanager
def _taking_turns(storage: Primitives, run_ids: Sequence[str]) -> Iterator[None]:
    """Threads of one process that publish the same run wait for each other, and find it done."""
    with ExitStack() as stack:
        for run_id in sorted(run_ids):  # in one order, so that no two threads wait for each other
            with _turns_guard:
                turn = _turns.setdefault((storage.place, run_id), threading.Lock())
            stack.enter_context(turn)
        yield
