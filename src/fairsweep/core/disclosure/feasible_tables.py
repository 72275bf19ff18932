"""Proofs that suppressed small counts have other feasible values, given everything that is published.

A proof is a feasible table: another table of counts with the same published margins. It is found by a *move* of one or
two people between cells (Markov moves, Diaconis and Sturmfels, Annals of Statistics 1998).

Derived for this project and verified by attack; not published.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fairsweep.core.counts import IntArray
from fairsweep.core.disclosure.model import BoolArray, Exposed, Table
from fairsweep.core.disclosure.nesting import Segments

# How many other rows, columns and equal other values are tried as partners of a move, the most promising first.
_PARTNERS = 6
_COMMON = 8
# Pairs of large groups are needed repeatedly; pairs of small groups are quick to compute.
_PAIRS_KEPT = 4096
Values = tuple[tuple[str, str], ...]
"""Names of attributes and a cell's values of them."""


@dataclass(frozen=True, eq=False)
class Moves:
    """Which counts of a table have another feasible value, given everything published of the table.

    Attributes:
        atoms: `[..., F]`, whether the entry has another value.
        cuts: `[..., F - 1]`, whether the sum over a cell's entries on one side of a bound has another value.
        swaps: `[..., F]`, whether the entry and the total of its (suppressed) cell have other values together.
    """

    atoms: BoolArray
    cuts: BoolArray
    swaps: BoolArray

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Moves:
        """No move found yet."""
        return cls(np.zeros(shape, bool), np.zeros((*shape[:-1], shape[-1] - 1), bool), np.zeros(shape, bool))

    def part(self, index: slice) -> Moves:
        """Of some of the cells."""
        return Moves(self.atoms[index], self.cuts[index], self.swaps[index])

    def cover(self, exposed: Exposed) -> BoolArray:
        """Whether all counts of each cell that must not be disclosed have other feasible values."""
        above = np.logical_or.accumulate(self.swaps[..., ::-1], axis=-1)[..., ::-1]
        beneath = np.logical_or.accumulate(self.swaps, axis=-1)
        above[..., 1:] |= self.cuts
        beneath[..., :-1] |= self.cuts
        open_ = exposed.atoms & ~(self.atoms | self.swaps) | exposed.above & ~above | exposed.beneath & ~beneath
        return np.asarray(~open_.any(axis=-1))


def moves(table: IntArray, listed: BoolArray, hidden: BoolArray, interval: IntArray, wanted: BoolArray) -> Moves:
    """Search a whole table for moves; see `moves_of_cells`.

    Args:
        table: people, `[rows, columns, F]`.
        listed: `[rows, columns]`, the cells that are listed; the others are known to be empty.
        hidden: `[rows, columns]`, the suppressed cells.
        interval: `[F]`, for each entry the number of its interval between shown cutoffs, rising.
        wanted: `[rows, columns]`, the cells that moves are searched for.
    """
    found = Moves.none(table.shape)
    row, column = np.nonzero(listed)
    wanted = np.broadcast_to(wanted.any(axis=1, keepdims=True), wanted.shape)
    here = moves_of_cells(table[row, column], (row, column), hidden[row, column], interval, wanted[row, column])
    found.atoms[row, column], found.cuts[row, column], found.swaps[row, column] = here.atoms, here.cuts, here.swaps
    return found


