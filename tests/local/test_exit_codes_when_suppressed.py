"""`--fail-on` of populations of which nothing may be shown: the verdicts count, whatever is shown of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.commands import called

CONFIG = """
model: {id: falls, version: "1"}
flag_is: help
input: {format: parquet, path: scores.parquet}
columns: {score: risk, label: fell}
attributes: [race]
cutoffs: {start: 0, stop: 1, count: 11}
operating_points: [%s]
"""
RULES = {
    "fixed": "{name: point, rule: fixed, at: 0.5}",
    "population_gbe": "{name: point, rule: population_gbe, target: 1.0}",
    "alert_rate": "{name: point, rule: alert_rate, rate: 0.3}",
}
CONDITIONS = ("breach", "below_floor", "not_assessed")


def population(folder: Path, events: int, rows: int = 10) -> None:
    """As many rows of two races; the events of one score high, all else scores low."""
    race, fell = np.arange(rows) % 2, np.arange(rows) // 2 < events
    columns = {
        "risk": np.where(fell & (race == 0), 0.9, 0.1),
        "fell": fell.astype(int),
        "race": np.array(["a", "b"])[race],
    }
    pq.write_table(pa.table(columns), folder / "scores.parquet")


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    ("rule", "events", "expected"),
    [
        ("fixed", 3, [0, 4, 0]),
        ("population_gbe", 3, [0, 4, 0]),
        ("alert_rate", 3, [0, 4, 0]),
        ("population_gbe", 0, [0, 0, 4]),
    ],
)
def test_conditions_of_suppressed_groups_hold_as_if_they_were_shown(
    tmp_path: Path, rule: str, events: int, expected: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "audit.yaml"
    config.write_text(CONFIG % RULES[rule], encoding="utf-8")
    population(tmp_path, events)
    for minimum in (0, 11):
        place = ["--engine", "local", "--warehouse", str(tmp_path / f"{minimum}")]
        audit = ["audit", "--config", str(config), "--set", f"privacy.minimum_cell_size={minimum}", *place]
        assert [called(*audit, "--fail-on", condition) for condition in CONDITIONS] == expected
    told = capsys.readouterr()
    assert "unexpected" not in told.err
    assert called(*audit, "--json") == 0
    assert called("sql", "SELECT * FROM v_group_benefit_equality", "--json", *place) == 0
    capsys.readouterr()
    assert called("sql", "SELECT * FROM operating_points", "--json", *place) == 0
    (point,) = json.loads(capsys.readouterr().out)["result"]
    assert (point["rule"], point["population_gbe"]) == (rule, None)


def test_a_breach_of_a_suppressed_group_ends_with_the_code_of_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "audit.yaml").write_text(CONFIG % RULES["population_gbe"], encoding="utf-8")
    population(tmp_path, events=24, rows=98)
    flags = ["--engine", "local", "--config", str(tmp_path / "audit.yaml"), "--warehouse", str(tmp_path / "wh")]
    assert called("audit", *flags, "--set", "privacy.minimum_cell_size=100", "--fail-on", "breach") == 4
    told = capsys.readouterr()
    assert "1 group suppressed because of small cells" in told.err
    assert "the value reached is suppressed" in " ".join(told.out.split())
