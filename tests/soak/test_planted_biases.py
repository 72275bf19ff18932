"""Biases planted in 200 populations are found again from claims, as often as the intervals say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from pyspark.sql import functions as F

import fairsweep as fs
from fairsweep.cohort.building import CohortBuilder, named
from fairsweep.cohort.spec import load_cohort
from fairsweep.synthetic import risks
from fairsweep.synthetic.claims import Claims, write

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]
SAMPLES, SIZE, CUTOFF = 200, 6_000, 0.5
ATTRIBUTES = ("age_band", "race", "dual_status", "disabled")


def test_intervals_from_claims_cover_the_true_benefit_equality(spark: SparkSession, tmp_path: Path) -> None:
    claims = Claims(spark, SIZE, lines=1, seed=100, samples=SAMPLES)
    file, _ = write(claims, tmp_path)
    config = yaml.safe_load(file.read_text())
    # Each sample is a version of each model.
    version = F.split("member_id", "-")[0]
    predictions = claims.predictions().where(F.col("model_id") != "medicaid").withColumn("model_version", version)
    predictions.write.parquet(str(tmp_path / "versions"))
    config["predictions"]["input"]["path"] = "versions"
    file.write_text(yaml.safe_dump({**config, "blends": []}, sort_keys=False))
    spec = load_cohort(file)
    with CohortBuilder(spark, spec) as builder:
        rows = tmp_path / "cohort"
        named(builder.build().rows, spec.attributes).write.parquet(str(rows))
    result = fs.audit(
        spark.read.parquet(str(rows)), score="score", label="label", attributes=list(ATTRIBUTES), flag_is="help",
        cutoffs=[CUTOFF], operating_points=[{"name": "fixed", "rule": "fixed", "at": CUTOFF}],
        columns={"model_id": "model_id", "model_version": "model_version"}, privacy={"minimum_cell_size": 0},
    )  # fmt: skip
    found = result.metrics.query("metric == 'group_benefit_equality'")
    places = found[["model_id", "attribute", "group_value"]].drop_duplicates()
    true = {tuple(row): risks.true_benefit_equality(row[0], CUTOFF, *row[1:]) for row in places.itertuples(index=False)}
    expected = [true[row] for row in found[["model_id", "attribute", "group_value"]].itertuples(index=False, name=None)]
    covered = (found["ci_low"] <= expected) & (found["ci_high"] >= expected)
    assert found.groupby(["model_id", "model_version"]).ngroups == 2 * SAMPLES
    assert 0.93 <= covered.mean() <= 0.97, covered.groupby([found["model_id"], found["attribute"]]).mean().to_string()
    everybody = covered[found["attribute"] == "overall"]
    assert 0.92 <= everybody.mean() <= 0.98
