"""Readmission of people with diabetes, by a model that is trained here: per encounter, and per patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import fairsweep as fs

ATTRIBUTES = {"race": "race", "gender": "gender", "age": "age", "payer": "payer_code"}
FEATURES = ["time_in_hospital", "num_medications", "number_inpatient", "number_emergency", "number_diagnoses"]


@pytest.fixture(scope="module")
def encounters(data_folder: Path) -> pd.DataFrame:
    rows = pd.read_csv(
        data_folder / "diabetes130" / "diabetic_data.csv.gz",
        keep_default_na=False,
        usecols=["encounter_id", "patient_nbr", "race", "gender", "age", "payer_code", "readmitted", *FEATURES],
    )
    event = rows["readmitted"] == "<30"
    model = LogisticRegression(max_iter=1_000).fit(rows[FEATURES], event)
    return rows.assign(score=model.predict_proba(rows[FEATURES])[:, 1])


@pytest.mark.parametrize("unit", ["encounter", "patient"])
def test_every_group_has_the_counts_of_pandas_and_the_smallest_do_no_harm(encounters: pd.DataFrame, unit: str) -> None:
    rows = encounters.sort_values("encounter_id")
    if unit == "patient":
        rows = rows.drop_duplicates("patient_nbr")
    result = fs.audit(
        rows,
        score="score",
        label="readmitted",
        event_labels=["<30"],
        attributes=[
            {"name": name, "from": column, "missing": ["?"]} if column in {"race", "payer_code"} else
            {"name": name, "from": column}
            for name, column in ATTRIBUTES.items()
        ],
        flag_is="help",
        privacy={"minimum_cell_size": 0},
        operating_points=[{"name": "population", "rule": "population_gbe", "target": 1.0}],
    )  # fmt: skip
    (cutoff,) = result.operating_points["cutoff"]
    at = by_group(result.sweep[result.sweep["cutoff"] == cutoff])
    flagged, event = rows["score"] >= cutoff, rows["readmitted"] == "<30"
    for name, column in ATTRIBUTES.items():
        groups = rows[column].replace({"?": "unknown"}) if name in {"race", "payer"} else rows[column]
        for group, mine in rows.groupby(groups):
            expected = [len(mine), int((flagged & event)[mine.index].sum()), int((flagged & ~event)[mine.index].sum())]
            found = at[name, str(group)]
            assert [found.n, found.tp, found.fp] == expected, (name, group)
    gbe = by_group(result.metrics[result.metrics["metric"] == "group_benefit_equality"])
    assert abs(gbe["overall", "all"].value - 1) < 0.05
    invalid, least = ("gender", "Unknown/Invalid"), ("payer", "FR")
    assert (at[invalid].n, gbe[invalid].status, gbe[invalid].verdict) == (3, "no_events", "not_assessed")
    assert (at[least].n, gbe[least].verdict) == (1, "not_assessed")


def by_group(rows: pd.DataFrame) -> dict[tuple[str, str], Any]:
    return {(str(row.attribute), str(row.group_value)): row for row in rows.itertuples()}
