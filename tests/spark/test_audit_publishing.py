"""Audits into a warehouse: what is current, what is done already, what other readers see."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fairsweep.auditing.verb import AuditOutcome, audit_config
from fairsweep.runs.options import RunOptions
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS, TABLES
from tests.spark.small_audits import bare, config_of, confusion, people, recounted_people, written

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("interpreted")]
THREADS = 8


class Step(NamedTuple):
    """An audit of the story, and what readers saw right after it."""

    outcome: AuditOutcome
    sweep: pa.Table
    runs: pa.Table


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, each with models of its own: to create it takes longer than an audit."""
    return tmp_path_factory.mktemp("audits") / "wh"


class Story(NamedTuple):
    """Audits of one model and window into one warehouse, one after the other."""

    warehouse: Path
    first: pd.DataFrame
    second: pd.DataFrame
    steps: dict[str, Step]


@pytest.fixture(scope="module")
def story(spark: SparkSession, warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Rows A, A once more, changed rows B, A again, and A by force."""
    folder = tmp_path_factory.mktemp("story")
    first, second = people(600, seed=1), people(600, seed=2)
    for name, rows in (("A", first), ("B", second)):
        rows.to_csv(folder / f"{name}.csv", index=False)
    config = written(config_of(input={"format": "csv", "path": "rows.csv"}), folder / "audit.yaml")
    steps = {}
    for name in ("A", "A once more", "B", "A again", "A by force"):
        shutil.copy2(folder / f"{name[0]}.csv", folder / "rows.csv")
        outcome = audit_config(config, RunOptions(engine="spark", warehouse=str(warehouse), force="force" in name))
        current = SparkDeltaStore(spark, Place.warehouse(warehouse)).current("threshold_sweep")
        steps[name] = Step(outcome, _of(current, "small"), _stored(spark, warehouse, RUNS, "small"))
    return Story(warehouse, first, second, steps)


@pytest.mark.parametrize(
    ("step", "state", "rows", "runs"),
    [
        ("A", "published", "A", 1),
        ("A once more", "already_done", "A", 1),
        ("B", "published", "B", 2),
        ("A again", "already_done", "A", 2),
        ("A by force", "published", "A", 2),
    ],
)
def test_readers_see_the_run_asked_for_last_and_no_other(
    story: Story, step: str, state: str, rows: str, runs: int
) -> None:
    outcome, sweep, records = story.steps[step]
    expected = recounted_people({"A": story.first, "B": story.second}[rows])
    assert outcome.state == state
    assert confusion(outcome.tables) == expected
    assert confusion({"threshold_sweep": sweep}) == expected
    current = [row for row in records.to_pylist() if row["is_current"]]
    assert [row["run_id"] for row in current] == outcome.tables[RUNS]["run_id"].to_pylist()
    assert (len(records), {row["status"] for row in records.to_pylist()}) == (runs, {"succeeded"})


def test_an_audit_that_is_done_already_gives_the_tables_of_the_first_time(story: Story) -> None:
    first = story.steps["A"].outcome.tables
    for name in ("A once more", "A again", "A by force"):
        again = story.steps[name].outcome.tables
        for table in AUDIT_TABLES:
            assert _sorted(again[table], table) == _sorted(first[table], table), (name, table)


def test_a_forced_audit_keeps_its_run_id_and_doubles_nothing(story: Story) -> None:
    a, forced = story.steps["A"], story.steps["A by force"]
    assert forced.outcome.tables[RUNS]["run_id"] == a.outcome.tables[RUNS]["run_id"]
    assert forced.sweep.num_rows == a.sweep.num_rows
    started = [step.outcome.tables[RUNS]["started_at"][0].as_py() for step in (a, forced)]
    assert started[0] < started[1]


def test_duckdb_and_delta_rs_read_every_table_and_find_the_current_run(story: Story) -> None:
    deltalake = pytest.importorskip("deltalake")
    duckdb = pytest.importorskip("duckdb")
    wanted = story.steps["A by force"].outcome.tables
    session = duckdb.connect()
    current = "is_current AND runs.model_id = 'small'"
    for table in (RUNS, *AUDIT_TABLES):
        session.register(table, deltalake.DeltaTable(str(story.warehouse / table)).to_pyarrow_table())
    for table in AUDIT_TABLES:
        columns = ", ".join(f"t.{name}" for name in TABLES[table].column_names)
        found = session.sql(f"SELECT {columns} FROM {table} t JOIN runs USING (run_id) WHERE {current}")
        rows = found.arrow()
        rows = rows if isinstance(rows, pa.Table) else rows.read_all()
        order = TABLES[table].key
        assert rows.num_rows == wanted[table].num_rows
        plain = [
            {tuple(map(str, row.values())) for row in t.select(list(order)).to_pylist()} for t in (rows, wanted[table])
        ]
        assert plain[0] == plain[1]
    sums = f"""
        SELECT tp, fp, fn, tn FROM threshold_sweep JOIN runs USING (run_id)
        WHERE {current} AND attribute = 'overall' ORDER BY cutoff
    """
    expected = [counts[1:] for key, counts in recounted_people(story.first).items() if key[0] == "overall"]
    assert session.sql(sums).fetchall() == expected


def test_used_unscored_and_refused_add_up_to_the_input(warehouse: Path, tmp_path: Path) -> None:
    rows = people(1_000).astype({"label": "object", "score": "object", "age": "object"})
    spoilt: dict[str, dict[int, str | None]] = {
        "score": {3: "n/a", 4: "NaN", 5: "inf"},
        "label": {6: "", 7: "2", 8: None},
        "age": {9: "130", 10: "old"},
    }
    for column, values in spoilt.items():
        for place, value in values.items():
            rows.loc[place, column] = value
    text = rows.to_csv(index=False) + "0.5,1\n"
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    config = config_of(
        input={"format": "csv", "path": "rows.csv"}, model={"id": "sums", "version": "1"}, non_event_labels=[0]
    )
    config["attributes"][2]["range"] = [0, 120]
    outcome = audit_config(
        written(config, tmp_path / "audit.yaml"), RunOptions(engine="spark", warehouse=str(warehouse))
    )
    (run,) = outcome.tables[RUNS].to_pylist()
    tallies = [row for row in outcome.tables["refused_counts"].to_pylist() if row["attribute"] == "overall"]
    reasons = {
        reason: sum(row["n"] for row in tallies if row["reason"] == reason)
        for reason in sorted({row["reason"] for row in tallies})
    }
    missing = int((rows["score"].isna() & ~rows.index.isin(range(6, 11))).sum())
    assert reasons == {
        "group_not_a_number": 1, "group_out_of_range": 1, "label_missing": 2, "label_undeclared": 1, "malformed_row": 1,
        "score_missing": missing, "score_not_a_number": 3,
    }  # fmt: skip
    assert run["rows_input"] == 1_001
    assert (run["rows_refused"], run["rows_unscored"]) == (6, missing + 3)
    assert run["rows_used"] + run["rows_unscored"] + run["rows_refused"] == run["rows_input"]
    for attribute in ("overall", "race", "sex", "age_band", "race x sex"):
        sweep = outcome.tables["threshold_sweep"].to_pylist()
        at_first = [row for row in sweep if (row["attribute"], row["cutoff_index"]) == (attribute, 0)]
        assert sum(row["n"] for row in at_first) == run["rows_used"]
        assert sum(row["unscored_events"] + row["unscored_non_events"] for row in at_first) == run["rows_unscored"]
        assert sum(
            row["n"] for row in outcome.tables["refused_counts"].to_pylist() if row["attribute"] == attribute
        ) == (run["rows_refused"] + run["rows_unscored"])


def test_of_several_models_the_refused_one_leaves_only_its_record(
    spark: SparkSession, warehouse: Path, tmp_path: Path
) -> None:
    rows = people(900)
    models = ("falls", "readmission", "stays")
    rows["model"] = np.array(models)[np.arange(900) % 3]
    rows["version"] = "2"
    rows["label"] = rows["label"].astype("Int64").mask((rows["model"] == "stays") & (rows.index % 2 == 0))
    rows.to_parquet(tmp_path / "rows.parquet")
    columns = {"score": "score", "label": "label", "model_id": "model", "model_version": "version"}
    config = config_of(model=None, columns=columns, input={"format": "parquet", "path": "rows.parquet"})
    options = RunOptions(engine="spark", warehouse=str(warehouse))
    outcomes = [audit_config(written(config, tmp_path / "audit.yaml"), options) for _ in range(2)]
    for outcome in outcomes:
        (refused,) = outcome.refused
        assert (refused["model_id"], refused["status"]) == ("stays", "refused")
        for model in models[:2]:
            tables = {name: _of(table, model) for name, table in outcome.tables.items()}
            assert confusion(tables) == recounted_people(rows[rows["model"] == model].reset_index(drop=True))
    assert [outcome.state for outcome in outcomes] == ["published", "already_done"]
    runs = _stored(spark, warehouse, RUNS, *models).to_pylist()
    states = {row["model_id"]: (row["status"], row["is_current"]) for row in runs}
    assert states == {"falls": ("succeeded", True), "readmission": ("succeeded", True), "stays": ("refused", False)}
    assert len(runs) == 3
    assert len({row["batch_id"] for row in runs}) == 1
    for table in AUDIT_TABLES:
        assert _stored(spark, warehouse, table, "stays").num_rows == 0


def test_a_refused_run_never_replaces_the_one_before(spark: SparkSession, warehouse: Path, tmp_path: Path) -> None:
    good = people(400)
    bad = good.assign(label=good["label"].astype("Int64").mask(good.index % 2 == 0))
    config = written(
        config_of(input={"format": "csv", "path": "rows.csv"}, model={"id": "refused", "version": "1"}),
        tmp_path / "audit.yaml",
    )
    options = RunOptions(engine="spark", warehouse=str(warehouse))
    good.to_csv(tmp_path / "rows.csv", index=False)
    audit_config(config, options)
    bad.to_csv(tmp_path / "rows.csv", index=False)
    outcome = audit_config(config, options)
    assert [record["status"] for record in outcome.refused] == ["refused"]
    assert all(table.num_rows == 0 for table in outcome.tables.values())
    runs = _stored(spark, warehouse, RUNS, "refused").to_pylist()
    assert sorted((row["status"], row["is_current"]) for row in runs) == [("refused", False), ("succeeded", True)]
    sweep = _stored(spark, warehouse, "threshold_sweep", "refused")
    assert confusion({"threshold_sweep": sweep}) == recounted_people(good)


def test_the_same_run_from_eight_threads_publishes_once(spark: SparkSession, tmp_path: Path) -> None:
    rows = people(300)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    config = written(config_of(input={"format": "csv", "path": "rows.csv"}), tmp_path / "audit.yaml")
    together = threading.Barrier(THREADS)

    def run(_: int) -> AuditOutcome:
        together.wait()
        return audit_config(config, RunOptions(engine="spark", warehouse=str(tmp_path / "wh")))

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(run, range(THREADS)))
    assert sorted(outcome.state for outcome in outcomes) == ["already_done"] * (THREADS - 1) + ["published"]
    assert all(bare(outcome.tables).keys() == bare(outcomes[0].tables).keys() for outcome in outcomes)
    runs = _stored(spark, tmp_path / "wh", RUNS, "small").to_pylist()
    assert [(row["status"], row["is_current"]) for row in runs] == [("succeeded", True)]
    for table in AUDIT_TABLES:
        stored = _stored(spark, tmp_path / "wh", table, "small")
        keys = [tuple(row.values()) for row in stored.select(list(TABLES[table].key)).to_pylist()]
        assert len(keys) == len(set(keys)) == outcomes[0].tables[table].num_rows
    assert confusion(
        {"threshold_sweep": _stored(spark, tmp_path / "wh", "threshold_sweep", "small")}
    ) == recounted_people(rows)


def test_a_schema_of_a_catalog_holds_tables_and_views_as_a_folder_does(
    spark: SparkSession, warehouse: Path, tmp_path: Path
) -> None:
    rows = people(300)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    config = written(
        config_of(input={"format": "csv", "path": "rows.csv"}, model={"id": "catalog", "version": "1"}),
        tmp_path / "audit.yaml",
    )
    spark.sql(f"CREATE SCHEMA audits_under_test LOCATION '{tmp_path / 'schema'}'")
    try:
        options = RunOptions(engine="spark", catalog="spark_catalog", schema="audits_under_test")
        states = [audit_config(config, options).state for _ in range(2)]
        assert states == ["published", "already_done"]
        folder = audit_config(config, RunOptions(engine="spark", warehouse=str(warehouse)))
        for table in AUDIT_TABLES:
            managed = spark.read.table(f"spark_catalog.audits_under_test.{table}").toArrow()
            assert _sorted(managed, table) == _sorted(folder.tables[table], table)
        judged = spark.sql(
            "SELECT attribute, group_value FROM audits_under_test.v_group_benefit_equality WHERE is_latest"
        )
        groups = {(attribute, group) for attribute, group, _ in recounted_people(rows)}
        assert {(row[0], row[1]) for row in judged.collect()} == groups
    finally:
        spark.sql("DROP SCHEMA audits_under_test CASCADE")


def _stored(spark: SparkSession, warehouse: Path, table: str, *models: str) -> pa.Table:
    """Every row of some models that is stored, current or not."""
    return _of(spark.read.format("delta").load(str(warehouse / table)).toArrow(), *models)


def _of(rows: pa.Table, *models: str) -> pa.Table:
    return rows.filter(pc.is_in(rows["model_id"], value_set=pa.array(models)))


def _sorted(rows: pa.Table, table: str) -> list[dict[str, object]]:
    order = [(name, "ascending") for name in TABLES[table].key]
    plain: list[dict[str, object]] = rows.select(TABLES[table].column_names).sort_by(order).to_pylist()
    return plain
