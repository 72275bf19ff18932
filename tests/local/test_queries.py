"""`fairsweep sql` without Spark: current runs by plain names, the views, and queries that reach for more."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from fairsweep.checksums import checksum
from fairsweep.errors import UsageError
from fairsweep.stores import local_queries
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.surfaces import cli
from fairsweep.tables import AUDIT_TABLES, RUNS, TABLES
from fairsweep.views import VIEWS
from tests.spark.made_up_runs import made_up_run

SUPERSEDED, CURRENT, OTHER = made_up_run("A"), made_up_run("B"), made_up_run("A", model="sepsis")
UNPUBLISHED = made_up_run("C")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DeltaRsStore:
    """Two current runs, one superseded, and the leftovers of one that was never published."""
    store = DeltaRsStore(Place.warehouse(tmp_path_factory.mktemp("warehouse")))
    for run in (SUPERSEDED, CURRENT, OTHER):
        store.publish([run])
    for table in AUDIT_TABLES:
        store.replace(table, [UNPUBLISHED.id], UNPUBLISHED.results[table])
    return store


@pytest.mark.parametrize("table", AUDIT_TABLES)
def test_plain_names_mean_the_rows_of_current_runs(store: DeltaRsStore, table: str) -> None:
    expected = pa.concat_tables([CURRENT.results[table], OTHER.results[table]])
    assert checksum(store.query(f"SELECT * FROM {table}")) == checksum(expected)


def test_runs_means_every_run_and_texts_can_be_compared(store: DeltaRsStore) -> None:
    rows = store.query("SELECT run_id, is_current, started_at FROM runs WHERE model_id >= 'falls' ORDER BY started_at")
    assert dict(zip(rows["run_id"].to_pylist(), rows["is_current"].to_pylist(), strict=True)) == {
        SUPERSEDED.id: False, CURRENT.id: True, OTHER.id: True,
    }  # fmt: skip
    assert rows["started_at"].to_pylist()[0] == CURRENT.record["started_at"]


@pytest.mark.parametrize("view", VIEWS)
def test_views_show_what_they_show_over_the_current_rows_alone(store: DeltaRsStore, view: str) -> None:
    with duckdb.connect() as other:
        other.execute("SET TimeZone = 'UTC'")
        for table in (RUNS, *AUDIT_TABLES):
            rows = store.current(table)
            other.register(table, rows)
        expected = pa.table(other.sql(VIEWS[view].sql).to_arrow_table())
    found = store.query(f"SELECT * FROM {view}")
    assert checksum(found) == checksum(expected)
    assert set(found["run_id"].to_pylist()) == {CURRENT.id, OTHER.id}


@pytest.mark.parametrize(
    "query",
    [
        "WITH a AS (SELECT * FROM cells) SELECT count(*) FROM a",
        "FROM v_run_health",
        "DESCRIBE runs",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "VALUES (1)",
        "PIVOT group_metrics ON metric USING count(*) GROUP BY group_value",
        "-- a remark\nSELECT 1;",
        "SELECT * FROM cells, operating_points WHERE cells.run_id = operating_points.run_id",
    ],
)
def test_whatever_only_reads_is_answered(store: DeltaRsStore, query: str) -> None:
    assert store.query(query).num_rows > 0


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM read_csv('{outside}')", "Permission"),
        ("SELECT * FROM read_text('{outside}')", "Permission"),
        ("SELECT * FROM '{outside}'", "Permission"),
        ("SELECT * FROM glob('/*')", "Permission"),
        ("SELECT * FROM parquet_scan('{outside}')", "Permission"),
        ("SELECT * FROM secret", "does not exist"),
        ("SELECT getenv('HOME')", "does not exist"),
        ("SELECT * FROM read_json('{outside}')", "Permission"),
        ("SELECT * FROM read_blob('/etc/passwd')", "Permission"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission"),
        ("SELECT * FROM sniff_csv('{outside}')", "Permission"),
        ("SELECT * FROM parquet_metadata('{outside}')", "Permission"),
        ("SELECT * FROM query('DELETE FROM runs')", "refused: Parser Error"),
        ("EXPLAIN ANALYZE COPY runs TO '{outside}.copy'", "Permission"),
        ("COPY runs TO '{outside}'", "`COPY`"),
        ("COPY runs FROM '{outside}'", "`COPY`"),
        ("INSERT INTO runs SELECT * FROM runs", "`INSERT`"),
        ("UPDATE runs SET is_current = false", "`UPDATE`"),
        ("TRUNCATE runs", "`DELETE`"),
        ("ALTER TABLE runs RENAME TO mine", "`ALTER`"),
        ("LOAD httpfs", "`LOAD`"),
        ("DETACH memory", "`DETACH`"),
        ("USE memory", "`SET`"),
        ("CALL pragma_version()", "`CALL`"),
        ("CREATE SECRET (TYPE s3)", "`CREATE`"),
        ("PREPARE p AS SELECT 1", "`PREPARE`"),
        ("BEGIN", "`TRANSACTION`"),
        ("VACUUM", "`VACUUM`"),
        ("EXPORT DATABASE '{outside}'", "`EXPORT`"),
        ("ATTACH '{outside}'", "`ATTACH`"),
        ("INSTALL httpfs", "`LOAD`"),
        ("SET enable_external_access = true", "`SET`"),
        ("CREATE TABLE mine AS SELECT 1", "`CREATE`"),
        ("DROP VIEW runs", "`DROP`"),
        ("DELETE FROM runs", "`DELETE`"),
        ("PRAGMA database_list", "`PRAGMA`"),
        ("SELECT 1; DROP VIEW runs", "2 statements"),
        ("", "0 statements"),
        ("-- nothing", "0 statements"),
        ("SELECT 1 +", "syntax error"),
        ("SELECT nope FROM runs", "nope"),
        ("SELECT * FROM threshold_sweeps", "threshold_sweep"),
    ],
)
def test_queries_that_reach_for_more_or_cannot_be_resolved_are_refused(
    store: DeltaRsStore, tmp_path: Path, query: str, message: str
) -> None:
    secret = pa.table({"member": ["123-45-6789"]})
    versions = {table: DeltaTable(Path(store.place) / table).version() for table in TABLES}
    outside = tmp_path / "outside.csv"
    outside.write_text("member\n123-45-6789\n")
    with pytest.raises(UsageError, match=f"^query is .*{message}.*; .") as caught:
        store.query(query.format(outside=outside))
    assert "123-45-6789" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["outside.csv"]
    assert secret.num_rows == 1
    assert {table: DeltaTable(Path(store.place) / table).version() for table in TABLES} == versions


def test_even_where_every_kind_of_statement_were_let_through_the_configuration_is_locked(
    store: DeltaRsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_queries, "_READS", {"SET", "LOAD", "COPY"})
    for query in ("SET enable_external_access = true", "SET lock_configuration = false", "RESET lock_configuration"):
        with pytest.raises(UsageError, match=r"query is stopped by InvalidInputException"):
            store.query(query)
    with pytest.raises(UsageError, match="Permission Error"):
        store.query("LOAD httpfs")


def test_an_error_that_quotes_values_tells_only_its_kind(store: DeltaRsStore) -> None:
    with pytest.raises(UsageError, match=r"query is stopped by ConversionException") as caught:
        store.query("SELECT CAST(group_value AS INT) FROM threshold_sweep")
    assert "Brien" not in str(caught.value)


def test_the_command_answers_and_refuses_without_a_traceback(
    store: DeltaRsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--warehouse", store.place, "--engine", "local"]
    assert cli.run(["sql", "SELECT count(*) AS n FROM runs", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out) == {"result": [{"n": 3}]}
    assert cli.run(["sql", "SELECT nope FROM runs", *where]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("error: query is refused: Binder Error: ")
    assert not [line for line in told if "Traceback" in line or "Spark" in line]
