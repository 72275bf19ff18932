"""Audits with members, weights and probabilities, through the Python API, against naive loops over the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import fairsweep as fs
from fairsweep.core.inference.intervals import bonett_price
from fairsweep.errors import DataRefusedError, UsageError

ROWS = 6_000
CUTOFF = 0.3
POINT = {"name": "fixed", "rule": "fixed", "at": CUTOFF}
GBE = "metric == 'group_benefit_equality'"


def people(seed: int = 1) -> pd.DataFrame:
    """Scores that are probabilities, of three groups; members with one to four rows; weights of two decimals."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(1.5, 4, ROWS)
    return pd.DataFrame(
        {
            "risk": risk,
            "fell": (rng.random(ROWS) < risk).astype(int),
            "race": rng.choice(["A", "B", "C"], ROWS, p=[0.6, 0.3, 0.1]),
            "member": rng.integers(0, ROWS // 2, ROWS),
            "weight": rng.uniform(0.5, 4, ROWS).round(2),
        }
    )


def audited(rows: pd.DataFrame, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "score": "risk", "label": "fell", "attributes": ["race"], "flag_is": "help", "operating_points": [POINT],
        "privacy": {"minimum_cell_size": 0},
    }  # fmt: skip
    return fs.audit(rows, **(given | changes))


def test_weighted_figures_equal_a_loop_over_the_rows() -> None:
    rows = people()
    result = audited(rows, columns={"weight": "weight"}, weight_kind="sampling")
    found = result.metrics.set_index(["group_value", "metric"])
    for group, mine in rows.groupby("race"):
        weights = {(flag, event): 0.0 for flag in (0, 1) for event in (0, 1)}
        squares = 0.0
        for risk, fell, weight in mine[["risk", "fell", "weight"]].to_numpy().tolist():
            weights[int(risk >= CUTOFF), int(fell)] += weight
            squares += weight**2
        flagged, events = weights[1, 0] + weights[1, 1], weights[0, 1] + weights[1, 1]
        total = sum(weights.values())
        assert found.loc[(group, "group_benefit_equality"), "value"] == pytest.approx(flagged / events)
        assert found.loc[(group, "selection_rate"), "value"] == pytest.approx(flagged / total)
        assert found.loc[(group, "true_positive_rate"), "value"] == pytest.approx(weights[1, 1] / events)
        assert found.loc[(group, "selection_rate"), "weighted_denominator"] == pytest.approx(total)
        assert found.loc[(group, "selection_rate"), "denominator"] == len(mine)
        width = found.loc[(group, "selection_rate"), "ci_high"] - found.loc[(group, "selection_rate"), "ci_low"]
        people_worth, p = total**2 / squares, flagged / total
        assert width == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / people_worth), rel=0.02)


def test_weights_that_are_numbers_of_people_count_them() -> None:
    rows = people().assign(weight=lambda frame: (frame.index % 3) + 1)
    repeated = rows.loc[rows.index.repeat(rows["weight"])]
    weighted = audited(rows, columns={"weight": "weight"}, weight_kind="frequency").metrics
    plain = audited(repeated).metrics
    for column in ("value", "ci_low", "ci_high", "judged_value", "p_below", "p_above", "verdict", "flag_balance"):
        pd.testing.assert_series_equal(weighted[column], plain[column], check_exact=False, rtol=1e-12)


def test_rows_of_a_member_are_worth_less_than_members() -> None:
    rows = people()
    twice = pd.concat([rows, rows]).assign(member=[*range(ROWS), *range(ROWS)])
    once, doubled = audited(rows), audited(twice, columns={"member": "member"}, unit="prediction")
    naive = audited(twice)
    for result, same in ((doubled, True), (naive, False)):
        both = [r.metrics.query(GBE).set_index("group_value") for r in (once, result)]
        limits = [tuple(frame.loc["B", ["ci_low", "ci_high", "p_above"]]) for frame in both]
        assert (limits[0] == pytest.approx(limits[1], rel=1e-6)) == same
    assert not doubled.warnings


def test_members_who_are_there_again_are_warned_of_or_refused() -> None:
    rows = people()
    assert "nobody said whether they should" in audited(rows, columns={"member": "member"}).warnings[0]
    limits = {"maximum_refused_share": 1, "maximum_refused_share_per_group": 1}
    result = audited(rows, columns={"member": "member"}, unit="member", limits=limits)
    sizes = rows["member"].value_counts()
    again = rows["member"].isin(sizes[sizes > 1].index)
    refused = result.refused.query("attribute == 'overall' and reason == 'member_repeated'")
    assert refused["n"].sum() == again.sum()
    everybody = result.metrics.query("attribute == 'overall' and metric == 'selection_rate'")
    assert everybody["denominator"].item() == (~again).sum()
    with pytest.raises(DataRefusedError, match="member_repeated"):
        audited(rows, columns={"member": "member"}, unit="member")


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("weight", [None, np.nan], "weight_missing"),
        ("weight", [0.0, -1.0, 2e6, np.inf], "weight_out_of_range"),
        ("member", [None, ""], "member_missing"),
        ("risk", [1.5, -0.1], "score_not_a_probability"),
    ],
)
def test_rows_whose_unit_cannot_be_told_are_refused(column: str, values: list[Any], reason: str) -> None:
    rows = people().astype({"member": str})
    rows[column] = rows[column].astype(object)
    for place, value in enumerate(values):
        rows.loc[place, column] = value
    kinds = {"weight": {"weight_kind": "sampling"}, "member": {}, "risk": {"score_kind": "probability"}}
    if column != "member":
        rows[column] = rows[column].astype(float)
    columns = {} if column == "risk" else {"columns": {column: column}}
    result = audited(rows, **columns, **kinds[column])
    refused = result.refused.query("attribute == 'overall'")
    assert dict(refused.groupby("reason")["n"].sum()) == {reason: len(values)}


