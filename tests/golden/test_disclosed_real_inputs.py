"""Disclosure control of whole audits of real inputs: an adversary with the published tables recovers no small count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fairsweep as fs
from tests.attacker import extremes
from tests.published_tables import hidden, publication

MINIMUM = 11
MOST_TARGETS = 25
EVENLY = {"start": 0, "stop": 1, "count": 1001}


def compas(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = pd.read_csv(folder / "compas" / "compas-scores-two-years.csv.gz")
    points = [{"name": "deployed", "rule": "fixed", "at": 5}, {"name": "even", "rule": "population_gbe", "target": 1.0}]
    return rows, {
        "score": "decile_score", "label": "two_year_recid", "attributes": ["race", "sex", "age_cat", ["race", "sex"]],
        "flag_is": "sanction", "cutoffs": list(range(1, 11)), "operating_points": points,
    }  # fmt: skip


def diabetes(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = pd.read_csv(folder / "diabetes130" / "quickstart_tree_scored.csv.gz")
    points = [{"name": "few", "rule": "alert_rate", "rate": 0.1}]
    return rows, {
        "score": "score", "label": "y_true", "attributes": ["race"], "flag_is": "help", "cutoffs": EVENLY,
        "operating_points": points,
    }  # fmt: skip


def cv19(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A thousand people; the outcome is made up: what is hidden does not depend on what it is."""
    people = pd.read_csv(folder / "cv19index" / "demographics.csv")
    scores = pd.read_csv(folder / "cv19index" / "predictions.csv")
    rows = people.merge(scores, left_on=people.columns[0], right_on=scores.columns[0])
    rng = np.random.default_rng(0)
    rows["met"] = (rng.random(len(rows)) < rows["prediction"].clip(0, 1)).astype(int)
    bands = {"name": "band", "from": "age", "breaks": [40, 65, 75, 85]}
    points = [{"name": "even", "rule": "population_gbe", "target": 1.0}]
    return rows, {
        "score": "prediction", "label": "met", "attributes": ["gender", bands, ["gender", "band"]], "flag_is": "help",
        "cutoffs": EVENLY, "operating_points": points,
    }  # fmt: skip


