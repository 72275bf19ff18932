"""A damaged run is made again as it was; whatever takes its place shows nothing that it could be compared with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS
from tests import damage
from tests.commands import called

CONFIG = """
model: {id: falls, version: "1"}
flag_is: help
input: {format: parquet, path: scores.parquet}
columns: {score: risk, label: fell}
attributes: [race, sex]
cutoffs: {start: 0, stop: 1, count: 51}
operating_points: [{name: deployed, rule: fixed, at: 0.3}]
"""
SWEEP = "threshold_sweep"
OTHER_CONFIG = ("--set", "verdict.alpha=0.01")
FORCE = "run again with --force: `fairsweep audit --config FILE --force`"
COUNTS = {
    SWEEP: ["n", "tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events", "group_benefit_equality"],
    "group_metrics": ["numerator", "denominator", "value", "ci_low", "flag_balance", "short_flags", "events_needed"],
    "disparities": ["ratio", "difference"],
    "ranking": ["n", "events", "auc"],
    "operating_points": ["population_gbe"],
}


def people(more: int = 0) -> pd.DataFrame:
    """Three races; `more` further members of one, as of the next delivery of the same window."""
    rng = np.random.default_rng(5)
    risk = rng.beta(1.5, 4, 3_000)
    fell = (rng.random(len(risk)) < risk).astype(int)
    race, sex = rng.choice(["A", "B", "C"], len(risk), p=[0.6, 0.3, 0.1]), rng.choice(["F", "M"], len(risk))
    rows = pd.DataFrame({"risk": risk, "fell": fell, "race": race, "sex": sex})
    return pd.concat([rows, rows.iloc[:more].assign(race="A", fell=1, risk=0.9)])


def write_input(folder: Path, more: int = 0) -> None:
    path = folder / "scores.parquet"
    pq.write_table(pa.Table.from_pandas(people(more), preserve_index=False), path)
    os.utime(path, (1_700_000_000 + more,) * 2)  # the same rows are the same input


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a published run, whose sweep is damaged by the tests."""
    (tmp_path / "audit.yaml").write_text(CONFIG, encoding="utf-8")
    write_input(tmp_path)
    assert audit(tmp_path) == 0
    return tmp_path


def audit(folder: Path, *flags: str) -> int:
    where = ("--config", str(folder / "audit.yaml"), "--warehouse", str(folder / "wh"))
    return called("audit", "--engine", "local", *where, *flags)


def sql(folder: Path, query: str) -> int:
    return called("sql", query, "--engine", "local", "--warehouse", str(folder / "wh"), "--json")


def store(folder: Path) -> DeltaRsStore:
    return DeltaRsStore(Place.warehouse(folder / "wh"))


def shown(folder: Path, *tables: str) -> dict[str, Any]:
    return {name: store(folder).current(name).to_pandas() for name in tables or AUDIT_TABLES}


def assert_same(before: dict[str, Any], after: dict[str, Any], *, without: tuple[str, ...] = ()) -> None:
    for name, rows in before.items():
        pd.testing.assert_frame_equal(rows.drop(columns=list(without)), after[name].drop(columns=list(without)))


def assert_shows_no_count(folder: Path) -> None:
    tables = shown(folder)
    for name, columns in COUNTS.items():
        assert tables[name][columns].isna().all(axis=None), name
    assert set(tables[SWEEP]["status"]) == {"suppressed"}
    assert tables["refused_counts"].empty
    assert tables["reliability"].empty
    record = store(folder).current(RUNS).to_pylist()[0]
    assert [record[name] for name in record if name.startswith("rows_")] == [None] * 4
    assert json.loads(record["hidden"])["reason"] == "what the run before has shown cannot be read"


def run_id(folder: Path) -> str:
    return str(store(folder).current(RUNS)["run_id"][0])


def _emptied(folder: Path) -> None:
    damage.emptied(damage.commits(folder / "wh" / SWEEP)[-1])


def _cut(folder: Path) -> None:
    damage.cut(damage.rows(folder / "wh" / SWEEP, run_id(folder)))


def _other_values(folder: Path) -> None:
    damage.flipped_to_other_values(damage.rows(folder / "wh" / SWEEP, run_id(folder)))


