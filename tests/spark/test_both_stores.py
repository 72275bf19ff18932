"""One warehouse, two programs: what delta-rs writes Spark reads and goes on with, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairsweep.auditing.verb import audit_config
from fairsweep.errors import StorageError
from fairsweep.runs import connecting
from fairsweep.runs.connecting import store_beside
from fairsweep.runs.options import RunOptions
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS, TABLES
from fairsweep.tables.checksums import checksum
from fairsweep.tables.views import VIEWS
from tests.spark.made_up_runs import made_up_run
from tests.spark.small_audits import bare, config_of, people, stored, written
from tests.spark.stored_tables import assert_documented_and_checked, assert_one_file_each_and_no_statistics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Stores = dict[str, Callable[[Place], Any]]


@pytest.fixture
def stores(spark: SparkSession) -> Stores:
    """New sessions, so that each binds the tables as it finds them."""
    return {"spark": lambda place: SparkDeltaStore(spark.newSession(), place), "delta_rs": DeltaRsStore}


def test_the_place_decides_who_writes(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Place.warehouse(tmp_path)
    by_spark = [Place.warehouse("s3a://bucket/wh"), Place.catalog("fair"), Place.warehouse(tmp_path / "a%20b")]
    assert isinstance(store_beside(spark, folder, AUDIT_TABLES), DeltaRsStore)
    assert {type(store_beside(spark, place, AUDIT_TABLES)) for place in by_spark} == {SparkDeltaStore}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connecting, "LOCAL_PACKAGES", ("deltalake", "a package that nobody has"))
        assert isinstance(store_beside(spark, folder, AUDIT_TABLES), SparkDeltaStore)
    hadoop: Any = spark._jsc.hadoopConfiguration()
    before = hadoop.get("fs.defaultFS")
    hadoop.set("fs.defaultFS", "hdfs://127.0.0.1:1")
    try:
        assert isinstance(store_beside(spark, folder, AUDIT_TABLES), SparkDeltaStore), "a folder of HDFS"
    finally:
        hadoop.set("fs.defaultFS", before)
    monkeypatch.delattr(spark, "_jsc")
    assert isinstance(store_beside(spark, folder, AUDIT_TABLES), SparkDeltaStore), "a server's own folder"


@pytest.mark.slow
@pytest.mark.parametrize(("creator", "other"), [("delta_rs", "spark"), ("spark", "delta_rs")])
def test_what_one_has_written_the_other_reads_verifies_supersedes_and_revives(
    stores: Stores, tmp_path: Path, creator: str, other: str
) -> None:
    place = Place.warehouse(tmp_path / "o'brien ü")
    first, second, refused = made_up_run("A"), made_up_run("B"), made_up_run("A", model="m", status="refused")
    stores[creator](place).publish([first, refused])

    theirs = stores[other](place)
    assert theirs.publish([first]) == {first.id: "already_done"}
    for table in AUDIT_TABLES:
        assert checksum(theirs.current(table)) == checksum(first.results[table]), table
    assert theirs.publish([second]) == {second.id: "published"}

    ours = stores[creator](place)
    ours.verify([first.id, second.id])
    assert ours.current(RUNS).column("run_id").to_pylist() == [second.id]
    assert ours.publish([first]) == {first.id: "already_done"}
    assert theirs.current(RUNS).column("run_id").to_pylist() == [first.id]
    assert theirs.publish([first], force=True) == {first.id: "published"}
    assert len(ours.find_runs("b" * 16)) == 3
    for view in VIEWS:
        seen = [checksum(store.query(f"SELECT * FROM {view}")) for store in (ours, theirs)]
        assert seen[0] == seen[1], view
    folder = tmp_path / "o'brien ü"
    for declared in TABLES.values():
        assert_documented_and_checked(folder, declared)
    assert_one_file_each_and_no_statistics(folder, [second])


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["spark", "delta_rs"])
def test_checks_hold_whoever_created_the_tables_and_whoever_writes(stores: Stores, tmp_path: Path, writer: str) -> None:
    place = Place.warehouse(tmp_path)
    stores["delta_rs" if writer == "spark" else "spark"](place).ensure()
    wrong = made_up_run("A").results["cells"].to_pylist()
    wrong[0]["cell_id"] = -987654321
    store = stores[writer](place)
    store.ensure()
    with pytest.raises(StorageError, match=r"table cells is not .* writable") as caught:
        store.replace("cells", [made_up_run("A").id], TABLES["cells"].rows(wrong))
    assert "987654321" not in str(caught.value)


@pytest.mark.parametrize("form", [pytest.param(form, marks=pytest.mark.slow) for form in ("csv", "parquet", "delta")])
def test_an_audit_by_one_engine_is_already_done_for_the_other_with_the_same_rows(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    rows = people(600)
    config = written(config_of(input=stored(rows, tmp_path, form)), tmp_path / "audit.yaml")

    def audit(engine: str, warehouse: str) -> Any:
        return audit_config(config, RunOptions(engine=engine, warehouse=str(tmp_path / warehouse)))

    local, after = audit("local", "one"), audit("spark", "one")
    assert (local.state, after.state) == ("published", "already_done")
    alone, again = audit("spark", "two"), audit("local", "two")
    assert (alone.state, again.state) == ("published", "already_done")
    assert [outcome.tables[RUNS]["engine"].to_pylist() for outcome in (after, again)] == [["local"], ["spark"]]
    assert local.tables[RUNS]["run_id"] == alone.tables[RUNS]["run_id"]
    for table, found in bare(local.tables).items():
        assert checksum(found) == checksum(bare(alone.tables)[table]), table
