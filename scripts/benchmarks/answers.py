"""The answers of every contestant: the confusion counts of each group at its cutoffs, compared row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COUNTS = ("tp", "fp", "fn", "tn")
Cell = tuple[str, ...]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answer:
    """Confusion counts of cells at cutoffs.

    Attributes:
        attributes: the attributes of a cell; empty for the overall population.
        cells: the cells, in any order, each once.
        cutoffs: flagged means `score >= cutoff`.
        counts: tp, fp, fn, tn, `[cells, cutoffs, 4]`.
    """

    attributes: tuple[str, ...]
    cells: tuple[Cell, ...]
    cutoffs: NDArray[np.float64]
    counts: IntArray

    @classmethod
    def of_flagged(
        cls,
        attributes: tuple[str, ...],
        cells: Sequence[Cell],
        cutoffs: NDArray[np.float64],
        flagged: tuple[IntArray, IntArray],
        totals: tuple[IntArray, IntArray],
    ) -> Answer:
        """From flagged events and non-events, `[cells, cutoffs]`, and all events and non-events, `[cells]`."""
        tp, fp = flagged
        fn, tn = totals[0][:, np.newaxis] - tp, totals[1][:, np.newaxis] - fp
        return cls(attributes, tuple(cells), cutoffs, np.stack([tp, fp, fn, tn], axis=2))

    def by(self, attributes: tuple[str, ...], cutoffs: NDArray[np.float64]) -> Answer:
        """The answer for coarser cells, sorted, at some of the cutoffs."""
        places = [self.attributes.index(name) for name in attributes]
        coarse = [tuple(cell[i] for i in places) for cell in self.cells]
        found = tuple(sorted(set(coarse)))
        place = {cell: i for i, cell in enumerate(found)}
        kept = self.counts[:, np.searchsorted(self.cutoffs, cutoffs)]
        total = np.zeros((len(found), *kept.shape[1:]), dtype=np.int64)
        np.add.at(total, [place[cell] for cell in coarse], kept)
        return Answer(attributes, found, cutoffs, total)


def difference(ours: Sequence[Answer], theirs: Sequence[Answer]) -> str | None:
    """The first difference in words, or None where all that both know is equal.

    Each answer of theirs has to be comparable with one of ours: one's attributes are all among the other's, and
    some cutoffs are common.
    """
    for answer in theirs:
        pairs = [(own, common) for own in ours if (common := _common(own, answer)) is not None]
        if not pairs:
            return f"nothing of ours compares with counts by {answer.attributes}"
        for own, common in pairs:
            cutoffs = np.intersect1d(own.cutoffs, answer.cutoffs)
            if not len(cutoffs):
                return f"no cutoff is common to both counts by {common}"
            found = _first(own.by(common, cutoffs), answer.by(common, cutoffs))
            if found is not None:
                return found
    return None


def _common(a: Answer, b: Answer) -> tuple[str, ...] | None:
    for one, other in ((a, b), (b, a)):
        if set(one.attributes) <= set(other.attributes):
            return one.attributes
    return None


def _first(ours: Answer, theirs: Answer) -> str | None:
    if ours.cells != theirs.cells:
        cell = min(set(ours.cells) ^ set(theirs.cells))
        return (
            f"{dict(zip(ours.attributes, cell, strict=True))} is only in {'ours' if cell in ours.cells else 'theirs'}"
        )
    different = np.argwhere(ours.counts != theirs.counts)
    if not len(different):
        return None
    cell_place, cutoff_place, _ = different[0]
    where = dict(zip(ours.attributes, ours.cells[cell_place], strict=True))
    shown = [
        ", ".join(f"{name} {n:,}" for name, n in zip(COUNTS, side.counts[cell_place, cutoff_place], strict=True))
        for side in (ours, theirs)
    ]
    return f"{where} at cutoff {ours.cutoffs[cutoff_place]!r}: ours {shown[0]}; theirs {shown[1]}"
