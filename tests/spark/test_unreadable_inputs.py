"""Files that turn out unreadable while Spark counts them end as known errors, which quote no row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.verb import AuditOutcome, audit
from fairsweep.engines.spark.engine import SparkEngine
from fairsweep.engines.spark.opening import source_of
from fairsweep.errors import DataRefusedError, FairsweepError, UsageError
from fairsweep.input.intake import Window
from fairsweep.runs.options import RunOptions
from fairsweep.stores.memory import MemoryStore
from tests.spark.small_audits import config_of, people

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def counted(spark: SparkSession, place: dict[str, Any], counting: str) -> AuditOutcome:
    spec = load_mapping(config_of(input=place))
    engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits, counting)
    return audit(spec, Window(), engine, MemoryStore(), RunOptions())


def files_of_other_widths(folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    for name, width in (("a", "int32"), ("b", "int64")):
        table = pa.Table.from_pandas(rows.astype({"label": width}), preserve_index=False)
        pq.write_table(table, folder / f"{name}.parquet")
    return {"format": "parquet", "path": str(folder)}


def files_of_other_scales(folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    for name, scale in (("a", 2), ("b", 3)):
        table = pa.Table.from_pandas(rows, preserve_index=False)
        score = table["score"].cast(pa.decimal128(7, scale), safe=False)
        pq.write_table(table.set_column(0, "score", score), folder / f"{name}.parquet")
    return {"format": "parquet", "path": str(folder)}


def vacuumed_version(folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    from deltalake import DeltaTable, write_deltalake

    write_deltalake(folder / "t", rows)
    write_deltalake(folder / "t", rows, mode="overwrite")
    DeltaTable(folder / "t").vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    return {"format": "delta", "path": str(folder / "t"), "version": 0}


def log_without_its_beginning(folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    from deltalake import write_deltalake

    for _ in range(2):
        write_deltalake(folder / "t", rows, mode="append")
    (folder / "t" / "_delta_log" / f"{0:020}.json").unlink()
    return {"format": "delta", "path": str(folder / "t")}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    ("made", "kind", "says"),
    [
        (files_of_other_widths, DataRefusedError, "a column of other types in some files"),
        (files_of_other_scales, DataRefusedError, "a column of other types in some files"),
        (vacuumed_version, UsageError, "vacuumed"),
        (log_without_its_beginning, UsageError, "DELTA_TRUNCATED_TRANSACTION_LOG"),
    ],
)
def test_files_that_spark_cannot_read_are_named_with_a_next_step(
    made: Callable[[Path, pd.DataFrame], dict[str, Any]],
    kind: type[FairsweepError],
    says: str,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    place = made(tmp_path, people(60))
    with pytest.raises(kind, match=says) as told:
        counted(spark, place, "catalyst")
    assert str(tmp_path) in str(told.value)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("counting", ["arrow", "catalyst"])
def test_a_delta_table_without_files_is_an_empty_run_however_it_is_counted(
    counting: str, spark: SparkSession, tmp_path: Path
) -> None:
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "t", pa.Table.from_pandas(people(60), preserve_index=False).slice(0, 0))
    refused = counted(spark, {"format": "delta", "path": str(tmp_path / "t")}, counting).refused
    assert [(record["rows_input"], record["status"]) for record in refused] == [(0, "refused")]
