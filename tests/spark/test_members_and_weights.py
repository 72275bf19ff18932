"""Members, weights and sums of scores are counted alike by Spark's tasks and in this process."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import fairsweep as fs
from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.verb import audit
from fairsweep.engines.arrow.sources import source_of as local_source
from fairsweep.engines.local import LocalEngine
from fairsweep.engines.spark.columns import Compiler, field_name
from fairsweep.input.expressions import AsText, Field
from fairsweep.input.intake import Window
from fairsweep.runs.options import RunOptions
from fairsweep.stores.memory import MemoryStore
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS
from tests.spark.small_audits import audited, bare, config_of, written

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

ROWS = 3_000
ALL_ROWS = {"maximum_refused_share": 1, "maximum_refused_share_per_group": 1}


def people() -> pd.DataFrame:
    """Rows of which some lack a score, a label, a group or a member, of members who have several."""
    rng = np.random.default_rng(2)
    risk = rng.beta(1.5, 4, ROWS)
    member = np.array([f"m{i}" for i in rng.integers(0, ROWS // 2, ROWS)], dtype=object)
    rows = pd.DataFrame(
        {
            "risk": risk, "fell": (rng.random(ROWS) < risk).astype(float), "sex": rng.choice(["F", "M"], ROWS),
            "race": rng.choice(np.array(["A", "B", "C", None], dtype=object), ROWS, p=[0.5, 0.3, 0.19, 0.01]),
            "member": member, "number": rng.integers(-ROWS, 0, ROWS),
            "weight": rng.uniform(0.5, 3, ROWS).round(3), "place": np.arange(ROWS) % 3,
        }
    )  # fmt: skip
    rows.loc[:20, "risk"] = np.nan
    rows.loc[30:50, "fell"] = np.nan
    rows.loc[60:70, "member"] = None
    return rows


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": {"member": "member"}, "unit": "prediction", "score_kind": "probability"},
        {"columns": {"member": "number"}, "unit": "prediction"},
        pytest.param({"columns": {"weight": "weight"}, "weight_kind": "sampling"}, marks=pytest.mark.slow),
        pytest.param(
            {
                "columns": {"member": "member"},
                "unit": "member",
                "limits": ALL_ROWS,
                "discover": {"attributes": ["race", "sex", "place"]},
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=["members", "numbered members", "weights", "members once"],
)
def test_tables_of_a_file_are_the_same_row_for_row(
    spark: SparkSession, tmp_path: Path, changes: dict[str, Any]
) -> None:
    people().to_parquet(tmp_path / "rows.parquet", row_group_size=700)
    config = config_of(
        **changes | {"columns": {"score": "risk", "label": "fell"} | changes["columns"]},
        attributes=["race", "sex", ["race", "sex"]],
        cutoffs={"start": 0, "stop": 1, "count": 21},
        input={"format": "parquet", "path": str(tmp_path / "rows.parquet")},
    )
    spec = load_mapping(config)
    outcome = audit(spec, Window(), LocalEngine(local_source(spec.source), spec.limits), MemoryStore(), RunOptions())
    here = bare(outcome.tables)
    for counting in ("catalyst", "arrow"):
        file = written(config | {"spark": {"counting": counting}}, tmp_path / f"{counting}.yaml")
        outcome = audited(spark, file)
        assert outcome.tables[RUNS]["counting"].to_pylist() == [counting]
        there = bare(outcome.tables)
        assert there.keys() == here.keys()
        for name in here:
            assert there[name].equals(here[name]), (counting, name)
    assert here["score_histograms"].num_rows


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": {"member": "member"}, "unit": "prediction", "score_kind": "probability"},
        pytest.param({"columns": {"weight": "weight"}, "weight_kind": "sampling"}, marks=pytest.mark.slow),
        pytest.param(
            {
                "columns": {"member": "member"},
                "unit": "member",
                "limits": ALL_ROWS,
                "discover": ["race", "sex", "place"],
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=["members", "weights", "members once"],
)
def test_tables_of_a_frame_are_the_same_row_for_row(spark: SparkSession, changes: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "score": "risk", "label": "fell", "attributes": ["race", "sex", ["race", "sex"]], "flag_is": "help",
        "cutoffs": {"start": 0, "stop": 1, "count": 21}, "privacy": {"minimum_cell_size": 0},
    }  # fmt: skip
    rows = people()
    here = fs.audit(rows, **(given | changes))
    there = fs.audit(spark.createDataFrame(rows), **(given | changes))
    for name in AUDIT_TABLES:
        own, other = (r.tables[name].drop_columns(["run_id"]) for r in (here, there))
        assert own.equals(other), name
    assert here.tables["score_histograms"].num_rows


def test_members_beyond_any_bigint_are_told_apart_and_no_cast_names_them(spark: SparkSession) -> None:
    large = 10**30
    numbers = [Decimal(n) for n in (large, large + 1, large, 5, 5)]
    table = pa.table({field_name(0): pa.array([*numbers, None], pa.decimal128(38, 0))})
    (who,) = Compiler(["integer"], malformed=False).who(AsText(Field(0)))
    found = [row[0] for row in spark.createDataFrame(table).select(who).collect()]
    assert found[0] == found[2] != found[1]
    assert found[3:] == [5, 5, 0]
