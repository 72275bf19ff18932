"""How a bucket is found fast and exactly: a monotone guess narrows a score to a few neighbouring cutoffs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST_TABLE = 1 << 16
# If more cutoffs share a guess, a binary search is faster.
MOST_COMPARISONS = 8


@dataclass(frozen=True, eq=False)
class GuessTable:
    """A cheap guess of the position of a score among the cutoffs.

    The guess `g(s) = floor((s - first) * factor)`, clipped to the table, is monotone in s, because each of its
    floating-point steps is. So a cutoff with a smaller guess than the score's is below it, one with a greater guess
    is above it, and only cutoffs with the same guess need comparing.

    Attributes:
        first: the first cutoff.
        factor: steps of the table per unit of score; 0 if no table helps.
        low: int32, for each guess the number of cutoffs with a smaller one.
        same: the most cutoffs that share a guess.
    """

    first: float
    factor: float
    low: NDArray[np.int32]
    same: int

    @classmethod
    def of(cls, cutoffs: NDArray[np.float64]) -> GuessTable:
        """The smallest table that separates most of the cutoffs."""
        first, factor, size, guesses = _guesses(cutoffs)
        low = np.searchsorted(guesses, np.arange(size), side="left").astype(np.int32)
        return cls(first, factor, low, int(np.bincount(guesses).max()))


def _guesses(cutoffs: NDArray[np.float64]) -> tuple[float, float, int, NDArray[np.int64]]:
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
