"""Which engine a command takes, what `local` refuses, and that it needs neither Spark nor Java."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

import fairsweep as fs
from fairsweep.auditing.verb import audit_config
from fairsweep.config.sections import InputSpec
from fairsweep.errors import UsageError
from fairsweep.runs import connecting
from fairsweep.runs.options import RunOptions
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import RUNS, TABLES
from tests.conftest import REPOSITORY
from tests.spark.small_audits import config_of, confusion, people, recounted_people, stored, written


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that Spark has nothing to do with, whatever other tests have started in this one."""
    for name in connecting.SPARK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "pyspark.sql", raising=False)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, InputSpec]:
    rows = people(50)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    rows.to_parquet(tmp_path / "rows.parquet")
    write_deltalake(tmp_path / "delta", pa.Table.from_pandas(rows))
    rows.to_parquet(tmp_path / "folders", partition_cols=["sex"])
    return {
        "csv": InputSpec(format="csv", path=str(tmp_path / "rows.csv")),
        "parquet": InputSpec(format="parquet", path=str(tmp_path / "rows.parquet")),
        "delta": InputSpec(format="delta", path=str(tmp_path / "delta")),
        "folders": InputSpec(format="parquet", path=str(tmp_path / "folders")),
        "table": InputSpec(format="table", table="c.s.t"),
        "bucket": InputSpec(format="parquet", path="s3://bucket/rows"),
    }


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("given", "source", "engine"),
    [
        ({}, None, "local"),
        ({}, "csv", "local"),
        ({}, "parquet", "local"),
        ({}, "delta", "local"),
        ({"warehouse": "file:/tmp/w"}, "csv", "local"),
        ({}, "folders", "spark"),
        ({}, "table", "spark"),
        ({}, "bucket", "spark"),
        ({"master": "local[2]"}, "csv", "spark"),
        ({"remote": "sc://host"}, "csv", "spark"),
        ({"schema": "s"}, "csv", "spark"),
        ({"schema": "s", "catalog": "c"}, None, "spark"),
        ({"warehouse": "s3://bucket/w"}, "csv", "spark"),
        ({"warehouse": "a%20b"}, None, "spark"),
        ({"engine": "spark"}, "csv", "spark"),
        ({"engine": "local"}, "csv", "local"),
    ],
)
def test_auto_is_local_for_local_files_and_a_local_warehouse(
    inputs: dict[str, InputSpec], given: dict[str, Any], source: str | None, engine: str
) -> None:
    assert connecting.engine_of(RunOptions(**given), inputs[source] if source else None) == engine


