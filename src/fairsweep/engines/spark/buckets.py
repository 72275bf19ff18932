"""The bucket of a score as a Column: exact for every double, on any grid.

A cheap guess `g(s) = floor((s - first) * factor)`, clipped to the table, is monotone in s, because each of its
floating-point steps is. So a cutoff with a smaller guess than the score's is below it, one with a greater guess is
above it, and only cutoffs with the same guess need comparing. `low[g]` counts the smaller ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyspark.sql.functions as F

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import Column

    from fairsweep.core.cutoffs import CutoffGrid

MOST_COMPARISONS = 8
LARGEST_TABLE = 1 << 16


def bucket(score: Column, grid: CutoffGrid) -> Column:
    """The number of cutoffs `<= score`, 0 to `len(grid)`.

    Args:
        score: a finite DOUBLE; callers keep NULL, NaN and infinity away.
        grid: the cutoffs.
    """
    cutoffs = grid.values
    first, factor, size, guesses = _guess_table(cutoffs)
    low = np.searchsorted(guesses, np.arange(size), side="left")
    same = int(np.bincount(guesses).max())
    position = F.least(F.greatest((score - F.lit(first)) * F.lit(factor), F.lit(0.0)), F.lit(float(size - 1)))
    start = F.get(_array(low, "int"), position.cast("int"))
    ends = _array(np.append(cutoffs, np.inf), "double")

    def reached(index: Column) -> Column:
        return F.coalesce(F.get(ends, index) <= score, F.lit(False))

    if same <= MOST_COMPARISONS:
        return sum((reached(start + j).cast("int") for j in range(same)), start)
    return _binary_search(start, reached, same)


def _guess_table(cutoffs: NDArray[np.float64]) -> tuple[float, float, int, NDArray[np.int64]]:
    """The guess of each cutoff in the smallest table that tells most of them apart."""
    first, last = float(cutoffs[0]), float(cutoffs[-1])
    size = max(len(cutoffs), 2)
    while True:
        with np.errstate(over="ignore"):
            factor = float((size - 1) / (np.float64(last) - first)) if last > first else 1.0
        if not (np.isfinite(factor) and factor > 0):
            # The cutoffs span more, or less, than a double can divide by: no guess, only comparisons.
            return first, 0.0, 1, np.zeros(len(cutoffs), dtype=np.int64)
        guesses = np.minimum(np.maximum((cutoffs - first) * factor, 0.0), size - 1.0).astype(np.int64)
        if np.bincount(guesses).max() <= 2 or size >= LARGEST_TABLE:
            return first, factor, size, guesses
        size = min(size * 2, LARGEST_TABLE)


def _array(values: NDArray[np.generic], kind: str) -> Column:
    """A constant array; as one text, because thousands of literals take seconds to send."""
    text = ",".join(repr(value.item()) for value in values).replace("inf", "Infinity")
    return F.split(F.lit(text), ",").cast(f"array<{kind}>")


def _binary_search(start: Column, reached: Callable[[Column], Column], same: int) -> Column:
    """Compare with the middle of what is left; for grids whose cutoffs crowd together."""

    def advance(width: int) -> Callable[[Column], Column]:
        return lambda at: F.when(reached(at + (width - 1)), at + width).otherwise(at)

    found = start
    width = 1 << (same.bit_length() - 1)
    while width:
        # A lambda over an array of one element names the intermediate; spelled out, each step would double the text.
        found = F.get(F.transform(F.array(found), advance(width)), F.lit(0))
        width //= 2
    return found
