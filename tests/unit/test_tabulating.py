"""Result tables made of columns: sorted by key however the parts come, and every kind of column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fairsweep.tables import tabulating
from fairsweep.tables.catalogue import TABLES
from fairsweep.tables.tabulating import Columns, repeated, table_of

KEYS = {"run_id": "0" * 32, "model_id": "m", "model_version": "1", "window_start": 0, "window_end": 1}


def part(rng: np.random.Generator, metric: str, size: int) -> Columns:
    """Rows of different groups in no order; some names are more than one byte a letter."""
    names = np.array(["b", "a", "é", "z x y", "Z", "ab", "日本", *(f"g{i}" for i in range(500))], dtype=object)
    return {
        "operating_point": repeated("point", size),
        "attribute": ["race"] * size,
        "group_value": rng.permutation(names)[:size],
        "metric": repeated(metric, size),
        "numerator": pa.array(np.arange(size), mask=np.arange(size) % 3 == 0),
        "value": np.where(np.arange(size) % 4 == 0, np.nan, np.where(np.arange(size) % 5 == 0, np.inf, 0.5)),
        "status": np.full(size, "defined", dtype=object),
    }


@pytest.mark.parametrize("largest_code", [1 << 62, 8])
def test_rows_stand_as_arrow_sorts_them(largest_code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabulating, "_LARGEST_CODE", largest_code)
    rng = np.random.default_rng(2)
    table = table_of("group_metrics", [part(rng, metric, size) for metric, size in (("b", 300), ("a", 40))], KEYS)
    assert table.schema == TABLES["group_metrics"].arrow_schema
    assert table.num_rows == 340
    order = [(column, "ascending") for column in TABLES["group_metrics"].key if column not in KEYS]
    assert table.equals(table.sort_by(order))
    assert table["value"].null_count == 0 + sum(i % 4 == 0 or i % 5 == 0 for size in (300, 40) for i in range(size))
    assert table["numerator"].null_count == sum(i % 3 == 0 for size in (300, 40) for i in range(size))


def test_whole_numbers_are_keys_too() -> None:
    bucket = np.array([3, -1, 10, 2], dtype=np.int32)
    columns: Columns = {
        "grouping_set": repeated("race", 4), "grid_id": repeated("g", 4), "cell_id": np.array([0, 0, 0, 0]),
        "bucket": bucket, "events": bucket.astype(np.int64), "non_events": np.zeros(4, dtype=np.int64),
    }  # fmt: skip
    assert table_of("score_histograms", [columns], KEYS)["bucket"].to_pylist() == [-1, 2, 3, 10]


def test_no_parts_and_empty_parts_give_a_table_without_rows() -> None:
    several: list[list[Columns]] = [[], [{}], [{"operating_point": [], "value": np.zeros(0)}]]
    for parts in several:
        assert table_of("group_metrics", parts, KEYS).num_rows == 0
