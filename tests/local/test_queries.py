"""`fairsweep sql` without Spark: current runs by plain names, the views, and queries that reach for more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from fairsweep.cli import main as cli
from fairsweep.errors import UsageError
from fairsweep.stores import local_queries
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.stores.query_gate import Query
from fairsweep.tables.catalogue import AUDIT_TABLES, RESTRICTED_TABLES, RUNS, TABLES
from fairsweep.tables.checksums import checksum
from fairsweep.tables.schema import conform
from fairsweep.tables.views import VIEWS
from tests.query_corpus import HONEST, WAYS_OUT, WAYS_OUT_OF, files
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


PUBLISHED = [table for table in AUDIT_TABLES if table not in RESTRICTED_TABLES]


@pytest.fixture(scope="module")
def raw(store: DeltaRsStore) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of our own over the same rows, which is asked what the user wrote."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in PUBLISHED:
            connection.register(table, store.current(table))
        runs = pa.table(DeltaTable(Path(store.place) / RUNS).to_pyarrow_table())
        connection.register(RUNS, conform(TABLES[RUNS], runs))
        for name, view in VIEWS.items():
            connection.execute(f"CREATE TEMP VIEW {name} AS {view.sql}")
        yield connection


@pytest.mark.parametrize("table", PUBLISHED)
def test_plain_names_mean_the_rows_of_current_runs(store: DeltaRsStore, table: str) -> None:
    expected = pa.concat_tables([CURRENT.results[table], OTHER.results[table]])
    assert checksum(store.query(f"SELECT * FROM {table}")) == checksum(expected)


@pytest.mark.parametrize("query", HONEST["duckdb"])
def test_what_analysts_ask_has_the_answer_of_the_text_as_they_wrote_it(
    store: DeltaRsStore, raw: duckdb.DuckDBPyConnection, query: str
) -> None:
    found, expected = store.query(query), pa.table(raw.sql(query).to_arrow_table())
    assert found.schema == expected.schema
    assert found.num_rows > 0
    for column, wanted in zip(found.columns, expected.columns, strict=True):
        if pa.types.is_floating(wanted.type):  # DuckDB's threads sum them in any order
            np.testing.assert_allclose(column.to_numpy(), wanted.to_numpy(), rtol=1e-12)
        else:
            assert column.equals(wanted)


def test_runs_means_every_run_and_texts_can_be_compared(store: DeltaRsStore) -> None:
    rows = store.query("SELECT run_id, is_current, started_at FROM runs WHERE model_id >= 'falls' ORDER BY started_at")
    assert dict(zip(rows["run_id"].to_pylist(), rows["is_current"].to_pylist(), strict=True)) == {
        SUPERSEDED.id: False, CURRENT.id: True, OTHER.id: True,
    }  # fmt: skip
    assert rows["started_at"].to_pylist()[0] == CURRENT.record["started_at"]


@pytest.mark.quick_cases(6)
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


@pytest.mark.parametrize(("query", "said"), [*WAYS_OUT, *WAYS_OUT_OF["duckdb"]])
def test_ways_out_are_refused_and_leave_everything_as_it_was(
    store: DeltaRsStore, tmp_path: Path, query: str, said: str
) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("member\n123-45-6789\n")
    names = {"outside": str(outside), "schema": Place.warehouse(store.place).parts[0]}
    with pytest.raises(UsageError, match=rf"(?s)^query is .*({said.format(**names)})") as caught:
        store.query(query.format(**names))
    assert "123-45-6789" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["outside.csv"]


def test_all_ways_out_together_have_changed_no_table(store: DeltaRsStore, tmp_path: Path) -> None:
    before = files(Path(store.place))
    names = {"outside": str(tmp_path / "outside"), "schema": Place.warehouse(store.place).parts[0]}
    for query, _ in (*WAYS_OUT, *WAYS_OUT_OF["duckdb"]):
        with pytest.raises(UsageError):
            store.query(query.format(**names))
    assert files(Path(store.place)) == before


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nope FROM runs", "refused: .*nope"),
        ("SELECT * FROM threshold_sweeps", "refused: .*did you mean `threshold_sweep`"),
        ("SELECT upper(1, 2)", "refused: .*upper"),
        ("SELECT run_id FROM runs UNION SELECT 1, 2", "refused: "),
    ],
)
def test_queries_that_cannot_be_resolved_are_usage_errors(store: DeltaRsStore, query: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^query is {message}"):
        store.query(query)


# What the gate would refuse, asked of DuckDB as if the gate had let it through.
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission"),
        ("SELECT * FROM '/etc/passwd'", "does not exist"),
        ("SELECT * FROM glob('/*')", "Permission"),
        ("SELECT * FROM secret", "does not exist"),
        ("SELECT getenv('HOME')", "does not exist"),
        ("SELECT * FROM query('DELETE FROM runs')", "refused: Parser Error"),
        ("COPY runs TO '/tmp/fairsweep-outside'", "`COPY`"),
        ("DELETE FROM runs", "`DELETE`"),
        ("LOAD httpfs", "`LOAD`"),
        ("SET enable_external_access = true", "`SET`"),
        ("SELECT 1; DROP VIEW runs", "`SELECT, DROP`"),
    ],
)
def test_duckdb_reaches_nothing_either(query: str, message: str) -> None:
    secret = pa.table({"member": ["123-45-6789"]})
    with pytest.raises(UsageError, match=f"^query is .*{message}") as caught:
        local_queries.answer(Query(query, (RUNS,)), {RUNS: TABLES[RUNS].arrow_schema.empty_table()})
    assert "123-45-6789" not in str(caught.value)
    assert secret.num_rows == 1


def test_even_where_every_kind_of_statement_were_let_through_the_configuration_is_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_queries, "_READS", {"SET", "LOAD", "COPY"})
    for query in ("SET enable_external_access = true", "SET lock_configuration = false", "RESET lock_configuration"):
        with pytest.raises(UsageError, match=r"query is stopped by InvalidInputException"):
            local_queries.answer(Query(query, ()), {})
    with pytest.raises(UsageError, match="Permission Error"):
        local_queries.answer(Query("LOAD httpfs", ()), {})


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
