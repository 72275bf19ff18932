"""Cohorts of real and realistic claims have the events that pandas finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import fairsweep as fs
from tests.conftest import REPOSITORY
from tests.spark.made_up_cohorts import built, reasons
from tests.unit.test_outcomes import STAY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ANY_STAY: dict[str, Any] = {**STAY, "horizon": {"months": 3}}


@pytest.mark.slow
@pytest.mark.parametrize("day", [pytest.param("2018-09-30", marks=pytest.mark.slow), "2018-12-31"])
def test_real_claims_have_the_events_that_pandas_finds(
    day: str, spark: SparkSession, data_folder: Path, tmp_path: Path
) -> None:
    place = data_folder / "cv19index"
    people = pd.read_csv(place / "demographics.csv", encoding="utf-8-sig")
    scores = pd.read_csv(place / "scores_2018-09-30.csv")
    if day == "2018-12-31":
        scores = pd.read_csv(place / "predictions.csv")[["personId", "prediction"]].set_axis(
            ["personId", "score"], axis=1
        )
        scores = scores.assign(scored_on=day)
    scores.to_csv(tmp_path / "predictions.csv", index=False)
    config = {
        "model": {"id": "cv19", "version": "1"},
        "outcome": ANY_STAY,
        "members": {
            "input": {"format": "csv", "path": str(place / "demographics.csv")},
            "columns": {"member_id": "personId", "age": "age"},
            "attributes": [{"name": "sex", "from": "gender"}],
        },
        "claims": {
            "input": {"format": "csv", "path": str(place / "claims.csv.gz")},
            "columns": {
                "member_id": "personId", "claim_id": "claimId", "start_date": "admitDate", "end_date": "dischargeDate",
                "diagnoses": [f"dx{i}" for i in range(1, 16)],
            },
            "settings": [{"setting": "inpatient", "column": "inpatient", "values": ["True"]}],
        },
        "predictions": {"input": {"format": "csv", "path": "predictions.csv"}, "columns": {"member_id": "personId"}},
    }  # fmt: skip
    _, rows = built(spark, config, tmp_path)
    claims = pd.read_csv(
        place / "claims.csv.gz", usecols=["personId", "admitDate", "inpatient"], parse_dates=["admitDate"]
    )
    start = pd.Timestamp(day)
    after = (
        claims["inpatient"] & (claims["admitDate"] > start) & (claims["admitDate"] <= start + pd.offsets.MonthEnd(3))
    )
    people = people[people["personId"].isin(scores["personId"])]
    people["event"] = people["personId"].isin(claims.loc[after, "personId"])
    bands = pd.cut(
        people["age"], [0, 18, 65, 75, 85, 999], right=False, labels=["under 18", "18-64", "65-74", "75-84", "85+"]
    )
    expected = people.groupby([people["gender"], bands.astype(str)])["event"].agg(["size", "sum"])
    found = rows.groupby(["sex", "age_band"])["label"].agg(["size", "sum"])
    assert found.to_numpy().tolist() == expected.to_numpy().tolist()
    assert found.index.tolist() == expected.index.tolist()
    assert expected["sum"].sum() > 0
    result = fs.audit(
        rows, score="score", label="label", attributes=["sex", "age_band"], flag_is="help",
        operating_points=[{"name": "few", "rule": "alert_rate", "rate": 0.04}], privacy={"minimum_cell_size": 0},
    )  # fmt: skip
    everybody = result.metrics.query("attribute == 'overall' and metric == 'selection_rate'")
    assert np.isclose(everybody["value"].item(), 0.04, atol=0.01)


@pytest.mark.slow
def test_readmissions_of_real_stays_agree_with_pandas(spark: SparkSession, data_folder: Path, tmp_path: Path) -> None:
    place = data_folder / "synthea"
    encounters = pd.read_csv(place / "encounters_inpatient_emergency.csv.gz")
    stays = encounters[encounters["ENCOUNTERCLASS"] == "inpatient"]
    stays = stays.assign(start=stays["START"].str[:10], day=stays["STOP"].str[:10])
    index = stays.sort_values("PAYER").drop_duplicates(["PATIENT", "day"]).assign(score=0.5)
    index[["PATIENT", "day", "score", "PAYER"]].to_csv(tmp_path / "predictions.csv", index=False)
    config = {
        "model": {"id": "any", "version": "1"},
        "outcome": str(REPOSITORY / "conf" / "outcomes" / "readmission_30_days.yaml"),
        "members": {
            "input": {"format": "csv", "path": str(place / "patients.csv.gz")},
            "columns": {"member_id": "Id", "birth_date": "BIRTHDATE", "death_date": "DEATHDATE"},
            "attributes": ["RACE", {"name": "sex", "from": "GENDER"}],
        },
        "claims": {
            "input": {"format": "csv", "path": str(place / "encounters_inpatient_emergency.csv.gz")},
            "columns": {"member_id": "PATIENT", "claim_id": "Id", "start_date": "START", "end_date": "STOP"},
            "settings": [{"setting": "inpatient", "column": "ENCOUNTERCLASS", "values": ["inpatient"]}],
        },
        "predictions": {
            "input": {"format": "csv", "path": "predictions.csv"},
            "columns": {"member_id": "PATIENT", "scored_on": "day"},
            "attributes": [{"name": "payer", "from": "PAYER"}],
        },
    }
    cohort, rows = built(spark, config, tmp_path)
    people = pd.read_csv(place / "patients.csv.gz")
    merged = index.merge(people, left_on="PATIENT", right_on="Id")
    day, died = pd.to_datetime(merged["day"]), pd.to_datetime(merged["DEATHDATE"])
    merged = merged[~(died < day)]
    later = merged[["PATIENT", "day"]].merge(stays[["PATIENT", "start"]], on="PATIENT")
    days = (pd.to_datetime(later["start"]) - pd.to_datetime(later["day"])).dt.days
    again = later[days.between(1, 30)].drop_duplicates(["PATIENT", "day"]).assign(label=1)
    merged = merged.merge(again[["PATIENT", "day", "label"]], on=["PATIENT", "day"], how="left").fillna({"label": 0})
    assert reasons(cohort)["in_cohort"] == len(merged)
    for ours, theirs in (("RACE", "RACE"), ("sex", "GENDER"), ("payer", "PAYER")):
        found = rows.groupby(ours)["label"].agg(["size", "sum"]).rename_axis("group")
        expected = merged.groupby(theirs)["label"].agg(["size", "sum"]).astype("int64").rename_axis("group")
        pd.testing.assert_frame_equal(found.astype("int64"), expected)
    assert rows["label"].sum() > 0
