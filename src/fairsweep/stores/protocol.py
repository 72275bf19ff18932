"""The interface of every store, and the operations that each kind of storage provides for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pyarrow as pa

from fairsweep.tables.checksums import Checksum
from fairsweep.tables.distributed import DistributedRows
from fairsweep.tables.integrity import Found

RunRecord = dict[str, Any]
"""One row of `runs`, by column; NULL columns may be omitted.

Publishing fills `is_current`, `checksums` and `record_checksum`.
"""

Outcome = Literal["published", "already_done", "recorded"]
"""`published` now; `already_done` by an earlier attempt or another runner; `recorded` without results."""


Checksums = dict[str, list[int | str]]
"""By result table, the rows of a run and their digest, as JSON keeps a `Checksum`."""


class WriteConflictError(Exception):
    """Another writer committed first; nothing was written, and trying again may succeed."""


@dataclass(frozen=True)
class Run:
    """A run to publish.

    Attributes:
        record: its row of `runs`.
        results: its rows of each result table, in that table's Arrow schema; a missing table has no rows.
            Empty unless the run succeeded.
        distributed: its further rows, which only the store of the engine that makes them can write.
    """

    record: RunRecord
    results: Mapping[str, pa.Table] = field(default_factory=dict)
    distributed: Mapping[str, Sequence[DistributedRows]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The run id."""
        return str(self.record["run_id"])

    @property
    def verb(self) -> str:
        """The verb of the run; it decides which tables there are."""
        return str(self.record["verb"])

    @property
    def succeeded(self) -> bool:
        """Whether there are results to publish."""
        return bool(self.record["status"] == "succeeded")


class Primitives(Protocol):
    """The few operations of a storage that publishing is built from. Run ids have been checked."""

    @property
    def place(self) -> str:
        """The location as text for people: a folder or a schema."""
        ...

    def ensure(self) -> None:
        """Create the tables that do not exist; safe when several do it at once.

        Raises:
            StorageError: when a table cannot be created, or is of another schema version.
        """
        ...

    def bind(self) -> None:
        """Look for the tables that exist, to read from them; nothing is created.

        Raises:
            UsageError: when there are none.
            StorageError: when they cannot be read, or are of another schema version.
        """
        ...

    def replace(
        self, table: str, run_ids: Sequence[str], rows: pa.Table, distributed: Sequence[DistributedRows] = ()
    ) -> None:
        """In one commit: remove every row of these runs from a result table and add the given ones.

        Raises:
            WriteConflictError: when another writer was first.
            StorageError: when it cannot be written.
        """
        ...

    def read(self, table: str, run_ids: Sequence[str]) -> pa.Table:
        """Every row of these runs as it is stored, published or not, in the table's Arrow schema.

        A table that does not exist yet has no rows, and is not created.

        Raises:
            StorageError: when it cannot be read.
        """
        ...

    def records(self) -> pa.Table:
        """Every run record as it is stored, whether or not it is as it was written.

        Raises:
            StorageError: when they cannot be read, or a part of their log is gone.
        """
        ...

    def found(self, table: str, run_ids: Sequence[str]) -> dict[str, Found]:
        """How many rows runs have in a result table, and whether their files are there, without reading the rows.

        Raises:
            StorageError: if this cannot be determined.
        """
        ...

    def checksums(self, table: str, rows: Mapping[str, int]) -> dict[str, Checksum]:
        """The checksums of runs in a result table as they are stored, published or not, by run id.

        Args:
            table: the result table.
            rows: by run id, how many rows there should be.

        Raises:
            StorageError: when it cannot be read.
        """
        ...

    def read_back(self, runs: Sequence[Run], written: Mapping[str, Checksums]) -> None:
        """Find out whether what was just written is there: by checksums, or by all that can go wrong on the way.

        Args:
            runs: whose results were written.
            written: by run id and result table, the rows and the checksum; only tables that were written.

        Raises:
            StorageError: naming each run and table that differs.
        """
        ...

    def commit(self, changes: pa.Table) -> None:
        """In one commit on `runs`: apply `publishing.changes`; it fails if `runs` has changed meanwhile.

        Raises:
            WriteConflictError: when another writer was first.
            StorageError: when it cannot be written.
        """
        ...


class Store(Primitives, Protocol):
    """A store of results, which become visible all at once or not at all."""

    def publish(self, runs: Sequence[Run], *, force: bool = False) -> dict[str, Outcome]:
        """Publish runs together; see `publishing.publish`."""
        ...

    def confirm(self, records: Sequence[RunRecord]) -> None:
        """Verify runs that succeeded earlier and make them current again; see `publishing.confirm`."""
        ...

    def verify(self, run_ids: Sequence[str]) -> None:
        """Compare stored rows with the run records; see `publishing.verify`."""
        ...

    def open_to_others(self, tables: Sequence[str]) -> tuple[str, ...]:
        """A warning for each of some tables that others than its owner can read, though they should not."""
        ...

    def find_runs(self, batch_id: str) -> list[RunRecord]:
        """The run records of a batch; none where nothing was ever published, and nothing is created there."""
        ...

    def current(self, table: str) -> pa.Table:
        """The rows of current runs; of `runs`, their records. Nothing is created.

        Raises:
            UsageError: when there are no result tables.
        """
        ...
