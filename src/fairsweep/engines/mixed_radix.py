"""Keys of cells: a number whose digits are the codes of a cell's columns, and the slot of a row within the cell.

A key is `cell * places + place`, where `place` is the slot; the radix of a digit is the number of codes of its column.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]

# Below it, a key times anything that one more row can add stays within 63 bits.
LARGEST_KEY = 1 << 62


def volume(radices: Sequence[int], places: int) -> int:
    """How many keys there can be."""
    return prod(radices) * places


def strides(radices: Sequence[int], places: int) -> tuple[int, ...]:
    """The increment of a key for one step of each column's code."""
    return tuple(volume(radices[i + 1 :], places) for i in range(len(radices)))


def digits(cells: Keys, radices: Sequence[int]) -> list[Keys]:
    """The codes of each column of some cells."""
    rest, columns = cells, []
    for radix in reversed(radices):
        rest, code = np.divmod(rest, radix)
        columns.append(code)
    return columns[::-1]
