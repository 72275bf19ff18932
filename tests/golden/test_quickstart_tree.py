"""A small tree's scores for readmission: 16 distinct values, so that thousands of people tie at every cutoff."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.spark.small_audits import audited, confusion, recounted, written

if TYPE_CHECKING:
    from fairsweep.auditing.verb import AuditOutcome

CUTOFF = 0.1


@pytest.fixture(scope="module")
def rows(data_folder: Path) -> pd.DataFrame:
    return pd.read_csv(data_folder / "diabetes130" / "quickstart_tree_scored.csv.gz", keep_default_na=False)


@pytest.fixture(scope="module")
def outcome(rows: pd.DataFrame, data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AuditOutcome:
    config = {
        "model": {"id": "readmission", "version": "tree"},
        "flag_is": "help",
        "input": {"format": "csv", "path": str(data_folder / "diabetes130" / "quickstart_tree_scored.csv.gz")},
        "columns": {"score": "score", "label": "y_true"},
        "attributes": ["race"],
        "cutoffs": {"values": sorted(set(rows["score"]))},
        "operating_points": [
            {"name": "population", "rule": "population_gbe", "target": 1.0},
            {"name": "double", "rule": "population_gbe", "target": 2.0},
            {"name": "given", "rule": "fixed", "at": CUTOFF},
        ],
        "privacy": {"minimum_cell_size": 0},
    }
    return audited(None, written(config, tmp_path_factory.mktemp("tree") / "audit.yaml"))


def test_a_tenth_and_every_distinct_score_equal_pandas_for_every_race(
    outcome: AuditOutcome, rows: pd.DataFrame
) -> None:
    cutoffs = tuple(sorted({CUTOFF, *rows["score"]}))
    assert len(cutoffs) == 17
    expected = recounted(rows["score"], rows["y_true"] == 1, {"race": rows["race"]}, cutoffs)
    assert confusion(outcome.tables) == expected


@pytest.mark.parametrize(("point", "target"), [("population", 1), ("double", 2)])
def test_the_operating_point_is_the_nearest_whole_tie(
    outcome: AuditOutcome, rows: pd.DataFrame, point: str, target: int
) -> None:
    """Nearest the target, then at or above it, then the lowest: a tie is flagged whole or not at all."""
    cutoffs = sorted({CUTOFF, *rows["score"]})
    gbe = {c: Fraction(int((rows["score"] >= c).sum()), int(rows["y_true"].sum())) for c in cutoffs}
    expected = min(cutoffs, key=lambda c: (abs(gbe[c] - target), gbe[c] < target, c))
    chosen = next(row for row in outcome.tables["operating_points"].to_pylist() if row["operating_point"] == point)
    at = cutoffs.index(expected)
    assert (chosen["cutoff"], chosen["cutoff_index"]) == (expected, at)
    assert (chosen["cutoff_below"], chosen["cutoff_above"]) == (cutoffs[at - 1], cutoffs[at + 1])
    assert chosen["achieved"] == pytest.approx(float(gbe[expected]), rel=1e-15)


def test_where_far_more_are_flagged_than_have_events_the_verdict_is_relative(
    outcome: AuditOutcome, rows: pd.DataFrame
) -> None:
    population = (rows["score"] >= CUTOFF).sum() / rows["y_true"].sum()
    assert f"{population:.2f}" == "4.74"
    judged = [
        row
        for row in outcome.tables["group_metrics"].to_pylist()
        if row["operating_point"] == "given" and row["metric"] == "group_benefit_equality"
    ]
    for row in judged:
        everybody = row["attribute"] == "overall"
        of_group = rows if everybody else rows[rows["race"] == row["group_value"]]
        gbe = (of_group["score"] >= CUTOFF).sum() / of_group["y_true"].sum()
        assert row["verdict_basis"] == "relative"
        assert row["value"] == pytest.approx(gbe, rel=1e-12)
        # Everybody over everybody says nothing.
        assert row["judged_value"] == (None if everybody else pytest.approx(gbe / population, rel=1e-12))
        assert (row["verdict"] == "not_assessed") == everybody
    assert len(judged) == 7
