"""How rows are spread, ordered and aggregated never changes a result, to the last bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import fairsweep as fs
from fairsweep.core.groups import attribute_name, group_name
from tests.spark.small_audits import bare, config_of, people

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ATTRIBUTES = config_of()["attributes"]
STATE_TABLES = {"score_histograms", "cells"}
Tables = dict[str, pa.Table]


class Way(NamedTuple):
    """A way to hand over the same rows, and to count them."""

    partitions: int = 1
    order: str = "given"
    adaptive: bool = True
    joint: bool = True


QUICK = [Way(partitions=7, order="reversed", adaptive=False, joint=False), Way(partitions=200, order="by score")]
WAYS = [
    *QUICK,
    *(
        pytest.param(way, marks=pytest.mark.slow)
        for way in (
            Way(partitions=7),
            Way(partitions=200),
            Way(order="reversed"),
            Way(order="by score"),
            Way(adaptive=False),
            Way(joint=False),
        )
    ),
]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """With every reason to refuse a row or to leave it unscored that a typed frame can have."""
    made = people(1_500)
    made["label"] = made["label"].astype("Int64").mask(made.index % 97 == 0)
    made.loc[made.index % 89 == 0, "score"] = np.inf
    made.loc[made.index % 83 == 0, "age"] = 130
    return made


@pytest.fixture(scope="module")
def expected(spark: SparkSession, rows: pd.DataFrame) -> Tables:
    return _audited(spark, rows, Way())


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)))
def test_every_table_is_the_same_to_the_last_bit(
    spark: SparkSession, rows: pd.DataFrame, expected: Tables, way: Way
) -> None:
    found = _audited(spark, rows, way)
    assert set(bare(found)) == set(bare(expected))
    for name, table in bare(found).items():
        if way.joint or name not in STATE_TABLES:
            assert _bits(table) == _bits(bare(expected)[name]), name
    assert _state_by_attribute(found) == _state_by_attribute(expected)
    assert len(set(found["cells"]["grouping_set"].to_pylist())) == (1 if way.joint else 4)


@pytest.mark.slow
def test_the_version_of_a_frame_is_that_of_its_rows_however_they_come(
    spark: SparkSession, rows: pd.DataFrame, expected: Tables
) -> None:
    version = _version(expected)
    for way in (Way(partitions=7, order="reversed"), Way(joint=False)):
        assert _version(_audited(spark, rows, way)) == version
    swapped = rows.assign(sex=rows["sex"].map({"female": "male", "male": "female"}))
    assert _version(_audited(spark, swapped, Way())) != version
    assert _version(_audited(spark, swapped, Way(joint=False))) != version


def _audited(spark: SparkSession, rows: pd.DataFrame, way: Way) -> Tables:
    ordered = {"given": rows, "reversed": rows.iloc[::-1], "by score": rows.sort_values(["score", "age"])}[way.order]
    frame = spark.createDataFrame(pa.Table.from_pandas(ordered, preserve_index=False)).repartition(way.partitions)
    config = config_of(columns=None, privacy=None)
    attributes: list[Any] = [
        {**attribute, "range": [0, 120]} if isinstance(attribute, dict) else attribute for attribute in ATTRIBUTES
    ]
    with _adaptive(spark, on=way.adaptive):
        result = fs.audit(
            frame,
            score="score",
            label="label",
            **{**config, "attributes": attributes, "cutoffs": {"start": 0, "stop": 1, "count": 101}},
            privacy={"minimum_cell_size": 0},
            limits={} if way.joint else {"joint_state_rows": 1},
        )
        return result.tables


@contextmanager
def _adaptive(spark: SparkSession, *, on: bool) -> Iterator[None]:
    key = "spark.sql.adaptive.enabled"
    before = spark.conf.get(key)
    spark.conf.set(key, str(on).lower())
    try:
        yield
    finally:
        spark.conf.set(key, before or "true")


def _bits(table: pa.Table) -> str:
    """Every value in full: Python writes a double with as many digits as tell it from all others."""
    return repr(table.to_pydict())


def _version(tables: Tables) -> object:
    return tables["runs"]["input_version"][0].as_py()


def _state_by_attribute(tables: Tables) -> dict[str, dict[tuple[str, int], tuple[int, int]]]:
    """Histograms summed to each requested attribute, from whichever grouping set holds it."""
    wanted = [[], *(item if isinstance(item, list) else [item] for item in _names())]
    cells = {(row["grouping_set"], row["cell_id"]): row for row in tables["cells"].to_pylist()}
    sets = {row["grouping_set"]: row["attributes"] for row in cells.values()}
    result = {}
    for attributes in wanted:
        holder = next(name for name in sorted(sets) if set(attributes) <= set(sets[name]))
        sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        for row in tables["score_histograms"].to_pylist():
            if row["grouping_set"] == holder:
                cell = cells[holder, row["cell_id"]]
                value = dict(zip(cell["attributes"], cell["group_values"], strict=True))
                into = sums[group_name([value[name] for name in attributes]), row["bucket"]]
                into[0] += row["events"]
                into[1] += row["non_events"]
        result[attribute_name(attributes)] = {key: (events, others) for key, (events, others) in sorted(sums.items())}
    return result


def _names() -> list[str | list[str]]:
    return [attribute["name"] if isinstance(attribute, dict) else attribute for attribute in ATTRIBUTES]
