"""Column names never matter: hostile ones give the numbers that plain ones give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.spark.small_audits import audited, config_of, confusion, written

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COLUMNS = ("score", "label", "model", "version", "a", "b", "c", "d", "e")
# Each line names the nine columns above.
NAMES = {
    "dots and spaces": ("a.b", "a .b", "a.b.c", "a", ".", "..", "x y", "x  y", "x.y.z"),
    "backticks and quotes": ("`", "``", "a`b", "'", '"', "''", '"a"', "`a`.`b`", "\\'"),
    "unicode": ("größe", "年齢", "😀", "ﷺ", "na\u00efve", "nai\u0308ve", "\u0130", "ß", "👩\u200d⚕️"),
    "keywords": ("select", "FROM", "table", "null", "current_date", "interval", "group by", "true", "*"),
    "of our own": ("c1", "c0", "bucket", "rule", "malformed", "model_id", "events", "g0", "label"),
    "signs": ("$", "${env:HOME}", "#", "--", "/*", "%s", "{}", "a;b", "(1)"),
    "very long": tuple(f"{'x' * 120}{k}" for k in range(9)),
    "in each other's place": ("label", "score", "version", "model", "b", "a", "d", "e", "c"),
}
# These differ only in the case of letters, which a Parquet or Delta reader may take for one column.
CASES = ("sex", "Sex", "SEX", "sEx", "seX", "SEx", "sEX", "SeX", "xes")
# Delta keeps these out of column names unless it maps them, as Parquet readers once did.
DELTA_REFUSES = set(" ,;{}()\n\t=")

Figures = dict[str, dict[tuple[str, str, float], tuple[int, ...]]]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(11)
    score = np.round(random.random(400), 2)
    made = {name: random.choice([f"{name}1", f"{name}2", f"{name}3"], 400) for name in "abcde"}
    first = {"score": score, "label": (random.random(400) < score).astype("int64")}
    models = {"model": random.choice(["m", "n"], 400), "version": "1"}
    return pd.DataFrame({**first, **models, **made})


@pytest.fixture(scope="module")
def expected(spark: SparkSession, rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return _figures(spark, rows, COLUMNS, "csv", tmp_path_factory.mktemp("plain"))


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("kind", "form"), [*((kind, form) for kind in NAMES for form in ("csv", "parquet")), ("case", "csv")]
)
def test_hostile_names_give_the_numbers_of_plain_ones(
    spark: SparkSession, rows: pd.DataFrame, expected: Figures, tmp_path: Path, kind: str, form: str
) -> None:
    names = {**NAMES, "case": CASES}[kind]
    assert len(set(names)) == len(COLUMNS)
    assert _figures(spark, rows, names, form, tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k, names in NAMES.items() if not DELTA_REFUSES & set("".join(names))])
def test_hostile_names_in_delta_tables(
    spark: SparkSession, rows: pd.DataFrame, expected: Figures, tmp_path: Path, kind: str
) -> None:
    assert _figures(spark, rows, NAMES[kind], "delta", tmp_path) == expected


def _figures(spark: SparkSession, rows: pd.DataFrame, names: tuple[str, ...], form: str, folder: Path) -> Figures:
    """Counts by model, under the plain names of attributes."""
    named = rows[list(COLUMNS)].set_axis(list(names), axis=1)
    place = folder / f"rows.{form}"
    if form == "csv":
        named.to_csv(place, index=False)
    elif form == "parquet":
        pq.write_table(pa.Table.from_pandas(named, preserve_index=False), place)
    else:
        spark.createDataFrame(pa.Table.from_pandas(named, preserve_index=False)).write.format("delta").save(str(place))
    name = dict(zip(COLUMNS, names, strict=True))
    config = config_of(
        model=None,
        input={"format": form, "path": str(place)},
        columns={
            "score": name["score"],
            "label": name["label"],
            "model_id": name["model"],
            "model_version": name["version"],
        },
        attributes=[*(name[k] for k in "abcd"), {"name": "last", "from": name["e"]}, [name["a"], name["b"]]],
    )
    outcome = audited(spark, written(config, folder / "audit.yaml"))
    plain = {name[k]: k for k in "abcd"} | {"last": "e", f"{name['a']} x {name['b']}": "a x b", "overall": "overall"}
    result: Figures = {}
    for model in ("m", "n"):
        tables = {k: t.filter(pa.compute.equal(t["model_id"], model)) for k, t in outcome.tables.items()}
        result[model] = {(plain[attribute], *rest): counts for (attribute, *rest), counts in confusion(tables).items()}  # type: ignore[misc]
    return result
