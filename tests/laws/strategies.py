"""Random grids, scores, populations and conditions, with the cases that break naive code kept likely."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import nextafter
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.histogram import UNSCORED_BUCKET, Cell, ScoreHistogram
from fairsweep.input.expressions import (
    AllOf,
    AnyOf,
    AsDate,
    AsNumber,
    AsText,
    Case,
    Compare,
    Constant,
    Expression,
    Field,
    IsIn,
    IsNaN,
    IsNull,
    LongerThan,
    Malformed,
    Not,
)

ATTRIBUTES = ("race", "sex")
GROUPS = ("A", "B", "unknown")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ORDINARY = st.floats(-1e6, 1e6, width=32)


class Person(NamedTuple):
    """One row after intake: its cell, its score (None where unscored), and whether it had the event."""

    cell: Cell
    score: float | None
    event: bool


def _grid(values: Sequence[float]) -> CutoffGrid:
    return CutoffGrid(np.unique(np.array(values, dtype=np.float64) + 0.0))


@st.composite
def crowded_grids(draw: DrawFn) -> CutoffGrid:
    """Neighbouring doubles, beside one that is far away."""
    first = draw(st.floats(-1e9, 1e9))
    values = [first]
    for _ in range(draw(st.integers(1, 40))):
        values.append(nextafter(values[-1], np.inf))
    return _grid([*values, draw(st.floats(-1e300, 1e300))])


EVEN_GRIDS = st.sampled_from(
    [
        CutoffGrid.evenly("0", "1", 10_001),
        CutoffGrid.evenly("0", "1", 101),
        CutoffGrid.evenly("1", "10", 10),
        CutoffGrid.evenly("-0.3", "0.7", 11),
    ]
)
SINGLE_GRIDS = FINITE.map(lambda value: _grid([value]))
RANDOM_GRIDS = st.lists(FINITE, min_size=1, max_size=30).map(_grid)
GRIDS = st.one_of(EVEN_GRIDS, SINGLE_GRIDS, RANDOM_GRIDS, crowded_grids())
FLOAT_GRIDS = st.one_of(EVEN_GRIDS, st.lists(ORDINARY, min_size=1, max_size=30).map(_grid)).map(CutoffGrid.as_float)


def scores(grid: CutoffGrid) -> SearchStrategy[float]:
    """Scores on a cutoff, right beside one, and anywhere."""
    on = st.sampled_from(list(map(float, grid.values[:: max(1, len(grid) // 50)])))
    beside = st.tuples(on, st.sampled_from([-np.inf, np.inf])).map(lambda pair: nextafter(*pair))
    anywhere = st.one_of(FINITE, st.floats(0, 1), st.integers(-(2**60), 2**60).map(float))
    edges = st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308])
    return st.one_of(on, beside, anywhere, edges).filter(lambda score: abs(score) != np.inf)


def people(grid: CutoffGrid, size: int = 30) -> SearchStrategy[list[Person]]:
    """Rows of two attributes; some are unscored."""
    cell = st.tuples(st.sampled_from(GROUPS), st.sampled_from(GROUPS))
    return st.lists(st.builds(Person, cell, st.none() | scores(grid), st.booleans()), max_size=size)


def histogram(grid: CutoffGrid, rows: Sequence[Person]) -> ScoreHistogram:
    """What a scan of the rows keeps."""
    cells = [person.cell for person in rows]
    buckets = [UNSCORED_BUCKET if p.score is None else int(grid.bucket(p.score)) for p in rows]
    events = np.array([p.event for p in rows], dtype=np.int64)
    return ScoreHistogram.merged(
        grid, ATTRIBUTES, cells, np.arange(len(rows)), np.array(buckets, dtype=np.int64), events, 1 - events
    )


def confusion(smallest: int = 0, size: int = 3) -> SearchStrategy[ConfusionCounts]:
    """Counts of a few groups."""
    one = st.lists(st.integers(smallest, 60), min_size=size, max_size=size)
    return st.tuples(*[one] * 6).map(lambda arrays: ConfusionCounts.of(*arrays))


# Conditions. The columns that they are about stand in `test_expressions`: each has a place here by its type.
TEXTS, NUMBERS, DATES, BOOLEANS, WHOLE = Field(0), Field(1), Field(2), Field(3), Field(4)
FLOATS, DECIMALS, TIMES, LABELS = Field(5), Field(6), Field(7), Field(8)
_AS_TEXT = st.builds(AsText, st.sampled_from([TEXTS, LABELS, BOOLEANS, WHOLE, DATES]))
_AS_NUMBER = st.builds(AsNumber, st.sampled_from([TEXTS, LABELS, NUMBERS, BOOLEANS, WHOLE, FLOATS, DECIMALS]))
_AS_DATE = st.builds(AsDate, st.sampled_from([TEXTS, DATES, TIMES]))
_BOUNDS = st.sampled_from([0.0, 1.0, 0.5, 0.29, 7.0, 1e5, -1.0, float("inf"), float("-inf")])
_DAYS = st.dates(date(2025, 12, 30), date(2026, 2, 2))
_WORDS = st.sampled_from(
    ["a", "A", "é", "yes", "1", "1.0", "true", "false", "2026-01-01", "7", "NULL", "it's", "\\", "`"]
)
_OPERATORS = st.sampled_from(["<", "<=", ">", ">=", "="])
_LEAVES = st.one_of(
    st.builds(Malformed),
    st.builds(IsNull, st.one_of(_AS_TEXT, _AS_NUMBER, _AS_DATE)),
    st.builds(IsNaN, _AS_NUMBER),
    st.builds(IsIn, _AS_TEXT, st.lists(_WORDS, min_size=1, max_size=4).map(tuple)),
    st.builds(IsIn, _AS_NUMBER, st.lists(_BOUNDS, min_size=1, max_size=4).map(tuple)),
    st.builds(LongerThan, st.builds(AsText, st.sampled_from([TEXTS, LABELS])), st.integers(0, 8)),
    st.builds(Compare, _AS_NUMBER, _OPERATORS, _BOUNDS),
    st.builds(Compare, _AS_DATE, _OPERATORS, _DAYS),
)


def _compound(inner: SearchStrategy[Expression]) -> SearchStrategy[Expression]:
    several = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(AllOf, several), st.builds(AnyOf, several))


CONDITIONS: SearchStrategy[Expression] = st.recursive(_LEAVES, _compound, max_leaves=6)
_RESULTS = st.one_of(st.builds(Constant, _WORDS), _AS_TEXT)
_BRANCHES = st.lists(st.tuples(CONDITIONS, _RESULTS), min_size=1, max_size=3).map(tuple)
CASES: SearchStrategy[Expression] = st.builds(Case, _BRANCHES, _RESULTS)
