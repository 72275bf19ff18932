"""Spark and the local engine make the same rows of any text: of known traps, and of random ones."""

from __future__ import annotations

import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyspark.sql.functions as F
import pytest

from fairsweep.engines.arrow import text_files
from fairsweep.engines.spark.sources import CsvSource, readable
from fairsweep.errors import DataRefusedError
from fairsweep.input import files as inputs
from tests.local.test_text_files import HEADER, LINES, Row, rows_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ANYTHING = [
    *('"', '""', ",", ",", "\n", "\r", "\r\n", "A", "0.9", " ", "\t", "\\", "#", "'", "\x01", "\ufeff", "é", "\u2028"),
    '"A"', '"A,B"', '" ', "0.9,1,A\n", '0.1,0,"B ""c"" d"\n', ",\n",
]  # fmt: skip
QUOTES = ['"', '"', '"', ",", " ", "\t", "A", "B", "\n"]
WELL_WRITTEN = [
    "A,1,B\n",
    '"A","1","B"\r\n',
    '"A,""1""",2,\n',
    "5' 10\",,x\n",
    '"","",""\n',
    "1,2\n",
    "1,2,3,4\n",
    "\n",
]


def texts() -> dict[str, bytes]:
    found = {f"known{i}": lines for i, (lines, _) in enumerate(LINES)}
    dice = random.Random(5)
    for words, most in ((ANYTHING, 60), (QUOTES, 25), (WELL_WRITTEN, 20)):
        for _ in range(50):
            found[f"random{len(found)}"] = "".join(dice.choices(words, k=dice.randint(1, most))).encode()
    return {name: HEADER[:-1] + dice.choice([b"\n", b"\r\n"]) + lines for name, lines in found.items()}


def spark_rows(spark: SparkSession, folder: Path) -> Mapping[str, Counter[Row]]:
    source = CsvSource(spark, str(folder))
    fields = [F.nullif(F.trim(f"c{i}"), F.lit("")) for i in range(3)]
    file = F.regexp_extract(F.input_file_name(), "([^/]*)$", 1)
    found: defaultdict[str, Counter[Row]] = defaultdict(Counter)
    for row in source.rows([0, 1, 2]).select(F.col("malformed").isNotNull(), *fields, file).collect():
        found[row[4]][row[0], row[1], row[2], row[3]] += 1
    return found


@pytest.mark.slow
def test_spark_and_the_local_engine_make_the_same_rows_of_any_text(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = texts()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    by_spark = spark_rows(spark, tmp_path)
    for block, piece in ((1 << 22, 1 << 26), (9, 30)):
        monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
        monkeypatch.setattr(text_files, "PIECE_BYTES", piece)
        for name, content in files.items():
            assert Counter(rows_of(tmp_path / name)) == by_spark[name], content


def test_a_row_of_very_many_fields_is_malformed(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_bytes(HEADER + b"," * 30_000 + b"\n0.9,1,A\n")
    expected = Counter({(True, None, None, None): 1, (False, "0.9", "1", "A"): 1})
    assert spark_rows(spark, tmp_path)["wide.csv"] == expected == Counter(rows_of(tmp_path / "wide.csv"))


@pytest.mark.parametrize("name", ["scores.csv.gz", pytest.param("scores.csv", marks=pytest.mark.slow)])
def test_a_line_that_is_too_long_is_refused_before_spark_holds_it(
    spark: SparkSession, name: str, tmp_path: Path
) -> None:
    content = b"score,label,race\n0.9,1,A\n0.9,1," + b"secret " * 3_000_000 + b"\n0.9,1,B\n"
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    with pytest.raises(DataRefusedError, match="line 3") as refusal:
        CsvSource(spark, str(tmp_path / name)).rows([0])
    assert "secret" not in str(refusal.value)


def test_a_field_that_only_spark_finds_too_long_is_not_quoted(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that only Spark reaches are not looked at before: its own bound of a field holds."""
    monkeypatch.setattr(inputs, "refuse_long_lines", lambda files: None)
    path = tmp_path / "scores.csv"
    path.write_bytes(b"score,label,race\n0.9,1," + b"secret " * 3_000_000 + b"\n")
    with pytest.raises(DataRefusedError, match="field of more than 16,777,216 characters") as refusal, readable("it"):
        CsvSource(spark, str(path)).rows([0, 2]).collect()
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
