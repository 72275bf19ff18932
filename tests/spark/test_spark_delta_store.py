"""The Delta store on one Spark session: what is written is what others read, and concurrent writers are safe."""

from __future__ import annotations

import json
import stat
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from chispa import assert_df_equality
from deltalake import DeltaTable

from fairsweep.errors import StorageError, UsageError
from fairsweep.stores import publishing, spark_delta
from fairsweep.stores.places import Place
from fairsweep.stores.protocol import Run
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables.catalogue import AUDIT_TABLES, RESTRICTED_TABLES, RUNS, TABLES, TABLES_OF
from fairsweep.tables.checksums import checksum
from fairsweep.tables.schema import SCHEMA_VERSION_PROPERTY, conform
from fairsweep.tables.views import VIEWS
from tests.spark.made_up_runs import commit_at_once, made_up_run
from tests.spark.stored_tables import assert_documented_and_checked, assert_one_file_each_and_no_statistics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.usefixtures("interpreted")
FIRST, SECOND = made_up_run("A"), made_up_run("A", model="sepsis")
REFUSED = made_up_run("A", model="stroke", status="refused")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("o'brien ${HOME} ü") / "results"


@pytest.fixture(scope="module")
def store(spark: SparkSession, folder: Path) -> SparkDeltaStore:
    """A warehouse with one batch: two models published, one refused."""
    store = SparkDeltaStore(spark, Place.warehouse(folder))
    outcome = store.publish([FIRST, SECOND, REFUSED])
    assert outcome == {FIRST.id: "published", SECOND.id: "published", REFUSED.id: "recorded"}
    return store


def both(table: str) -> pa.Table:
    return pa.concat_tables([FIRST.results[table], SECOND.results[table]])


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("table", AUDIT_TABLES)
def test_spark_reads_back_what_was_written(spark: SparkSession, store: SparkDeltaStore, table: str) -> None:
    assert checksum(store.current(table)) == checksum(both(table))
    if TABLES[table].restricted:
        return
    store.register_sql_views()
    found, expected = spark.table(table), spark.createDataFrame(both(table))
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True)


