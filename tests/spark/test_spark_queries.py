"""`fairsweep sql` in Spark: only queries run, and what fails is told in one line without a value of a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deltalake import DeltaTable

from fairsweep.checksums import checksum
from fairsweep.errors import UsageError
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.surfaces import cli
from fairsweep.tables import RUNS, TABLES
from tests.spark.made_up_runs import made_up_run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("interpreted")]
RUN = made_up_run("A")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("queries") / "results"


@pytest.fixture(scope="module")
def store(spark: SparkSession, folder: Path) -> SparkDeltaStore:
    store = SparkDeltaStore(spark, Place.warehouse(folder))
    store.publish([RUN])
    return store


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM runs",
        "TABLE runs",
        "FROM runs SELECT run_id",
        "(SELECT 1)",
        "VALUES (1)",
        "WITH a AS (SELECT run_id FROM runs) SELECT a.run_id FROM a JOIN v_run_health USING (run_id)",
        "SELECT run_id AS x, model_id AS x FROM runs ORDER BY 1 LIMIT 1",
        "-- a remark; DELETE FROM runs\nSELECT 1 -- and another",
        "SELECT ';' ; -- done;\n /* ; */ ;",
        "SELECT 1 -- a remark \\",
        "SELECT 'DROP TABLE runs'",
    ],
)
def test_queries_are_answered(store: SparkDeltaStore, query: str) -> None:
    assert store.query(query).num_rows == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM runs",
        "DELETE FROM {schema}.runs",
        "delete from {schema}.cells where true;",
        "/* SELECT */ DELETE FROM {schema}.runs -- SELECT 1",
        "WITH a AS (SELECT 1) DELETE FROM {schema}.runs",
        "UPDATE {schema}.runs SET is_current = false",
        "INSERT INTO {schema}.runs SELECT * FROM {schema}.runs",
        "FROM {schema}.cells INSERT INTO {schema}.cells SELECT *",
        "WITH a AS (SELECT * FROM {schema}.cells) INSERT INTO {schema}.cells SELECT * FROM a",
        "MERGE INTO {schema}.runs USING runs AS r ON true WHEN MATCHED THEN DELETE",
        "TRUNCATE TABLE {schema}.runs",
        "DROP TABLE {schema}.runs",
        "DROP VIEW runs",
        "DROP SCHEMA {schema} CASCADE",
        "ALTER TABLE {schema}.runs SET TBLPROPERTIES ('a' = 'b')",
        "CREATE TABLE {schema}.mine (a INT) USING delta",
        "CREATE TABLE {schema}.mine USING delta AS SELECT 1 AS a",
        "CREATE OR REPLACE TEMP VIEW runs AS SELECT 1",
        "OPTIMIZE {schema}.runs",
        "VACUUM {schema}.runs",
        "SET spark.sql.runSQLOnFiles = true",
        "SET",
        "RESET",
        "USE default",
        "CLEAR CACHE",
        "EXECUTE IMMEDIATE 'DELETE FROM {schema}.runs'",
        "BEGIN DELETE FROM {schema}.runs; END",
        "SELECT 1; DELETE FROM {schema}.runs",
        "SELECT 1) SELECT 1 FROM (SELECT 1",
        "runs",
        "SELECT 1 +",
        "-- nothing",
        "",
    ],
)
def test_every_other_statement_is_refused_and_changes_nothing(
    spark: SparkSession, store: SparkDeltaStore, folder: Path, statement: str
) -> None:
    versions = {table: DeltaTable(folder / table).version() for table in TABLES}
    with pytest.raises(UsageError, match=r"^query is refused: .*; allowed: one SELECT.*; see the tables"):
        store.query(statement.format(schema=Place.warehouse(folder).schema))
    assert {table: DeltaTable(folder / table).version() for table in TABLES} == versions
    shown = {row["tableName"] for row in spark.sql(f"SHOW TABLES IN {Place.warehouse(folder).schema}").collect()}
    assert set(TABLES) <= shown
    assert "mine" not in shown
    assert spark.conf.get("spark.sql.runSQLOnFiles") == "false"
    assert checksum(store.query("SELECT * FROM cells")) == checksum(RUN.results["cells"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM threshold_sweeps", "refused: .*`threshold_sweeps` cannot be found"),
        ("SELECT nope FROM runs", "refused: .*`nope` cannot be resolved"),
        ("SELECT * FROM csv.`/etc/passwd`", "refused: .*cannot be found"),
        ("SELECT nope(1)", "refused: .*`nope`"),
        ("SELECT 1/0", "stopped by DIVIDE_BY_ZERO; check the values"),
        ("SELECT CAST(group_value AS INT) FROM threshold_sweep", "stopped by CAST_INVALID_INPUT"),
        ("SELECT (SELECT cell_id FROM cells)", "stopped by SCALAR_SUBQUERY_TOO_MANY_ROWS"),
        ("SELECT raise_error('x')", "stopped by USER_RAISED_EXCEPTION"),
    ],
)
def test_queries_that_fail_are_usage_errors_without_a_value(store: SparkDeltaStore, query: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^query is {message}") as caught:
        store.query(query)
    assert "Brien" not in str(caught.value)


def test_the_command_deletes_nothing_and_still_finds_the_run(
    store: SparkDeltaStore, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--engine", "spark", "--warehouse", store.place]
    assert cli.run(["sql", f"DELETE FROM {RUNS}", *where]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith(
        "error: query is refused: [PARSE_SYNTAX_ERROR] Syntax error at or near 'DELETE'; allowed"
    )
    assert cli.run(["sql", "SELECT 1/0", *where]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: query is stopped by DIVIDE_BY_ZERO")
    assert cli.run(["sql", "SELECT count(*) AS n FROM runs", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out) == {"result": [{"n": 1}]}


@pytest.mark.timeout(600)
def test_over_connect_only_queries_run_too(connect_server: str, folder: Path, store: SparkDeltaStore) -> None:
    import subprocess
    import sys

    def sql(text: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fairsweep", "sql", text, "--warehouse", store.place, "--remote"]
        return subprocess.run([*command, connect_server], capture_output=True, text=True, check=False)

    told = [sql(text) for text in ("DELETE FROM runs", "SELECT 1/0", "SELECT count(*) AS n FROM runs")]
    assert [done.returncode for done in told] == [2, 2, 0], [done.stderr for done in told]
    assert "near 'DELETE'; allowed: one SELECT" in told[0].stderr
    assert "stopped by DIVIDE_BY_ZERO" in told[1].stderr
    assert told[2].stdout.split()[:2] == ["n", "1"]
