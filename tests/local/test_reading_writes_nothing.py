"""Readers bind what exists: no folder, table or commit comes of a query, and they open only what they need."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fairsweep.auditing.verb import audit_config
from fairsweep.cli import main as cli
from fairsweep.errors import StorageError, UsageError
from fairsweep.runs import connecting
from fairsweep.runs.options import RunOptions
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import COHORT_TABLES, RESTRICTED_TABLES, RUNS, TABLES
from tests.another_user import query_as_another_user
from tests.query_corpus import files
from tests.spark.made_up_runs import made_up_run
from tests.spark.small_audits import config_of, people, stored, written

RUN = made_up_run("A")


def _missing(place: Path) -> None:
    assert not place.exists()


def _other_files(place: Path) -> None:
    (place / "scores").mkdir(parents=True)
    (place / "scores" / "part.parquet").write_bytes(b"PAR1")


def _another_table(place: Path) -> None:
    (place / RUNS).mkdir(parents=True)
    (place / RUNS / "notes.txt").write_text("my runs\n")


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (_missing, "which does not exist"),
    "empty": (Path.mkdir, "which is empty"),
    "a file": (Path.touch, "which is a file"),
    "other files": (_other_files, "which holds other files"),
    "a folder called like a table": (_another_table, "which holds other files"),
}
READERS: dict[str, Callable[[DeltaRsStore], object]] = {
    "a query": lambda store: store.query("SELECT count(*) FROM runs"),
    "a query of no table": lambda store: store.query("SELECT 1"),
    "current runs": lambda store: store.current(RUNS),
    "current rows": lambda store: store.current("group_metrics"),
    "verify": lambda store: store.verify([RUN.id]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("reader", READERS)
def test_where_nothing_was_published_readers_say_so_and_create_nothing(tmp_path: Path, place: str, reader: str) -> None:
    make, found = PLACES[place]
    make(tmp_path / "my tables")
    before = files(tmp_path)
    with pytest.raises(UsageError, match=rf"^no Fairsweep warehouse at `.*my tables`, {found}; check --warehouse, .*"):
        READERS[reader](DeltaRsStore(Place.warehouse(tmp_path / "my tables")))
    assert files(tmp_path) == before


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("query", ["SELECT count(*) FROM runs", "SELEC 1", "SELECT 1 +", "SELECT nope FROM runs"])
def test_the_command_ends_with_2_and_creates_nothing(
    tmp_path: Path, place: str, query: str, capsys: pytest.CaptureFixture[str]
) -> None:
    PLACES[place][0](tmp_path / "w")
    before = files(tmp_path)
    assert cli.run(["sql", query, "--warehouse", str(tmp_path / "w"), "--json"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]
    assert "Traceback" not in told.err
    assert files(tmp_path) == before


@pytest.mark.parametrize("place", PLACES)
def test_looking_for_a_run_creates_nothing(tmp_path: Path, place: str) -> None:
    PLACES[place][0](tmp_path / "w")
    before = files(tmp_path)
    store = DeltaRsStore(Place.warehouse(tmp_path / "w"))
    if place == "a folder called like a table":
        with pytest.raises(StorageError, match="a folder with other files"):
            store.find_runs("b" * 16)
    else:
        assert store.find_runs("b" * 16) == []
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "query", ["SELECT 1", "SELECT * FROM runs", "SELECT * FROM v_run_health", "SELECT 1 +", "TABLE"]
)
def test_queries_leave_every_byte_as_it_was(tmp_path: Path, query: str) -> None:
    DeltaRsStore(Place.warehouse(tmp_path)).publish([RUN])
    before = files(tmp_path)
    cli.run(["sql", query, "--warehouse", str(tmp_path)])
    assert files(tmp_path) == before


def test_a_table_that_does_not_exist_yet_is_empty_and_not_created(tmp_path: Path) -> None:
    store = DeltaRsStore(Place.warehouse(tmp_path))
    store.publish([RUN])
    for table in COHORT_TABLES:
        shutil.rmtree(tmp_path / table)
    (tmp_path / "cohort").mkdir()
    before = files(tmp_path)
    reader = DeltaRsStore(Place.warehouse(tmp_path))
    assert reader.query("SELECT * FROM cohort_flow").column_names == list(TABLES["cohort_flow"].column_names)
    assert reader.query("SELECT count(*) AS n FROM cohort_flow").to_pylist() == [{"n": 0}]
    assert reader.current("cohort").num_rows == 0
    assert files(tmp_path) == before


@pytest.mark.parametrize("damage", ["gone", "without a log", "with an empty log"])
def test_a_warehouse_that_has_lost_its_runs_is_not_taken_for_an_empty_one(tmp_path: Path, damage: str) -> None:
    DeltaRsStore(Place.warehouse(tmp_path)).publish([RUN])
    shutil.rmtree(tmp_path / RUNS / "_delta_log" if damage != "gone" else tmp_path / RUNS)
    if damage == "with an empty log":
        (tmp_path / RUNS / "_delta_log").mkdir()
    before = files(tmp_path)
    for read in READERS.values():
        with pytest.raises(StorageError, match="runs"):
            read(DeltaRsStore(Place.warehouse(tmp_path)))
    assert files(tmp_path) == before


@pytest.mark.usefixtures("plain")
def test_a_run_that_is_already_done_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    config = written(config_of(input=stored(people(600), tmp_path / "in", "csv")), tmp_path / "in" / "audit.yaml")
    options = RunOptions(warehouse=str(tmp_path / "wh"))
    assert audit_config(config, options).state == "published"
    shutil.rmtree(tmp_path / "wh" / "subgroups")  # as an earlier program would have left it
    before = files(tmp_path / "wh")
    assert audit_config(config, options).state == "already_done"
    assert files(tmp_path / "wh") == before


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that Spark has nothing to do with, whatever other tests have started in this one."""
    for name in connecting.SPARK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "pyspark.sql", raising=False)


