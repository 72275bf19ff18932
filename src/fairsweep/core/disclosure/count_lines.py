"""Rows and columns of an intersection that are suppressed one after another, the least costly first.

An intersection of providers and ages has as many lines as providers. Therefore the effect of one more suppressed line
is updated instead of computed again: each cell is suppressed once, so that the total time is proportional to the number
of cells.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fairsweep.core.counts import IntArray
from fairsweep.core.disclosure.model import BoolArray, Series


class _Axis:
    """The lines of one direction: which cells each has, and what its visible ones hold."""

    def __init__(self, numbers: IntArray, weight: Sequence[int], visible: BoolArray) -> None:
        self.number: list[int] = numbers.tolist()
        size = max(self.number, default=-1) + 1
        self.cells: list[list[int]] = [[] for _ in range(size)]
        self.lost, self.count = [0] * size, [0] * size
        for cell in np.flatnonzero(visible).tolist():
            line = self.number[cell]
            self.cells[line].append(cell)
            self.lost[line] += weight[cell]
            self.count[line] += 1


class _Order:
    """The lines of one direction by the rows that go with each cell of a kind, the fewest first."""

    def __init__(self, axis: _Axis, gone: list[int]) -> None:
        self._axis, self._gone = axis, gone
        self._heap = [(axis.lost[line] / n, line) for line, n in enumerate(gone) if n]
        heapq.heapify(self._heap)

    def changed(self, line: int) -> None:
        """Take note of a line whose cells have changed."""
        if self._gone[line]:
            heapq.heappush(self._heap, (self._axis.lost[line] / self._gone[line], line))

    def first(self) -> tuple[float, int] | None:
        """The least costly line and its cost; None where no cell is of the kind."""
        while self._heap:
            cost, line = self._heap[0]
            # Entries that a later change has made invalid are skipped.
            if self._gone[line] and cost == self._axis.lost[line] / self._gone[line]:
                return cost, line
            heapq.heappop(self._heap)
        return None


class _Pools:
    """The suppressed cells of each group of a coarser part, which are known as its total minus the visible ones."""

    def __init__(self, places: IntArray, visible: BoolArray, counts: _Counts, minimum: int) -> None:
        self.place: list[int] = places.tolist()
        self._minimum, self._counts = minimum, counts
        size = max(self.place, default=-1) + 1
        self.cells: list[list[int]] = [[] for _ in range(size)]
        for cell in np.flatnonzero(visible).tolist():
            self.cells[self.place[cell]].append(cell)
        self._visible = [len(cells) for cells in self.cells]
        hidden = np.flatnonzero(~visible)
        self._hidden = np.bincount(places[hidden], minlength=size).tolist()
        self._sums = [_summed(part, places, hidden, size) for part in counts.parts]
        self.unsafe = [self._is_unsafe(pool) for pool in range(size)]

    def suppress(self, cell: int) -> int | None:
        """Add a cell; its pool where that has become safe or unsafe by it."""
        pool = self.place[cell]
        self._visible[pool] -= 1
        self._hidden[pool] += 1
        for sums, part in zip(self._sums, self._counts.lists, strict=True):
            sums[pool] = [a + b for a, b in zip(sums[pool], part[cell], strict=True)]
        before, self.unsafe[pool] = self.unsafe[pool], self._is_unsafe(pool)
        return None if before is self.unsafe[pool] else pool

    def _is_unsafe(self, pool: int) -> bool:
        if not self._visible[pool] or not self._hidden[pool]:
            return False
        rows, *held = (sums[pool] for sums in self._sums)
        members = held or [rows]
        return any(n and max(several) < self._minimum for n, *several in zip(rows, *members, strict=True))


class _Counts(NamedTuple):
    """Rows of each cell by interval, and of how many members they are from both sides where members repeat.

    Attributes:
        parts: int64, `[cells, intervals]`, events and then non-events side by side.
        lists: the same as lists.
    """

    parts: tuple[IntArray, ...]
    lists: list[list[list[int]]]

    @classmethod
    def of(cls, series: Series, bounds: IntArray) -> _Counts:
        """Of the series of all cells, between some bounds."""

        def beside(counts: IntArray) -> IntArray:
            by_label = np.diff(counts[:, bounds], axis=1).reshape(2, -1, len(bounds) - 1)
            return np.asarray(np.concatenate(list(by_label), axis=1))

        held = () if series.members is None else tuple(beside(counts) for counts in series.members)
        parts = (beside(series.rows), *held)
        return cls(parts, [part.tolist() for part in parts])


class Lines:
    """The visible cells of an intersection, of which whole lines are suppressed in either of two directions.

    Args:
        directions: for each of the two directions the line of each cell.
        series: the counts of all cells.
        bounds: the bounds that cells are shown at, and both ends.
        pools: for each coarser part the group of it that each cell belongs to.
        minimum: the fewest members that may be shown.
        visible: the cells that are not suppressed yet.
    """

    def __init__(
        self,
        directions: Sequence[IntArray],
        series: Series,
        bounds: IntArray,
        pools: Sequence[IntArray],
        minimum: int,
        visible: BoolArray,
    ) -> None:
        self.visible = visible.copy()
        self._series, self._bounds, self._places, self._minimum = series, bounds, pools, minimum
        # A line without rows costs something too.
        weight = (series.rows[:, -1].reshape(2, -1).sum(axis=0) + 1).tolist()
        self._weight: list[int] = weight
        self._axes = [_Axis(numbers, weight, visible) for numbers in directions]
        self._orders: list[tuple[list[list[int]], list[_Order]]] = []
        self._pools: list[_Pools] = []
        self._beside: list[int] = []
        self._gone_beside: list[list[int]] = []

    def suppress_unsafe(self) -> None:
        """Suppress lines until no visible cell is unsafe on its own or next to an unsafe pool."""
        if not self._pools:
            alone = self._series.unsafe(self._minimum, self._bounds[:-1], self._bounds[1:]).any(axis=1)
            unsafe = alone.reshape(2, -1).any(axis=0) & self.visible
            gone = [_counted(axis, np.flatnonzero(unsafe).tolist()) for axis in self._axes]
            self._while_any(gone, unsafe)
            self._look_at_pools()
        self._while_any(self._gone_beside, None)

    def suppress_cheapest(self, count: int) -> None:
        """Suppress a given number of lines, regardless of their cells."""
        orders = self._ordered([axis.count for axis in self._axes])
        for _ in range(count):
            if not self._suppress_first(orders, None):
                break

    def _while_any(self, gone: list[list[int]], unsafe: BoolArray | None) -> None:
        orders = self._ordered(gone)
        kind = None if unsafe is None else (gone, unsafe.tolist())
        while self._suppress_first(orders, kind):
            pass

    def _ordered(self, gone: list[list[int]]) -> list[_Order]:
        """The lines of both directions by cost; kept up to date from now on."""
        for of, orders in self._orders:
            if of is gone or all(one is other for one, other in zip(of, gone, strict=True)):
                return orders
        orders = [_Order(axis, of_axis) for axis, of_axis in zip(self._axes, gone, strict=True)]
        self._orders.append((gone, orders))
        return orders

    def _suppress_first(self, orders: Sequence[_Order], kind: tuple[list[list[int]], list[bool]] | None) -> bool:
        """Suppress the least costly line of both directions; whether there was one."""
        costs = [order.first() for order in orders]
        known = [(cost, direction) for direction, cost in enumerate(costs) if cost is not None]
        if not known:
            return False
        # Of equal cost the lower number, then the first direction.
        (_, line), direction = min(known)
        touched: tuple[set[int], set[int]] = (set(), set())
        for cell in self._axes[direction].cells[line]:
            if self.visible[cell]:
                self._suppress(cell, touched, kind)
        for _, several in self._orders:
            for order, lines in zip(several, touched, strict=True):
                for changed in lines:
                    order.changed(changed)
        return True

    def _suppress(
        self, cell: int, touched: tuple[set[int], set[int]], kind: tuple[list[list[int]], list[bool]] | None
    ) -> None:
        self.visible[cell] = False
        for direction, axis in enumerate(self._axes):
            line = axis.number[cell]
            axis.lost[line] -= self._weight[cell]
            axis.count[line] -= 1
            touched[direction].add(line)
            if kind is not None and kind[1][cell]:
                kind[0][direction][line] -= 1
            if self._pools and self._beside[cell]:
                self._gone_beside[direction][line] -= 1
        for pools in self._pools:
            pool = pools.suppress(cell)
            if pool is not None:
                self._turn(pools.cells[pool], 1 if pools.unsafe[pool] else -1, touched)

    def _turn(self, cells: Sequence[int], step: int, touched: tuple[set[int], set[int]]) -> None:
        """The pool next to some cells has become unsafe (1) or safe (-1)."""
        for cell in cells:
            if not self.visible[cell]:
                continue
            before = self._beside[cell] > 0
            self._beside[cell] += step
            after = self._beside[cell] > 0
            if before is not after:
                for direction, axis in enumerate(self._axes):
                    self._gone_beside[direction][axis.number[cell]] += 1 if after else -1
                    touched[direction].add(axis.number[cell])

    def _look_at_pools(self) -> None:
        """Find the pools as they are now; from here on they are kept up to date."""
        self._orders.clear()
        counts = _Counts.of(self._series, self._bounds)
        self._pools = [_Pools(places, self.visible, counts, self._minimum) for places in self._places]
        self._beside = [0] * len(self.visible)
        for pools in self._pools:
            for pool, unsafe in enumerate(pools.unsafe):
                for cell in pools.cells[pool] if unsafe else ():
                    self._beside[cell] += 1
        beside = [cell for cell, n in enumerate(self._beside) if n]
        self._gone_beside = [_counted(axis, beside) for axis in self._axes]


def _counted(axis: _Axis, cells: Sequence[int]) -> list[int]:
    """How many of some cells each line has."""
    found = [0] * len(axis.cells)
    for cell in cells:
        found[axis.number[cell]] += 1
    return found


def _summed(part: IntArray, places: IntArray, cells: IntArray, size: int) -> list[list[int]]:
    """Sums of some cells by pool."""
    sums = np.zeros((size, part.shape[1]), dtype=np.int64)
    np.add.at(sums, places[cells], part[cells])
    found: list[list[int]] = sums.tolist()
    return found
