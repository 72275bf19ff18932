"""Members as numbers and cells as single texts: alike just where what they stand for is alike."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsweep.engines.arrow.member_keys import LONGEST_TEXT, joined, numbers, parts_of, taken_apart

QUICK = settings(max_examples=60, deadline=None)
TEXT = st.text(max_size=12) | st.text(alphabet="a\0é", max_size=LONGEST_TEXT + 3) | st.just("x" * 200)


def together(texts: list[str]) -> list[tuple[int, ...]]:
    """The numbers of each text, zeros at the end left out, as other rows may need more."""
    found = np.stack(numbers(pa.array(texts, pa.string())), axis=1).tolist()
    return [tuple(row[: max((i + 1 for i, number in enumerate(row) if number), default=0)]) for row in found]


@QUICK
@given(here=st.lists(TEXT, min_size=1, max_size=12), there=st.lists(TEXT, min_size=1, max_size=12))
def test_texts_have_the_same_numbers_just_where_they_are_the_same(here: list[str], there: list[str]) -> None:
    told = dict(zip(here + there, together(here) + together(there), strict=True))
    assert together(here) == [told[text] for text in here]
    assert together(there) == [told[text] for text in there]
    assert len(set(told.values())) == len(told)


@QUICK
@given(st.lists(TEXT, min_size=3, max_size=12), st.integers(1, 9))
def test_a_members_rows_are_in_one_part_however_many_numbers_others_need(texts: list[str], parts: int) -> None:
    whole = parts_of(numbers(pa.array(texts)), parts).tolist()
    alone = [int(parts_of(numbers(pa.array([text])), parts)[0]) for text in texts]
    assert whole == alone
    assert set(whole) <= set(range(parts))


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint64()])
def test_whole_numbers_stand_for_themselves(kind: pa.DataType) -> None:
    (found,) = numbers(pa.array([7, None, 0, 7], kind))
    assert found.dtype == np.int64
    assert found[[0, 2, 3]].tolist() == [7, 0, 7]


def test_a_part_of_an_array_is_read_from_where_it_begins() -> None:
    texts = pa.array(["first", "second", None, "second", "third"])
    (found,) = numbers(texts.slice(1, 3))
    assert found[0] == found[2] != found[1]


@QUICK
@given(st.integers(1, 3).flatmap(lambda n: st.lists(st.lists(st.text("|\\ep a", max_size=5), min_size=n, max_size=n))))
def test_cells_are_taken_apart_into_the_texts_that_were_joined(cells: list[list[str]]) -> None:
    if not cells:
        return
    columns = [pa.array(column, pa.string()) for column in zip(*cells, strict=True)]
    names = joined(columns)
    assert [column.to_pylist() for column in taken_apart(names, len(columns))] == [c.to_pylist() for c in columns]
    assert len(set(names.to_pylist())) == len({tuple(cell) for cell in cells})
