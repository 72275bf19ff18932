"""A cohort from members, enrolment, claims and predictions: who is left out and why."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fairsweep.cli.main import run
from fairsweep.cohort.building import REASONS
from fairsweep.cohort.spec import load_cohort
from fairsweep.errors import UsageError
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from tests.spark.made_up_cohorts import built, config_of, reasons

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


MEMBERS = """member_id,birth_date,sex,death_date
in,1950-06-15,f,
event,1940-01-01,m,
leap,2000-02-29,f,
unborn,2021-01-01,m,
dead,1930-01-01,m,2020-05-01
dies,1930-01-01,m,2020-06-20
twice,1950-01-01,f,
twice,1951-01-01,f,
same,1950-01-01,f,
same,1950-01-01,f,
leaves,1960-01-01,m,
gap,1960-01-01,m,
late,1960-01-01,,
never,1960-01-01,f,
unread,June,f,
,1960-01-01,f,
"""
ENROLLED = "in event leap unborn dead dies twice same"
ENROLLMENT = "member_id,enrollment_start_date,enrollment_end_date\n" + "".join(
    f"{name},2019-01-01,\n" for name in ENROLLED.split()
) + """leaves,2019-01-01,2020-06-10
gap,2019-01-01,2020-02-29
gap,2020-03-31,2020-12-31
late,2020-05-01,2020-12-31
never,2019-01-01,June
never,2020-05-01,2020-04-30
never,,2020-04-30
"""  # fmt: skip
PREDICTIONS = """member_id,scored_on,score
in,2020-06-01,0.1
event,2020-06-01,0.9
leap,2020-02-28,0.2
unborn,2020-06-01,0.2
dead,2020-06-01,0.2
dies,2020-06-01,0.2
twice,2020-06-01,0.2
same,2020-06-01,0.3
same,2020-06-01,0.3
in,2020-07-01,0.1
in,2020-07-01,0.2
leaves,2020-06-01,0.2
gap,2020-06-01,0.2
late,2020-06-01,0.2
never,2020-06-01,0.2
nobody,2020-06-01,0.2
unread,2020-06-01,0.2
event,2020-12-15,0.2
,2020-06-01,0.2
in,June,0.2
in,2020-08-01,0.2,more
"""
CLAIMS = """member_id,claim_id,claim_start_date,claim_end_date,type,dx1
event,c1,2020-06-20,2020-06-25,IP,J18.9
event,c2,2020-06-05,2020-06-06,OP,J18.9
in,c3,2020-06-01,2020-06-04,IP,J18.9
in,c4,2020-07-02,2020-07-01,IP,J18.9
in,c5,,2020-07-01,IP,J18.9
in,c7,2020-06-20,soon,IP,J18.9
,c6,2020-07-01,2020-07-01,IP,J18.9
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "members": MEMBERS, "enrollment": ENROLLMENT, "predictions": PREDICTIONS, "claims": CLAIMS,
    }.items():  # fmt: skip
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_every_prediction_counts_or_says_why_it_does_not(spark: SparkSession, folder: Path) -> None:
    cohort, rows = built(spark, config_of(), folder)
    expected = {
        "malformed_row": 1, "member_id_missing": 1, "scored_on_missing": 1, "conflicting_predictions": 2,
        "duplicate_prediction": 1, "unknown_member": 1, "conflicting_members": 1, "unreadable_member": 1,
        "born_after_score": 1,
        "died_before_score": 1, "not_enrolled": 1, "prior_enrollment_too_short": 1, "horizon_not_over": 1,
        "disenrolled": 1, "in_cohort": 6,
    }  # fmt: skip
    assert reasons(cohort) == expected
    assert sum(expected.values()) == len(PREDICTIONS.splitlines()) - 1
    assert set(expected) - {"in_cohort"} <= set(REASONS)
    found = {row.member_id: (row.label, row.label_claim_id, row.age, row.age_band) for row in rows.itertuples()}
    assert found == {
        "in": (0, None, 69, "65-74"),
        "event": (1, "c1", 80, "75-84"),
        "leap": (0, None, 19, "18-64"),
        "dies": (0, None, 90, "85+"),
        "same": (0, None, 70, "65-74"),
        "gap": (0, None, 60, "18-64"),
    }
    spoilt = {"start_date_missing": 1, "end_date_unreadable": 1, "end_before_start": 1}
    assert {source: {why: n.rows for why, n in found.items()} for source, found in cohort.refused.items()} == {
        "members": {"member_id_missing": 1, "used": 15},
        "enrollment": {**spoilt, "used": 12},
        "claims": {**spoilt, "member_id_missing": 1, "used": 3},
    }
    assert set(cohort.versions) == {"members", "enrollment", "claims", "predictions"}
    # Those of nobody known are unknown, and so is who has no sex.
    assert reasons(cohort, "sex", "unknown")["prior_enrollment_too_short"] == 1
    whole = [
        row.rows_in for row in cohort.flow if row.input == "predictions" and row.step == 1 and row.attribute == "sex"
    ]
    assert sum(whole) == sum(expected.values())


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"rules": {"deaths": "exclude"}}, "in event leap same gap"),
        ({"rules": {"disenrolled": "keep"}}, "in event leap dies same gap leaves"),
        ({"rules": {"prior_enrollment_days": 0}}, "in event leap dies same gap late"),
        ({"rules": {"gap_days": 29}}, "in event leap dies same"),
        ({"rules": {"run_out_days": 185}}, "leap"),
        ({"rules": {"run_out_days": 185, "immature": "keep"}}, "in event leap dies same gap"),
        ({"as_of": None}, "in event event leap dies same gap"),
        ({"enrollment": None}, "in event leap dies same gap late leaves never"),
        (
            {"predictions": {"input": {"format": "csv", "path": "predictions.csv"}, "keep": "last"}},
            "leap dies same gap",
        ),
    ],
)
@pytest.mark.slow
def test_each_rule_can_be_changed(changes: dict[str, Any], kept: str, spark: SparkSession, folder: Path) -> None:
    config = {key: value for key, value in config_of(**changes).items() if value is not None}
    assert sorted(built(spark, config, folder)[1]["member_id"]) == sorted(kept.split())


