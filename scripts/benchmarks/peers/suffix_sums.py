"""From the sparse suffix sums that SQL gives to counts at every cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.benchmarks.answers import Answer, Cell, IntArray


def answer(
    attributes: tuple[str, ...],
    cells: Sequence[Cell],
    bucket: IntArray,
    events: IntArray,
    non_events: IntArray,
    cutoffs: NDArray[np.float64],
) -> Answer:
    """Counts of every cell at every cutoff.

    Args:
        attributes: the attributes of a cell.
        cells: the cell of each row.
        bucket: the bucket of each row: how many cutoffs its scores reach.
        events: events in this and higher buckets of the cell.
        non_events: likewise.
        cutoffs: all the cutoffs.
    """
    found = sorted(set(cells))
    place = {cell: i for i, cell in enumerate(found)}
    rank = np.array([place[cell] for cell in cells])
    flagged = [_filled(rank, bucket, measure, (len(found), len(cutoffs) + 1)) for measure in (events, non_events)]
    return Answer.of_flagged(
        attributes, found, cutoffs, (flagged[0][:, 1:], flagged[1][:, 1:]), (flagged[0][:, 0], flagged[1][:, 0])
    )


def _filled(rank: IntArray, bucket: IntArray, sums: IntArray, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Sums from each bucket upwards; a bucket without rows has that of the next one that has some."""
    sparse: NDArray[Any] = np.zeros(shape, dtype=np.int64)
    sparse[rank, bucket] = sums
    # Suffix sums never grow with the bucket, so the next known one is the largest from here on.
    return np.maximum.accumulate(sparse[:, ::-1], axis=1)[:, ::-1]
