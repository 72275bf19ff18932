"""Counts by cell and slot within the cell: dense while there are few cells, sparse if there are many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fairsweep.engines.mixed_radix import LARGEST_KEY, Keys, digits, strides, volume

# Eight million counts take 64 MB, and adding to them is still quicker than sorting.
MOST_DENSE = 1 << 23
_FEWEST_TO_MERGE = 1 << 22


class TooManyCellsError(Exception):
    """A grouping set has more combinations than a key can represent, or more counts than may be held."""


class Names:
    """The names of a column seen so far; each keeps its first code."""

    def __init__(self) -> None:
        self.array: pa.Array = pa.array([], pa.string())
        self._last: tuple[pa.Array, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """How many names there are."""
        return len(self.array)

    def codes(self, names: pa.Array) -> NDArray[np.int64]:
        """The code of each of these names; a new name gets the next one."""
        if self._last is not None and self._last[0].equals(names):
            return self._last[1]
        found = pc.index_in(names, value_set=self.array)
        if found.null_count:
            self.array = pa.concat_arrays([self.array, names.filter(found.is_null()).unique()])
            found = pc.index_in(names, value_set=self.array)
        codes: NDArray[np.int64] = found.to_numpy(zero_copy_only=False).astype(np.int64)
        self._last = (names, codes)
        return codes


class CellCounts:
    """The number of rows by cell of one grouping set, and by slot within the cell.

    They are counted by key, see `mixed_radix`; the radix of a digit grows with the names of its column.
    """

    def __init__(self, places: int, most_dense: int = MOST_DENSE, most: int | None = None) -> None:
        """Take the number of slots of each cell, and the most counts that may be held densely, and in total."""
        self.places, self._most_dense, self._most = places, most_dense, most
        self.radices: tuple[int, ...] = ()
        self._dense: NDArray[np.int64] | None = None
        self._sparse: list[tuple[Keys, NDArray[np.int64]]] = []
        self._unmerged = self._merged = 0

    @property
    def strides(self) -> tuple[int, ...]:
        """The increment of a key for one step of each column's code."""
        return strides(self.radices, self.places)

    def fit(self, sizes: Sequence[int]) -> None:
        """Make room for so many names in each column.

        Raises:
            TooManyCellsError: when a key would no longer fit 63 bits.
        """
        if len(self.radices) == len(sizes) and all(r >= size for r, size in zip(self.radices, sizes, strict=True)):
            return
        exact = tuple(max(size, 1) for size in sizes)
        dense = volume(exact, self.places) <= self._most_dense and not self._sparse
        # Room to grow: moving every key for each new name would take too long.
        radices = exact if dense else tuple(1 << (size - 1).bit_length() for size in exact)
        if volume(radices, self.places) >= LARGEST_KEY:
            raise TooManyCellsError
        keys, counts = self.entries() if self.radices else (np.zeros(0, np.int64), np.zeros(0, np.int64))
        keys = self._moved(keys, radices)
        self.radices, self._dense, self._sparse = radices, None, []
        if dense:
            self._dense = np.zeros(volume(radices, self.places), dtype=np.int64)
            self._dense[keys] = counts
        else:
            self._sparse, self._merged, self._unmerged = [(keys, counts)], len(keys), 0

    def add(self, keys: Keys) -> None:
        """Count one row for each key.

        Raises:
            TooManyCellsError: when there are more counts than may be held.
        """
        if self._dense is not None:
            np.add.at(self._dense, keys, 1)
            return
        encoded = pa.array(keys).dictionary_encode()
        self._sparse.append((encoded.dictionary.to_numpy(), np.bincount(encoded.indices.to_numpy())))
        self._unmerged += len(encoded.dictionary)
        if self._unmerged > max(self._merged, _FEWEST_TO_MERGE):
            self._merge()

    def entries(self) -> tuple[Keys, NDArray[np.int64]]:
        """The keys that occur, and their counts."""
        if self._dense is not None:
            keys = np.flatnonzero(self._dense)
            return keys, self._dense[keys]
        self._merge()
        return self._sparse[0] if self._sparse else (np.zeros(0, np.int64), np.zeros(0, np.int64))

    def over(self, columns: Sequence[int]) -> CellCounts:
        """The counts of coarser cells: the sum over all columns except these, which are given by index."""
        found = CellCounts(self.places, self._most_dense, self._most)
        found.fit([self.radices[i] for i in columns])
        keys, counts = self.entries()
        codes, place = self.decoded(keys)
        keys = sum((codes[i] * step for i, step in zip(columns, found.strides, strict=True)), place)
        if found._dense is not None:
            np.add.at(found._dense, keys, counts)
        else:
            found._sparse.append((keys, counts))
            found._merge()
        return found

    def decoded(self, keys: Keys) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
        """The codes of each column, and the slot, of some keys."""
        cells, place = np.divmod(keys, self.places)
        return digits(cells, self.radices), place

    def _merge(self) -> None:
        if len(self._sparse) > 1:
            keys, inverse = np.unique(np.concatenate([k for k, _ in self._sparse]), return_inverse=True)
            counts = np.zeros(len(keys), dtype=np.int64)
            np.add.at(counts, inverse, np.concatenate([c for _, c in self._sparse]))
            self._sparse = [(keys, counts)]
        self._merged, self._unmerged = sum(len(k) for k, _ in self._sparse), 0
        if self._most is not None and self._merged > self._most:
            raise TooManyCellsError

    def _moved(self, keys: Keys, radices: tuple[int, ...]) -> Keys:
        """The same cells as keys of other radices."""
        if not len(keys):
            return keys
        columns, place = self.decoded(keys)
        steps = strides(radices, self.places)
        return sum((codes * step for codes, step in zip(columns, steps, strict=True)), place)
