"""Cohort configs of tests, and what a builder makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from fairsweep.cohort.building import Cohort, CohortBuilder, named
from fairsweep.cohort.spec import load_cohort
from tests.unit.test_outcomes import STAY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def config_of(**changes: Any) -> dict[str, Any]:
    return {
        "model": {"id": "m", "version": "1"},
        "outcome": STAY,
        "members": {
            "input": {"format": "csv", "path": "members.csv"},
            "columns": {"birth_date": "birth_date", "death_date": "death_date"},
            "attributes": ["sex"],
        },
        "enrollment": {"input": {"format": "csv", "path": "enrollment.csv"}},
        "claims": {
            "input": {"format": "csv", "path": "claims.csv"},
            "columns": {"end_date": "claim_end_date", "diagnoses": ["dx1"]},
            "settings": [{"setting": "inpatient", "column": "type", "values": ["IP"]}],
        },
        "predictions": {"input": {"format": "csv", "path": "predictions.csv"}},
        "as_of": "2020-12-31",
        **changes,
    }


def built(spark: SparkSession, config: dict[str, Any], folder: Path) -> tuple[Cohort, pd.DataFrame]:
    file = folder / "cohort.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    spec = load_cohort(file)
    with CohortBuilder(spark, spec, keep=lambda rows: rows.localCheckpoint()) as builder:
        cohort = builder.build()
        return cohort, named(cohort.rows, spec.attributes).toPandas()


def reasons(cohort: Cohort, attribute: str = "overall", group: str = "all") -> dict[str, int]:
    place = ("predictions", attribute, group)
    rows = [row for row in cohort.flow if (row.input, row.attribute, row.group_value) == place]
    assert [row.rows_in - row.rows_out for row in rows[:-1]] == [row.rows_in for row in rows[1:]]
    return {row.reason: row.rows_out for row in rows if row.rows_out} | {"in_cohort": rows[-1].rows_in}
