"""Every engine and form of counting gives the same tables on real inputs: as text, and as Parquet with types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.verb import audit
from fairsweep.engines.arrow import sources as files
from fairsweep.engines.local import LocalEngine
from fairsweep.engines.protocol import Engine
from fairsweep.engines.spark.engine import SparkEngine
from fairsweep.engines.spark.opening import source_of
from fairsweep.input.intake import Window
from fairsweep.runs.options import RunOptions
from fairsweep.stores.memory import MemoryStore
from fairsweep.tables.catalogue import RUNS
from tests.spark.small_audits import bare, config_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fairsweep.auditing.spec import AuditSpec


class Real(NamedTuple):
    """What is asked of a file of the folder; nothing is claimed of its people, only that every engine answers alike."""

    file: str
    score: str
    label: str
    events: list[Any]
    attributes: list[Any]
    cutoffs: list[float]
    scored_on: str | None = None
    window: Window = Window()


def banded(name: str, *breaks: int, **more: Any) -> dict[str, Any]:
    return {"name": f"{name} band", "from": name, "breaks": list(breaks), **more}


def unrecorded(name: str) -> dict[str, Any]:
    return {"name": name, "missing": ["?", "None"]}


COMPAS = Real(
    "compas/compas-scores-two-years.csv.gz", "decile_score.1", "two_year_recid", [1],
    ["race", "sex", "c_charge_degree", banded("age", 18, 25, 45), ["race", "sex"], ["race", "age band", "sex"]],
    [*range(1, 11)], "compas_screening_date", Window(date(2013, 3, 1), date(2014, 1, 1)),
)  # fmt: skip
ENCOUNTERS = Real(
    "synthea/encounters_inpatient_emergency.csv.gz", "TOTAL_CLAIM_COST", "ENCOUNTERCLASS", ["inpatient"],
    ["PAYER", "DESCRIPTION", "CODE", banded("BASE_ENCOUNTER_COST", 100, 150, range=[0, 10_000]), ["PAYER", "CODE"]],
    [146.18, 1_000, 1_440.38, 10_000], "START", Window(date(2005, 1, 1), date(2015, 7, 1)),
)  # fmt: skip
DEMOGRAPHICS = Real(
    "cv19index/demographics.csv", "age", "gender", ["female"], ["extraColumnsAreIgnored"], [18, 65, 65.5, 85]
)
AEQUITAS = Real(
    "aequitas/compas_for_aequitas.csv", "score", "label_value", [1],
    ["race", "sex", "age_cat", ["race", "sex", "age_cat"]], [0, 0.5, 1],
)  # fmt: skip
PATIENTS = Real(
    "synthea/patients.csv.gz", "INCOME", "GENDER", ["F"], ["RACE", "ETHNICITY", "COUNTY", ["RACE", "ETHNICITY"]],
    [10_000, 18_756, 50_000], "BIRTHDATE", Window(date(1900, 1, 1), date(1969, 12, 31)),
)  # fmt: skip
TREE = Real(
    "diabetes130/quickstart_tree_scored.csv.gz", "score", "y_true", [1],
    [unrecorded("race"), "gender", unrecorded("payer_code"), "age", ["race", "gender"]],
    [0.05, 0.1, 0.1538087520259319, 0.2],
)  # fmt: skip
PREDICTIONS = Real(
    "cv19index/predictions.csv", "prediction", "risk_score", [98, 99, 100],
    ["pos_factors_1", banded("pos_patient_values_1", 18, 65), "pos_factors_2"], [0.01, 0.036249, 0.1],
)  # fmt: skip
CLAIMS = Real(
    "cv19index/claims.csv.gz", "dischargeDate", "inpatient", ["True", True],
    ["erVisit", {"name": "dx1", "missing": ["Z640"]}, banded("dx2", 5)], [0.5],
    "admitDate", Window(date(2017, 1, 1), date(2018, 1, 1)),
)  # fmt: skip
DIABETES = Real(
    "diabetes130/diabetic_data.csv.gz", "num_medications", "readmitted", ["<30"],
    [unrecorded("race"), "gender", "age", unrecorded("medical_specialty"), banded("time_in_hospital", 3, 7)],
    [5, 10, 15, 15.5, 40],
)  # fmt: skip
READMISSION = Real(
    "readmission/readmission.csv.gz", "n_previous_visits", "readmitted", ["Yes"],
    ["race", "sex", "age", "insurer", "blood_glucose", banded("duration", 3, 7), ["race", "insurer"]], [0, 1, 2, 4],
)  # fmt: skip
QUICK, SLOW = [COMPAS, ENCOUNTERS, DEMOGRAPHICS], [AEQUITAS, PATIENTS, TREE, PREDICTIONS, CLAIMS, DIABETES, READMISSION]
ALL = [*QUICK, *(pytest.param(real, marks=pytest.mark.slow) for real in SLOW)]


def named(value: Any) -> str:
    return value.file.replace("/", "-") if isinstance(value, Real) else str(value)


def spec_of(real: Real, kind: str, path: Path) -> AuditSpec:
    columns = {"score": real.score, "label": real.label}
    return load_mapping(
        config_of(
            input={"format": kind, "path": str(path)},
            columns=columns | ({"scored_on": real.scored_on} if real.scored_on else {}),
            event_labels=real.events,
            attributes=real.attributes,
            # Codes of claims are nearly as many as people in some of these tables.
            privacy={"minimum_cell_size": 0, "allowed_attributes": sorted(singles(real.attributes))},
            cutoffs={"values": real.cutoffs},
            operating_points=[
                {"name": "population", "rule": "population_gbe", "target": 1.0},
                {"name": "rate", "rule": "alert_rate", "rate": 0.2},
            ],
            limits={"maximum_refused_share": 1, "maximum_refused_share_per_group": 1},
        )
    )


def singles(attributes: Sequence[Any]) -> set[str]:
    """The names of single attributes."""
    parts = [one if isinstance(one, list) else [one] for one in attributes]
    return {part if isinstance(part, str) else part["name"] for names in parts for part in names}


def tables_of(spec: AuditSpec, engine: Engine, window: Window) -> tuple[str, dict[str, Any]]:
    """How it was counted, and every table but `runs`; which grouping sets there are may follow a probe."""
    tables = audit(spec, window, engine, MemoryStore(), RunOptions()).tables
    (run,) = tables[RUNS].to_pylist()
    assert run["rows_used"] + run["rows_unscored"] + run["rows_refused"] == run["rows_input"] > 0
    found: dict[str, Any] = bare(tables)
    cells, histograms = found.pop("cells").to_pandas(), found.pop("score_histograms").to_pandas()
    joined = histograms.merge(cells, on=["grouping_set", "cell_id"])
    for grouping in spec.groupings:
        found[grouping.name] = summed(joined, grouping.attributes)
    return str(run["counting"]), found


def summed(rows: pd.DataFrame, attributes: Sequence[str]) -> dict[tuple[Any, ...], tuple[int, int]]:
    """The histogram of some attributes, from the first grouping set that has them all."""
    held = next(one for one in rows["attributes"].map(tuple).unique() if set(attributes) <= set(one))
    rows = rows[rows["attributes"].map(tuple) == held]
    places = [held.index(name) for name in attributes]
    keys = [tuple(values[at] for at in places) for values in rows["group_values"]]
    sums = rows.groupby([pd.Series(keys, rows.index), "bucket"])[["events", "non_events"]].sum()
    return {key: (int(events), int(others)) for key, events, others in sums.itertuples()}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("real", ALL, ids=named)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_engine_and_form_gives_the_same_tables(
    kind: str, real: Real, spark: SparkSession, data_folder: Path, tmp_path: Path
) -> None:
    path = data_folder / real.file
    if kind == "parquet":
        rows = pd.read_csv(path, low_memory=False)
        path = tmp_path / "rows.parquet"
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path, row_group_size=2_000)
    spec = spec_of(real, kind, path)
    forms = ["catalyst", "arrow"] if kind == "parquet" else ["catalyst"]
    counting, first = tables_of(spec, LocalEngine(files.source_of(spec.source), spec.limits), real.window)
    assert counting == "arrow"
    for form in forms:
        engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits, form)
        assert tables_of(spec, engine, real.window) == (form, first)
