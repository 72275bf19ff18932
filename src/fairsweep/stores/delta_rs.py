"""Results as Delta tables in a local folder, written by delta-rs: the same tables as Spark's, for every engine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairsweep.delta_folders import dataset
from fairsweep.errors import FairsweepError, Problem, StorageError, UsageError, quoted
from fairsweep.stores import damage, publishing, written_files
from fairsweep.stores.access import create_private, keep_to_owner, open_to_others
from fairsweep.stores.delta_logs import LOG, log_faults
from fairsweep.stores.delta_rs_errors import BY_SPARK, own_errors
from fairsweep.stores.places import Place, occupied, refuse_other_folders
from fairsweep.stores.problems import FailedQueryError, check_version
from fairsweep.stores.protocol import Checksums, Primitives, Run, RunRecord
from fairsweep.stores.publishing import Publishing
from fairsweep.tables.catalogue import RUNS, TABLES
from fairsweep.tables.checksums import Checksum, by_run, combined, combined_by_run
from fairsweep.tables.distributed import DistributedRows
from fairsweep.tables.integrity import Found, again, check_digests, what
from fairsweep.tables.schema import conform
from fairsweep.tables.views import tables_behind

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

# delta-rs evaluates a table's checks only from this version of the protocol on; Spark sets it automatically.
_PROPERTIES = {"delta.minWriterVersion": "3"}
_BATCH_ROWS = 1 << 16
# delta-rs takes paths for URLs: it decodes what looks encoded, and ends the process at characters that URLs lack.
_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]\\^|]")
_ALWAYS = "run again; if the error stays, use another --warehouse"


def refusal(place: Place) -> Problem | None:
    """Why delta-rs cannot write there; None where it can.

    Writers from several machines are coordinated on a local file system only.
    """
    folder = place.local_folder
    if folder is None:
        flag, kind = ("--schema", "of a catalog") if place.folder is None else ("--warehouse", "not a local folder")
        return Problem(flag, f"{quoted(place.text)}, {kind}", "a local folder with --engine local", BY_SPARK)
    found = _MISREAD.search(str(folder))
    if found:
        value = f"{quoted(folder)}, with {quoted(found.group())} in it"
        return Problem("--warehouse", value, r"a path without [ ] \ ^ | and %xx with --engine local", BY_SPARK)
    return None


class DeltaRsStore(Publishing):
    """Result tables in a local folder, one in each subfolder."""

    def __init__(self, place: Place, tables: Sequence[str] = tuple(TABLES), by_spark: Primitives | None = None) -> None:
        """Take a location that `refusal` accepts, the tables that will be used, and Spark's store for the same tables.

        Only Spark can write distributed rows; without it there are none.

        Raises:
            UsageError: if `refusal` does not accept the location.
        """
        problem = refusal(place)
        if problem is not None or place.local_folder is None:
            raise UsageError(problem or ())
        self._place, self._folder, self._by_spark = place, place.local_folder, by_spark
        self._tables, self._ensured = tuple(tables), False
        self._ensuring = threading.Lock()

    @property
    def place(self) -> str:
        """The folder."""
        return self._place.text

    def ensure(self) -> None:
        """Create the tables that do not exist, once for this object; safe when several do it at once.

        Raises:
            StorageError: when a table cannot be created, or is of another schema version.
        """
        with self._ensuring:
            if not self._ensured:
                for table in self._tables:
                    self._create_table(table)
                self._ensured = True

    def open_to_others(self, tables: Sequence[str]) -> tuple[str, ...]:
        """Warnings of tables whose folders others can enter."""
        return open_to_others(self._place, tables)

    def bind(self) -> None:
        """Look for the tables in the folder; nothing is created."""
        damage.check_runs_are_there(self._place)
        with own_errors(self.place):
            refuse_other_folders(self._folder)

    def create_tables(self) -> None:
        """Create the tables that do not exist; views live in each query's own connection."""
        self.ensure()

    def replace(
        self, table: str, run_ids: Sequence[str], rows: pa.Table, distributed: Sequence[DistributedRows] = ()
    ) -> None:
        """In one commit: remove every row of these runs and add the given ones."""
        from deltalake import write_deltalake

        if distributed and self._by_spark is not None:
            self._by_spark.ensure()
            self._by_spark.replace(table, run_ids, rows, distributed)
            return
        publishing.refuse_distributed(distributed)
        # The predicate is SQL text: nothing but hexadecimal digits may enter it.
        if not all(publishing.RUN_ID.fullmatch(run_id) for run_id in run_ids):
            raise ValueError("a run id is 16 to 64 hexadecimal digits")
        listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
        with own_errors(f"table {table}"):
            stored = self._open(table)
            whole = written_files.with_later_columns(rows, pa.schema(stored.schema().to_arrow()))
            write_deltalake(
                stored,
                # In small batches, because each is copied several times on its way to the file.
                whole.to_reader(max_chunksize=_BATCH_ROWS),
                mode="overwrite",
                predicate=f"run_id IN ({listed})",
                target_file_size=publishing.FILE_BYTES,
                writer_properties=written_files.properties(whole.schema),
            )

    def read(self, table: str, run_ids: Sequence[str]) -> pa.Table:
        """Every row of these runs as it is stored."""
        ids = pa.array(run_ids, pa.string())
        if table == RUNS:
            records = self.records()
            return records.filter(pc.is_in(records.column("run_id"), value_set=ids))
        with self._reading(table, run_ids):
            rows = self._rows(table, ids)
            return rows if isinstance(rows, pa.Table) else conform(TABLES[table], rows.to_table())

    def checksums(self, table: str, rows: Mapping[str, int]) -> dict[str, Checksum]:
        """The checksums of runs in a result table, from its rows, batch by batch: they may be millions."""
        with self._reading(table, list(rows)):
            stored = self._rows(table, pa.array(list(rows), pa.string()))
            if isinstance(stored, pa.Table):
                return {run_id: combined([]) for run_id in rows}
            batches = stored.to_batches(batch_size=_BATCH_ROWS, batch_readahead=2, fragment_readahead=1)
            wanted = (conform(TABLES[table], pa.Table.from_batches([batch])) for batch in batches if batch.num_rows)
            parts = [part for one in wanted for part in by_run(one.combine_chunks().to_batches())]
        found = combined_by_run(pa.Table.from_batches(parts)) if parts else {}
        return {run_id: found.get(run_id, combined([])) for run_id in rows}

    def records(self) -> pa.Table:
        """Every run record; callers filter the Arrow table.

        delta-rs merges into files of string views, which Arrow's scanner cannot compare.
        """
        damage.check_runs(self._place)
        with self._reading(RUNS):
            stored = self._stored(RUNS)
            if stored is None:
                return TABLES[RUNS].arrow_schema.empty_table()
            return conform(TABLES[RUNS], dataset(stored, self._folder / RUNS).to_table())

    def found(self, table: str, run_ids: Sequence[str]) -> dict[str, Found]:
        """How many rows runs have in a result table by its log, and whether their files are as long as it says."""
        if self._stored(table) is None:
            return {}
        found, uncounted = dict.fromkeys(run_ids, Found(0)), set()
        for run_id, file in self._files(table):
            if run_id in found:
                rows, fault = found[run_id]
                found[run_id] = Found(rows + (file["num_records"] or 0), fault or self._fault(table, file))
                uncounted |= {run_id} if file["num_records"] is None else set()
        for run_id in (run_id for run_id in uncounted if not found[run_id].fault):
            with self._reading(table, [run_id]):
                found[run_id] = Found(self._rows(table, pa.array([run_id], pa.string())).count_rows())
        return found

    def _files(self, table: str) -> list[tuple[str, dict[str, Any]]]:
        """The files of a table as its log has them, each with its run; of `runs` with none."""
        stored = self._open(table)
        files: list[dict[str, Any]] = pa.table(stored.get_add_actions(flatten=True)).to_pylist()
        return [(file.get("partition.run_id", ""), file) for file in files]

    def _fault(self, table: str, file: Mapping[str, Any]) -> str:
        """The damage of a file of a table, as far as its length shows it."""
        path = self._folder / table / unquote(file["path"])
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return f"`{file['path']}` is missing"
        except OSError:  # who may not look may not read it either, and says so
            return ""
        return "" if size == file["size_bytes"] else f"`{file['path']}` has {size:,} bytes, not {file['size_bytes']:,}"

    def read_back(self, runs: Sequence[Run], written: Mapping[str, Checksums]) -> None:
        """Compare lengths and footers of the files with what was written; `verify` reads every value.

        What can go wrong on the way to the disk is a file that is cut, lost or of another writer. Rows that Spark has
        written are compared by their checksums.
        """
        by_spark = {run.id: [table for table, parts in run.distributed.items() if parts] for run in runs}
        aside = {
            run_id: {t: one for t, one in sums.items() if t in by_spark[run_id]} for run_id, sums in written.items()
        }
        super().read_back(runs, aside)
        problems = []
        for table in sorted({table for sums in written.values() for table in sums}):
            files = self._files(table)
            for run in runs:
                if table not in written[run.id] or table in by_spark[run.id]:
                    continue
                mine = [file for run_id, file in files if run_id == run.id]
                found = self._difference(table, mine, publishing.rows_of(run, table))
                if found:
                    place = f"{table} of run {run.id} ({what(run.record)})"
                    problems.append(Problem(place, f"not as it was written: {found}", "", again(run.record)))
        if problems:
            raise StorageError(problems)

    def _difference(self, table: str, files: Sequence[Mapping[str, Any]], rows: pa.Table) -> str:
        """How files of a table differ from the rows that they should hold."""
        fault = next((fault for file in files if (fault := self._fault(table, file))), "")
        if fault:
            return fault
        with own_errors(f"table {table}"):
            paths = [self._folder / table / unquote(file["path"]) for file in files]
            return written_files.difference(map(pq.read_metadata, paths), rows)

    def commit(self, changes: pa.Table) -> None:
        """In one commit on `runs`: apply the changes; a commit by anyone else since they were read is a conflict."""
        from deltalake import CommitProperties

        damage.check_runs(self._place)
        values = {name: f"change.{name}" for name in TABLES[RUNS].column_names}
        with own_errors(f"table {RUNS}"):
            merge = self._open(RUNS).merge(
                changes,
                publishing.MATCHES,
                source_alias="change",
                target_alias="runs",
                commit_properties=CommitProperties(max_commit_retries=0),
            )
            merge = merge.when_matched_update({"is_current": "false"}, publishing.CLEARS)
            merge = merge.when_matched_update(values, publishing.REPLACES)
            merge.when_not_matched_insert(values, publishing.INSERTS).execute()

    def find_runs(self, batch_id: str) -> list[RunRecord]:
        """The run records of a batch; none where there is no table yet, which is then not created for it."""
        records = self.records()
        found = records.filter(pc.equal(records.column("batch_id"), batch_id))
        check_digests(found)
        listed: list[RunRecord] = found.to_pylist()
        return listed

    def current(self, table: str) -> pa.Table:
        """The rows of current runs; of `runs`, their records. Nothing is created."""
        self.bind()
        records = damage.checked_records(self, [table])
        records = records.filter(records.column("is_current"))
        return records if table == RUNS else self.read(table, records.column("run_id").to_pylist())

    def query(self, sql: str) -> pa.Table:
        """Rows of a query over the current runs; the plain table names mean their rows, `runs` all.

        Only the tables that the query needs are opened.

        Raises:
            UsageError: when the query may not or cannot be run, or there are no result tables.
            StorageError: when a table cannot be read.
        """
        from fairsweep.stores import local_queries, query_gate

        asked = query_gate.checked(sql, "duckdb")
        self.bind()
        opened = tables_behind(asked.relations)
        records = damage.checked_records(self, opened)
        current = records.filter(records.column("is_current")).column("run_id").combine_chunks()
        rows: dict[str, ds.Dataset | pa.Table] = {}
        for table in opened:
            with self._reading(table):
                rows[table] = records if table == RUNS else self._rows(table, current)
        try:
            return local_queries.answer(asked, rows)
        except FailedQueryError:
            damage.explain_failure(self, opened, records)
            raise

    def _open(self, table: str) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaProtocolError

        with own_errors(f"table {table}"):
            try:
                return DeltaTable(str(self._folder / table))
            except DeltaProtocolError:
                raise
            except Exception as error:
                raise StorageError(damage.unreadable(self._place, table, type(error).__name__)) from error

    @contextmanager
    def _reading(self, table: str, run_ids: Sequence[str] = ()) -> Iterator[None]:
        """Name the damaged file where reading a table, or these runs in it, fails."""
        from deltalake.exceptions import DeltaProtocolError

        with own_errors(f"table {table}"):
            try:
                yield
            except (FairsweepError, DeltaProtocolError):
                raise
            except Exception as error:
                files = [file for run_id, file in self._files(table) if not run_ids or run_id in run_ids]
                reason = next((fault for file in files if (fault := self._fault(table, file))), "")
                raise StorageError(damage.unreadable(self._place, table, type(error).__name__, reason)) from error

    def _stored(self, table: str) -> DeltaTable | None:
        """A table to read from; None where it is not there yet. Nothing is created."""
        from deltalake import DeltaTable

        folder = self._folder / table
        if not DeltaTable.is_deltatable(str(folder)):
            if log_faults(folder):
                raise StorageError(damage.unreadable(self._place, table, "no log"))
            if folder.exists() and any(folder.iterdir()):
                raise StorageError(occupied(folder))
            return None
        stored = self._open(table)
        check_version(self.place, table, stored.metadata().configuration)
        return stored

    def _rows(self, table: str, run_ids: pa.Array) -> ds.Dataset | pa.Table:
        """The rows of these runs in a result table; only their partitions are read."""
        stored = self._stored(table)
        if stored is None:
            return TABLES[table].arrow_schema.empty_table()
        return dataset(stored, self._folder / table).filter(pc.field("run_id").isin(run_ids))

    def _create_table(self, table: str) -> None:
        """Create a table unless it exists; if another writer creates it at the same time, use that table."""
        from deltalake import CommitProperties, DeltaTable

        ours, folder = TABLES[table], self._folder / table
        schema = [
            field.with_metadata({"comment": column.comment})
            for field, column in zip(ours.arrow_schema, ours.columns, strict=True)
        ]
        with own_errors(f"table {table}"):
            # Listed first: a table that is created and written meanwhile has its log by then.
            others = _other_entries(folder)
            if not DeltaTable.is_deltatable(str(folder)):
                if log_faults(folder):
                    raise StorageError(damage.unreadable(self._place, table, "no log"))
                if others:
                    raise StorageError(occupied(folder))
                if ours.restricted and not create_private(folder):
                    keep_to_owner(folder)
                try:
                    DeltaTable.create(
                        str(folder),
                        pa.schema(schema),
                        partition_by=["run_id"] if ours.partitioned else None,
                        description=ours.comment,
                        configuration=ours.table_properties | _PROPERTIES,
                        raise_if_key_not_exists=False,  # the schema version is a property of our own
                        commit_properties=CommitProperties(
                            max_commit_retries=0
                        ),  # else a slower writer creates it again
                    )
                except Exception:
                    if not DeltaTable.is_deltatable(str(folder)):
                        raise
            check_version(self.place, table, self._open(table).metadata().configuration)


def _other_entries(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name != LOG] if folder.is_dir() else []