@pytest.mark.slow
def test_many_members_are_compared_by_tasks_and_never_read_here(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run = SparkDeltaStore(spark, Place.warehouse(tmp_path)), made_up_run("A", verb="cohort")
    read: list[str] = []
    ordinary = SparkDeltaStore.read

    def noted(self: SparkDeltaStore, table: str, run_ids: Sequence[str]) -> pa.Table:
        read.append(table)
        return ordinary(self, table, run_ids)

    monkeypatch.setattr(SparkDeltaStore, "read", noted)
    monkeypatch.setattr(spark_delta, "MOST_MEMBERS_READ", len(run.results["cohort"]) - 1)
    assert store.publish([run]) == {run.id: "published"}
    assert store.publish([run]) == {run.id: "already_done"}
    assert "cohort_flow" in read
    assert "cohort" not in read
    delta = DeltaTable(tmp_path / "cohort")
    delta.update(updates={"label": "1 - label"})
    with pytest.raises(StorageError, match=r"cohort of run .* is not as it was written"):
        store.verify([run.id])


@pytest.mark.slow
def test_delta_rs_and_duckdb_read_what_spark_wrote_and_run_every_view(
    spark: SparkSession, store: SparkDeltaStore, folder: Path
) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in (RUNS, *AUDIT_TABLES):
        table = TABLES[name]
        rows = conform(table, pa.table(DeltaTable(folder / name).to_pyarrow_table()))
        if name != RUNS:
            assert checksum(rows) == checksum(both(name)), name
        connection.register(name, rows)
    store.register_sql_views()
    for name, view in VIEWS.items():
        ours = spark.sql(f"SELECT * FROM {name}").toArrow()
        theirs = pa.table(connection.sql(view.sql).to_arrow_table())
        assert ours.column_names == theirs.column_names
        assert ours.num_rows > 0
        assert checksum(theirs) == checksum(ours), name
    connection.close()


def test_records_of_a_batch_are_found_and_name_every_table(store: SparkDeltaStore) -> None:
    records = {record["run_id"]: record for record in store.find_runs("b" * 16)}
    assert {run_id: (record["status"], record["is_current"]) for run_id, record in records.items()} == {
        FIRST.id: ("succeeded", True),
        SECOND.id: ("succeeded", True),
        REFUSED.id: ("refused", False),
    }
    assert records[FIRST.id]["started_at"] == FIRST.record["started_at"]
    expected = {table: list(checksum(FIRST.results[table])) for table in AUDIT_TABLES}
    assert json.loads(records[FIRST.id]["checksums"]) == expected
    assert set(store.current(RUNS).column("run_id").to_pylist()) == {FIRST.id, SECOND.id}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_tables_are_documented_checked_and_readable_by_every_delta_reader(
    store: SparkDeltaStore, folder: Path, table: Any
) -> None:
    assert_documented_and_checked(folder, table)


def test_each_run_has_one_file_in_each_table_and_no_statistics_of_its_values(
    store: SparkDeltaStore, folder: Path
) -> None:
    assert_one_file_each_and_no_statistics(folder, (FIRST, SECOND))


def test_restricted_tables_are_their_owners(store: SparkDeltaStore, folder: Path) -> None:
    private = {name for name in TABLES if stat.S_IMODE((folder / name).stat().st_mode) == 0o700}
    assert private == set(RESTRICTED_TABLES)
    assert store.open_to_others(RESTRICTED_TABLES) == ()


@pytest.mark.slow
def test_a_new_session_binds_the_tables_that_exist(spark: SparkSession, store: SparkDeltaStore, folder: Path) -> None:
    for table in TABLES:
        spark.sql(f"DROP TABLE {Place.warehouse(folder).name(table)}")
    other = SparkDeltaStore(spark.newSession(), Place.warehouse(folder))
    other.ensure()
    other.verify([FIRST.id, SECOND.id])
    assert all(DeltaTable(folder / table).version() <= 1 for table in TABLES)


def test_rows_that_violate_a_check_are_refused_without_naming_a_value(store: SparkDeltaStore) -> None:
    rows = FIRST.results["score_histograms"].to_pylist()
    rows[0]["events"] = -987654321
    wrong = TABLES["score_histograms"].rows([row | {"run_id": "d" * 32} for row in rows])
    with pytest.raises(StorageError, match=r"table score_histograms is not .* writable") as caught:
        store.replace("score_histograms", ["d" * 32], wrong)
    assert "987654321" not in str(caught.value)
    with pytest.raises(StorageError, match="DELTA_REPLACE_WHERE_MISMATCH"):
        store.replace("cells", ["d" * 32], FIRST.results["cells"])
    assert store.read("score_histograms", ["d" * 32]).num_rows == 0


@pytest.mark.slow
def test_damage_is_found_and_only_force_repairs_it(spark: SparkSession, tmp_path: Path) -> None:
    store, run = SparkDeltaStore(spark, Place.warehouse(tmp_path)), made_up_run("A")
    store.publish([run])
    store.replace("cells", [run.id], run.results["cells"].slice(1))
    with pytest.raises(StorageError, match=r"cells of run .* 4 rows, 5 expected; run again with --force"):
        store.publish([run])
    assert store.publish([run], force=True) == {run.id: "published"}
    store.verify([run.id])


@contextmanager
def no_turns() -> Iterator[None]:
    """Threads race each other as processes do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "_taking_turns", lambda *_: threading.Lock())
        yield


def cohort_run(rows: str) -> Run:
    """A run of two tables: those of audits, of which there are more, are written in the same way."""
    return made_up_run(rows, verb="cohort")


def assert_shows(store: SparkDeltaStore, run: Run) -> None:
    assert store.current(RUNS).column("run_id").to_pylist() == [run.id]
    for table in TABLES_OF[run.verb]:
        assert checksum(store.current(table)) == checksum(run.results[table]), table


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_eight_runs_of_one_window_at_once_all_commit_and_one_is_current(spark: SparkSession, tmp_path: Path) -> None:
    store, runs = SparkDeltaStore(spark, Place.warehouse(tmp_path)), [cohort_run(str(i)) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: store.publish([run]), runs))
    assert len(store.find_runs("b" * 16)) == 8
    [current] = store.current(RUNS).column("run_id").to_pylist()
    assert_shows(store, next(run for run in runs if run.id == current))
    store.verify([run.id for run in runs])
    assert store.publish([runs[0]]) == {runs[0].id: "already_done"}
    assert_shows(store, runs[0])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_same_run_from_eight_threads_is_published_once_whether_or_not_they_take_turns(
    spark: SparkSession, tmp_path: Path
) -> None:
    store, run = SparkDeltaStore(spark, Place.warehouse(tmp_path)), cohort_run("A")
    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome[run.id] for outcome in pool.map(lambda _: store.publish([run]), range(8))]
    assert Counter(outcomes) == {"published": 1, "already_done": 7}
    racing = cohort_run("B")
    with no_turns(), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.publish([racing]), range(4)))
    assert len(store.find_runs("b" * 16)) == 2
    assert_shows(store, racing)


@pytest.mark.slow
def test_commits_at_once_conflict_so_that_one_run_is_current(spark: SparkSession, tmp_path: Path) -> None:
    store = SparkDeltaStore(spark, Place.warehouse(tmp_path))
    store.ensure()
    runs = [made_up_run(str(i)) for i in range(4)]
    assert commit_at_once(store, runs) == [True] * len(runs)
    assert len(store.find_runs("b" * 16)) == len(runs)
    assert store.current(RUNS).num_rows == 1


@pytest.mark.slow
def test_stores_that_create_the_same_tables_at_once_all_find_them(spark: SparkSession, tmp_path: Path) -> None:
    stores = [SparkDeltaStore(spark, Place.warehouse(tmp_path / "new")) for _ in range(4)]
    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(lambda store: store.ensure(), stores))
    assert all(DeltaTable(tmp_path / "new" / name).version() == 0 for name in TABLES)
    assert stores[0].publish([REFUSED]) == {REFUSED.id: "recorded"}


@pytest.mark.slow
def test_a_schema_of_the_catalog_holds_managed_tables_and_lasting_views(spark: SparkSession, tmp_path: Path) -> None:
    name = f"fair_{tmp_path.name}"
    spark.sql(f"CREATE SCHEMA `{name}` LOCATION '{tmp_path}'")
    store = SparkDeltaStore(spark, Place.catalog(name))
    store.publish([FIRST])
    shown = {row.tableName for row in spark.sql(f"SHOW TABLES IN `{name}`").collect() if not row.isTemporary}
    assert shown == {*TABLES, *VIEWS}
    assert spark.table(f"`{name}`.v_run_health").collect()[0].run_id == FIRST.id
    again = SparkDeltaStore(spark.newSession(), Place.catalog(name, "spark_catalog"))
    assert again.publish([FIRST]) == {FIRST.id: "already_done"}
    assert_shows(again, FIRST)
    spark.sql(f"DROP SCHEMA `{name}` CASCADE")


def test_a_catalog_that_spark_does_not_know_is_a_usage_error(spark: SparkSession) -> None:
    with pytest.raises(UsageError, match=r"^--catalog is `nope`, which Spark does not know; .*; use spark_catalog"):
        SparkDeltaStore(spark, Place.catalog("fair", "nope")).ensure()


@pytest.mark.slow
@pytest.mark.parametrize(("version", "message"), [("99", "of schema version 99"), (None, "not a table of Fairsweep")])
def test_tables_of_another_program_or_a_newer_version_are_left_alone(
    spark: SparkSession, tmp_path: Path, version: str | None, message: str
) -> None:
    place = Place.warehouse(tmp_path)
    properties = "" if version is None else f"TBLPROPERTIES ('{SCHEMA_VERSION_PROPERTY}' = '{version}')"
    spark.sql(place.create_schema)
    spark.sql(f"CREATE TABLE {place.name(RUNS)} (id INT) USING delta LOCATION '{tmp_path / RUNS}' {properties}")
    spark.sql(f"DROP TABLE {place.name(RUNS)}")
    with pytest.raises(StorageError, match=f"table runs is {message}"):
        SparkDeltaStore(spark, place).ensure()


@pytest.mark.parametrize(
    "name", ["", "a.b", "a`b", "a b", "a'b", "x; DROP TABLE y", "${env:HOME}", "a\n", "a/b", "a" * 256]
)
def test_hostile_schema_and_catalog_names_are_refused_before_spark(name: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)--schema.*letters, digits"):
        Place.catalog(name)
    with pytest.raises(UsageError, match=r"(?s)--catalog.*letters, digits"):
        Place.catalog("fine", name)


def test_a_folder_is_one_place_however_it_is_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spellings = ("results", "./results/", str(tmp_path / "results"), str(tmp_path / "x" / ".." / "results"))
    assert len({Place.warehouse(text) for text in spellings}) == 1
    assert Place.warehouse("s3://bucket/results/").location("runs") == "s3://bucket/results/runs"
    for wrong in ("", "a\nb"):
        with pytest.raises(UsageError, match="--warehouse"):
            Place.warehouse(wrong)