HISTORY = """member_id,start_date,end_date,dual
in,2019-01-01,2020-03-31,none
in,2020-04-01,,full
event,2018-01-01,,partial
event,2020-01-01,2020-12-31,full
leap,2021-01-01,,full
gap,June,,full
"""


@pytest.mark.slow
def test_what_members_were_on_the_day_and_what_they_chose_and_how_leaving_is_treated(
    spark: SparkSession, folder: Path
) -> None:
    (folder / "history.csv").write_text(HISTORY)
    races = {"in": "White; Black", "event": "Black", "leap": "Asian"}
    (folder / "members.csv").write_text(
        "\n".join(f"{line},{races.get(line.split(',')[0], '')}" for line in MEMBERS.splitlines()).replace(
            "death_date,", "death_date,race", 1
        )
        + "\n"
    )
    config = config_of(
        histories=[
            {
                "input": {"format": "csv", "path": "history.csv"},
                "columns": {"start_date": "start_date", "end_date": "end_date"},
                "attributes": ["dual"],
            }
        ],
        rules={"treatments": "all"},
    )
    config["members"]["attributes"] = ["sex", {"name": "race", "choices": ["White", "Black"]}]
    config["members"]["pool_ages_from"] = 90
    cohort, rows = built(spark, config, folder)
    versions = {version: set(of["member_id"]) for version, of in rows.groupby("model_version")}
    assert versions == {
        "1": {"in", "event", "leap", "dies", "same", "gap"},
        "1:deaths-excluded": {"in", "event", "leap", "same", "gap"},
        "1:all-kept": {"in", "event", "leap", "dies", "same", "gap", "leaves"},
    }
    found = rows[rows["model_version"] == "1"].set_index("member_id")[["race: White", "race: Black", "dual"]]
    assert found.fillna("").T.to_dict("list") == {
        "in": ["yes", "yes", "full"],
        "event": ["no", "yes", "full"],
        "leap": ["no", "no", ""],
        "dies": ["", "", ""],
        "same": ["", "", ""],
        "gap": ["", "", ""],
    }
    assert {reason: n.rows for reason, n in cohort.refused["histories[0]"].items()} == {
        "start_date_missing": 1,
        "used": 5,
    }
    assert rows["age"].max() == 90


@pytest.mark.slow
def test_a_cohort_of_inputs_that_are_mostly_unusable_is_refused_and_leaves_its_record(
    spark: SparkSession, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "cohort.yaml"
    file.write_text(yaml.safe_dump(config_of(as_of="2020-01-01", privacy={"minimum_cell_size": 0})))
    assert spark.range(1).count() == 1
    flags = ["--config", str(file), "--engine", "spark", "--warehouse", str(folder / "warehouse")]
    assert run(["cohort", *flags]) == 3
    said = capsys.readouterr().err
    for part in (
        "claims is 4 of 7 rows cannot be used",
        "predictions is none of 21 is included (horizon_not_over",
        "at most 5.0%",
    ):
        assert part in said, said
    assert "c3" not in said
    store = SparkDeltaStore(spark, Place.warehouse(folder / "warehouse"))
    record = store.query("SELECT verb, status, rows_input, rows_used FROM runs").to_pylist()
    assert record == [{"verb": "cohort", "status": "refused", "rows_input": 21, "rows_used": 0}]
    assert store.current("cohort").num_rows == 0


def test_columns_that_are_not_there_are_named_all_at_once(spark: SparkSession, folder: Path) -> None:
    config = config_of()
    config["claims"]["columns"]["diagnoses"] = ["dx9"]
    config["members"]["attributes"] = ["sexx"]
    with pytest.raises(UsageError) as told:
        built(spark, config, folder)
    assert [problem.place for problem in told.value.problems] == ["members.attributes[0]", "claims.columns.diagnoses"]
    assert "did you mean `sex`" in str(told.value)


def test_the_day_of_the_config_is_a_day(folder: Path) -> None:
    file = folder / "cohort.yaml"
    file.write_text(yaml.safe_dump(config_of(as_of="soon")))
    with pytest.raises(UsageError, match="as_of"):
        load_cohort(file)
    file.write_text(yaml.safe_dump(config_of()))
    assert load_cohort(file).as_of == date(2020, 12, 31)