HARMS = [pytest.param(_emptied), pytest.param(_cut, marks=pytest.mark.slow), pytest.param(_other_values)]


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("harm", HARMS)
def test_the_same_run_is_made_again_by_force_and_is_identical(
    folder: Path, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = shown(folder)
    harm(folder)
    if harm is not _other_values:
        assert sql(folder, f"SELECT * FROM {SWEEP}") == 5
        assert FORCE in capsys.readouterr().err
    assert audit(folder) == 5
    told = capsys.readouterr().err.splitlines()[-1]
    assert SWEEP in told
    assert FORCE in told
    assert audit(folder, "--force") == 0
    assert sql(folder, f"SELECT * FROM {SWEEP}") == 0
    assert_same(before, shown(folder))
    assert audit(folder) == 0


@pytest.mark.slow
def test_a_run_that_followed_another_is_made_again_as_it_was_beside_that_one(folder: Path) -> None:
    first = run_id(folder)
    write_input(folder, more=3)
    assert audit(folder) == 0
    before, second = shown(folder), run_id(folder)
    for _ in range(2):
        _emptied(folder)
        assert audit(folder, "--force") == 0
        assert_same(before, shown(folder))
        assert run_id(folder) == second != first
        assert json.loads(store(folder).current(RUNS)["hidden"][0].as_py())["run_before"] == first


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("harm", HARMS)
def test_another_run_neither_ignores_a_damaged_one_nor_is_blocked_for_ever(
    folder: Path, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = run_id(folder)
    harm(folder)
    write_input(folder, more=3)
    assert audit(folder) == 5
    told = capsys.readouterr().err
    assert damaged in told or SWEEP in told
    assert "repair that run first, or publish with --force: then no counts are shown" in told
    assert audit(folder, "--force") == 0
    assert "no count is shown, because what the run before has shown cannot be read" in capsys.readouterr().out
    assert_shows_no_count(folder)
    assert audit(folder, *OTHER_CONFIG) == 0
    # After a run that shows nothing, the next one of its window shows nothing either.
    assert shown(folder, SWEEP)[SWEEP]["tp"].isna().all()


@pytest.mark.slow
def test_after_the_damaged_run_is_mended_the_other_one_shows_its_counts(folder: Path) -> None:
    before = shown(folder)
    _emptied(folder)
    assert audit(folder, "--force", *OTHER_CONFIG) == 0
    assert_shows_no_count(folder)
    assert audit(folder, "--force") == 0
    assert_same(before, shown(folder))
    assert audit(folder, "--force", *OTHER_CONFIG) == 0
    assert_same({SWEEP: before[SWEEP]}, shown(folder, SWEEP), without=("run_id",))


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    ("column", "value"),
    [("minimum_cell_size", "0"), pytest.param("engine", "'x'", marks=pytest.mark.slow), ("checksums", "'{}'")],
)
def test_a_damaged_record_is_mended_by_the_same_run_and_shows_no_more(folder: Path, column: str, value: str) -> None:
    before = shown(folder)
    DeltaTable(folder / "wh" / RUNS).update(updates={column: value})
    assert sql(folder, "SELECT * FROM runs") == 5
    assert audit(folder) == 5
    assert audit(folder, *OTHER_CONFIG) == 5
    assert audit(folder, "--force") == 0
    if column == "checksums":
        assert_shows_no_count(folder)
    else:
        assert_same(before, shown(folder))


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("harm", ["is_current = false", "model_id = 'fallt'"])
def test_a_run_that_is_no_longer_known_as_the_current_one_is_not_forgotten(folder: Path, harm: str) -> None:
    before = shown(folder)
    column, value = harm.split(" = ")
    DeltaTable(folder / "wh" / RUNS).update(updates={column: value})
    write_input(folder, more=3)
    assert audit(folder) == 5
    assert audit(folder, "--force") == 0
    if column == "is_current":
        assert_shows_no_count(folder)
        write_input(folder)
        assert audit(folder, "--force") == 0
        assert_same(before, shown(folder))


def test_where_everything_is_shown_nothing_is_compared(folder: Path) -> None:
    _emptied(folder)
    assert audit(folder, "--set", "privacy.minimum_cell_size=0") == 0
    assert shown(folder, SWEEP)[SWEEP]["tp"].notna().all()
