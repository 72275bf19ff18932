from __future__ import annotations

from fractions import Fraction
from math import nextafter

import numpy as np
import pytest

from fairsweep.core.cutoffs import CutoffGrid

TENTHS = CutoffGrid.evenly("0.1", "0.5", 5)


@pytest.mark.parametrize(
    "values",
    [[], [0.5, 0.5], [0.5, 0.4], [0.0, -0.0], [float("nan")], [0.1, float("inf")], [-float("inf"), 0.0], [[0.1, 0.2]]],
)
def test_cutoffs_that_do_not_strictly_increase_or_are_not_finite_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite and strictly increasing"):
        CutoffGrid(np.array(values))


@pytest.mark.parametrize(
    ("start", "stop", "count"), [("0", "1", 1001), ("0", "1", 10_001), ("1", "10", 10), ("-0.3", "0.7", 11)]
)
def test_even_cutoffs_are_the_doubles_nearest_to_the_decimals(start: str, stop: str, count: int) -> None:
    low, high = Fraction(start), Fraction(stop)
    exact = [low + k * (high - low) / (count - 1) for k in range(count)]
    assert CutoffGrid.evenly(start, stop, count).values.tolist() == [float(value) for value in exact]


def test_decimal_cutoffs_are_spelled_as_people_write_them() -> None:
    grid = CutoffGrid.evenly("0", "1", 1001)
    assert [grid.values[k] for k in (29, 71, 290, 573, 700)] == [0.029, 0.071, 0.29, 0.573, 0.7]
    assert CutoffGrid.evenly("0.3", "0.9", 1).values.tolist() == [0.3]


@pytest.mark.parametrize(
    ("score", "bucket"),
    [
        (-1e300, 0),
        (nextafter(0.1, 0), 0),
        (0.1, 1),
        (nextafter(0.1, 1), 1),
        (nextafter(0.3, 0), 2),
        (0.3, 3),
        (0.5, 5),
        (1e300, 5),
    ],
)
def test_a_bucket_counts_the_cutoffs_that_a_score_reaches(score: float, bucket: int) -> None:
    assert int(TENTHS.bucket(score)) == bucket


def test_negative_zero_reaches_a_cutoff_of_zero_and_is_the_same_cutoff() -> None:
    positive, negative = CutoffGrid(np.array([0.0, 0.5])), CutoffGrid(np.array([-0.0, 0.5]))
    assert positive.bucket([0.0, -0.0, -5e-324]).tolist() == [1, 1, 0]
    assert negative.id == positive.id
    assert np.signbit(negative.values).tolist() == [False, False]


def test_fixed_cutoffs_join_in_their_places_and_change_nothing_when_there() -> None:
    assert TENTHS.joined([0.25, 0.05, 0.3]).values.tolist() == [0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5]
    assert TENTHS.joined([0.3]).id == TENTHS.joined([]).id == TENTHS.id


def test_a_joined_grid_of_float_scores_stays_one_of_float_scores() -> None:
    assert TENTHS.as_float().joined([0.25]).comparison == "float"


def test_float_scores_are_compared_with_rounded_cutoffs() -> None:
    grid = CutoffGrid(np.array([0.29, 0.7]))
    scores = np.array([0.29, 0.7], dtype=np.float32)
    assert grid.as_float().bucket(scores).tolist() == [1, 2]
    assert grid.bucket(scores).tolist() == [0, 1]  # why rounding is needed: both decimals are above their FLOATs
    assert grid.as_float().id != grid.id


@pytest.mark.parametrize("values", [[0.1, nextafter(0.1, 1)], [0.1, 1e300], [-1e300, 0.1]])
def test_cutoffs_that_floats_cannot_tell_apart_or_hold_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="two cutoffs round to the same FLOAT, or one is beyond its range"):
        CutoffGrid(np.array(values)).as_float()


def test_equal_cutoffs_have_one_fingerprint_and_others_another() -> None:
    assert TENTHS.id == CutoffGrid(np.array([0.1, 0.2, 0.3, 0.4, 0.5])).id
    shifted = TENTHS.values.copy()
    shifted[2] = nextafter(0.3, 1)
    assert len({TENTHS.id, CutoffGrid(shifted).id, CutoffGrid(TENTHS.values[:4]).id, TENTHS.as_float().id}) == 4


@pytest.mark.parametrize(
    ("cutoff", "index", "neighbours"),
    [
        (0.1, 0, (None, 0.2)),
        (0.3, 2, (0.2, 0.4)),
        (0.5, 4, (0.4, None)),
        (0.25, None, (0.2, 0.3)),
        (nextafter(0.3, 0), None, (0.2, 0.3)),
        (0.0, None, (None, 0.1)),
        (0.9, None, (0.5, None)),
    ],
)
def test_a_cutoff_is_on_the_grid_or_has_two_neighbours(
    cutoff: float, index: int | None, neighbours: tuple[float | None, float | None]
) -> None:
    assert TENTHS.index_of(cutoff) == index
    assert TENTHS.neighbours(cutoff) == neighbours


def test_a_decimal_is_found_on_the_grid_of_float_scores() -> None:
    assert TENTHS.as_float().index_of(0.3) == 2
    assert TENTHS.as_float().index_of(1e300) is None
