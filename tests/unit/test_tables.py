"""The tables and views, checked without Spark: DuckDB runs every CHECK and every view over Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from fairsweep.core.disparities import CRITERIA
from fairsweep.core.metrics import METRICS
from fairsweep.stores.memory import MemoryStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import COHORT_TABLES, RUNS, TABLES, markdown
from fairsweep.tables.schema import SCHEMA_VERSION, Table, conform
from fairsweep.tables.views import VIEWS, tables_behind
from tests.spark.made_up_runs import GROUPS, made_up_run

JANUARY, FEBRUARY = (date(2026, 1, 1), date(2026, 2, 1)), (date(2026, 2, 1), date(2026, 3, 1))


def published() -> tuple[MemoryStore, dict[str, str]]:
    """Two windows of one model, the first of them run twice, a refused attempt, and another model."""
    store = MemoryStore()
    runs = {
        "superseded": made_up_run("A", window=JANUARY),
        "january": made_up_run("B", window=JANUARY, finished=1),
        "february": made_up_run("A", window=FEBRUARY),
        "refused": made_up_run("C", window=FEBRUARY, status="refused", finished=2),
        "sepsis": made_up_run("A", model="sepsis"),
    }
    for run in runs.values():
        store.publish([run])
    return store, {run.id: name for name, run in runs.items()}


@pytest.fixture
def database() -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, str]]]:
    store, names = published()
    connection = duckdb.connect()
    everything = list(names)
    for name in TABLES:
        connection.register(name, store.read(name, everything))
    yield connection, names
    connection.close()


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist()
    return rows


def test_every_view_shows_current_runs_and_marks_the_latest_of_each_model(
    database: tuple[duckdb.DuckDBPyConnection, dict[str, str]],
) -> None:
    connection, names = database
    for view in VIEWS.values():
        rows = rows_of(connection, view.sql)
        if view.name in {"v_open_breaches", "v_not_assessed"}:
            assert {names[row["run_id"]] for row in rows} <= {"january", "february", "sepsis"}
            continue
        latest = {names[row["run_id"]]: row["is_latest"] for row in rows}
        assert latest == {"january": False, "february": True, "sepsis": True}, view.name


def test_views_have_one_row_per_key(database: tuple[duckdb.DuckDBPyConnection, dict[str, str]]) -> None:
    connection, _ = database
    compared = ("selection_rate", "true_positive_rate", "false_positive_rate", "treatment_equality")
    criteria = sum(metric in compared for criterion in CRITERIA for metric in criterion.metrics)
    per_run = {
        "v_group_benefit_equality": len(GROUPS),
        "v_group_metrics": len(GROUPS) * len(METRICS),
        "v_disparities": len(compared),
        "v_criteria": criteria,
        "v_run_health": 1,
    }
    for name, expected in per_run.items():
        assert len(rows_of(connection, VIEWS[name].sql)) == 3 * expected, name


def test_group_benefit_equality_stands_beside_its_counts_and_reads_per_hundred(
    database: tuple[duckdb.DuckDBPyConnection, dict[str, str]],
) -> None:
    rows = rows_of(database[0], VIEWS["v_group_benefit_equality"].sql)
    for row in rows:
        events, flagged = row["tp"] + row["fn"], row["tp"] + row["fp"]
        assert row["cutoff"] == 0.5
        if not events:
            assert row["verdict"] == "not_assessed"
            assert row["status"] == "no_events"
            assert row["group_benefit_equality"] is None
            continue
        assert row["flagged_per_100_events"] == pytest.approx(100 * flagged / events)
        assert row["found_per_100_events"] == pytest.approx(100 * row["tp"] / events)
        assert row["right_per_100_flags"] == pytest.approx(100 * row["tp"] / flagged)
    breaches = rows_of(database[0], VIEWS["v_open_breaches"].sql)
    key = ("run_id", "attribute", "group_value")
    expected = {tuple(row[k] for k in key) for row in rows if row["verdict"] == "breach"}
    assert expected
    assert {tuple(row[k] for k in key) for row in breaches} == expected
    unknown = rows_of(database[0], VIEWS["v_not_assessed"].sql)
    assert [row["status"] for row in unknown] == ["no_events"] * 3


def test_run_health_tells_shares_and_attempts_since(
    database: tuple[duckdb.DuckDBPyConnection, dict[str, str]],
) -> None:
    connection, names = database
    health = {names[row["run_id"]]: row for row in rows_of(connection, VIEWS["v_run_health"].sql)}
    assert {name: row["unsuccessful_since"] for name, row in health.items()} == {
        "january": 0, "february": 1, "sepsis": 0
    }  # fmt: skip
    for row in health.values():
        assert (row["refused_share"], row["unscored_share"]) == (0.02, 0.08)
        assert (row["groups_judged"], row["groups_not_assessed"]) == (len(GROUPS), 1)


def test_a_query_opens_the_tables_behind_its_views_and_no_other() -> None:
    assert tables_behind(()) == (RUNS,)
    assert tables_behind(("subgroups", RUNS)) == (RUNS, "subgroups")
    assert tables_behind(("v_run_health",)) == (RUNS, "group_metrics")
    behind = {table for view in VIEWS for table in tables_behind((view,))}
    assert behind == {RUNS, "threshold_sweep", "group_metrics", "disparities", "operating_points"}


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_made_up_rows_pass_every_check_and_keys_are_unique(table: Table) -> None:
    if table.name in COHORT_TABLES:
        rows = made_up_run("A", verb="cohort").results[table.name]
    else:
        store, names = published()
        rows = store.read(table.name, list(names))
    assert rows.schema == table.arrow_schema
    assert failed(table, rows) == []
    assert rows.group_by(list(table.key)).aggregate([]).num_rows == rows.num_rows > 0


def failed(table: Table, rows: pa.Table) -> list[str]:
    """The checks that some row violates, as Delta has it: NULL is a violation."""
    connection = duckdb.connect()
    connection.register("t", rows)
    return [
        check.name for check in table.checks if rows_of(connection, f"SELECT 1 FROM t WHERE ({check.sql}) IS NOT TRUE")
    ]


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.quick_cases(8)
@pytest.mark.parametrize(
    ("name", "check", "change"),
    [
        (RUNS, "status_listed", {"status": "done"}),
        (RUNS, "window_ordered", {"window_end": date(1970, 1, 1)}),
        (RUNS, "current_succeeded", {"status": "failed", "is_current": True}),
        (RUNS, "succeeded_complete", {"checksums": None}),
        (RUNS, "succeeded_complete", {"rows_used": None}),
        (RUNS, "rows_sum", {"rows_input": 99}),
        (RUNS, "counts_range", {"rows_refused": -1}),
        ("refused_counts", "label_listed", {"label": "1"}),
        ("refused_counts", "counts_range", {"n": -1}),
        ("score_histograms", "counts_range", {"events": -1}),
        ("score_histograms", "bucket_range", {"bucket": -2}),
        ("cells", "counts_range", {"cell_id": -1}),
        ("threshold_sweep", "counts_sum", {"tp": 0}),
        ("threshold_sweep", "counts_sum", {"n": None}),
        ("threshold_sweep", "status_listed", {"status": "no_events"}),
        ("threshold_sweep", "shares_range", {"selection_rate": 1.5}),
        ("threshold_sweep", "shares_range", {"f1_score": NAN}),
        ("threshold_sweep", "ratios_range", {"group_benefit_equality": INFINITE}),
        ("threshold_sweep", "ratios_range", {"treatment_equality": NAN}),
        ("threshold_sweep", "gbe_ci_low_ordered", {"gbe_ci_low": 1.0, "gbe_ci_high": 0.5}),
        ("group_metrics", "value_defined", {"value": None}),
        ("group_metrics", "value_defined", {"status": "no_events"}),
        ("group_metrics", "status_listed", {"status": "undefined", "value": None}),
        ("group_metrics", "verdict_listed", {"verdict": "fair"}),
        ("group_metrics", "shares_range", {"p_below": 1.1}),
        ("group_metrics", "verdict_basis_listed", {"verdict_basis": "?"}),
        ("disparities", "comparator_listed", {"comparator": "everybody"}),
        ("disparities", "ratio_defined", {"ratio": None}),
        ("disparities", "ratios_range", {"ratio": INFINITE}),
        ("disparities", "differences_range", {"difference": NAN}),
        ("operating_points", "cutoff_defined", {"cutoff": None}),
        ("operating_points", "cutoff_origin_listed", {"cutoff_origin": "tuned"}),
    ],
)
def test_a_wrong_row_violates_the_check_that_names_it(name: str, check: str, change: dict[str, Any]) -> None:
    store, names = published()
    good = store.read(name, [i for i, label in names.items() if label == "january"]).to_pylist()
    place = next(i for i, row in enumerate(good) if row.get("value", 1) is not None)
    row = pa.Table.from_pylist([good[place] | change], schema=TABLES[name].arrow_schema)
    assert check in failed(TABLES[name], row)


def test_suppressed_counts_are_null_and_never_a_number() -> None:
    row = made_up_run("A").results["threshold_sweep"].to_pylist()[0]
    hidden = {name: None for name, value in row.items() if isinstance(value, int | float) and "cutoff" not in name}
    table = TABLES["threshold_sweep"]
    assert failed(table, table.rows([row | hidden | {"status": "suppressed"}])) == []
    assert failed(table, table.rows([row | hidden])) == ["counts_sum"]


def test_rows_are_put_in_the_tables_own_schema_or_refused() -> None:
    table = TABLES["cells"]
    rows = made_up_run("A").results["cells"]
    other = rows.select(list(reversed(rows.column_names))).append_column("more", pa.nulls(rows.num_rows))
    assert conform(table, other).equals(rows)
    with pytest.raises(ValueError, match=r"cells: the rows lack the columns \['cell_id'\]"):
        conform(table, rows.drop_columns(["cell_id"]))
    with pytest.raises(ValueError, match=r"cells: the columns \['grouping_set'\] may not be NULL"):
        conform(table, rows.set_column(5, "grouping_set", pa.nulls(rows.num_rows, pa.string())))


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_the_ddl_says_everything_and_every_reader_can_follow(table: Table) -> None:
    ddl = table.ddl("`s`.`t`", "/a'b/${c}")
    for column in table.columns:
        assert column.comment
        assert f"`{column.name}` {column.type}{'' if column.nullable else ' NOT NULL'} COMMENT '" in ddl
    assert ("PARTITIONED BY (`run_id`)" in ddl) == (table.name != RUNS)
    assert "LOCATION '/a\\'b/\\u0024{c}'" in ddl
    properties = table.table_properties
    off = ("delta.enableDeletionVectors", "delta.enableInCommitTimestamps")
    assert [properties[name] for name in off] == ["false", "false"]
    assert properties["delta.columnMapping.mode"] == "none"
    assert properties["fairsweep.schema_version"] == str(SCHEMA_VERSION)
    assert len({check.name for check in table.checks}) == len(table.checks)


def test_metrics_are_columns_of_the_sweep_in_the_order_of_the_catalogue() -> None:
    names = [metric.name for metric in METRICS]
    columns = [name for name in TABLES["threshold_sweep"].column_names if name in names]
    assert columns == names


def test_docs_name_every_table_and_column() -> None:
    text = markdown()
    for table in TABLES.values():
        assert f"## `{table.name}`" in text
        for column in table.columns:
            assert f"| `{column.name}` | {column.type} |" in text


def test_the_whole_ddl_names_the_place() -> None:
    ddl = Place.catalog("fair", "main").ddl
    for name in (*TABLES, *VIEWS):
        assert f"`main`.`fair`.`{name}`" in ddl
    assert "{" not in ddl
    assert "LOCATION" not in ddl
