"""The same rows count the same wherever they lie, and every place says what pins its content."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fairsweep as fs
from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.verb import audit, count
from fairsweep.engines.spark.engine import SparkEngine
from fairsweep.engines.spark.opening import source_of
from fairsweep.engines.spark.sources import CsvSource, ParquetSource
from fairsweep.input.intake import Window
from fairsweep.runs.options import RunOptions
from fairsweep.stores.memory import MemoryStore
from tests.spark.small_audits import audited, bare, config_of, confusion, people, recounted_people, written

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHEMA = "sources_under_test"


class Places(NamedTuple):
    """Every place that the same rows lie at, as `input` of a config."""

    inputs: dict[str, dict[str, Any]]
    rows: pd.DataFrame


@pytest.fixture(scope="module")
def places(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    folder = tmp_path_factory.mktemp("sources")
    rows = people()
    table = pa.Table.from_pandas(rows, preserve_index=False)
    frame = spark.createDataFrame(table)
    halves = [rows.iloc[:900], rows.iloc[900:]]
    rows.to_csv(folder / "one.csv", index=False)
    rows.to_csv(folder / "packed.csv.gz", index=False)
    for kind in ("csv_folder", "parquet_folder"):
        (folder / kind).mkdir()
    for k, half in enumerate(halves):
        half.to_csv(folder / "csv_folder" / f"part-{k}.csv", index=False)
    (folder / "csv_folder" / "_SUCCESS").touch()
    pq.write_table(table, folder / "one.parquet", row_group_size=500)
    pq.write_to_dataset(table, folder / "partitioned", partition_cols=["sex"])
    frame.write.format("delta").save(str(folder / "delta"))
    frame.limit(10).write.format("delta").mode("append").save(str(folder / "delta"))
    spark.sql(f"CREATE SCHEMA {SCHEMA} LOCATION '{folder / 'schema'}'")
    frame.write.format("delta").saveAsTable(f"{SCHEMA}.deltas")
    frame.write.format("parquet").saveAsTable(f"{SCHEMA}.plain")
    spark.sql(f"CREATE VIEW {SCHEMA}.seen AS SELECT * FROM {SCHEMA}.deltas")
    frame.createOrReplaceTempView("sources_temporary_view")
    frame.createOrReplaceTempView("`an odd.name`")
    yield Places(
        {
            "csv": {"format": "csv", "path": str(folder / "one.csv")},
            "csv, packed": {"format": "csv", "path": str(folder / "packed.csv.gz")},
            "csv folder": {"format": "csv", "path": str(folder / "csv_folder")},
            "parquet": {"format": "parquet", "path": str(folder / "one.parquet")},
            "parquet as a URI": {"format": "parquet", "path": (folder / "one.parquet").as_uri()},
            "parquet folder, partitioned": {"format": "parquet", "path": str(folder / "partitioned")},
            "delta at a version": {"format": "delta", "path": str(folder / "delta"), "version": 0},
            "delta table of a catalog": {"format": "table", "table": f"{SCHEMA}.deltas"},
            "delta table of a catalog at a version": {
                "format": "table",
                "table": f"spark_catalog.{SCHEMA}.deltas",
                "version": 0,
            },
            "parquet table of a catalog": {"format": "table", "table": f"{SCHEMA}.plain"},
            "view": {"format": "table", "table": f"{SCHEMA}.seen"},
            "temporary view": {"format": "table", "table": "sources_temporary_view"},
            "temporary view with an odd name": {"format": "table", "table": "`an odd.name`"},
        },
        rows,
    )
    spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")


KINDS = (
    "csv", "csv, packed", "csv folder", "parquet", "parquet as a URI", "parquet folder, partitioned",
    "delta at a version", "delta table of a catalog", "delta table of a catalog at a version",
    "parquet table of a catalog", "view", "temporary view", "temporary view with an odd name",
)  # fmt: skip


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_same_counts(spark: SparkSession, places: Places, tmp_path: Path, kind: str) -> None:
    config = written(config_of(input=places.inputs[kind]), tmp_path / "audit.yaml")
    outcome = audited(spark, config)
    assert confusion(outcome.tables) == recounted_people(places.rows)
    (run,) = outcome.tables["runs"].to_pylist()
    missing = int(places.rows["score"].isna().sum())
    counted = (run["rows_input"], run["rows_used"], run["rows_unscored"], run["rows_refused"])
    assert counted == (2_000, 2_000 - missing, missing, 0)
    how = {"delta": "delta:", "parquet table": "state:", "view": "state:", "temporary": "state:"}
    begins = next((begin for start, begin in how.items() if kind.startswith(start)), "")
    assert run["input_version"].startswith(begins)


def test_a_delta_table_is_read_at_its_latest_version_unless_one_is_named(
    spark: SparkSession, places: Places, tmp_path: Path
) -> None:
    latest = {key: value for key, value in places.inputs["delta at a version"].items() if key != "version"}
    outcome = audited(spark, written(config_of(input=latest), tmp_path / "audit.yaml"))
    assert outcome.tables["runs"]["rows_input"].to_pylist() == [2_010]


@pytest.mark.slow
def test_frames_give_the_tables_that_files_give(spark: SparkSession, places: Places, tmp_path: Path) -> None:
    file = audited(spark, written(config_of(input=places.inputs["parquet"]), tmp_path / "audit.yaml"))
    arrow = pa.Table.from_pandas(places.rows, preserve_index=False)
    for frame in (places.rows, arrow, spark.createDataFrame(arrow)):
        arguments = config_of(columns=None)
        result = fs.audit(frame, score="score", label="label", spark=spark, **arguments)
        assert bare(result.tables) == bare(file.tables)
        assert result.tables["runs"]["input_version"][0].as_py().startswith("state:")


@pytest.mark.slow
def test_rows_appended_after_the_inspection_are_not_counted(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.createDataFrame(pa.Table.from_pandas(people(300), preserve_index=False))
    frame.write.format("delta").save(str(tmp_path / "delta"))
    spec = load_mapping(config_of(input={"format": "delta", "path": str(tmp_path / "delta")}), "test")
    engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits)
    inspection = engine.inspect()
    frame.write.format("delta").mode("append").save(str(tmp_path / "delta"))
    counted = count(spec, Window(), engine, inspection, lambda _: None)
    assert [state.rows_input for state in counted.models.values()] == [300]
    again = SparkEngine(spark, source_of(spark, spec.source), spec.limits)
    assert again.inspect().input_version != inspection.input_version


def test_files_have_another_version_when_name_size_or_time_differ(spark: SparkSession, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("here", "elsewhere")]
    people(50).to_csv(_made(folders[0]) / "rows.csv", index=False)
    pq.write_table(pa.Table.from_pandas(people(50)), folders[0] / "rows.parquet")
    shutil.copytree(folders[0], folders[1])
    for file, kind in (("rows.csv", CsvSource), ("rows.parquet", ParquetSource)):
        here, there = (kind(spark, str(folder / file)).inspect().input_version for folder in folders)
        assert here == there is not None
        facts = (folders[1] / file).stat()
        os.utime(folders[1] / file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))
        assert kind(spark, str(folders[1] / file)).inspect().input_version != here
        os.utime(folders[1] / file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert kind(spark, str(folders[1] / file)).inspect().input_version == here
    whole = CsvSource(spark, str(_only(folders[0], "rows.csv"))).inspect().input_version
    (tmp_path / "only" / "rows.csv").rename(tmp_path / "only" / "other.csv")
    assert CsvSource(spark, str(tmp_path / "only")).inspect().input_version != whole


@pytest.mark.slow
def test_two_delta_tables_at_the_same_version_number_are_two_inputs(spark: SparkSession, tmp_path: Path) -> None:
    """`input.path` is no part of a run's name, so the version must tell tables apart."""
    store = MemoryStore()
    for name, rows in (("january", people(300, seed=1)), ("february", people(300, seed=2))):
        frame = spark.createDataFrame(pa.Table.from_pandas(rows, preserve_index=False))
        frame.write.format("delta").save(str(tmp_path / name))
        spec = load_mapping(config_of(input={"format": "delta", "path": str(tmp_path / name)}), "test")
        engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits)
        outcome = audit(spec, Window(), engine, store, RunOptions())
        assert outcome.state == "published"
        assert confusion(outcome.tables) == recounted_people(rows)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("joint_state_rows", [5_000_000, 1])
def test_a_view_whose_rows_changed_in_one_attribute_only_is_another_input(
    spark: SparkSession, joint_state_rows: int
) -> None:
    store = MemoryStore()
    rows = people(300)
    swapped = rows.assign(sex=rows["sex"].map({"female": "male", "male": "female"}))
    spec = load_mapping(
        config_of(
            input={"format": "table", "table": "changing_view"},
            attributes=["race", "sex"],
            limits={"joint_state_rows": joint_state_rows},
        ),
        "test",
    )
    for current in (rows, swapped):
        spark.createDataFrame(pa.Table.from_pandas(current, preserve_index=False)).createOrReplaceTempView(
            "changing_view"
        )
        engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits)
        outcome = audit(spec, Window(), engine, store, RunOptions())
        assert outcome.state == "published"
        wanted = {key: value for key, value in recounted_people(current).items() if key[0] == "sex"}
        assert confusion(outcome.tables, "sex") == wanted


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _only(folder: Path, file: str) -> Path:
    alone = _made(folder.parent / "only")
    shutil.copy2(folder / file, alone)
    return alone
