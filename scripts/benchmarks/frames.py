"""The pandas frame that in-memory peers start from, read once for a process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from scripts.benchmarks.answers import Answer, Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

Confusion = tuple[int, int, int, int]


@cache
def frame_of(path: Path) -> pd.DataFrame:
    """The whole file, text columns as Python strings."""
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    return frame


def answers_of(
    counts: Mapping[str, Mapping[tuple[str, float], Sequence[int]]], cutoffs: NDArray[np.float64]
) -> list[Answer]:
    """Answers by single attributes from a loop's result.

    Args:
        counts: for each attribute, tp, fp, fn, tn by group and cutoff; missing entries are zero.
        cutoffs: all the cutoffs.
    """
    found = []
    for attribute, by_group in counts.items():
        groups: list[Cell] = [(group,) for group in sorted({group for group, _ in by_group})]
        whole = np.array(
            [[by_group.get((group, float(cutoff)), (0, 0, 0, 0)) for cutoff in cutoffs] for (group,) in groups],
            dtype=np.int64,
        )
        found.append(Answer((attribute,), tuple(groups), cutoffs, whole))
    return found
