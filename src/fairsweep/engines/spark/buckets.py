"""The bucket of a score as a Column: exact for every double, on any grid; see `core.buckets` for why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyspark.sql.functions as F

from fairsweep.core.buckets import MOST_COMPARISONS, GuessTable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import Column

    from fairsweep.core.cutoffs import CutoffGrid


def bucket(score: Column, grid: CutoffGrid) -> Column:
    """The number of cutoffs `<= score`, 0 to `len(grid)`.

    Args:
        score: a finite DOUBLE; callers keep NULL, NaN and infinity away.
        grid: the cutoffs.
    """
    cutoffs = grid.values
    table = GuessTable.of(cutoffs)
    last, same = float(len(table.low) - 1), table.same
    position = F.least(F.greatest((score - F.lit(table.first)) * F.lit(table.factor), F.lit(0.0)), F.lit(last))
    start = F.get(_array(table.low, "int"), position.cast("int"))
    ends = _array(np.append(cutoffs, np.inf), "double")

    def reached(index: Column) -> Column:
        return F.coalesce(F.get(ends, index) <= score, F.lit(False))

    if same <= MOST_COMPARISONS:
        return sum((reached(start + j).cast("int") for j in range(same)), start)
    return _binary_search(start, reached, same)


def _array(values: NDArray[np.generic], kind: str) -> Column:
    """A constant array; as one text, because thousands of literals take seconds to send."""
    text = ",".join(repr(value.item()) for value in values).replace("inf", "Infinity")
    return F.split(F.lit(text), ",").cast(f"array<{kind}>")


def _binary_search(start: Column, reached: Callable[[Column], Column], same: int) -> Column:
    """Binary search; for grids where many cutoffs are close together."""

    def advance(width: int) -> Callable[[Column], Column]:
        return lambda at: F.when(reached(at + (width - 1)), at + width).otherwise(at)

    found = start
    width = 1 << (same.bit_length() - 1)
    while width:
        # A lambda over an array of one element names the intermediate; spelled out, each step would double the text.
        found = F.get(F.transform(F.array(found), advance(width)), F.lit(0))
        width //= 2
    return found
