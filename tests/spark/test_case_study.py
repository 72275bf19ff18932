"""The case study on claims that are made up: three models of one population, from claims to published verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import pytest
from pyspark.sql import functions as F

from fairsweep.auditing.verb import AuditOutcome, audit_config
from fairsweep.cohort.verb import CohortOutcome, cohort_config
from fairsweep.runs.options import RunOptions
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.synthetic import risks
from fairsweep.synthetic.claims import Claims, write

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SIZE = 30_000
QUESTION = """
SELECT model_id, group_value, group_benefit_equality, verdict FROM v_group_benefit_equality
WHERE attribute = 'age_band' AND operating_point = 'capacity'
"""


class Study(NamedTuple):
    claims: Claims
    folder: Path
    cohort: CohortOutcome
    audit: AuditOutcome
    options: RunOptions
    store: SparkDeltaStore


@pytest.fixture(scope="module")
def study(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    claims = Claims(spark, SIZE, lines=2, seed=1)
    cohort_file, audit_file = write(claims, folder)
    warehouse = folder / "fairsweep-warehouse"
    options = RunOptions(engine="spark", warehouse=str(warehouse))
    cohort = cohort_config(cohort_file, options)
    store = SparkDeltaStore(spark, Place.warehouse(warehouse))
    return Study(claims, folder, cohort, audit_config(audit_file, options), options, store)


def test_one_query_shows_whom_each_model_forgets_and_that_the_blend_forgets_nobody(study: Study) -> None:
    rows = study.store.query(QUESTION).to_pandas()
    gbe = rows.pivot(index="model_id", columns="group_value", values="group_benefit_equality")
    below = (gbe < 0.8).to_dict("index")
    assert {band for band, low in below["medicare"].items() if low} == {"18-64"}
    assert below["medicaid"]["85+"]
    assert not below["medicaid"]["18-64"]
    assert not any(below["blend"].values())
    verdicts = rows.set_index(["model_id", "group_value"])["verdict"]
    assert verdicts["medicare", "18-64"] == verdicts["medicaid", "85+"] == "breach"
    races = study.store.query(QUESTION.replace("age_band", "race")).to_pandas().set_index(["model_id", "group_value"])
    assert races["verdict"]["planted", "Black"] == "breach"


def test_the_label_of_everyone_who_counts_is_what_was_drawn(study: Study) -> None:
    rows = study.store.current("cohort").to_pandas().query("model_id == 'planted'").set_index("member_id")
    drawn = study.claims._people().select("member_id", "event").toPandas().set_index("member_id")["event"]
    assert (rows["label"].astype(bool) == drawn.reindex(rows.index)).all()
    assert rows["mature"].all()
    assert rows["label_claim_id"].notna().equals(rows["label"] == 1)
    flow = study.cohort.tables["cohort_flow"].to_pandas().query("model_id == 'planted' and attribute == 'overall'")
    steps = flow.query("input == 'predictions'").sort_values("step")
    assert steps.iloc[0]["rows_in"] == SIZE
    assert steps.iloc[-1][["rows_in", "events"]].tolist() == [len(rows), rows["label"].sum()]
    out = steps.set_index("reason")["rows_out"]
    assert out["prior_enrollment_too_short"] == pytest.approx(0.02 * SIZE, rel=0.2)
    assert out["disenrolled"] == pytest.approx(0.03 * SIZE, rel=0.2)
    lines = flow.query("input == 'outcome_lines'").set_index("reason")["rows_out"]
    assert (lines[["duplicate_line", "superseded", "reversed"]] > 0).all()
    assert flow.query("input == 'claims' and step == 1")["rows_in"].item() > SIZE


def test_the_blend_is_one_model_above_the_seam_and_the_other_scaled_below(study: Study, spark: SparkSession) -> None:
    runs = study.cohort.tables["runs"].to_pandas().set_index("model_id")
    factor = json.loads(runs.loc["blend", "config_json"])["blends"][0]["scale"]["factor"]
    assert factor == pytest.approx(1 / risks.MEDICAID_SEES_MORE, rel=0.1)
    rows = study.store.current("cohort").to_pandas()
    scores = rows.pivot(index=["member_id", "age"], columns="model_id", values="score").reset_index()
    expected = scores["medicare"].where(scores["age"] >= 65, scores["medicaid"] * factor)
    pd.testing.assert_series_equal(scores["blend"], expected, check_names=False)


def test_a_published_cohort_is_verified_the_next_time_and_tells_logs_nothing_of_members(study: Study) -> None:
    again = cohort_config(study.folder / "cohort.yaml", study.options)
    assert (study.cohort.state, again.state) == ("published", "already_done")
    assert again.tables["cohort_flow"].num_rows == study.cohort.tables["cohort_flow"].num_rows
    warehouse = study.folder / "fairsweep-warehouse"
    logs = "".join(path.read_text() for path in warehouse.glob("*/_delta_log/*.json"))
    assert "m1-" not in logs
    assert not list((warehouse / "_scratch").glob("*"))
    record = study.cohort.tables["runs"].to_pylist()[0]
    assert set(json.loads(record["input_version"])) == {"members", "enrollment", "claims", "predictions"}
    assert record["rows_input"] == record["rows_used"] + record["rows_unscored"] + record["rows_refused"]


def test_the_same_seed_gives_the_same_population_however_it_is_divided(study: Study, spark: SparkSession) -> None:
    def digest(rows: Claims) -> list[int]:
        tables = (rows.members(), rows.enrollment(), rows.medical_claims(), rows.predictions())
        return [t.select(F.sum(F.xxhash64(*t.columns).cast("decimal(38,0)"))).collect()[0][0] for t in tables]

    small = Claims(spark, 500, seed=3)
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", "7")
    try:
        divided = digest(small)
    finally:
        spark.conf.unset("spark.sql.leafNodeDefaultParallelism")
    assert digest(small) == divided
    assert digest(Claims(spark, 500, seed=4)) != divided
