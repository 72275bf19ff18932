"""What a query may be: every way out is refused before an engine sees it, and what is run cannot be read otherwise."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import duckdb
import pytest

from fairsweep.cli import main as cli
from fairsweep.errors import UsageError
from fairsweep.stores.query_functions import FUNCTIONS, SESSION_NAMES, Dialect
from fairsweep.stores.query_gate import RELATIONS, checked
from fairsweep.tables.catalogue import RESTRICTED_TABLES
from tests.query_corpus import DISARMED, HONEST, TOO_MUCH, WAYS_OUT, WAYS_OUT_OF

DIALECTS: tuple[Dialect, ...] = ("duckdb", "spark")
NAMES = {"outside": "/tmp/outside.csv", "schema": "fairsweep_0123456789abcdef"}


def ways_out() -> Iterator[tuple[Dialect, str, str]]:
    for dialect in DIALECTS:
        for query, said in (*WAYS_OUT, *WAYS_OUT_OF[dialect]):
            yield dialect, query.format(**NAMES), said.format(**NAMES)


@pytest.mark.parametrize(("dialect", "query", "said"), list(ways_out()))
def test_ways_out_are_refused(dialect: Dialect, query: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UsageError, match=rf"(?s)^query is (refused: )?.*({said}).*; .") as caught:
        checked(query, dialect)
    assert len(caught.value.problems) == 1
    assert len(str(caught.value)) < 500
    assert not caplog.records


def test_the_corpora_are_as_large_as_promised() -> None:
    assert len(WAYS_OUT) >= 60
    assert min(len(queries) for queries in HONEST.values()) >= 40


@pytest.mark.quick_cases(6)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", TOO_MUCH)
def test_texts_that_are_too_much_are_refused_at_once(dialect: Dialect, text: str) -> None:
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"^query is refused: (nested too deep|[0-9,]+ characters long); write"):
        checked(TOO_MUCH[text], dialect)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("dialect", DIALECTS)
def test_honest_queries_are_let_through_and_stay_what_they_are_when_written_again(dialect: Dialect) -> None:
    for query in HONEST[dialect]:
        once = checked(query, dialect)
        assert checked(once.text, dialect) == once, query


@pytest.mark.parametrize(("dialect", "query", "written"), [(d, *pair) for d in DIALECTS for pair in DISARMED[d]])
def test_names_and_texts_are_written_in_quotes(dialect: Dialect, query: str, written: str) -> None:
    assert checked(query, dialect).text == written


def test_a_query_tells_which_tables_and_views_it_names() -> None:
    query = """
        WITH a AS (SELECT * FROM Runs) SELECT * FROM a JOIN "v_criteria" USING (run_id)
        WHERE EXISTS (SELECT 1 FROM subgroups)
    """
    assert checked(query, "duckdb").relations == ("runs", "subgroups", "v_criteria")
    assert checked("SELECT 1", "duckdb").relations == ()
    assert not set(RELATIONS) & set(RESTRICTED_TABLES)


def test_a_query_of_the_command_line_is_refused_before_spark_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[object] = []
    monkeypatch.setattr("fairsweep.runs.connecting.session_of", lambda *given: started.append(given))
    for engine in (["--engine", "spark"], ["--master", "local[1]"], ["--schema", "fair"], []):
        assert cli.run(["sql", "SELECT reflect('java.lang.System', 'getenv', 'HOME') FROM runs", *engine]) == 2
        assert "function `reflect`, which queries may not call" in capsys.readouterr().err
    assert not started


def test_duckdb_knows_every_function_and_none_of_them_is_a_table_or_a_pragma() -> None:
    known: dict[str, set[str]] = {}
    for name, kind in duckdb.execute("SELECT function_name, function_type FROM duckdb_functions()").fetchall():
        known.setdefault(name, set()).add(kind)
    of_the_grammar = {"coalesce", "grouping", "grouping_id", "ifnull", "percentile_cont", "percentile_disc"}
    assert FUNCTIONS["duckdb"] - set(known) == of_the_grammar
    computing = {"scalar", "aggregate", "window", "macro"}
    others = {name for name in FUNCTIONS["duckdb"] & set(known) if not known[name] & computing}
    assert others == {"unnest"}


def test_no_name_means_the_session_to_duckdb_unless_it_is_refused() -> None:
    """Every function and keyword as a column where there is none: what DuckDB answers is a value of its own."""
    names = duckdb.execute(
        "SELECT function_name FROM duckdb_functions() UNION SELECT keyword_name FROM duckdb_keywords()"
    ).fetchall()
    answered = set()
    for (name,) in names:
        try:
            duckdb.execute('SELECT "{}"'.format(name.replace('"', '""'))).fetchall()
        except duckdb.Error:
            continue
        answered.add(name)
    assert {"current_user", "user"} <= answered
    assert answered - SESSION_NAMES <= {"current_date", "current_time", "current_timestamp"}


def test_the_parser_is_loaded_only_for_queries_and_logs_nothing_of_them() -> None:
    import subprocess
    import sys

    modules = "fairsweep, fairsweep.stores.delta_rs, fairsweep.stores.spark_delta"
    program = f"import sys, {modules}; print('sqlglot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert logging.getLogger("sqlglot").level == logging.NOTSET