def moves_of_cells(
    people: IntArray, place: tuple[IntArray, IntArray], hidden: BoolArray, interval: IntArray, wanted: BoolArray
) -> Moves:
    """Search the listed cells of a table for moves: other tables of counts with the same published figures.

    The published figures may be: rows by entries, columns by entries, and the sum of each cell over each interval
    unless the cell is suppressed. If all three margins of a three-way table are published, they can determine counts
    inside although every published figure is safe; so a suppressed count is safe only if a move is found. One kind of
    move shifts one person in each of the four cells (a, b), (a, b'), (a', b), (a', b') between two entries of one
    interval; the other kind exchanges the columns of two people of suppressed cells and of one entry.

    Args:
        people: `[cells, F]`; cells that are missing here are known to be empty.
        place: the row and the column of each cell, numbered from 0.
        hidden: `[cells]`, the suppressed cells.
        interval: `[F]`, for each entry the number of its interval between shown cutoffs, rising.
        wanted: `[cells]`; moves are searched for in the rows of these.
    """
    row, column = place
    some, sizes = people > 0, people.sum(axis=1)
    found = Moves.none(people.shape)
    if not wanted.any():
        return found
    asked = (np.bincount(row, wanted) > 0)[row]
    segments = Segments(interval)
    in_row = {one: _cell_at(column, row == one) for one in _partners(row, sizes, hidden)}
    in_column = {one: _cell_at(row, column == one) for one in _partners(column, sizes, hidden)}
    for (one, across), (other, down_from) in itertools.product(in_row.items(), in_column.items()):
        corner = across[other]
        if corner < 0:
            continue
        beside, above = down_from[row], across[column]
        cells = np.flatnonzero(asked & (beside >= 0) & (above >= 0) & (row != one) & (column != other))
        if not len(cells):
            continue
        beside, above = beside[cells], above[cells]
        down, up = some[cells] & some[corner], some[beside] & some[above]
        atoms, cuts = _shifts(down, up, segments)
        found.atoms[cells] |= atoms
        found.cuts[cells] |= cuts
        exchange = hidden[cells] & hidden[beside] & hidden[above] & hidden[corner]
        found.swaps[cells] |= exchange[:, np.newaxis] & (down | up)
    return found


def _cell_at(number: IntArray, inside: BoolArray) -> IntArray:
    """For each number of the other direction the cell of a line that has it; -1 where none has."""
    found = np.full(int(number.max()) + 1, -1, dtype=np.int64)
    found[number[inside]] = np.flatnonzero(inside)
    return found


def _partners(number: IntArray, sizes: IntArray, hidden: BoolArray) -> list[int]:
    """The largest lines, and the lines with the most suppressed people."""
    all_of, hidden_of = np.bincount(number, sizes), np.bincount(number, sizes * hidden)
    largest = np.argsort(-all_of, kind="stable")[:_PARTNERS].tolist()
    most_hidden = np.argsort(-hidden_of, kind="stable")[:_PARTNERS].tolist()
    return [*dict.fromkeys(x for pair in zip(most_hidden, largest, strict=True) for x in pair)]


def _shifts(down: BoolArray, up: BoolArray, segments: Segments) -> tuple[BoolArray, BoolArray]:
    """Moves of one person of each of four cells between two entries of one interval: of entries, and across bounds."""
    all_down, all_up = segments.totals(down), segments.totals(up)
    entry = (down & (all_up - up > 0)) | (up & (all_down - down > 0))
    below_down, below_up = segments.up_to(down), segments.up_to(up)
    across = ((below_down > 0) & (all_up > below_up)) | ((below_up > 0) & (all_down > below_down))
    return entry, across[..., :-1] & segments.inside


def all_trade(
    table: Table, children: Sequence[Table], bounds: IntArray, cutoffs: IntArray, minimum: int, columns: Sequence[Table]
) -> bool:
    """Whether every small count that nested suppression suppresses stays unknown, given the shown intersections.

    Args:
        table: the attribute whose groups are nested, with its plan.
        children: the intersections that it is part of and that show something.
        bounds: the bounds at which anything related is shown, and both ends.
        cutoffs: the cutoffs at which the last of the intersections is shown.
        minimum: the fewest members that may be shown.
        columns: nested attributes that are part of the last of the intersections only.
    """
    exposed = Exposed.of(table.series(np.arange(len(table.groups))), bounds, minimum)
    trading = Trading(table, children, bounds)
    if len(children) == 1:
        rest = tuple(name for name in children[0].attributes if name not in table.attributes)
        trading.columns = next((one for one in columns if one.attributes == rest), None)
        trading.cuts = np.isin(bounds[1:-1] - 1, cutoffs)
    for label, group in np.argwhere(exposed.anything.reshape(2, -1)).tolist():
        here = label * len(table.groups) + group
        found = Moves.none((1, len(bounds) - 1))
        if not trading.covers(exposed.part(slice(here, here + 1)), found, label, group, {}):
            return False
    return True


class _Open(NamedTuple):
    """Suppressed cells that two groups share: their other values, and the people of each side below each bound."""

    values: Mapping[Values, Values]
    mine: IntArray
    theirs: IntArray


