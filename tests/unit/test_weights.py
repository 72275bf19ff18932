from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairsweep.core.inference.weights import (
    MEASURES,
    MILLION,
    MILLIONTHS_SQUARED,
    SQUARE,
    WeightSums,
    effective_number,
    fixed,
    gbe_variance,
    squares,
)
from fairsweep.core.metrics import METRICS

BUCKETS = 5
QUICK = settings(max_examples=50, deadline=None)
Row = tuple[float, int, bool]
WEIGHT = st.integers(1, 50).map(float) | st.floats(0.001, 1_000).map(lambda w: round(w, 6))
ROWS = st.lists(st.tuples(WEIGHT, st.integers(0, BUCKETS - 1), st.booleans()), max_size=30)


def summed(rows: list[Row]) -> dict[str, NDArray[np.int64]]:
    """Measures of one group by bucket, `[1, buckets]`."""
    found: dict[str, NDArray[np.int64]] = {name: np.zeros((1, BUCKETS), dtype=np.int64) for name in MEASURES}
    for weight, bucket, event in rows:
        whole = fixed([weight])
        found["weight_events" if event else "weight_non_events"][0, bucket] += whole[0]
        found["weight_squares_events" if event else "weight_squares_non_events"][0, bucket] += squares(whole)[0]
    return found


@pytest.mark.parametrize(
    ("weight", "millionths", "square"),
    [(1, 1_000_000, 10_000), (0.000001, 1, 1), (0.0000015, 2, 1), (0.0000025, 2, 1), (0.01, 10_000, 1),
     (0.011, 11_000, 2), (3.25, 3_250_000, 105_625), (1_000_000, 10**12, 10**16), (0, 0, 0)],
)  # fmt: skip
def test_weights_are_rounded_to_millionths_and_squares_up_to_ten_thousandths(
    weight: float, millionths: int, square: int
) -> None:
    assert fixed(weight).tolist() == millionths
    assert squares(fixed(weight)).tolist() == square


@given(millionths=st.integers(0, 10**12))
def test_squares_are_the_exact_ones_rounded_up(millionths: int) -> None:
    exact = Fraction(millionths, MILLION) ** 2 * SQUARE
    assert int(squares(np.array(millionths))) == math.ceil(exact)
    assert MILLIONTHS_SQUARED * SQUARE == MILLION**2


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf, 1_000_000.1])
def test_weight_out_of_range_says_what_is_allowed(weight: float) -> None:
    with pytest.raises(ValueError, match="weights must be from 0 to 1,000,000"):
        fixed([1.0, weight])


def test_sums_that_do_not_fit_are_told_before_they_wrap_around() -> None:
    most = fixed(np.full(923, 1e6))
    with pytest.raises(OverflowError, match="the sum of the squares of weights does not fit into 64 bits; divide all"):
        squares(most)
    assert int(squares(most[:922]).sum()) == 922 * 10**16
    nothing = {name: np.zeros((1, 3), dtype=np.int64) for name in MEASURES}
    for column in ([[2**62, 2**62, 0]], [[-5, 0, 0]]):
        for name in MEASURES:
            with pytest.raises(OverflowError, match="sum of the"):
                WeightSums.of(nothing | {name: np.array(column)})
    with pytest.raises(OverflowError, match="sum of the weights"):
        fixed(np.full(9_300_000, 1e6))


def test_national_surveys_and_short_exposures_fit() -> None:
    survey = fixed(np.full(10_000, 33_000.0))
    assert float(effective_number(survey.sum(), squares(survey).sum())) == pytest.approx(10_000)
    days = fixed(np.random.default_rng(2).integers(1, 366, 5_000) / 365)
    exact = (days.sum() / MILLION) ** 2 / ((days / MILLION) ** 2).sum()
    assert float(effective_number(days.sum(), squares(days).sum())) == pytest.approx(exact, rel=1e-3)


def test_effective_number_of_kish() -> None:
    whole = fixed([1, 2, 3])
    assert float(effective_number(whole.sum(), squares(whole).sum())) == pytest.approx(36 / 14)
    assert float(effective_number(*(f(fixed([0.5] * 8)).sum() for f in (np.asarray, squares)))) == 8
    assert np.isnan(effective_number(0, 0))


@QUICK
@given(rows=ROWS)
def test_weighted_metrics_equal_a_loop_over_rows(rows: list[Row]) -> None:
    sums = WeightSums.of(summed(rows))
    for cutoff in range(BUCKETS - 1):
        cells = {"tp": 0.0, "fp": 0.0, "fn": 0.0, "tn": 0.0}
        squared = dict.fromkeys(cells, 0.0)
        for weight, bucket, event in rows:
            name = ("t" if (bucket > cutoff) == event else "f") + ("p" if bucket > cutoff else "n")
            cells[name] += weight
            squared[name] += weight**2
        here = sums[0, cutoff]
        for name, array in (
            ("tp", here.weights.tp),
            ("fp", here.weights.fp),
            ("fn", here.weights.fn),
            ("tn", here.weights.tn),
        ):
            assert float(array) / MILLION == pytest.approx(cells[name], rel=1e-9)
        for metric in METRICS:
            above, below = (
                sum(form._asdict()[name] * cells[name] for name in cells)
                for form in (metric.numerator, metric.denominator)
            )
            expected = above / below if below else math.nan
            assert float(metric.evaluate(here.weights)[0]) == pytest.approx(expected, rel=1e-9, nan_ok=True)
        flagged, events = cells["tp"] + cells["fp"], cells["tp"] + cells["fn"]
        direct = math.nan
        if events:
            theta = flagged / events
            direct = (
                sum((weight * ((bucket > cutoff) - theta * event)) ** 2 for weight, bucket, event in rows) / events**2
            )
        # Squares are rounded up by less than a ten-thousandth a row.
        slack = len(rows) / SQUARE * (1 + flagged / max(events, 1e-9)) ** 2 / max(events, 1e-9) ** 2
        assert float(gbe_variance(here)) == pytest.approx(direct, rel=1e-9, abs=slack, nan_ok=True)


def test_the_rest_and_an_index_are_those_of_each_array() -> None:
    rows = [(2.0, 3, True), (0.5, 0, True), (4.0, 2, False), (1.5, 4, False)]
    everybody, part = WeightSums.of(summed(rows)), WeightSums.of(summed(rows[:2]))
    rest, expected = everybody - part, WeightSums.of(summed(rows[2:]))
    for found, array in zip(
        (*rest.weights.arrays, *rest.squares.arrays), (*expected.weights.arrays, *expected.squares.arrays), strict=True
    ):
        assert np.array_equal(found, array)
    assert everybody[:, [1, 3]].weights.tp.tolist() == [[2_000_000, 0]]
    assert everybody[:, [1, 3]].squares.fp.tolist() == [[182_500, 22_500]]
