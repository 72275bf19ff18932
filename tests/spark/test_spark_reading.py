"""Readers in Spark bind what exists: no folder, schema, table or commit comes of a query."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fairsweep.errors import StorageError, UsageError
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables.catalogue import COHORT_TABLES, RUNS, TABLES
from tests.another_user import query_as_another_user
from tests.query_corpus import files
from tests.spark.made_up_runs import made_up_run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RUN = made_up_run("A")


def _other_files(place: Path) -> None:
    (place / "scores").mkdir(parents=True)
    (place / "scores" / "part.parquet").write_bytes(b"PAR1")


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda place: None, "which does not exist"),
    "empty": (Path.mkdir, "which is empty"),
    "a file": (Path.touch, "which is a file"),
    "other files": (_other_files, "which holds other files"),
}
READERS: dict[str, Callable[[SparkDeltaStore], object]] = {
    "a query": lambda store: store.query("SELECT count(*) FROM runs"),
    "a query of no table": lambda store: store.query("SELECT 1"),
    "current rows": lambda store: store.current("group_metrics"),
    "verify": lambda store: store.verify([RUN.id]),
}


def databases(spark: SparkSession) -> list[str]:
    return sorted(row[0] for row in spark.sql("SHOW DATABASES").collect())


def test_where_nothing_was_published_readers_say_so_and_create_nothing(spark: SparkSession, tmp_path: Path) -> None:
    for name, (make, found) in PLACES.items():
        place = tmp_path / name
        make(place)
        before, known = files(tmp_path), databases(spark)
        for read in READERS.values():
            with pytest.raises(UsageError, match=rf"^no Fairsweep warehouse at `.*{name}`, {found}; check --warehouse"):
                read(SparkDeltaStore(spark, Place.warehouse(place)))
        assert SparkDeltaStore(spark, Place.warehouse(place)).find_runs("b" * 16) == []
        assert (files(tmp_path), databases(spark)) == (before, known)


def test_a_schema_without_result_tables_is_no_warehouse_and_stays_as_it_is(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA reading_under_test LOCATION '{tmp_path}'")
    try:
        for schema, found in (
            ("nowhere_under_test", "a schema that does not exist"),
            ("reading_under_test", "a schema without a table `runs`"),
        ):
            known = databases(spark)
            for read in READERS.values():
                with pytest.raises(UsageError, match=rf"^no Fairsweep warehouse at `{schema}`, {found}"):
                    read(SparkDeltaStore(spark, Place.catalog(schema)))
            assert SparkDeltaStore(spark, Place.catalog(schema)).find_runs("b" * 16) == []
            assert databases(spark) == known
        assert not spark.sql("SHOW TABLES IN reading_under_test").where("NOT isTemporary").collect()
        assert not list(tmp_path.iterdir())
    finally:
        spark.sql("DROP SCHEMA reading_under_test CASCADE")


@pytest.mark.slow
def test_queries_and_lookups_leave_every_byte_as_it_was(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "o'brien ${HOME} ü #x [a] {b}"
    place = Place(("fairsweep_reading_under_test",), str(folder))
    folder.mkdir()
    plain = tmp_path / "plain"
    DeltaRsStore(Place.warehouse(plain)).publish([RUN])
    shutil.copytree(plain, folder, dirs_exist_ok=True)
    for table in COHORT_TABLES:
        shutil.rmtree(folder / table)
    (folder / "cohort").mkdir()
    before, known = files(tmp_path), databases(spark)
    store = SparkDeltaStore(spark, place)
    assert store.query("SELECT run_id FROM runs").column("run_id").to_pylist() == [RUN.id]
    assert store.query("SELECT count(*) AS n FROM v_group_metrics").to_pylist()[0]["n"] > 0
    assert store.query("SELECT * FROM cohort_flow").column_names == list(TABLES["cohort_flow"].column_names)
    assert store.current("cohort").num_rows == 0
    assert store.current("cells").num_rows == RUN.results["cells"].num_rows
    assert [record["run_id"] for record in store.find_runs("b" * 16)] == [RUN.id]
    store.verify([RUN.id])
    store.confirm(store.find_runs("b" * 16))
    assert (files(tmp_path), databases(spark)) == (before, known)
    shutil.rmtree(folder / RUNS / "_delta_log")
    for read in READERS.values():
        with pytest.raises(StorageError, match="runs"):
            read(SparkDeltaStore(spark, place))


@pytest.mark.slow
def test_another_user_reads_published_tables_without_access_to_restricted_ones(shared: Path) -> None:
    DeltaRsStore(Place.warehouse(shared / "wh")).publish([RUN])
    before = files(shared / "wh")
    for query, code in (("SELECT count(*) AS n FROM v_group_metrics", 0), ("SELECT count(*) AS n FROM cells", 2)):
        done = query_as_another_user("spark", query, "--warehouse", str(shared / "wh"), "--json")
        assert done.returncode == code, done.stderr
        told = json.loads(done.stdout)
        assert told["result"][0]["n"] > 0 if code == 0 else "restricted" in str(told)
    assert files(shared / "wh") == before