class Trading:
    """Moves in which one person of a group and one person of another nested group exchange two entries.

    In each intersection the two people have the same other values, so that nothing else changes. If neither of the
    two groups shows anything, one person may also move to the other group.
    """

    def __init__(
        self,
        table: Table,
        children: Sequence[Table],
        bounds: IntArray,
        own: Table | None = None,
        hidden: BoolArray | None = None,
    ) -> None:
        self.table, self.bounds = table, bounds
        self._hidden_of, self._hidden = own, np.zeros(0, dtype=bool) if hidden is None else hidden
        self.columns: Table | None = None
        self.cuts = np.zeros(len(bounds) - 2, dtype=bool)
        names = [set(child.attributes) for child in children]
        # A property of the finer of two intersections also holds in the coarser.
        self._children = [child for child, own in zip(children, names, strict=True) if not any(own < n for n in names)]
        self._cells = [_cells_by_group(child, table) for child in self._children]
        self._by_fixed: dict[tuple[int | str, ...], dict[tuple[str, ...], list[Values]]] = {}
        self._open_cells: dict[tuple[int, int, int], _Open] = {}
        totals = table.rows[:, :, -1].sum(axis=0)
        least_shown = [place for place in np.lexsort((-totals, table.shown.sum(axis=1))).tolist() if totals[place]]
        largest = np.argsort(-totals, kind="stable")[:_PARTNERS].tolist()
        self._partners = list(dict.fromkeys([*least_shown[:_PARTNERS], *largest]))

    def covers(self, exposed: Exposed, found: Moves, label: int, group: int, fixed: Mapping[str, str]) -> bool:
        """Whether exchanges of people with fixed other values, and earlier moves, cover all exposed counts."""
        for other in self._partners:
            if found.cover(exposed).all():
                return True
            if other == group:
                continue
            shown = (self.table.shown[group] | self.table.shown[other])[self.bounds[1:-1] - 1]
            segments = Segments(np.concatenate([[0], np.cumsum(shown)]))
            self._exchange(found, label, (group, other), fixed, segments)
            both_hidden = not self.table.shown[[group, other]].any()
            for mine, theirs in self._common(label, group, other, fixed, self._children):
                atoms, cuts = _shifts(mine, theirs, segments)
                found.atoms[0] |= atoms
                found.cuts[0] |= cuts
                if both_hidden:
                    found.swaps[0] |= mine | theirs
        for other in self._partners:
            if self.columns is not None and other != group and not found.cover(exposed).all():
                self._trade_evenly(found, label, (group, other), self.columns)
        return bool(found.cover(exposed).all())

    def _trade_evenly(self, found: Moves, label: int, groups: tuple[int, int], columns: Table) -> None:
        """Trades of people of any two columns that show nothing between the two entries either."""
        child, cells = self._children[0], self._cells[0]
        at = self.bounds[1:-1] - 1
        pairs = _same_interval(self.table.shown[list(groups)][:, at].any(axis=0) | self.cuts)
        for side, one in enumerate(groups):
            possible = np.zeros_like(pairs)
            for v in cells[one]:
                people = np.diff(child.rows[label, cells[one][v], self.bounds]) > 0
                possible |= people[:, np.newaxis] & _same_interval(columns.shown[columns.index[_values(v)], at])
            pairs &= possible.T if side else possible
        places = np.arange(len(pairs))
        pairs = (pairs | pairs.T) & (places[:, np.newaxis] != places)
        found.atoms[0] |= pairs.any(axis=1)
        found.cuts[0] |= (np.maximum.accumulate(np.where(pairs, places, -1).max(axis=1)) > places)[:-1]

    def _exchange(
        self, found: Moves, label: int, groups: tuple[int, int], fixed: Mapping[str, str], segments: Segments
    ) -> None:
        """Exchange the groups of two people of suppressed cells of this intersection, with any other values."""
        own = self._hidden_of
        shares = [set(child.attributes) for child in self._children if child is not own]
        if own is None or own not in self._children or any(names & fixed.keys() for names in shares):
            return
        pair = self._open(label, groups, own)
        here = pair.values.get(tuple(sorted(fixed.items())))
        if here is None:
            return
        mine, theirs = (self._cells[self._children.index(own)][group] for group in groups)
        inside = [own.rows[label, cells[here], self.bounds] for cells in (mine, theirs)]
        there, left, gained, lost = (
            np.diff(below) > 0 for below in (inside[0], pair.mine - inside[0], inside[1], pair.theirs - inside[1])
        )
        others = [child for child in self._children if child is not own]
        for ours, other in self._common(label, *groups, {}, others):
            leaves = there & ours & (segments.totals(lost & other) > 0)
            np.logical_or(found.swaps, leaves | gained & other & (segments.totals(left & ours) > 0), out=found.swaps)

    def _with(self, child: Table, group: int, fixed: Mapping[str, str]) -> Iterable[Values]:
        """The other values of a group's cells that agree with some fixed ones, in the order of the cells."""
        place = self._children.index(child)
        names = [name for name in child.attributes if name not in self.table.attributes]
        if not fixed:
            return self._cells[place][group]
        if not fixed.keys() <= set(names):
            return ()
        key = tuple(fixed[name] for name in names if name in fixed)
        if (place, group, *fixed) not in self._by_fixed:
            found: dict[tuple[str, ...], list[Values]] = {}
            for values in self._cells[place][group]:
                found.setdefault(tuple(value for name, value in values if name in fixed), []).append(values)
            self._by_fixed[place, group, *fixed] = found
        return self._by_fixed[place, group, *fixed].get(key, ())

    def _open(self, label: int, groups: tuple[int, int], own: Table) -> _Open:
        """The suppressed cells of this intersection that two groups share, and the people of each side."""
        if (label, *groups) not in self._open_cells:
            if len(self._open_cells) >= _PAIRS_KEPT:
                self._open_cells.clear()
            mine, theirs = (self._cells[self._children.index(own)][group] for group in groups)
            both = [v for v in mine if v in theirs and self._hidden[mine[v]] and self._hidden[theirs[v]]]
            sides = tuple(
                own.rows[label][[cells[v] for v in both]][:, self.bounds].sum(axis=0) for cells in (mine, theirs)
            )
            self._open_cells[label, *groups] = _Open({tuple(sorted(v)): v for v in both}, *sides)
        return self._open_cells[label, *groups]

    def _common(
        self, label: int, group: int, other: int, fixed: Mapping[str, str], children: Sequence[Table]
    ) -> Iterator[tuple[BoolArray, BoolArray]]:
        """The most promising other values that people of two groups share, in each intersection."""
        own = np.diff(self.table.rows[label][[group, other]][:, self.bounds], axis=1) > 0
        choices = [[own]]
        most = _COMMON if len(children) > 1 else None
        for child in children:
            cells = self._cells[self._children.index(child)]
            mine, theirs = cells[group], cells[other]
            shared = [values for values in self._with(child, group, fixed) if values in theirs]
            totals = child.rows[label, :, -1]
            shared.sort(key=lambda v: (-int(totals[mine[v]] * totals[theirs[v]]), v))
            choices.append(
                [np.diff(child.rows[label][[mine[v], theirs[v]]][:, self.bounds], axis=1) > 0 for v in shared[:most]]
            )
        for chosen in itertools.product(*choices):
            both = np.all(chosen, axis=0)
            yield both[0], both[1]


def _same_interval(cuts: BoolArray) -> BoolArray:
    """Whether no cut lies between two entries, `[F, F]`."""
    interval = np.concatenate([[0], np.cumsum(cuts)])
    return np.asarray(interval[:, np.newaxis] == interval)


def _values(pairs: Values) -> tuple[str, ...]:
    return tuple(value for _, value in pairs)


def _cells_by_group(child: Table, part: Table) -> list[dict[Values, int]]:
    """For each group of the coarser part, its listed cells by their other values."""
    by_group: list[dict[Values, int]] = [{} for _ in part.groups]
    others = [name for name in child.attributes if name not in part.attributes]
    groups, values = child.values_of(part.attributes), child.values_of(others)
    for cell in range(child.listed):
        by_group[part.index[groups[cell]]][tuple(zip(others, values[cell], strict=True))] = cell
    return by_group
