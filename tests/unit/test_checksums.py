"""Checksums: what they ignore, and that they see every change."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsweep.tables.checksums import Checksum, checksum

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
            "x": st.none() | st.floats(),
            "text": st.none() | st.text(),
            "yes": st.none() | st.booleans(),
            "day": st.none() | st.dates(),
            "names": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=4),
        }
    ),
    max_size=20,
)
SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("x", pa.float64()),
        ("text", pa.string()),
        ("yes", pa.bool_()),
        ("day", pa.date32()),
        ("names", pa.list_(pa.string())),
    ]
)


def of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@given(ROWS, st.randoms(), st.integers(1, 7))
def test_order_of_rows_and_columns_chunks_and_encoding_do_not_matter(
    rows: list[dict[str, Any]], random: Any, size: int
) -> None:
    expected = checksum(of(rows))
    assert expected.rows == len(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    table = of(shuffled)
    chunked = pa.Table.from_batches(table.to_batches(max_chunksize=size), schema=SCHEMA)
    recoded = table.set_column(2, "text", table.column("text").dictionary_encode())
    large = table.cast(SCHEMA.set(2, pa.field("text", pa.large_string())))
    for same in (table, chunked, recoded, large, table.select(list(reversed(SCHEMA.names))), table[:0]):
        assert checksum(same) == (expected if same.num_rows or not rows else Checksum(0, "0" * 16))


ROW: dict[str, Any] = {
    "n": 1, "x": 0.5, "text": "a", "yes": True, "day": date(2026, 1, 1), "names": ["a", "b"]
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("n", [None, 0, -1, 2, 2**63 - 1]),
        ("x", [None, 0.0, float("nan"), float("inf"), float("-inf"), np.nextafter(0.5, 1), -0.5]),
        ("text", [None, "", "b", "A", "aa", "a "]),
        ("yes", [None, False]),
        ("day", [None, date(1970, 1, 1), date(9999, 12, 31)]),
        ("names", [None, [], [None], ["a"], ["b", "a"], ["ab"], ["a", "b", ""], ["a", "b", None]]),
    ],
)
def test_every_other_value_in_a_row_changes_the_checksum(column: str, values: list[Any]) -> None:
    seen = [checksum(of([ROW | {column: value}])).digest for value in (ROW[column], *values)]
    assert len(set(seen)) == len(seen)


def test_values_moved_between_rows_or_columns_change_the_checksum() -> None:
    rows = [ROW, ROW | {"n": 2, "text": "b"}]
    swapped = [ROW | {"text": "b"}, ROW | {"n": 2}]
    assert checksum(of(rows)) != checksum(of(swapped))
    table = pa.table({"a": [1, 2], "b": [3, 4]})
    assert checksum(table) != checksum(table.rename_columns(["b", "a"]))
    assert checksum(of([ROW, ROW])) != checksum(of([ROW]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([1, None], pa.int32()), pa.array([1, None], pa.int64())),
        (pa.array([0.25, None], pa.float32()), pa.array([0.25, None], pa.float64())),
        (pa.array([0.0]), pa.array([-0.0])),
        (pa.array([np.float64("nan")]), pa.array(np.array([0x7FF8DEADBEEF0001], np.uint64).view(np.float64))),
        (pa.array([1_000], pa.timestamp("ms", "UTC")), pa.array([1_000_000], pa.timestamp("us", "UTC"))),
    ],
)
def test_equal_values_of_other_types_are_equal(one: pa.Array, other: pa.Array) -> None:
    assert checksum(pa.table({"v": one})) == checksum(pa.table({"v": other}))


def test_the_checksum_is_the_same_in_every_version() -> None:
    # Stored in `runs`: a change of the algorithm would call every earlier run damaged.
    assert checksum(of([ROW, dict.fromkeys(ROW)])) == Checksum(2, "7bbfd7dae73c866c")


def test_a_type_without_a_checksum_is_refused() -> None:
    with pytest.raises(TypeError, match="struct"):
        checksum(pa.table({"v": pa.array([{"a": 1}])}))


def test_a_million_rows_take_seconds_at_most() -> None:
    random = np.random.default_rng(1)
    columns: dict[str, Callable[[], pa.Array]] = {
        "x": lambda: pa.array(random.random(1_000_000)),
        "n": lambda: pa.array(random.integers(0, 99, 1_000_000)),
        "text": lambda: pa.array(random.choice(["a", "bb"], 1_000_000)),
    }
    table = pa.table({f"{name}{i}": make() for name, make in columns.items() for i in range(4)})
    began = time.process_time()
    assert checksum(table).rows == 1_000_000
    assert time.process_time() - began < 5
