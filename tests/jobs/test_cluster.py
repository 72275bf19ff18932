"""The job on a cluster of two workers publishes what local Spark publishes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from fairsweep.auditing.verb import audit_config
from fairsweep.runs.options import RunOptions
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS, TABLES
from tests.conftest import REPOSITORY
from tests.spark.small_audits import config_of, people, written

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CLUSTER = str(REPOSITORY / "scripts" / "cluster")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of these tests alone, whatever else runs here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSWEEP_CLUSTER", str(tmp_path_factory.mktemp("cluster")))
        subprocess.run([CLUSTER, "start"], check=True, capture_output=True, text=True)
        yield CLUSTER
        subprocess.run([CLUSTER, "stop"], check=True, capture_output=True, text=True)


@pytest.mark.parametrize("form", ["csv", "parquet", "delta"])
def test_a_submitted_job_publishes_the_tables_of_local_spark(
    cluster: str, spark: SparkSession, tmp_path: Path, form: str
) -> None:
    deltalake = pytest.importorskip("deltalake")
    place = tmp_path / f"rows.{form}"
    rows = people(5_000)
    if form == "csv":
        rows.to_csv(place, index=False)
    elif form == "parquet":
        rows.to_parquet(place, row_group_size=1_000)
    else:
        deltalake.write_deltalake(place, rows)
    config = written(config_of(input={"format": form, "path": str(place)}), tmp_path / "audit.yaml")
    submitted = [cluster, "submit", "--config", str(config), "--warehouse", str(tmp_path / "cluster")]
    done = subprocess.run(submitted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert " INFO " not in done.stderr
    local = audit_config(config, RunOptions(engine="spark", warehouse=str(tmp_path / "local")))
    assert local.state == "published"
    for table in AUDIT_TABLES:
        there = deltalake.DeltaTable(str(tmp_path / "cluster" / table)).to_pyarrow_table()
        assert _plain(there, table) == _plain(local.tables[table], table), table
    ids = deltalake.DeltaTable(str(tmp_path / "cluster" / RUNS)).to_pyarrow_table()["run_id"]
    assert ids.to_pylist() == local.tables[RUNS]["run_id"].to_pylist()


def test_a_job_that_is_refused_ends_with_its_own_code(cluster: str, tmp_path: Path) -> None:
    table = people(300)
    table["label"] = table["label"].astype("Int64").mask(table.index % 2 == 0)
    table.to_parquet(tmp_path / "rows.parquet")
    assert pq.read_metadata(tmp_path / "rows.parquet").num_rows == 300
    config = written(config_of(input={"format": "parquet", "path": "rows.parquet"}), tmp_path / "audit.yaml")
    submitted = [cluster, "submit", "--config", str(config), "--warehouse", str(tmp_path / "wh")]
    done = subprocess.run(submitted, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr[-4000:]


def test_another_cluster_can_be_started_and_stopped_beside_it(cluster: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSWEEP_CLUSTER", str(tmp_path / "other"))
        for command in ("start", "stop"):
            subprocess.run([cluster, command], check=True, capture_output=True, text=True)
    assert subprocess.run([cluster, "status"], capture_output=True, check=False).returncode == 0


def test_a_job_file_is_submitted_and_one_that_is_not_there_is_named(cluster: str, tmp_path: Path) -> None:
    missing = subprocess.run([cluster, "submit", "jobs/adit.py"], capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "no job file jobs/adit.py; there are: jobs/audit.py jobs/cohort.py" in missing.stderr
    submitted = [cluster, "submit", "jobs/cohort.py", "--config", str(tmp_path / "none.yaml")]
    done = subprocess.run(submitted, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr[-4000:]
    # spark-submit puts both streams of a Python job into its own standard output.
    assert "none.yaml is not there" in done.stdout


def _plain(rows: pa.Table, table: str) -> list[dict[str, object]]:
    order = [(name, "ascending") for name in TABLES[table].key]
    plain: list[dict[str, object]] = rows.select(TABLES[table].column_names).sort_by(order).to_pylist()
    return plain