def _in_spark_submit(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PYSPARK_GATEWAY_PORT", "1")


def _on_databricks(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")


def _without_the_extra(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(connecting, "LOCAL_PACKAGES", ("deltalake_that_is_absent",))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("around", [_in_spark_submit, _on_databricks, _without_the_extra])
def test_auto_is_spark_inside_spark_and_without_the_extra(
    inputs: dict[str, InputSpec], monkeypatch: pytest.MonkeyPatch, around: Callable[[pytest.MonkeyPatch], None]
) -> None:
    around(monkeypatch)
    assert connecting.engine_of(RunOptions(), inputs["csv"]) == "spark"


@pytest.mark.usefixtures("plain")
def test_local_tells_everything_that_it_cannot_do_at_once(
    inputs: dict[str, InputSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_the_extra(monkeypatch)
    options = RunOptions(engine="local", master="local[2]", remote="sc://host", warehouse="s3://bucket/w")
    with pytest.raises(UsageError) as caught:
        connecting.engine_of(options, inputs["table"])
    assert [str(problem) for problem in caught.value.problems] == [
        "--master is given together with --engine local; allowed: one or the other; leave one of them out",
        "--remote is given together with --engine local; allowed: one or the other; leave one of them out",
        (
            "--engine local is not installed (deltalake_that_is_absent missing); "
            'install the extra `local` of fairsweep: in a clone of it, `pip install ".[local]"`'
        ),
        (
            "--warehouse is `s3://bucket/w`, not a local folder; allowed: a local folder with --engine local; "
            "use --engine spark"
        ),
        (
            "input `c.s.t` is a table of a catalog; allowed: local files of CSV, Parquet or plain Delta with "
            "--engine local; use --engine spark"
        ),
    ]
    with pytest.raises(UsageError, match=r"--schema is `c\.s`, of a catalog; allowed: a local folder"):
        connecting.engine_of(replace(options, warehouse=None, catalog="c", schema="s"), None)


# Whatever imports pyspark or starts a process fails.
PROGRAM = """
import subprocess, sys
sys.modules["pyspark"] = None
subprocess.Popen = None
from fairsweep.cli.main import main
main()
"""


def _command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"JAVA_HOME", *connecting.SPARK_VARIABLES}}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(REPOSITORY / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_demo_needs_neither_spark_nor_java(tmp_path: Path) -> None:
    shown = _command(tmp_path, "demo")
    assert shown.returncode == 0, shown.stderr
    assert "65-74 (n 484,000): 68 flagged per 100 who needed it" in shown.stdout
    assert "Spark" not in shown.stderr
    again = _command(tmp_path, "demo")
    assert "Already done" in again.stdout
    asked = _command(tmp_path, "sql", "SELECT engine, counting FROM v_run_health", "--json")
    assert json.loads(asked.stdout) == {"result": [{"engine": "local", "counting": "arrow"}]}


@pytest.mark.slow
def test_ends_of_a_local_audit_are_those_of_the_job(tmp_path: Path) -> None:
    rows = people(600)
    rows["score"] = rows["score"].mask(rows["sex"] == "female", rows["score"] / 4)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    written(config_of(input={"format": "csv", "path": "rows.csv"}), tmp_path / "audit.yaml")
    (tmp_path / "file").write_text("no folder\n")
    audit = ("audit", "--config", "audit.yaml")
    for flags, code, said in (
        ((), 0, "Counting"),
        (("--fail-on", "breach"), 4, "--fail-on breach"),
        (("--engine", "local", "--master", "local[2]"), 2, "--master is given together with --engine local"),
        (("--warehouse", "s3://bucket/w", "--engine", "local"), 2, "use --engine spark"),
        (("--warehouse", "file/wh"), 5, "is not writable"),
    ):
        ended = _command(tmp_path, *audit, *flags)
        assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
        assert "Traceback" not in ended.stderr
    created = _command(tmp_path, "tables", "create", "--warehouse", "other")
    assert created.returncode == 0, created.stderr
    assert {path.name for path in (tmp_path / "other").iterdir()} == set(TABLES)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("form", ["csv", "parquet", "delta"])
def test_a_local_audit_publishes_what_pandas_counts_and_is_done_the_second_time(tmp_path: Path, form: str) -> None:
    rows, steps = people(600), list[str]()
    config = written(config_of(input=stored(rows, tmp_path, form)), tmp_path / "audit.yaml")
    options = RunOptions(warehouse=str(tmp_path / "wh"), progress=steps.append)
    assert [audit_config(config, options).state for _ in range(2)] == ["published", "already_done"]
    store = DeltaRsStore(Place.warehouse(tmp_path / "wh"))
    assert confusion({"threshold_sweep": store.current("threshold_sweep")}) == recounted_people(rows)
    assert store.current(RUNS).column("engine").to_pylist() == ["local"]
    assert not [step for step in steps if "Spark" in step]


@pytest.mark.quick_cases(2)
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "form",
    [
        lambda rows: rows,
        lambda rows: rows.astype({"race": "category", "sex": "category"}),
        lambda rows: rows.astype({"race": "string", "label": "Int64"}),
        pa.Table.from_pandas,
        lambda rows: pa.Table.from_pandas(rows).set_column(
            2, "race", pa.Table.from_pandas(rows)["race"].dictionary_encode()
        ),
    ],
    ids=["objects", "categories", "nullable", "arrow", "dictionaries"],
)
def test_frames_are_counted_here_and_written_without_spark(tmp_path: Path, form: Callable[[pd.DataFrame], Any]) -> None:
    rows = people(600)
    given = config_of(model={"id": "frame", "version": "1"}, columns=None)
    result = fs.audit(form(rows), score="score", label="label", **given)
    outcome = result.write(tmp_path / "wh")
    assert outcome.state == "published"
    assert confusion(result.tables) == recounted_people(rows)
    store = DeltaRsStore(Place.warehouse(tmp_path / "wh"))
    assert confusion({"threshold_sweep": store.current("threshold_sweep")}) == recounted_people(rows)
    assert result.write(tmp_path / "wh").state == "already_done"


def test_frames_with_a_column_twice_are_refused() -> None:
    rows = people(20)
    twice = pd.concat([rows, rows[["race"]]], axis=1)
    with pytest.raises(UsageError, match="data is several columns called `race`"):
        fs.audit(twice, score="score", label="label", attributes=["race"], flag_is="help")
