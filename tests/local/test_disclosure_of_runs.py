"""What runs show of small cells: tables, records, words and exit codes, in one run and after another."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fairsweep as fs
from fairsweep.runs import connecting
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import RUNS
from tests.commands import called

ROWS = 4_000
CONFIG = """
model: {id: falls, version: "1"}
flag_is: help
input: {format: parquet, path: scores.parquet}
columns: {score: risk, label: fell}
attributes: [race, sex]
cutoffs: {start: 0, stop: 1, count: 101}
operating_points: [{name: deployed, rule: fixed, at: 0.3}]
"""


def people(rows: int = ROWS) -> pd.DataFrame:
    """One large race, two smaller, and five people of a fourth, whom the model flags too little."""
    rng = np.random.default_rng(5)
    risk = rng.beta(1.5, 4, rows)
    race = rng.choice(["A", "B", "C"], rows, p=[0.6, 0.3, 0.1])
    race[:5] = "D"
    fell = (rng.random(rows) < risk).astype(int)
    score = np.where(race == "C", 0.6 * risk, risk)
    return pd.DataFrame({"risk": score, "fell": fell, "race": race, "sex": rng.choice(["F", "M"], rows)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "audit.yaml").write_text(CONFIG, encoding="utf-8")
    pq.write_table(pa.Table.from_pandas(people(), preserve_index=False), tmp_path / "scores.parquet")
    return tmp_path


def run(folder: Path, *flags: str, warehouse: str = "wh") -> int:
    place = str(folder / warehouse)
    # A session of other tests would be taken otherwise.
    return called("audit", "--engine", "local", "--config", str(folder / "audit.yaml"), "--warehouse", place, *flags)


def current(folder: Path, table: str, warehouse: str = "wh") -> Any:
    return DeltaRsStore(Place.warehouse(folder / warehouse)).current(table).to_pandas()


def small(rows: Any, *columns: str) -> Any:
    return rows[((rows[list(columns)] > 0) & (rows[list(columns)] < 11)).any(axis=1)]


def test_published_tables_show_no_count_of_one_to_ten(folder: Path) -> None:
    assert run(folder) == 0
    assert small(current(folder, "threshold_sweep"), "n", "tp", "fp", "fn", "tn").empty
    assert small(current(folder, "group_metrics"), "numerator", "denominator").empty
    assert small(current(folder, "ranking"), "n", "events").empty
    sweep = current(folder, "threshold_sweep").set_index(["attribute", "group_value"])
    assert list(sweep.loc[("race", "1 group too small to name"), "status"]) == ["suppressed"]
    assert sweep.loc["sex", "tp"].notna().sum() > 50
    whole = current(folder, "score_histograms")
    assert whole["events"].sum() + whole["non_events"].sum() == ROWS


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("condition", ["breach", "below_floor", "not_assessed"])
def test_exit_codes_are_the_same_with_and_without_disclosure_control(
    folder: Path, condition: str, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [
        run(folder, "--fail-on", condition, "--set", f"privacy.minimum_cell_size={n}", warehouse=f"wh{n}")
        for n in (0, 11)
    ]
    assert codes[0] == codes[1] == (0 if condition == "not_assessed" else 4)
    again = run(folder, "--fail-on", condition, "--set", "privacy.minimum_cell_size=11", warehouse="wh11")
    assert again == codes[1]
    assert "Traceback" not in capsys.readouterr().err


def test_a_hidden_group_that_meets_a_condition_is_counted_and_not_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = people()
    rows.loc[rows["race"] == "D", ["risk", "fell"]] = [0.0, 1]
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / "scores.parquet")
    capsys.readouterr()
    assert run(folder, "--fail-on", "below_floor") == 4
    told = capsys.readouterr().err
    assert "1 group suppressed because of small cells" in told
    assert "race: D" not in told


def test_json_has_no_table_that_small_cells_can_be_read_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(folder, "--json") == 0
    assert "score_histograms" not in json.loads(capsys.readouterr().out)
    assert run(folder, "--json", "--set", "privacy.minimum_cell_size=0", warehouse="open") == 0
    assert json.loads(capsys.readouterr().out)["score_histograms"]


def test_whole_counts_are_their_owners_and_not_of_a_query(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 0
    modes = {
        table: stat.S_IMODE((folder / "wh" / table).stat().st_mode) for table in ("score_histograms", "cells", "runs")
    }
    assert modes["score_histograms"] == modes["cells"] == 0o700 != modes["runs"]
    capsys.readouterr()
    # Also of a run that shows all: who may read these tables reads them where they lie.
    assert run(folder, "--set", "privacy.minimum_cell_size=0", warehouse="open") == 0
    for warehouse in ("wh", "open"):
        query = "SELECT count(*) AS n FROM score_histograms"
        assert called("sql", query, "--engine", "local", "--warehouse", str(folder / warehouse)) == 2
        assert "table `score_histograms`, which is restricted" in capsys.readouterr().err


def test_refused_rows_and_numbers_of_rows_show_no_small_cell(folder: Path) -> None:
    rows = people().astype({"fell": "float"})
    rows.loc[100:103, "fell"] = np.nan
    rows.loc[200:239, "risk"] = np.nan
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / "scores.parquet")
    assert run(folder) == 0
    record = current(folder, RUNS).iloc[0]
    assert pd.isna(record["rows_refused"])
    assert pd.isna(record["rows_input"])
    assert record["rows_used"] == ROWS - 44
    assert small(current(folder, "refused_counts"), "n").empty
    sweep = current(folder, "threshold_sweep")
    assert small(sweep, "unscored_events", "unscored_non_events").empty


def test_a_refused_run_says_no_small_number(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = people(120).astype({"fell": "float"})
    rows.loc[20:28, "fell"] = np.nan
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / "scores.parquet")
    assert run(folder) == 3
    assert "too many rows refused (label_missing)" in capsys.readouterr().err
    records = DeltaRsStore(Place.warehouse(folder / "wh")).read(RUNS, _ids(folder)).to_pandas()
    assert records[["rows_input", "rows_refused"]].isna().all(axis=None)


def _ids(folder: Path) -> list[str]:
    from deltalake import DeltaTable

    return list(DeltaTable(str(folder / "wh" / RUNS)).to_pandas()["run_id"])


def test_a_run_that_follows_another_shows_no_small_change(folder: Path) -> None:
    assert run(folder) == 0
    before = current(folder, "threshold_sweep")
    more = people().iloc[[10, 11, 12]].assign(race="A", fell=1, risk=0.9)
    rows = pd.concat([people(), more])
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / "scores.parquet")
    assert run(folder) == 0
    after = current(folder, "threshold_sweep")
    keys = ["attribute", "group_value", "cutoff"]
    both = before.merge(after, on=keys, suffixes=("", "_after"))
    for count in ("n", "tp", "fp", "fn", "tn"):
        change = (both[f"{count}_after"] - both[count]).abs().dropna()
        assert not change.between(1, 10).any(), count
    told = json.loads(current(folder, RUNS)["hidden"].iloc[0])
    assert told["run_before"] == before["run_id"].iloc[0]


def test_a_run_on_the_same_rows_shows_what_the_one_before_did(folder: Path) -> None:
    assert run(folder) == 0
    before = current(folder, "threshold_sweep").drop(columns="run_id")
    assert run(folder, "--set", "verdict.alpha=0.01") == 0
    pd.testing.assert_frame_equal(before, current(folder, "threshold_sweep").drop(columns="run_id"))


def test_the_run_says_what_it_hid_and_how_much_is_shown(folder: Path) -> None:
    assert run(folder) == 0
    record = current(folder, RUNS).iloc[0]
    told: dict[str, Any] = json.loads(record["hidden"])
    assert record["minimum_cell_size"] == 11
    assert told["reason"] == "a cell of 1 to 10 members could be derived"
    assert told["attributes"]["race"]["groups"] == 4
    assert 0 < told["attributes"]["race"]["groups_shown"] < 4
    assert told["attributes"]["sex"]["cutoffs"] == 101
    assert json.loads(record["conditions"])["breach"] == 1


def test_results_in_memory_are_told_like_published_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A session of other tests would write, and take long.
    monkeypatch.setattr(connecting, "spark_is_around", lambda: False)
    given: dict[str, Any] = {
        "score": "risk", "label": "fell", "attributes": ["race", "sex"], "flag_is": "help",
        "operating_points": [{"name": "deployed", "rule": "fixed", "at": 0.3}],
    }  # fmt: skip
    result = fs.audit(people(), **given)
    assert small(result.sweep, "n", "tp", "fp", "fn", "tn").empty
    assert small(result.at(0.17), "n", "tp", "fp", "fn", "tn").empty
    assert result.at(0.17).query("group_value == '1 group too small to name'")["status"].item() == "suppressed"
    assert "1 group too small to name: suppressed because there are too few people" in result.summary()
    outcome = result.write(folder / "memory")
    assert outcome.state == "published"
    assert "score_histograms" not in outcome.tables