def test_probabilities_have_their_calibration_and_the_two_factors_of_benefit_equality() -> None:
    rows = people()
    result = audited(rows, score_kind="probability")
    ranking = result.ranking.set_index("group_value")
    for group, mine in rows.groupby("race"):
        assert ranking.loc[group, "expected"] == pytest.approx(mine["risk"].sum(), abs=1e-6)
        assert ranking.loc[group, "brier_score"] == pytest.approx(((mine["risk"] - mine["fell"]) ** 2).mean(), abs=1e-8)
        assert ranking.loc[group, "calibration_slope"] == pytest.approx(1, abs=0.35)
    judged = result.metrics.query(GBE)
    product = judged["flags_per_expected_event"] * judged["expected_to_observed"]
    assert np.allclose(product, judged["value"])
    bins = result.reliability.query("attribute == 'overall'")
    assert bins["n"].sum() == ROWS
    assert np.abs(bins["mean_score"] - bins["event_rate"]).max() < 0.06


def test_every_metric_has_its_interval_at_any_cutoff() -> None:
    rows = people()
    result = audited(rows)
    there = result.at(0.5, intervals=True).query(f"group_value == 'A' and {GBE}").squeeze()
    mine = rows.query("race == 'A'")
    flagged = mine["risk"] >= 0.5
    event = mine["fell"] == 1
    low, high = bonett_price((flagged & event).sum(), (flagged & ~event).sum(), (~flagged & event).sum())
    assert (there["ci_low"], there["ci_high"]) == pytest.approx((float(low), float(high)))
    assert there["verdict"] is None
    assert result.at(0.5, intervals=True)["metric"].nunique() == 16


def test_a_tuned_cutoff_judges_groups_and_not_everybody() -> None:
    tuned = {"name": "tuned", "rule": "population_gbe", "target": 1.0}
    judged = audited(people(), operating_points=[tuned]).metrics.query(GBE).set_index("attribute")
    assert judged.loc["overall", "verdict"] == "not_assessed"
    assert set(judged.loc["race", "verdict"]) <= {"above_floor", "above_floor_unproven", "below_floor_unproven"}


def test_an_intersection_never_changes_the_verdict_of_a_group() -> None:
    rows = people().assign(sex=lambda frame: np.where(frame.index % 2, "F", "M"))
    alone = audited(rows, attributes=["race", "sex"]).metrics.query(GBE)
    both = audited(rows, attributes=["race", "sex", ["race", "sex"]]).metrics.query(GBE)
    both = both[both["attribute"] != "race x sex"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.reset_index(drop=True), both)


def test_subgroups_that_nobody_listed_are_found() -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({name: rng.choice(["a", "b", "c"], 40_000) for name in ("x", "y", "z")})
    risk = rng.beta(2, 6, len(rows))
    rows["fell"] = (rng.random(len(rows)) < risk).astype(int)
    planted = (rows["x"] == "a") & (rows["y"] == "b") & (rows["z"] == "c")
    rows["risk"] = np.where(planted, risk * 0.55, risk)
    found = audited(rows, attributes=["x"], discover=["x", "y", "z"]).subgroups
    assert list(found.iloc[0]["group_values"]) == ["a", "b", "c"]
    hidden = audited(rows, attributes=["x"], discover=["x", "y", "z"], privacy={}).subgroups
    assert hidden["n"].isna().all()
    assert list(hidden.iloc[0]["group_values"]) == ["a", "b", "c"]


def test_another_mix_than_that_of_the_training_population_is_told() -> None:
    same = audited(people(), training_population={"race": {"A": 0.6, "B": 0.3, "C": 0.1}})
    other = audited(people(), training_population={"race": {"A": 0.6, "B": 0.1, "C": 0.1, "D": 0.2}})
    assert same.warnings == []
    assert other.warnings == ["race: the mix differs from the training population's declared: B, D"]


@pytest.mark.parametrize("name", ["member_id", "patient_id", "SSN", "date_of_birth", "email"])
def test_attributes_that_name_people_are_refused_before_a_row_is_read(name: str) -> None:
    rows = people().rename(columns={"race": name})
    with pytest.raises(UsageError, match="allowed_attributes"):
        audited(rows, attributes=[name])
    assert audited(rows, attributes=[name], privacy={"minimum_cell_size": 0, "allowed_attributes": [name]})


def test_attributes_that_are_as_good_as_people_are_refused() -> None:
    rows = people().assign(place=lambda frame: [f"p{i // 5}" for i in frame.index], zip5="60614", zip3="606")
    with pytest.raises(DataRefusedError, match=r"1,200 groups among 6,000 rows \(20%\)"):
        audited(rows, attributes=["place"])
    with pytest.raises(DataRefusedError, match="full postal codes"):
        audited(rows, attributes=["zip5"])
    assert audited(rows, attributes=["zip3"]).metrics["group_value"].nunique() == 2
