"""COMPAS, the two-year table that ProPublica published with its analysis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.conftest import REPOSITORY
from tests.spark.small_audits import audited, confusion, recounted

if TYPE_CHECKING:
    from fairsweep.auditing.verb import AuditOutcome

CONFIG = REPOSITORY / "conf" / "compas.yaml"

# Larson, Mattu, Kirchner and Angwin, "How We Analyzed the COMPAS Recidivism Algorithm" (ProPublica, 23 May 2016), the
# contingency tables of two-year recidivism: medium or high risk (decile 5 and above) against low.
#   group: (survived low, survived high, recidivated low, recidivated high, FPR %, FNR %)
PUBLISHED = {
    ("overall", "all"): (2681, 1282, 1216, 2035, "32.35", "37.40"),
    ("race", "African-American"): (990, 805, 532, 1369, "44.85", "27.99"),
    ("race", "Caucasian"): (1139, 349, 461, 505, "23.45", "47.72"),
}


@pytest.fixture(scope="module")
def table(data_folder: Path) -> Path:
    return data_folder / "compas" / "compas-scores-two-years.csv.gz"


@pytest.fixture(scope="module")
def sanction(table: Path) -> AuditOutcome:
    return audited(None, CONFIG, f"input.path={table}")


@pytest.fixture(scope="module")
def aid(table: Path) -> AuditOutcome:
    return audited(None, CONFIG, f"input.path={table}", "flag_is=help")


def test_all_ten_cutoffs_of_every_group_equal_a_naive_loop(sanction: AuditOutcome, table: Path) -> None:
    rows = pd.read_csv(table)
    groups = {
        **{name: rows[name] for name in ("race", "sex", "age_cat")},
        "race x sex": rows["race"] + " x " + rows["sex"],
    }
    expected = recounted(rows["decile_score"], rows["two_year_recid"] == 1, groups, tuple(map(float, range(1, 11))))
    assert len(expected) == 10 * (1 + 6 + 2 + 3 + 12)
    assert confusion(sanction.tables) == expected


@pytest.mark.parametrize("group", PUBLISHED)
def test_cutoff_5_is_the_published_table(sanction: AuditOutcome, group: tuple[str, str]) -> None:
    tn, fp, fn, tp, fpr, fnr = PUBLISHED[group]
    assert confusion(sanction.tables)[*group, 5.0] == (tn + fp + fn + tp, tp, fp, fn, tn)
    rates = _group_metrics(sanction, *group, point="published")
    printed = [f"{100 * rates[rate]['value']:.2f}" for rate in ("false_positive_rate", "false_negative_rate")]
    assert printed == [fpr, fnr]


def test_population_gbe_picks_5(sanction: AuditOutcome) -> None:
    points = {row["operating_point"]: row for row in sanction.tables["operating_points"].to_pylist()}
    chosen = points["population"]
    assert (chosen["cutoff"], chosen["cutoff_below"], chosen["cutoff_above"]) == (5.0, 4.0, 6.0)
    assert chosen["achieved"] == chosen["population_gbe"] == (1282 + 2035) / (1216 + 2035)
    assert (chosen["cutoff_origin"], points["published"]["cutoff_origin"]) == ("tuned_here", "prespecified")


def test_as_help_other_is_a_breach_and_greater_than_45_below_the_floor(aid: AuditOutcome) -> None:
    other = _group_metrics(aid, "race", "Other", point="population")["group_benefit_equality"]
    older = _group_metrics(aid, "age_cat", "Greater than 45", point="population")["group_benefit_equality"]
    assert (other["verdict"], other["below_floor"], other["p_adjusted"] < 0.05) == ("breach", True, True)
    assert older["below_floor"]
    assert older["judged_value"] < 0.8


def test_as_sanction_other_is_not_the_harmed_group(sanction: AuditOutcome) -> None:
    other = _group_metrics(sanction, "race", "Other", point="population")["group_benefit_equality"]
    assert other["verdict"] == "below_ceiling"
    assert other["below_floor"] is None


def test_the_repeated_header_is_a_column_of_its_own(aid: AuditOutcome, table: Path) -> None:
    """The second `decile_score` is the same score again, so every count is too."""
    other = audited(None, CONFIG, f"input.path={table}", "flag_is=help", "columns.score=decile_score.1")
    assert confusion(other.tables) == confusion(aid.tables)


def _group_metrics(outcome: AuditOutcome, attribute: str, group: str, point: str) -> dict[str, dict[str, Any]]:
    rows: list[dict[str, Any]] = outcome.tables["group_metrics"].to_pylist()
    wanted = (attribute, group, point)
    return {
        row["metric"]: row for row in rows if (row["attribute"], row["group_value"], row["operating_point"]) == wanted
    }
