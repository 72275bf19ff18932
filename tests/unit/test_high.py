from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsweep.core.inference.over_allocation import notes, shortfall


@pytest.mark.parametrize(
    ("ci_low", "below_floor", "expected"),
    [
        ([1.3, 0.9], [False, False], ["high_acceptable", None]),
        ([1.3, 0.5], [False, True], ["high_while_others_low", None]),
        ([1.3, 1.4, 0.5], [False, False, True], ["high_while_others_low", "high_while_others_low", None]),
        # The interval must lie wholly above 1/.8, which is 1.25.
        ([1.25, 1.2500001], [False, False], [None, "high_acceptable"]),
        ([1.3, math.nan], [False, None], ["high_acceptable", None]),
        ([math.nan, math.nan], [None, True], [None, None]),
        ([1.3], [False], ["high_acceptable"]),
        ([], [], []),
    ],
)
def test_note_says_whether_another_group_is_short(
    ci_low: list[float], below_floor: list[bool | None], expected: list[str | None]
) -> None:
    assert notes(ci_low, np.array(below_floor, dtype=object), 0.8).tolist() == expected


def test_a_group_is_no_other_to_itself() -> None:
    assert notes([1.3, 1.0], [True, False], 0.8).tolist() == ["high_acceptable", None]


def test_ceiling_is_the_reciprocal_of_the_floor_as_written() -> None:
    # 1/.7 as doubles is the same figure as the exact reciprocal rounded; at .9 the limit is 10/9.
    assert notes([math.nextafter(10 / 9, 2), 10 / 9], [False, False], 0.9).tolist() == ["high_acceptable", None]


def test_shortfall_is_in_whole_people_and_exact_on_the_floor() -> None:
    # 80 flags for 100 events stand on the floor, though .8 x 100 - 80 need not be 0 in doubles.
    found = shortfall([30, 30, 30, 0, 0, 5], [50, 49, 90, 0, 9, 0], [70, 70, 70, 1, 0, 2], 0.8)
    assert found.tolist() == [0, 1, 0, 1, 0, 1]
    assert shortfall(0, 0, 10**9, 0.1).tolist() == 10**8
    assert shortfall([7], [0], [0], 1.0).tolist() == [0]


def test_shortfall_on_the_relative_basis_is_measured_by_the_populations_value() -> None:
    # The population has 8 flags per event: 100 events should have .8 x 8 x 100 = 640.
    assert shortfall([90], [500], [10], 0.8, (8_000, 1_000)).tolist() == [50]


@given(tp=st.integers(0, 10**9), fp=st.integers(0, 10**9), fn=st.integers(0, 10**9), cents=st.integers(1, 100))
def test_so_many_flags_more_and_no_fewer_reach_the_floor(tp: int, fp: int, fn: int, cents: int) -> None:
    floor = Fraction(cents, 100)
    short = int(shortfall(tp, fp, fn, cents / 100))
    assert short >= 0
    assert tp + fp + short >= floor * (tp + fn)
    if short:
        assert tp + fp + short - 1 < floor * (tp + fn)
