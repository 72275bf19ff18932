"""The job over Spark Connect publishes what local Spark publishes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from fairsweep.auditing.verb import audit_config
from fairsweep.runs.options import RunOptions
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS, TABLES
from tests.conftest import REPOSITORY
from tests.spark.small_audits import config_of, people, stored, written

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize(("form", "whole"), [("csv", False), ("parquet", False), ("delta", False), ("parquet", True)])
def test_a_job_over_connect_publishes_the_tables_of_local_spark(
    connect_server: str, spark: SparkSession, tmp_path: Path, form: str, whole: bool
) -> None:
    deltalake = pytest.importorskip("deltalake")
    rows = people(2_000)
    if whole:
        # Every row can be used, so that `refused_counts` has no row of this run.
        rows = rows.dropna(subset="score")
    config = written(config_of(input=stored(rows, tmp_path, form)), tmp_path / "audit.yaml")
    command = [sys.executable, str(REPOSITORY / "jobs" / "audit.py"), "--config", str(config)]
    command += ["--warehouse", str(tmp_path / "remote"), "--remote", connect_server]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    local = audit_config(config, RunOptions(engine="spark", warehouse=str(tmp_path / "local")))
    for table in AUDIT_TABLES:
        there = deltalake.DeltaTable(str(tmp_path / "remote" / table)).to_pyarrow_table()
        assert _plain(there, table) == _plain(local.tables[table], table), table
        # Nothing is refused where every row can be used, and this audit asks for neither subgroups nor calibration.
        empty = {"subgroups", "reliability"} | ({"refused_counts"} if whole else set())
        assert bool(there.num_rows) != (table in empty), table
    ids = deltalake.DeltaTable(str(tmp_path / "remote" / RUNS)).to_pyarrow_table()["run_id"]
    assert ids.to_pylist() == local.tables[RUNS]["run_id"].to_pylist()


def _plain(rows: pa.Table, table: str) -> list[dict[str, object]]:
    order = [(name, "ascending") for name in TABLES[table].key]
    plain: list[dict[str, object]] = rows.select(TABLES[table].column_names).sort_by(order).to_pylist()
    return plain
