"""Cutoff grids: the points at which a score may be turned into a flag."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Comparison = Literal["double", "float"]


@dataclass(frozen=True, eq=False)
class CutoffGrid:
    """Strictly increasing finite cutoffs; flagged means `score >= cutoff`.

    Attributes:
        values: the cutoffs as doubles; for FLOAT scores each is a double that a FLOAT can hold.
        comparison: `float` when the scores are FLOAT, otherwise `double`. A FLOAT score is compared with cutoffs
            rounded to FLOAT, because `float(.29) >= .29` is false.
    """

    values: NDArray[np.float64]
    comparison: Comparison = "double"

    def __post_init__(self) -> None:
        """Check what every user of a grid relies on."""
        values = np.asarray(self.values, dtype=np.float64)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or not (np.diff(values) > 0).all():
            raise ValueError("cutoffs must be finite and strictly increasing, and at least one")
        # -0.0 equals 0.0 in every comparison; one spelling of it keeps the fingerprint of equal grids equal.
        object.__setattr__(self, "values", values + 0.0)

    @classmethod
    def evenly(cls, start: str, stop: str, count: int) -> CutoffGrid:
        """Cutoff k is the double nearest to `start + k * (stop - start) / (count - 1)`, computed exactly.

        Args:
            start: the first cutoff, as a decimal.
            stop: the last cutoff, as a decimal.
            count: how many cutoffs; 1 gives `start` alone.
        """
        first, last = Fraction(Decimal(start)), Fraction(Decimal(stop))
        steps = max(count - 1, 1)
        return cls(np.array([float(first + k * (last - first) / steps) for k in range(count)]))

    def joined(self, cutoffs: Iterable[float]) -> CutoffGrid:
        """The grid with further cutoffs, sorted; cutoffs already on it change nothing."""
        return CutoffGrid(np.union1d(self.values, np.fromiter(cutoffs, dtype=np.float64)), self.comparison)

    def as_float(self) -> CutoffGrid:
        """The grid that FLOAT scores are compared with.

        Raises:
            ValueError: when two cutoffs round to the same FLOAT.
        """
        with np.errstate(over="ignore"):
            rounded = self.values.astype(np.float32).astype(np.float64)
        if not np.isfinite(rounded).all() or not (np.diff(rounded) > 0).all():
            raise ValueError("two cutoffs round to the same FLOAT, or one is beyond its range")
        return CutoffGrid(rounded, "float")

    @property
    def id(self) -> str:
        """A fingerprint of the cutoffs and of the type of comparison: histograms merge only where it is equal."""
        digest = hashlib.sha256(f"{self.comparison}:".encode() + self.values.astype("<f8").tobytes())
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        """The number of cutoffs."""
        return len(self.values)

    def bucket(self, scores: ArrayLike) -> NDArray[np.int32]:
        """The number of cutoffs that each score reaches, 0 to `len(self)`; exact for every double.

        Args:
            scores: finite scores, any shape.
        """
        return np.searchsorted(self.values, np.asarray(scores, dtype=np.float64), side="right").astype(np.int32)

    def index_of(self, cutoff: float) -> int | None:
        """The index of a cutoff on the grid, or None if it lies between two."""
        with np.errstate(over="ignore"):
            value = float(np.float32(cutoff)) if self.comparison == "float" else float(cutoff)
        index = int(np.searchsorted(self.values, value))
        return index if index < len(self.values) and self.values[index] == value else None

    def neighbours(self, cutoff: float) -> tuple[float | None, float | None]:
        """The nearest cutoffs strictly below and strictly above, or None beyond an end."""
        below = int(np.searchsorted(self.values, cutoff, side="left")) - 1
        above = int(np.searchsorted(self.values, cutoff, side="right"))
        return (
            float(self.values[below]) if below >= 0 else None,
            float(self.values[above]) if above < len(self.values) else None,
        )