@pytest.mark.parametrize(
    ("given", "engine"),
    [
        ({}, "local"),
        ({"engine": "local"}, "local"),
        ({"engine": "spark"}, "spark"),
        ({"master": "local[2]"}, "spark"),
        ({"remote": "sc://host"}, "spark"),
        ({"schema": "fair"}, "spark"),
        ({"warehouse": "s3://bucket/w"}, "spark"),
    ],
)
@pytest.mark.parametrize("around", [*connecting.SPARK_VARIABLES, "a session", "nothing"])
def test_duckdb_reads_a_local_folder_also_inside_spark(
    monkeypatch: pytest.MonkeyPatch, around: str, given: dict[str, str], engine: str
) -> None:
    if around == "a session":
        monkeypatch.setattr(connecting, "spark_is_around", lambda: True)
    elif around != "nothing":
        monkeypatch.setenv(around, "1")
    assert connecting.reading_engine_of(RunOptions(**given)) == engine  # type: ignore[arg-type]


def test_without_duckdb_spark_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "LOCAL_PACKAGES", ("duckdb_that_is_absent",))
    assert connecting.reading_engine_of(RunOptions()) == "spark"


@pytest.mark.slow
def test_another_user_reads_published_tables_without_access_to_restricted_ones(shared: Path) -> None:
    DeltaRsStore(Place.warehouse(shared / "wh")).publish([RUN])
    modes = {table: stat.S_IMODE((shared / "wh" / table).stat().st_mode) for table in RESTRICTED_TABLES}
    assert set(modes.values()) == {0o700}
    before = files(shared)
    for query, n in (("SELECT count(*) AS n FROM runs", 1), ("SELECT count(*) AS n FROM v_criteria", 0)):
        done = query_as_another_user("local", query, "--warehouse", str(shared / "wh"), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["result"][0]["n"] >= n
    refused = query_as_another_user("local", "SELECT count(*) AS n FROM cohort", "--warehouse", str(shared / "wh"))
    assert (refused.returncode, "which is restricted" in refused.stderr) == (2, True)
    (shared / "wh" / RUNS).chmod(0o700)
    closed = query_as_another_user("local", "SELECT 1", "--warehouse", str(shared / "wh"))
    assert (closed.returncode, "Traceback" in closed.stderr) == (5, False), closed.stderr
    (shared / "wh" / RUNS).chmod(0o755)
    assert files(shared) == before
