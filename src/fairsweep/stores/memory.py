"""A store in memory: for results that are not kept, and for tests of the write order."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from fairsweep.stores import damage, publishing
from fairsweep.stores.protocol import RunRecord, WriteConflictError
from fairsweep.stores.publishing import Publishing
from fairsweep.tables.catalogue import RUNS, TABLES
from fairsweep.tables.distributed import DistributedRows
from fairsweep.tables.integrity import WINDOW_KEY, check_digests


class MemoryStore(Publishing):
    """Tables held as Arrow. Commits are optimistic, as those of a table format are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: dict[str, pa.Table] = {name: table.arrow_schema.empty_table() for name, table in TABLES.items()}

    @property
    def place(self) -> str:
        """The name of the store for people."""
        return f"memory {id(self):x}"

    def ensure(self) -> None:
        """The tables exist from the beginning."""

    def bind(self) -> None:
        """The tables exist from the beginning."""

    def replace(
        self, table: str, run_ids: Sequence[str], rows: pa.Table, distributed: Sequence[DistributedRows] = ()
    ) -> None:
        """Remove the rows of these runs and add the given ones."""
        publishing.refuse_distributed(distributed)
        with self._lock:
            before = self._tables[table]
            kept = before.filter(pc.invert(_of(before, "run_id", run_ids)))
            self._tables[table] = pa.concat_tables([kept, rows])

    def read(self, table: str, run_ids: Sequence[str]) -> pa.Table:
        """Every row of these runs."""
        rows = self._tables[table]
        return rows.filter(_of(rows, "run_id", run_ids))

    def commit(self, changes: pa.Table) -> None:
        """Apply the changes to `runs`, unless it has changed while they were applied."""
        before = self._tables[RUNS]
        after = TABLES[RUNS].rows(_applied(before.to_pylist(), changes.to_pylist()))
        with self._lock:
            if self._tables[RUNS] is not before:
                raise WriteConflictError(RUNS)
            self._tables[RUNS] = after

    def find_runs(self, batch_id: str) -> list[RunRecord]:
        """The run records of a batch."""
        rows = self._tables[RUNS]
        found = rows.filter(_of(rows, "batch_id", [batch_id]))
        check_digests(found)
        records: list[RunRecord] = found.to_pylist()
        return records

    def records(self) -> pa.Table:
        """Every run record."""
        return self._tables[RUNS]

    def current(self, table: str) -> pa.Table:
        """The rows of current runs; of `runs`, their records."""
        runs = damage.checked_records(self, [table])
        return self.read(table, runs.filter(runs.column("is_current")).column("run_id").to_pylist())


def _of(rows: pa.Table, column: str, values: Sequence[str]) -> pa.Array:
    return pc.is_in(rows.column(column), value_set=pa.array(values, pa.string()))


def _applied(rows: list[RunRecord], changes: list[RunRecord]) -> list[RunRecord]:
    """The merge that `publishing.MATCHES` and its companions describe, on plain rows."""
    by_id = {row["run_id"]: dict(row) for row in rows}
    for change in changes:
        if change[publishing.SUPERSEDES]:
            for row in by_id.values():
                same = all(row[name] == change[name] for name in WINDOW_KEY)
                if same and row["run_id"] != change["run_id"]:
                    row["is_current"] = False
            continue
        earlier = by_id.get(change["run_id"])
        if earlier is None or change["status"] == "succeeded" or earlier["status"] != "succeeded":
            by_id[change["run_id"]] = {k: v for k, v in change.items() if k != publishing.SUPERSEDES}
    return list(by_id.values())