def aequitas(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = pd.read_csv(folder / "aequitas" / "compas_for_aequitas.csv")
    pairs = [["race", "sex"], ["race", "age_cat"], ["sex", "age_cat"]]
    return rows, {
        "score": "score", "label": "label_value", "attributes": ["race", "sex", "age_cat", *pairs],
        "flag_is": "sanction", "cutoffs": [0.5], "operating_points": [{"name": "given", "rule": "fixed", "at": 0.5}],
    }  # fmt: skip


def readmission(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Its rows have no score: a made-up one of earlier visits, medications and days."""
    rows = pd.read_csv(folder / "readmission" / "readmission.csv.gz")
    used = 5 * rows["n_previous_visits"] + rows["n_medications"] + rows["duration"]
    rows["score"] = (used / used.max()).round(3)
    even, few = {"rule": "population_gbe", "target": 1.0}, {"rule": "alert_rate", "rate": 0.05}
    return rows, {
        "score": "score", "label": "readmitted", "event_labels": ["Yes"], "flag_is": "help", "cutoffs": EVENLY,
        "attributes": ["race", "sex", "age", "insurer", ["race", "sex"], ["race", "insurer"]],
        "operating_points": [{"name": "even", **even}, {"name": "few", **few}],
    }  # fmt: skip


def encounters(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Patients with several encounters each; the score is made up of earlier stays."""
    columns = ["patient_nbr", "race", "gender", "age", "number_inpatient", "num_medications", "readmitted"]
    rows = pd.read_csv(folder / "diabetes130" / "diabetic_data.csv.gz", usecols=columns, keep_default_na=False)
    used = 10 * rows["number_inpatient"] + rows["num_medications"]
    rows["score"] = (used / used.max()).round(2)
    return rows, {
        "score": "score", "label": "readmitted", "event_labels": ["<30"], "flag_is": "help",
        "columns": {"member": "patient_nbr"}, "unit": "prediction",
        "attributes": ["race", "gender", "age", ["race", "gender"]],
        "cutoffs": {"start": 0, "stop": 1, "count": 101},
        "operating_points": [{"name": "few", "rule": "alert_rate", "rate": 0.1}],
    }  # fmt: skip


def synthea(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Eight hundred made-up patients: many stays are to be followed by an early death, by a score of their number."""
    patients = pd.read_csv(folder / "synthea" / "patients.csv.gz")
    stays = pd.read_csv(folder / "synthea" / "encounters_inpatient_emergency.csv.gz", usecols=["PATIENT"])
    n = patients["Id"].map(stays.groupby("PATIENT").size()).fillna(0)
    rows = patients.assign(score=(n / n.max()).round(3), died=patients["DEATHDATE"].notna().astype(int))
    points = [{"name": "even", "rule": "population_gbe", "target": 1.0}]
    return rows, {
        "score": "score", "label": "died", "attributes": ["RACE", "ETHNICITY", "GENDER", ["RACE", "GENDER"]],
        "flag_is": "help", "cutoffs": EVENLY, "operating_points": points,
    }  # fmt: skip


SOURCES = [compas, diabetes, cv19, aequitas, readmission, encounters, synthea]


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_nothing_small_is_recovered_from_what_is_published(source: Any, data_folder: Path) -> None:
    rows, given = source(data_folder)
    whole = fs.audit(rows, **given, privacy={"minimum_cell_size": 0})
    told = fs.audit(rows, **given)
    names = {"overall": ()} | {
        " x ".join(one) if isinstance(one, list) else one if isinstance(one, str) else one["name"]: tuple(one)
        if isinstance(one, list)
        else (one if isinstance(one, str) else one["name"],)
        for one in given["attributes"]
    }
    seen = publication(told, names, whole)
    targets = hidden(whole, seen, MINIMUM)
    order = np.random.default_rng(0).permutation(len(targets))[:MOST_TARGETS]
    for place in order:
        target, truth = targets[place]
        low, high = extremes([seen], 0, target)
        assert low <= truth <= high
        assert low < high, f"{target} is recovered: {truth}"
    # Without control the same adversary reads them off.
    bare = publication(whole, names, whole)
    if targets:
        target, truth = targets[order[0]]
        assert extremes([bare], 0, target) == (truth, truth)


def test_large_groups_stay_shown_and_verdicts_stay_the_same(data_folder: Path) -> None:
    rows, given = compas(data_folder)
    whole, told = (fs.audit(rows, **given, privacy={"minimum_cell_size": n}) for n in (0, MINIMUM))
    keys = ["operating_point", "attribute", "group_value"]
    query = "metric == 'group_benefit_equality'"
    before, after = (r.metrics.query(query).set_index(keys) for r in (whole, told))
    kept = after.index[after["verdict"] != "not_assessed"]
    assert (after.loc[kept, "verdict"] == before.loc[kept, "verdict"]).all()
    sweep = whole.sweep.query("cutoff == 5").set_index(["attribute", "group_value"])
    large = sweep[(sweep[["tp", "fp", "fn", "tn"]] >= 50).all(axis=1)].index
    shown = told.sweep[told.sweep["tp"].notna()].groupby(["attribute", "group_value"]).size()
    # Beside the men and women of one race who may both be told, one of few women hides the many men.
    assert set(large) - set(shown.index) <= {("race x sex", "Hispanic x Male")}
    at = ("deployed", "race x sex", "Hispanic x Male")
    assert after.loc[at, "verdict"] == "below_ceiling"
    assert [after.loc[at, "value"], after.loc[at, "rounded_to"]] == pytest.approx([0.9, 0.1])
    assert shown["overall", "all"] == 10
    conditions = [r.tables["runs"]["conditions"][0].as_py() for r in (whole, told)]
    assert conditions[0] == conditions[1]
