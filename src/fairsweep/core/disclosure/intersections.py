"""Disclosure control: the cutoffs at which each group can be shown without disclosing a small count.

No count of 1 to `minimum - 1` members may be recovered from the published figures: not from totals minus the groups
that are shown, nor from neighbouring cutoffs, intersections or the previous run. The overall population, single
attributes and intersections without a reported coarser part are safe by construction. Other intersections are shown
only as far as a move is found for every small count that they suppress (`feasible_tables.moves`), because three
reported margins of a table can determine the counts inside although each of them is safe.

Derived for this project and verified by attack; not published.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fairsweep.core.counts import IntArray
from fairsweep.core.disclosure.count_lines import Lines
from fairsweep.core.disclosure.feasible_tables import Moves, Trading, all_trade, moves_of_cells
from fairsweep.core.disclosure.model import BoolArray, Exposed, Groups, Previous, Reported, Series, Table, joined
from fairsweep.core.disclosure.nested_suppression import chain
from fairsweep.core.disclosure.nesting import thin

# All cutoffs at which an intersection could be shown are tried, then every fourth and so on, until moves are found.
_COARSER = (1, 4, 16)


def plan(
    reported: Sequence[Reported],
    points: Sequence[int],
    minimum: int,
    previous: Mapping[str, Previous] | None = None,
) -> dict[str, BoolArray]:
    """Where each group may be shown: all four counts of a group at a cutoff, or none of them.

    Args:
        reported: the overall population (without attributes), and all other published attributes.
        points: cutoff indices of the operating points, the most important first; they are kept where possible.
        minimum: the fewest members that may be shown.
        previous: the rows that the previous run of the window showed, by name; a group is shown only where it was
            shown before.

    Returns:
        By name, `[groups, T]`. The plan of an attribute does not depend on attributes that are not a part of it. If
        an intersection shows nothing, its groups may not even be listed: the list of combinations can disclose that
        one attribute follows from another, and then their differences are counts.

    Raises:
        ValueError: without the overall population, or if an intersection has a group that its coarser part lacks.
    """
    before = previous or {}
    tables = {table.name: Table(table, before.get(table.name), _gone(table, reported, before)) for table in reported}
    everybody = next((table for table in tables.values() if not table.attributes), None)
    if everybody is None:
        raise ValueError("disclosure control needs the overall population: an attribute without constituents")
    if minimum <= 1:
        return {name: np.ones(table.shown.shape, dtype=bool) for name, table in tables.items()}
    for table in tables.values():
        table.follow(everybody)
    every = np.arange(everybody.cutoffs)
    everybody.shown[:, thin(everybody.allowed(every, [0]), everybody.series([0]), points, minimum)] = True
    done: list[_Part] = []
    unreported = [Table(part, None, _gone(part, reported, before)) for part in _shared_parts(reported)]
    for table in sorted([*tables.values(), *unreported], key=lambda table: len(table.attributes)):
        if table is everybody:
            continue
        parents = [part for part in done if set(part.table.attributes) < set(table.attributes)]
        done.append(_Part(table))
        if not parents:
            chain(table, everybody, points, minimum)
            continue
        done[-1].intersection = intersection = _Intersection(table, parents, everybody)
        intersection.choose(points, minimum)
        if intersection.visible.any():
            for part in parents:
                part.children[table] = intersection
    return {name: table.shown[: table.listed] for name, table in tables.items()}


def _gone(table: Reported, reported: Sequence[Reported], previous: Mapping[str, Previous]) -> Groups:
    """The groups of an attribute that the previous run listed, in the attribute or in its intersections."""
    finer = [one for one in reported if set(table.attributes) <= set(one.attributes) and one.name in previous]
    places = [[one.attributes.index(name) for name in table.attributes] for one in finer]
    listed = [previous[one.name].groups for one in finer]
    return tuple(tuple(group[i] for i in at) for at, groups in zip(places, listed, strict=True) for group in groups)


def _shared_parts(reported: Sequence[Reported]) -> list[Reported]:
    """Common parts of two intersections that are not reported: both sum to it, so each discloses the other's sums.

    Such a part is planned as if it were reported, and not shown.
    """
    parts = {frozenset(table.attributes): table for table in reported}
    for one, other in itertools.combinations(reported, 2):
        names = tuple(name for name in one.attributes if name in other.attributes)
        if names and frozenset(names) not in parts:
            places = [one.attributes.index(name) for name in names]
            values = [tuple(group[place] for place in places) for group in one.groups]
            groups = tuple(sorted(set(values)))
            index = {group: i for i, group in enumerate(groups)}
            sums = np.zeros((2, len(groups), one.events.shape[1]), dtype=np.int64)
            for label, rows in enumerate((one.events, one.non_events)):
                np.add.at(sums[label], [index[value] for value in values], rows)
            parts[frozenset(names)] = Reported("", names, groups, sums[0], sums[1])
    return [part for part in parts.values() if part not in reported]


@dataclass(eq=False)
class _Part:
    """An attribute that is planned, and the finer intersections that show something."""

    table: Table
    intersection: _Intersection | None = None
    children: dict[Table, _Intersection] = field(default_factory=dict)


def split(attributes: Sequence[str], parts: Sequence[tuple[str, ...]]) -> tuple[set[str], list[set[str]]] | None:
    """Divide the constituents of an intersection so that no reported part crosses the division.

    Returns:
        The constituents that are held fixed (as few as possible), and the others in at least two sets, such that each
        part lies within one of the sets and the fixed ones; None where there is no such division.
    """
    for count in range(len(attributes) - 1):
        for fixed in itertools.combinations(attributes, count):
            sets = [{name} for name in attributes if name not in fixed]
            for part in parts:
                touched = [one for one in sets if one & set(part)]
                if touched:
                    sets = [one for one in sets if not one & set(part)] + [set().union(*touched)]
            if len(sets) > 1:
                return set(fixed), sets
    return None


class _Intersection:
    """An intersection with reported coarser parts: its cells as rows by columns in strata, shown at common cutoffs.

    No reported part contains both row and column attributes, so that the people of two cells may exchange columns.
    Whole rows and columns are suppressed, the least costly first, until all shown cells and all pools of suppressed
    cells are safe, and a move is found for every suppressed small count. Without such a division, all cells are shown
    or none.
    """

    def __init__(self, table: Table, parents: Sequence[_Part], everybody: Table) -> None:
        self.table, self.parents, self.everybody = table, parents, everybody
        divided = split(table.attributes, [part.table.attributes for part in parents])
        fixed, row, column = _roles(table, divided)
        self.stratum, self.row, self.column = (_numbered(table.values_of(names)) for names in (fixed, row, column))
        self.line, self.cross = (
            _numbered(table.values_of(fixed + names)) if divided else np.zeros_like(self.row) for names in (row, column)
        )
        self.places = [_places(table, part.table) for part in parents]
        self.visible = np.zeros(len(table.groups), dtype=bool)
        self.cutoffs = np.zeros(0, dtype=np.int64)
        base = np.repeat(everybody.shown, len(table.groups), axis=0)
        self.before = base if table.was_shown is None else base & table.was_shown
        self.by_line, self.by_column = base.copy(), base.copy()
        for part, places in zip(parents, self.places, strict=True):
            shown = part.table.shown[places]
            if divided and set(part.table.attributes) & set(column):
                self.by_column &= shown
            else:
                self.by_line &= shown
        related = everybody.shown[0] & np.logical_or.reduce([part.table.shown.any(axis=0) for part in parents])
        self.bounds = np.concatenate([[0], np.flatnonzero(related) + 1, [table.cutoffs + 1]])

    def choose(self, points: Sequence[int], minimum: int) -> None:
        """Show as much as possible: at all operating points of the population, otherwise at the most important one."""
        points = [k for k in points if self.before[:, k].any()]
        for wanted in dict.fromkeys((tuple(points), tuple(points[:1]))):
            if self._chosen(np.array(sorted(set(wanted)), dtype=np.int64), points, minimum):
                break
        self.table.shown[np.ix_(self.visible, self.cutoffs)] = True

    def _chosen(self, points: IntArray, ranked: Sequence[int], minimum: int) -> bool:
        """Suppress lines until all is safe at the points; return whether anything is left."""
        bounds = np.concatenate([[0], points + 1, [self.table.cutoffs + 1]])
        visible = np.logical_and.reduce(self.before[:, points], axis=1) & self.before.any(axis=1)
        for numbers, allowed in ((self.line, self.by_line), (self.cross, self.by_column)):
            closed = ~allowed[:, points].all(axis=1) | ~allowed.any(axis=1)
            visible = visible & ~np.isin(numbers, numbers[closed])
        every = self.table.series(np.arange(len(self.table.groups)))
        pools = [np.zeros_like(self.line), *self.places]
        lines = Lines((self.line, self.cross), every, bounds, pools, minimum, visible)
        more = 1
        while True:
            lines.suppress_unsafe()
            self.visible = lines.visible.copy()
            if not self.visible.any():
                return False
            if self._shown_at(points, ranked, minimum):
                return True
            lines.suppress_cheapest(more)
            more *= 2

    def _shown_at(self, points: IntArray, ranked: Sequence[int], minimum: int) -> bool:
        """Find the cutoffs that the visible cells are shown at, as many as possible, the points among them."""
        visible = self.visible
        candidates = np.flatnonzero((self.by_line & self.by_column & self.before)[visible].all(axis=0))
        every = np.arange(self.table.cutoffs + 2)
        pools = [self._pool(visible, every, places) for places in (np.zeros_like(self.line), *self.places)]
        series = joined(self.table.series(np.flatnonzero(visible)), *pools)
        most = thin(candidates, series, ranked, minimum)
        if not len(most) or not np.isin(points, most).all():
            return False
        for cutoffs in [*(np.union1d(most[::step], points) for step in _COARSER), points]:
            self.cutoffs = cutoffs
            if len(cutoffs) and self._proven(minimum):
                return True
        self.cutoffs = most[:0]
        return False

    def _pool(self, visible: BoolArray, bounds: IntArray, places: IntArray) -> Series:
        """The pools of suppressed cells: for each part's group with visible cells, its total minus these."""
        mixed = np.intersect1d(places[visible], places[~visible])
        cells = np.flatnonzero(~visible & np.isin(places, mixed))
        return self.table.series(cells).pooled(np.searchsorted(mixed, places[cells]), len(mixed), bounds)

    def _proven(self, minimum: int) -> bool:
        """Whether a move is found for every suppressed small count of this, a coarser or a related attribute."""
        chains = [part for part in self.parents if part.intersection is None]
        free = [part.table for part in chains if not part.children]
        coarser = [part.intersection for part in self.parents if part.intersection is not None]
        beside = [one for part in chains for one in part.children.values() if one not in coarser]
        return (
            self._covered(self.table, self, minimum)
            and all(
                all_trade(part.table, [*part.children, self.table], self.bounds, self.cutoffs, minimum, free)
                for part in chains
            )
            and all(one._covered(self.table, self, minimum) for one in coarser)
            and all(one._covered(one.table, self, minimum) for one in dict.fromkeys(beside))
        )

    def _covered(self, finer: Table, newest: _Intersection, minimum: int) -> bool:
        """Whether moves between cells of a table that is as fine or finer cover every small count of this one."""
        bounds, cutoffs = np.union1d(self.bounds, newest.bounds), self.cutoffs
        cells = len(self.table.groups)
        series = self.table.series(np.arange(cells))
        exposed = Exposed.of(series, bounds, minimum)
        steps = np.concatenate([[0], cutoffs + 1, [self.table.cutoffs + 1]])
        in_steps = series.unsafe(minimum, steps[:-1], steps[1:])
        interval = np.searchsorted(steps, bounds[:-1], side="right")
        starts = np.flatnonzero(np.diff(interval, prepend=-1))
        own = _places(finer, self.table)
        rest = [name for name in finer.attributes if name not in self.table.attributes]
        layer = _numbered(tuple(zip(finer.values_of(rest), self.stratum[own].tolist(), strict=True)))
        by_layer = np.argsort(layer, kind="stable")
        by_layer = by_layer[by_layer < finer.listed]
        starts_of = np.searchsorted(layer[by_layer], np.arange(int(layer.max(initial=0)) + 2))
        wanted = (exposed.anything | in_steps.any(axis=1)).reshape(2, -1)
        for label in range(2):
            found = Moves.none((cells, len(interval)))
            people = np.diff(finer.rows[label][:, bounds], axis=1)
            for one in np.unique(layer[wanted[label][own]]).tolist():
                inside = by_layer[starts_of[one] : starts_of[one + 1]]
                self._move(found, people[inside], own[inside], wanted[label], interval)
            here = slice(label * cells, (label + 1) * cells)
            covered = found.cover(exposed.part(here)) & ~(in_steps[here] & ~_any(found.swaps, starts)).any(axis=1)
            open_cells = np.flatnonzero(~covered).tolist()
            trading = self._trading(newest.table, bounds) if open_cells else []
            if not all(self._trades(found, exposed, (label, cell), trading) for cell in open_cells):
                return False
            if (in_steps[here] & ~_any(found.swaps, starts)).any():
                return False
        return True

    def _trading(self, newest: Table, bounds: IntArray) -> list[tuple[IntArray, Trading]]:
        """Trades between groups of each coarser part that is a chain, and which group each cell belongs to."""
        trading = []
        for part, places in zip(self.parents, self.places, strict=True):
            if part.intersection is None:
                children = dict.fromkeys([*part.children, self.table, newest])
                finer = [one for one in children if set(part.table.attributes) < set(one.attributes)]
                trading.append((places, Trading(part.table, finer, bounds, self.table, ~self.visible)))
        return trading

    def _trades(
        self, found: Moves, exposed: Exposed, place: tuple[int, int], trading: Sequence[tuple[IntArray, Trading]]
    ) -> bool:
        """Whether a cell's small counts are open because people of its row or column trade with those of others."""
        label, cell = place
        at = label * len(self.table.groups) + cell
        here, mine = exposed.part(slice(at, at + 1)), found.part(slice(cell, cell + 1))
        values = dict(zip(self.table.attributes, self.table.groups[cell], strict=True))
        for places, trades in trading:
            others = {name: value for name, value in values.items() if name not in trades.table.attributes}
            if trades.covers(here, mine, label, int(places[cell]), others):
                return True
        return False

    def _move(self, found: Moves, people: IntArray, cells: IntArray, wanted: BoolArray, interval: IntArray) -> None:
        """Add the moves among some cells (of one layer, given with their people) to those found of each cell."""
        rows, row = np.unique(self.row[cells], return_inverse=True)
        columns, column = np.unique(self.column[cells], return_inverse=True)
        if len(rows) < 2 or len(columns) < 2:
            return
        here = moves_of_cells(people, (row, column), ~self.visible[cells], interval, wanted[cells])
        found.atoms[cells] |= here.atoms
        found.cuts[cells] |= here.cuts
        found.swaps[cells] |= here.swaps


def _any(where: BoolArray, starts: IntArray) -> BoolArray:
    """Whether anything holds in each interval of entries."""
    return np.asarray(np.logical_or.reduceat(where, starts, axis=-1))


def _numbered(keys: Sequence[Hashable]) -> IntArray:
    """A number for each key, equal for equal ones."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _places(finer: Table, part: Table) -> IntArray:
    """Which group of a coarser part each cell belongs to."""
    values = finer.values_of(part.attributes)
    missing = set(values) - part.index.keys()
    if missing:
        raise ValueError(f"{part.name} has no group {min(missing)}, which {finer.name} has")
    return np.array([part.index[value] for value in values], dtype=np.int64)


def _roles(table: Table, divided: tuple[set[str], list[set[str]]] | None) -> list[tuple[str, ...]]:
    """The constituents that are held fixed, those of rows (of which there are most) and those of columns."""
    names = set(table.attributes)
    fixed, sets = divided or (names, [set[str]()])
    ranked = {tuple(name for name in table.attributes if name in one): one for one in sets}
    rows = ranked[max(ranked, key=lambda one: (len(set(table.values_of(one))), one))]
    return [tuple(name for name in table.attributes if name in one) for one in (fixed, rows, names - fixed - rows)]
