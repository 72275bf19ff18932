"""Results as Delta tables written by Spark: on one machine, a cluster, Spark Connect or Databricks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from fairsweep.errors import FairsweepError, Problem, StorageError, UsageError, quoted
from fairsweep.stores import damage, publishing, query_gate, spark_queries
from fairsweep.stores.access import create_private, is_ours, keep_to_owner, open_to_others
from fairsweep.stores.delta_logs import LOG, log_faults
from fairsweep.stores.places import Place, occupied, refuse_other_folders
from fairsweep.stores.problems import FailedQueryError, check_version, no_warehouse
from fairsweep.stores.protocol import RunRecord
from fairsweep.stores.publishing import Publishing
from fairsweep.stores.spark_errors import CONFLICT, condition_of, own_errors, problem
from fairsweep.tables.catalogue import RUNS, TABLES
from fairsweep.tables.checksums import PARTS, Checksum, by_run, combined, combined_by_run
from fairsweep.tables.distributed import DistributedRows
from fairsweep.tables.integrity import Found, check_digests
from fairsweep.tables.schema import conform, sql_text
from fairsweep.tables.views import VIEWS, tables_behind

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Estimated maximum of bytes per value in Parquet: names repeat, counts are small, shares use all bits.
_BYTES_PER_VALUE = {"DOUBLE": 8, "BIGINT": 3, "INT": 2, "ARRAY<STRING>": 1}
_CREATE_ATTEMPTS = 6
# Below it, reading them in this process takes less time than starting Python workers of Spark.
MOST_ROWS_READ = 2_000_000
# Members have names of their own, which take so much room that Spark loses them on their way here.
MOST_MEMBERS_READ = 100_000

# Another writer that creates the same table has made its folder, and perhaps not yet its log.
_EXISTS = re.compile(r"ALREADY_EXISTS|AlreadyExistsException|DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION")
_OTHER_DEFINITION = re.compile(r"DELTA_CREATE_TABLE_(SCHEME_MISMATCH|WITH_DIFFERENT_\w+)")
# Its end: the folder of a run, and the file.
_PARQUET = re.compile(r"((?:run_id=\w+/)?[\w.-]+\.parquet)")
_ABSENT = re.compile(r"DELTA_FILE_NOT_FOUND|DELTA_PATH_DOES_NOT_EXIST|\[PATH_NOT_FOUND")
# A name that is no catalog's is taken for an outer schema, which Spark's own catalog has not.
_NO_CATALOG = {"_LEGACY_ERROR_TEMP_1126", "REQUIRES_SINGLE_PART_NAMESPACE", "CATALOG_NOT_FOUND"}


class SparkDeltaStore(Publishing):
    """Result tables in a folder or in a schema of a catalog, through a Spark session."""

    def __init__(self, spark: SparkSession, place: Place, tables: Sequence[str] = tuple(TABLES)) -> None:
        """Take the session, the location, and the tables that will be used.

        In a folder only these are created and bound; a catalog has all tables, because its views need them.
        """
        self._spark = spark
        self._place = place
        self._tables = tuple(tables) if place.folder is not None else tuple(TABLES)
        self._ensured = False
        self._ensuring = threading.Lock()
        self._seen: set[str] = set()

    @property
    def place(self) -> str:
        """The folder or schema."""
        return self._place.text

    @property
    def ddl(self) -> str:
        """Every statement that creates the schema, the tables and the views."""
        return self._place.ddl

    def ensure(self) -> None:
        """Create or bind the tables, once for this object; safe when several do it at once.

        Raises:
            UsageError: when there is no such catalog.
            StorageError: when a table cannot be created, or is of another schema version.
        """
        with self._ensuring:
            if self._ensured:
                return
            if not self._in_catalog():
                self._create_schema()
                with self._restricted(), ThreadPoolExecutor(len(self._tables), "fairsweep-store") as pool:
                    list(pool.map(self._create_table, self._tables))
                if self._place.folder is None:
                    self._create_views()
            self._ensured = True

    @contextmanager
    def _restricted(self) -> Iterator[None]:
        """Let only the owner into the folders of restricted tables that do not exist yet, from their first byte."""
        warehouse = self._place.local_folder
        named = [warehouse / name for name in self._tables if TABLES[name].restricted] if warehouse else []
        new = [folder for folder in named if not (folder / LOG).exists()]
        remote = type(self._spark).__module__.startswith("pyspark.sql.connect")
        made = []
        if warehouse is not None and is_ours(warehouse, remote=remote):
            with own_errors(self.place):
                made = [folder for folder in new if create_private(folder)]
        yield
        for folder in new:
            keep_to_owner(folder)
        for folder in made:
            if not (folder / LOG).exists():  # a plain path can be one of another file system of Spark's
                folder.rmdir()

    def open_to_others(self, tables: Sequence[str]) -> tuple[str, ...]:
        """Warnings of tables whose folders others can enter."""
        return open_to_others(self._place, tables)

    def bind(self) -> None:
        """Look for the tables where they are; nothing is created, and nothing bound in a catalog."""
        if self._ensured:
            return
        damage.check_runs_are_there(self._place)
        damage.check_runs(self._place)
        if self._place.folder is None:
            shown = self._shown()
            if shown is None or RUNS not in shown:
                found = "a schema that does not exist" if shown is None else f"a schema without a table {quoted(RUNS)}"
                raise UsageError(no_warehouse(self.place, found))
            self._check_version(RUNS)
        elif self._stored(RUNS) is None:
            if self._place.is_new and self._place.local_folder is not None:
                refuse_other_folders(self._place.local_folder)
            raise UsageError(no_warehouse(self.place, f"which has no table {quoted(RUNS)}"))

    def create_tables(self) -> None:
        """Create the tables that do not exist, and in a catalog the views, which are brought up to date."""
        self.ensure()
        if self._place.folder is None:
            self._create_views()

    def replace(
        self, table: str, run_ids: Sequence[str], rows: pa.Table, distributed: Sequence[DistributedRows] = ()
    ) -> None:
        """In one commit: remove every row of these runs and add the given ones."""
        from pyspark.sql import functions as F

        with own_errors(f"table {table}"):
            frame = self._frame(table, rows).coalesce(_files(table, rows.num_rows))
            for part in distributed:
                frame = frame.unionByName(part.frame)
            # A Column and not `replaceWhere`, which takes SQL text.
            frame.writeTo(self._place.name(table)).overwrite(F.col("run_id").isin(list(run_ids)))

    def _frame(self, table: str, rows: pa.Table) -> DataFrame:
        if rows.num_rows:
            return self._spark.createDataFrame(rows)
        # Spark Connect infers the columns of Arrow rows from the rows.
        columns = ", ".join(f"{column.name} {column.type}" for column in TABLES[table].columns)
        return self._spark.createDataFrame([], columns)

    def read(self, table: str, run_ids: Sequence[str]) -> pa.Table:
        """Every row of these runs as it is stored."""
        return self._where(table, "run_id", run_ids)

    def records(self) -> pa.Table:
        """Every run record."""
        damage.check_runs(self._place)
        with self._reading(RUNS):
            return conform(TABLES[RUNS], self._rows(RUNS).select(*TABLES[RUNS].column_names).toArrow())

    def found(self, table: str, run_ids: Sequence[str]) -> dict[str, Found]:
        """How many rows runs have in a result table, by the ends of its files."""
        from pyspark.sql import functions as F

        with self._reading(table):
            rows = self._rows(table).where(F.col("run_id").isin(list(run_ids)))
            counts = rows.groupBy("run_id").agg(F.count("*").alias("n")).toArrow().to_pylist()
        return {row["run_id"]: Found(row["n"]) for row in counts}

    def checksums(self, table: str, rows: Mapping[str, int]) -> dict[str, Checksum]:
        """The checksums of runs in a result table; of many rows tasks take them."""
        if sum(rows.values()) <= (MOST_MEMBERS_READ if TABLES[table].of_members else MOST_ROWS_READ):
            return super().checksums(table, rows)
        from pyspark.sql import functions as F

        with self._reading(table):
            stored = self._rows(table).where(F.col("run_id").isin(list(rows)))
            parts = stored.select(*TABLES[table].column_names).mapInArrow(by_run, PARTS).toArrow()
        found = combined_by_run(parts)
        return {run_id: found.get(run_id, combined(())) for run_id in rows}

    def commit(self, changes: pa.Table) -> None:
        """In one commit on `runs`: apply the changes.

        The table is not partitioned and its isolation Serializable, so that a commit by anyone else
        since this one's snapshot is a conflict.
        """
        from pyspark.sql import functions as F

        damage.check_runs(self._place)
        with own_errors("table runs"):
            source = self._spark.createDataFrame(changes).coalesce(1).alias("change")
            merge = source.mergeInto(self._place.name(RUNS), F.expr(publishing.MATCHES))
            merge = merge.whenMatched(F.expr(publishing.CLEARS)).update({"is_current": F.lit(False)})
            merge = merge.whenMatched(F.expr(publishing.REPLACES)).updateAll()
            merge.whenNotMatched(F.expr(publishing.INSERTS)).insertAll().merge()

    def find_runs(self, batch_id: str) -> list[RunRecord]:
        """The run records of a batch; none where there is no table yet, which is then not created for it."""
        if self._place.is_new or (self._place.folder is None and RUNS not in (self._shown() or ())):
            return []
        found = self._where(RUNS, "batch_id", [batch_id])
        check_digests(found)
        records: list[RunRecord] = found.to_pylist()
        return records

    def current(self, table: str) -> pa.Table:
        """The rows of current runs; of `runs`, their records. Nothing is created."""
        self.bind()
        records = damage.checked_records(self, [table])
        if table == RUNS:
            return records.filter(records.column("is_current"))
        with self._reading(table):
            return conform(TABLES[table], self._current(table).select(*TABLES[table].column_names).toArrow())

    def register_sql_views(self, relations: Sequence[str] = query_gate.RELATIONS) -> None:
        """Bind plain names in the session: tables have the rows of current runs, `runs` has all runs; and the views.

        Args:
            relations: the tables and views; only what they need is opened.
        """
        self.bind()
        with own_errors(self.place):
            for table in tables_behind(relations):
                self._current(table).createOrReplaceTempView(table)
            for view in (name for name in relations if name in VIEWS):
                self._spark.sql(VIEWS[view].sql).createOrReplaceTempView(view)

    def query(self, sql: str) -> pa.Table:
        """Rows of a query over the current runs; the plain table names mean their rows, `runs` all.

        Only the tables that the query needs are opened.

        Raises:
            UsageError: when the query may not or cannot be run, or there are no result tables.
            StorageError: when a table cannot be read.
        """
        asked = query_gate.checked(sql, "spark")
        self.bind()
        opened = tables_behind(asked.relations)
        records = damage.checked_records(self, opened)
        self.register_sql_views(asked.relations)
        try:
            return spark_queries.answer(self._spark, asked, self.place)
        except FailedQueryError:
            damage.explain_failure(self, opened, records)
            raise

    @contextmanager
    def _reading(self, table: str) -> Iterator[None]:
        """Name the damaged file where reading a table fails."""
        try:
            yield
        except FairsweepError:
            raise
        except Exception as error:
            code, file = condition_of(error), _PARQUET.search(str(error))
            reason = f"`{file.group(1)}` cannot be read ({code})" if file else ""
            raise StorageError(damage.unreadable(self._place, table, code, reason)) from error

    def _stored(self, table: str) -> DataFrame | None:
        """A table to read from; None where it is not there yet. Nothing is created.

        The tables of a catalog are created together, so that one that is absent is damage, or not for this user.
        """
        location = self._place.location(table)
        with own_errors(f"table {table}"):
            if self._ensured or location is None:
                return self._spark.read.table(self._place.name(table))
            if table not in self._seen and not self._is_ours(table, location):
                return None
            self._seen.add(table)
            return self._spark.read.format("delta").load(location)

    def _is_ours(self, table: str, location: str) -> bool:
        """Whether there is a table of ours in a folder; False where there is nothing."""
        folder = self._place.local_folder
        try:
            [detail] = self._spark.sql(f"DESCRIBE DETAIL {sql_text(location)}").collect()
        except Exception as error:
            if _ABSENT.search(str(error)) and (folder is None or not log_faults(folder / table)):
                return False
            raise StorageError(damage.unreadable(self._place, table, condition_of(error))) from error
        if detail["format"] != "delta":
            if folder is not None and log_faults(folder / table):
                raise StorageError(damage.unreadable(self._place, table, "no log"))
            if folder is not None and (folder / table).is_dir() and not any((folder / table).iterdir()):
                return False
            raise StorageError(occupied(location))
        check_version(self.place, table, detail["properties"])
        return True

    def _rows(self, table: str) -> DataFrame:
        """The rows of a table as they are stored; none where it is not there yet."""
        stored = self._stored(table)
        return self._frame(table, TABLES[table].arrow_schema.empty_table()) if stored is None else stored.select("*")

    def _current(self, table: str) -> DataFrame:
        """The rows of current runs as they are stored; of `runs`, all rows."""
        from pyspark.sql import functions as F

        if table == RUNS:
            return self._rows(RUNS)
        runs = self._rows(RUNS).where(F.col("is_current")).select("run_id")
        return self._rows(table).join(runs, "run_id", "left_semi")

    def _where(self, table: str, column: str, values: Sequence[str | bool]) -> pa.Table:
        from pyspark.sql import functions as F

        if table == RUNS:
            damage.check_runs(self._place)
        with self._reading(table):
            rows = self._rows(table).where(F.col(column).isin(list(values)))
            return conform(TABLES[table], rows.select(*TABLES[table].column_names).toArrow())

    def _in_catalog(self) -> bool:
        """Whether every table and view is in the catalog, of a version that this program writes."""
        if self._place.folder is not None or not {*TABLES, *VIEWS} <= (self._shown() or set()):
            return False
        self._check_version(RUNS)
        return True

    def _shown(self) -> set[str] | None:
        """The tables and views of the catalog's schema; None where there is no such schema."""
        try:
            shown = self._spark.sql(f"SHOW TABLES IN {self._place.schema}").collect()
        except Exception as error:
            self._check_catalog(error)
            if "SCHEMA_NOT_FOUND" in str(error):
                return None
            raise StorageError(problem(self.place, error)) from error
        # Temporary views of the session are shown in every schema, and ours are called like the tables.
        return {row["tableName"] for row in shown if not row["isTemporary"]}

    def _check_catalog(self, error: Exception) -> None:
        """Distinguish a catalog that does not exist from one that cannot be used."""
        if condition_of(error) in _NO_CATALOG:
            found = f"{quoted(self._place.parts[0])}, which Spark does not know"
            step = "use spark_catalog, or set spark.sql.catalog.NAME in Spark's configuration"
            raise UsageError(Problem("--catalog", found, "a catalog of the session", step)) from error

    def _create_schema(self) -> None:
        try:
            self._spark.sql(self._place.create_schema)
        except Exception as error:
            self._check_catalog(error)
            # Without the right to create schemas, an existing one may still be writable.
            if not self._spark.catalog.databaseExists(self._place.schema):
                raise StorageError(problem(self.place, error)) from error

    def _create_table(self, table: str) -> None:
        """Create a table, or bind the one in the folder; if another writer has just created it, bind that one."""
        for attempt in range(_CREATE_ATTEMPTS):
            try:
                self._spark.sql(self._place.create_table(table))
            except Exception as error:
                if self._place.folder is not None and _OTHER_DEFINITION.search(str(error)):
                    self._bind_table(table)
                    return
                folder = self._place.local_folder
                if folder is not None and log_faults(folder / table):
                    raise StorageError(damage.unreadable(self._place, table, condition_of(error))) from error
                raced = CONFLICT.search(str(error)) or _EXISTS.search(str(error))
                if not raced or attempt == _CREATE_ATTEMPTS - 1:
                    raise StorageError(problem(f"table {table}", error)) from error
                time.sleep(0.2 * 2**attempt)
            else:
                return

    def _bind_table(self, table: str) -> None:
        """Bind a table that differs from ours, as one with later columns or an owner's properties does."""
        with own_errors(f"table {table}"):
            self._spark.sql(self._place.bind_table(table))
        self._check_version(table)

    def _check_version(self, table: str) -> None:
        with own_errors(f"table {table}"):
            shown = self._spark.sql(f"SHOW TBLPROPERTIES {self._place.name(table)}").collect()
        check_version(self.place, table, {row["key"]: row["value"] for row in shown})

    def _create_views(self) -> None:
        with own_errors(self.place):
            for view in VIEWS:
                self._spark.sql(self._place.create_view(view))


def _files(table: str, rows: int) -> int:
    """How many files hold so many rows in about 128 MB each; one wherever they fit."""
    width = sum(_BYTES_PER_VALUE.get(column.type, 0) for column in TABLES[table].columns)
    return max(1, -(-rows * width // publishing.FILE_BYTES))
