"""`fairsweep sql` in Spark: only queries run, and what fails is told in one line without a value of a row."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fairsweep.cli import main as cli
from fairsweep.errors import UsageError
from fairsweep.stores import spark_queries
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.stores.query_functions import FUNCTIONS, SESSION_NAMES
from fairsweep.stores.query_gate import Query
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables.catalogue import RUNS
from tests.query_corpus import HONEST, WAYS_OUT, WAYS_OUT_OF, files
from tests.spark.made_up_runs import made_up_run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.usefixtures("interpreted")
RUN = made_up_run("A")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("queries") / "results"


@pytest.fixture(scope="module")
def store(spark: SparkSession, folder: Path) -> SparkDeltaStore:
    """What reads a run that delta-rs has published, which takes a second."""
    DeltaRsStore(Place.warehouse(folder)).publish([RUN])
    return SparkDeltaStore(spark, Place.warehouse(folder))


@pytest.fixture(scope="module")
def raw(spark: SparkSession, store: SparkDeltaStore) -> SparkSession:
    """The session with every plain name bound, which is asked what the user wrote."""
    store.register_sql_views()
    return spark


@pytest.mark.parametrize(
    "query", [pytest.param(q, marks=[pytest.mark.slow] if i else []) for i, q in enumerate(reversed(HONEST["spark"]))]
)
def test_what_analysts_ask_has_the_answer_of_the_text_as_they_wrote_it(
    store: SparkDeltaStore, raw: SparkSession, query: str
) -> None:
    found, expected = store.query(query), raw.sql(query).toArrow()
    # How a constant is written decides whether Spark takes it for one that may be NULL.
    assert [(field.name, field.type) for field in found.schema] == [(f.name, f.type) for f in expected.schema]
    assert found.num_rows > 0
    rows = [[column.to_pylist() for column in table.columns] for table in (found, expected)]
    assert rows[0] == rows[1]


def test_ways_out_are_refused_and_leave_everything_as_it_was(
    spark: SparkSession, store: SparkDeltaStore, folder: Path, tmp_path: Path
) -> None:
    before, bound = files(folder), {row["tableName"] for row in spark.sql("SHOW TABLES").collect()}
    names = {"outside": str(tmp_path / "outside"), "schema": Place.warehouse(folder).parts[0]}
    for query, said in (*WAYS_OUT, *WAYS_OUT_OF["spark"]):
        with pytest.raises(UsageError, match=rf"(?s)^query is .*({said.format(**names)})"):
            store.query(query.format(**names))
    assert files(folder) == before
    assert not list(tmp_path.iterdir())
    assert {row["tableName"] for row in spark.sql("SHOW TABLES").collect()} == bound
    assert spark.conf.get("spark.sql.runSQLOnFiles") == "false"


@pytest.mark.slow
@pytest.mark.parametrize("statement", ["DELETE FROM runs", "DROP VIEW runs", "SET a = b", "SELECT 1; SELECT 2", "runs"])
def test_what_the_gate_would_let_through_must_be_a_query_to_spark_too(spark: SparkSession, statement: str) -> None:
    with pytest.raises(UsageError, match=r"^query is refused: .*; allowed: one SELECT.*; see the tables"):
        spark_queries.answer(spark, Query(statement, ()), "here")


@pytest.mark.slow
def test_spark_knows_every_function_and_no_name_means_the_session_unless_it_is_refused(spark: SparkSession) -> None:
    known = {row[0] for row in spark.sql("SHOW FUNCTIONS").collect()}
    of_the_grammar = {"timestampadd", "timestampdiff"}
    assert FUNCTIONS["spark"] - known == of_the_grammar
    answered = set()
    for name in (*known, "user", "current_role", "system_user", "grouping__id", "_metadata"):
        if re.fullmatch(r"\w+", name):
            with suppress(Exception):
                _ = spark.sql(f"SELECT `{name}`").schema
                answered.add(name)
    assert {"current_user", "session_user", "user"} <= answered
    assert answered - SESSION_NAMES == {"current_date", "current_time", "current_timestamp"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM threshold_sweeps", "refused: table `threshold_sweeps`.*did you mean `threshold_sweep`"),
        ("SELECT nope FROM runs", "refused: .*`nope` cannot be resolved"),
        ("SELECT 1/0", "stopped by DIVIDE_BY_ZERO; check the values"),
        ("SELECT CAST(group_value AS INT) FROM threshold_sweep", "stopped by CAST_INVALID_INPUT"),
        ("SELECT (SELECT cutoff FROM threshold_sweep)", "stopped by SCALAR_SUBQUERY_TOO_MANY_ROWS"),
        ("SELECT upper(1, 2)", "refused: .*WRONG_NUM_ARGS"),
    ],
)
def test_queries_that_fail_are_usage_errors_without_a_value(store: SparkDeltaStore, query: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^query is {message}") as caught:
        store.query(query)
    assert "Brien" not in str(caught.value)


@pytest.mark.slow
def test_the_command_deletes_nothing_and_still_finds_the_run(
    store: SparkDeltaStore, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--engine", "spark", "--warehouse", store.place]
    assert cli.run(["sql", f"DELETE FROM {RUNS}", *where]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("error: query is refused: `DELETE`; allowed: one SELECT")
    assert cli.run(["sql", "SELECT 1/0", *where]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: query is stopped by DIVIDE_BY_ZERO")
    assert cli.run(["sql", "SELECT count(*) AS n FROM runs", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out) == {"result": [{"n": 1}]}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_over_connect_only_queries_run_too(connect_server: str, folder: Path, store: SparkDeltaStore) -> None:
    import subprocess
    import sys

    def sql(text: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fairsweep", "sql", text, "--warehouse", store.place, "--remote"]
        return subprocess.run([*command, connect_server], capture_output=True, text=True, check=False)

    told = [sql(text) for text in ("DELETE FROM runs", "SELECT 1/0", "SELECT count(*) AS n FROM runs")]
    assert [done.returncode for done in told] == [2, 2, 0], [done.stderr for done in told]
    assert "`DELETE`; allowed: one SELECT" in told[0].stderr
    assert "stopped by DIVIDE_BY_ZERO" in told[1].stderr
    assert told[2].stdout.split()[:2] == ["n", "1"]
