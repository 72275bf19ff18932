"""The published example of Group Benefit Equality: its million rows, audited, and counted again with pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fairsweep.auditing.text import lines
from fairsweep.output.lines import Page
from fairsweep.synthetic import falls
from tests.conftest import REPOSITORY
from tests.spark.small_audits import audited

if TYPE_CHECKING:
    from fairsweep.auditing.verb import AuditOutcome

FLIPPED = 500
BANDS = {"18-64": (18, 65), "65-74": (65, 75), "75-84": (75, 85), "85+": (85, 200)}

# Printed in "A New Metric for Quantifying Machine Learning Fairness in Healthcare" (ClosedLoop, 2020); the female value
# is derived. The digits are what is printed.
PRINTED_GBE = {("sex", "male"): ".875", ("sex", "female"): "1.082", ("overall", "all"): "1.005"}
PRINTED_PREVALENCE = {("overall", "all"): ".843", ("sex", "female"): ".975", ("sex", "male"): ".686"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return falls.write(tmp_path_factory.mktemp("falls"))


@pytest.fixture(scope="module")
def rows(files: tuple[Path, Path]) -> pd.DataFrame:
    return pd.read_parquet(files[0])


@pytest.fixture(scope="module")
def outcome(files: tuple[Path, Path]) -> AuditOutcome:
    return audited(None, files[1])


def test_the_readme_shows_what_is_printed(outcome: AuditOutcome) -> None:
    """Its sample consists of whole passages; `...` marks omitted lines between them."""
    printed = lines(outcome.tables, Page(100, unicode=False))
    summary = "\n".join("".join(span.text for span in line).rstrip() for line in printed)
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    sample = readme.split("## Example output")[1].split("```")[1].strip("\n")
    passages = [passage.strip("\n") for passage in sample.split("\n...")]
    assert len(passages[0].splitlines()) > 5
    for passage in passages:
        assert passage in summary


def test_the_cutoff_is_found(outcome: AuditOutcome) -> None:
    (point,) = outcome.tables["operating_points"].to_pylist()
    assert (point["rule"], point["cutoff"], point["cutoff_index"]) == ("population_gbe", 0.071, 71)
    assert (point["cutoff_below"], point["cutoff_above"]) == (0.07, 0.072)


def test_the_paper_s_figures_stand_in_the_tables_and_pandas_gives_them(
    outcome: AuditOutcome, rows: pd.DataFrame
) -> None:
    metrics, recount = _metrics(outcome), _recount(rows)
    for key, printed in PRINTED_GBE.items():
        assert _short(metrics[*key, "group_benefit_equality"]["value"]) == printed
        assert _short(recount[key]["group_benefit_equality"]) == printed
    for key, printed in PRINTED_PREVALENCE.items():
        assert _short(100 * metrics[*key, "prevalence"]["value"]) == printed
        assert _short(100 * recount[key]["prevalence"]) == printed
    (impact,) = [
        row
        for row in outcome.tables["disparities"].to_pylist()
        if (row["group_value"], row["metric"], row["comparator"]) == ("male", "selection_rate", "reference")
    ]
    assert impact["compared_group"] == "female"
    assert _short(impact["ratio"]) == ".569"
    males, females = (recount["sex", sex]["selection_rate"] for sex in ("male", "female"))
    assert _short(males / females) == ".569"


def test_ages_65_to_74_are_in_breach_and_the_youngest_and_oldest_are_high(outcome: AuditOutcome) -> None:
    judged = {
        row["group_value"]: row
        for row in outcome.tables["group_metrics"].to_pylist()
        if (row["attribute"], row["metric"]) == ("age_band", "group_benefit_equality")
    }
    assert {group for group, row in judged.items() if row["verdict"] == "breach"} == {"65-74"}
    assert {group for group, row in judged.items() if row["below_floor"]} == {"65-74"}
    assert {group for group, row in judged.items() if row["value"] > 1.15} == {"18-64", "85+"}
    assert {row["verdict_basis"] for row in judged.values()} == {"absolute"}


def test_every_metric_of_every_group_is_what_pandas_counts(outcome: AuditOutcome, rows: pd.DataFrame) -> None:
    _assert_recounted(outcome, rows, attributes=7)


@pytest.mark.slow
def test_flipping_500_labels_moves_the_figures_by_the_recounted_amount(
    files: tuple[Path, Path], rows: pd.DataFrame, outcome: AuditOutcome, tmp_path: Path
) -> None:
    # Every second one among the events, else nearly all would be non-events.
    events = np.flatnonzero(rows["event"] == 1)[:: int(rows["event"].sum()) // (FLIPPED // 2)][: FLIPPED // 2]
    others = np.flatnonzero(rows["event"] == 0)[:: len(rows) // FLIPPED][: FLIPPED // 2]
    places = np.concatenate([events, others])
    assert len(set(places)) == FLIPPED
    label = rows["event"].to_numpy(copy=True)
    label[places] = 1 - label[places]
    flipped = rows.assign(event=label)
    flipped.to_parquet(tmp_path / "flipped.parquet")
    point = 'operating_points=[{"name": "paper", "rule": "fixed", "at": 0.071}]'
    moved = audited(None, files[1], f"input.path={tmp_path / 'flipped.parquet'}", point)
    _assert_recounted(moved, flipped, attributes=7)
    before, after = _metrics(outcome), _metrics(moved)
    for key in (("overall", "all"), ("sex", "male"), ("sex", "female"), ("age_band", "65-74")):
        assert after[*key, "true_positive_rate"]["value"] != before[*key, "true_positive_rate"]["value"]


def _assert_recounted(outcome: AuditOutcome, rows: pd.DataFrame, attributes: int) -> None:
    recount, found = _recount(rows), _metrics(outcome)
    assert {key[:2] for key in found} == set(recount)
    assert len({attribute for attribute, _ in recount}) == attributes
    for (attribute, group), values in recount.items():
        for metric, value in values.items():
            row = found[attribute, group, metric]
            assert row["value"] == pytest.approx(value, rel=1e-12, nan_ok=True), (attribute, group, metric)


def _metrics(outcome: AuditOutcome) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {
        (row["attribute"], row["group_value"], row["metric"]): {
            **row,
            "value": np.nan if row["value"] is None else row["value"],
        }
        for row in outcome.tables["group_metrics"].to_pylist()
    }


def _recount(rows: pd.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    band = pd.Series("", index=rows.index)
    for name, (low, high) in BANDS.items():
        band[(rows["age"] >= low) & (rows["age"] < high)] = name
    grouped = {
        "overall": pd.Series("all", index=rows.index),
        "sex": rows["sex"],
        "age_band": band,
        "race": rows["race"],
        "dual_status": rows["dual_status"],
        "disability": rows["disability"].astype(str).str.lower(),
        "race x sex": rows["race"] + " x " + rows["sex"],
    }
    flags = rows.assign(flagged=rows["score"] >= 0.071, event=rows["event"] == 1)
    flags = flags.assign(tp=flags["flagged"] & flags["event"])
    result = {}
    for attribute, group in grouped.items():
        sums = flags.groupby(group)[["flagged", "event", "tp"]].sum().assign(n=flags.groupby(group).size())
        with np.errstate(divide="ignore", invalid="ignore"):
            values = pd.DataFrame(
                {
                    "group_benefit_equality": sums["flagged"] / sums["event"],
                    "selection_rate": sums["flagged"] / sums["n"],
                    "prevalence": sums["event"] / sums["n"],
                    "true_positive_rate": sums["tp"] / sums["event"],
                    "positive_predictive_value": sums["tp"] / sums["flagged"],
                    "false_positive_rate": (sums["flagged"] - sums["tp"]) / (sums["n"] - sums["event"]),
                }
            )
        for value, row in values.iterrows():
            result[attribute, str(value)] = {str(name): float(number) for name, number in row.items()}
    return result


def _short(value: float) -> str:
    """Three decimals without the leading nought, as printed."""
    return f"{value:.3f}".removeprefix("0")
