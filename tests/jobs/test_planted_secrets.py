"""Values of rows that cannot be read are in nothing that an audit shows, logs or stores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import TABLES
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.timeout(900)
CONFIG = """
model: {id: m, version: "1"}
flag_is: help
input: {format: csv, path: rows.csv}
columns: {score: score, label: label, member: who, weight: weight, scored_on: day}
weight_kind: sampling
attributes: [race, {name: age_band, from: age, breaks: [40, 65]}]
cutoffs: {start: 0, stop: 1, count: 101}
operating_points: [{name: half, rule: fixed, at: 0.5}]
limits: {maximum_refused_share: 0.9, maximum_refused_share_per_group: 1}
"""
COLUMNS = ["score", "label", "age", "weight", "day", "who", "race"]
PLANTED = "PLANTED-123-45-6789"
# What failing casts would quote: texts that are near to what they should be, too.
VALUES = [f"{PLANTED}", f"1e{PLANTED}", f"2026-01-02 {PLANTED}", f"0.5 {PLANTED}", f"{PLANTED}-\N{ROMAN NUMERAL TEN}"]
QUERIES = (
    "SELECT CAST(group_value AS INT) FROM group_metrics",
    "SELECT CAST(group_value AS DATE) FROM group_metrics",
)


def planted_rows() -> pd.DataFrame:
    """Usable rows, and rows with a planted value in each of the columns."""
    rows = [
        [f"0.{k % 97:02d}", str(k % 3 // 2), str(18 + k % 70), "1.5", "2026-01-02", f"m{k}", "AB"[k % 2]]
        for k in range(900)
    ]
    usable = list(rows)
    for column in range(6):
        rows += [[*usable[0][:column], value, *usable[0][column + 1 :]] for value in VALUES]
    return pd.DataFrame(rows, columns=COLUMNS)


def run(folder: Path, *words: str) -> tuple[int, str]:
    """A command in a process of its own: its exit code, and all that it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "fairsweep", *words, "--warehouse", "warehouse", "-v"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("engine", "form"),
    [
        ("local", "csv"),
        pytest.param("local", "parquet", marks=pytest.mark.slow),
        pytest.param("spark", "csv", marks=pytest.mark.slow),
        pytest.param("spark", "parquet", marks=pytest.mark.slow),
    ],
)
def test_no_planted_value_is_shown_logged_or_stored(engine: str, form: str, tmp_path: Path) -> None:
    rows = planted_rows()
    if form == "csv":
        rows.to_csv(tmp_path / "rows.csv", index=False)
        with (tmp_path / "rows.csv").open("a") as file:
            file.write(f"{PLANTED},{PLANTED}\n")
    else:
        rows.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "audit.yaml").write_text(CONFIG)
    source = ("--set", f"input.format={form}", "--set", f"input.path=rows.{form}", "--engine", engine)
    window = ("--window-start", "2026-01-01", "--window-end", "2027-01-01", "--set", "privacy.minimum_cell_size=0")
    code, written = run(tmp_path, "audit", "--config", "audit.yaml", *source, *window)
    assert code == 0, written
    assert "label not declared" not in written
    for query in QUERIES:
        code, said = run(tmp_path, "sql", query, "--engine", engine)
        assert code == 2, said
        written += said
    assert "A" in written
    assert PLANTED not in written
    assert "40-64" not in said, "a value that a query met"
    for log in (tmp_path / "warehouse").rglob("*.json"):
        assert PLANTED not in log.read_text()
    store = DeltaRsStore(Place.warehouse(tmp_path / "warehouse"))
    for table in TABLES:
        assert PLANTED not in str(store.current(table).to_pylist()), table
