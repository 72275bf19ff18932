"""An adversary who knows only what is published and solves for what is hidden; and random audits to try it on.

The attack shares nothing with disclosure control: counts are unknowns, what is shown are equations, and a hidden count
is recovered where its least and its greatest possible value are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import LinearConstraint, linprog, milp

from fairsweep.core.disclosure.model import Previous, Reported

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Groups = tuple[tuple[str, ...], ...]
_MOST_CUTOFFS = 12


@dataclass(frozen=True, eq=False)
class Attribute:
    """What is published of an attribute: its groups, and tp, fn, fp, tn where they are shown (0 elsewhere)."""

    attributes: tuple[str, ...]
    groups: Groups
    shown: BoolArray
    above: IntArray  # [2, groups, T]: tp and fp where shown
    beneath: IntArray  # [2, groups, T]: fn and tn where shown


@dataclass(frozen=True)
class RoundedValue:
    """A rounded ratio of flagged to events of a group at a cutoff, the nearest multiple of the step, halves up."""

    attribute: str
    group: int
    cutoff: int
    value: float
    step: float


@dataclass(frozen=True, eq=False)
class Publication:
    """One run as everybody sees it."""

    attributes: Mapping[str, Attribute]
    rounded: tuple[RoundedValue, ...] = ()

    @property
    def cutoffs(self) -> int:
        """How many cutoffs the grid has."""
        return int(next(iter(self.attributes.values())).shown.shape[1])


@dataclass(frozen=True)
class Target:
    """A count to solve for: of a group, events (0), non-events (1) or both (2), between two bounds.

    Bound k + 1 is cutoff k; 0 and T + 1 are the ends.
    """

    attribute: str
    group: int
    label: int
    low: int
    high: int


@dataclass(eq=False)
class _System:
    """Linear equations and inequalities over whole numbers of at least 0."""

    size: int = 0
    rows: list[tuple[IntArray, NDArray[np.float64], float, float]] = field(default_factory=list)

    def variables(self, *shape: int) -> IntArray:
        start, self.size = self.size, self.size + int(np.prod(shape))
        return np.arange(start, self.size).reshape(shape)

    def require(self, plus: IntArray, minus: IntArray, low: float, high: float) -> None:
        """Low <= sum of some variables minus others <= high."""
        signs = np.repeat([1.0, -1.0], [plus.size, minus.size])
        self.rows.append((np.concatenate([plus.ravel(), minus.ravel()]), signs, low, high))

    def extremes(self, at: IntArray) -> tuple[float, float]:
        """Least and greatest sum of some variables; exact where they could be equal."""
        if not self.rows:
            return 0.0, np.inf
        lengths = [len(row[0]) for row in self.rows]
        places = np.repeat(np.arange(len(self.rows)), lengths), np.concatenate([row[0] for row in self.rows])
        matrix = sparse.csr_array(
            (np.concatenate([row[1] for row in self.rows]), places), shape=(len(self.rows), self.size)
        )
        low, high = (np.array([row[side] for row in self.rows]) for side in (2, 3))
        objective = np.zeros(self.size)
        objective[at] = 1
        least, greatest = self._solved(matrix, low, high, objective), -self._solved(matrix, low, high, -objective)
        if greatest - least < 2 - 1e-6:
            least, greatest = (
                sign * self._solved_whole(LinearConstraint(matrix, low, high), sign * objective, sign * bound)
                for sign, bound in ((1, least), (-1, greatest))
            )
        return least, greatest

    def _solved_whole(self, limits: LinearConstraint, objective: NDArray[np.float64], otherwise: float) -> float:
        """The least whole value of an objective; the linear programme's where the solver gives up."""
        result = milp(objective, constraints=limits, integrality=np.ones(self.size, dtype=np.int64))
        return otherwise if result.fun is None else float(round(result.fun))

    @staticmethod
    def _solved(
        matrix: sparse.csr_array, low: NDArray[np.float64], high: NDArray[np.float64], objective: NDArray[np.float64]
    ) -> float:
        equal = low == high
        upper = sparse.vstack([matrix[~equal], -matrix[~equal]]) if (~equal).any() else None
        bound = np.concatenate([high[~equal], -low[~equal]]) if (~equal).any() else None
        if upper is not None and bound is not None:
            finite = np.isfinite(bound)
            upper, bound = upper.tocsr()[finite], bound[finite]
        result = linprog(objective, upper, bound, matrix[equal], low[equal], method="highs")
        if result.status == 3:
            return -np.inf
        assert result.fun is not None, f"what was published contradicts itself: {result.message}"
        return float(result.fun)


def extremes(runs: Sequence[Publication], run: int, target: Target, *, growing: bool = False) -> tuple[float, float]:
    """The least and the greatest value that a hidden count can have, given one or two runs.

    A growing window: the attacker knows that rows were only added from the first run to the second.
    """
    used = range(len(runs)) if growing else [run]
    names = _related(runs[run], target.attribute)
    cutoffs = _chosen_cutoffs([runs[r] for r in used], names, target)
    bounds = [0, *(k + 1 for k in cutoffs), runs[run].cutoffs + 1]
    system = _System()
    labels = range(2) if any(runs[r].rounded for r in used) or target.label == 2 else [target.label]
    tables = {r: _add_run(system, runs[r], names, bounds, labels) for r in used}
    if growing:
        _add_growth(system, runs, tables)
    inside = slice(bounds.index(target.low), bounds.index(target.high))
    label = slice(2) if target.label == 2 else slice(target.label, target.label + 1)
    at = tables[run][target.attribute][label, target.group, inside].ravel()
    return system.extremes(at)


def _related(run: Publication, name: str) -> list[str]:
    """Everybody, and all attributes that share a constituent with the target's, over others."""
    inside, names = set(run.attributes[name].attributes), {name}
    while True:
        more = {other for other, one in run.attributes.items() if inside & set(one.attributes)} - names
        if not more:
            return [other for other, one in run.attributes.items() if other in names or not one.attributes]
        names |= more
        inside |= {constituent for other in more for constituent in run.attributes[other].attributes}


def _chosen_cutoffs(runs: Sequence[Publication], names: Sequence[str], target: Target) -> list[int]:
    """Cutoffs to divide the unknowns by: all that something related is shown at, or those nearest to the target.

    Knowing less, an attacker recovers less, never something false.
    """
    attributes = [run.attributes[name] for run in runs for name in names if name in run.attributes]
    needed = {bound - 1 for bound in (target.low, target.high)} & set(range(runs[0].cutoffs))
    shown = np.unique([k for one in attributes for k in np.flatnonzero(one.shown.any(axis=0))])
    if len(shown) + len(needed) <= _MOST_CUTOFFS:
        return sorted(needed | {int(k) for k in shown})
    lists = [np.flatnonzero(shown) for one in attributes for shown in np.unique(one.shown, axis=0)]
    near: list[int] = []
    for rank in range(2):
        for cutoffs, k in itertools.product(lists, sorted(needed)):
            place = int(np.searchsorted(cutoffs, k))
            near += [int(cutoffs[i]) for i in (place - 1 - rank, place + rank) if 0 <= i < len(cutoffs)]
    near += [int(k) for k in shown[:: max(1, len(shown) // _MOST_CUTOFFS)]]
    chosen = list(dict.fromkeys([*sorted(needed), *near]))
    return sorted(chosen[: _MOST_CUTOFFS + len(needed)])


def _add_run(
    system: _System, run: Publication, names: Sequence[str], bounds: Sequence[int], labels: Iterable[int]
) -> dict[str, IntArray]:
    """Unknowns and equations of one run; for each attribute its unknowns `[2, groups, intervals]`."""
    attributes = _with_shared({name: run.attributes[name] for name in names if name in run.attributes})
    tables = {name: system.variables(2, len(one.groups), len(bounds) - 1) for name, one in attributes.items()}
    for (name, one), label in itertools.product(attributes.items(), labels):
        table = tables[name][label]
        for place, bound in enumerate(bounds[1:-1], start=1):
            for group in np.flatnonzero(one.shown[:, bound - 1]).tolist():
                above, beneath = (side[label, group, bound - 1] for side in (one.above, one.beneath))
                system.require(table[group, place:], table[:0], above, above)
                system.require(table[group, :place], table[:0], beneath, beneath)
    for fine, coarse in itertools.permutations(attributes, 2):
        if set(attributes[coarse].attributes) < set(attributes[fine].attributes):
            cells = _cells(attributes[fine], attributes[coarse])
            for (at, inside), label in itertools.product(enumerate(cells), labels):
                for interval in range(len(bounds) - 1):
                    whole = tables[coarse][label, at, [interval]]
                    system.require(tables[fine][label, inside, interval], whole, 0, 0)
    for value in run.rounded:
        if value.attribute in tables and value.cutoff + 1 in bounds:
            _add_rounded(system, value, tables[value.attribute][:, value.group], bounds.index(value.cutoff + 1))
    return tables


def _with_shared(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    """With what two intersections have in common: the sums of both, which need not be published to be equal."""
    known = {frozenset(one.attributes) for one in attributes.values()}
    more = {}
    for one, other in itertools.combinations(attributes.values(), 2):
        common = tuple(name for name in one.attributes if name in other.attributes)
        if common and frozenset(common) not in known:
            known.add(frozenset(common))
            groups = tuple(sorted(set(_values(one, common)) | set(_values(other, common))))
            nothing = np.zeros((2, len(groups), one.shown.shape[1]), dtype=np.int64)
            more[f"common {common}"] = Attribute(common, groups, nothing[0].astype(bool), nothing, nothing)
    return attributes | more


def _values(one: Attribute, names: Sequence[str]) -> Groups:
    places = [one.attributes.index(name) for name in names]
    return tuple(tuple(group[place] for place in places) for group in one.groups)


def _cells(fine: Attribute, coarse: Attribute) -> list[list[int]]:
    """For each coarser group the finer ones that it is the sum of."""
    inside: dict[tuple[str, ...], list[int]] = {group: [] for group in coarse.groups}
    for cell, value in enumerate(_values(fine, coarse.attributes)):
        inside[value].append(cell)
    return list(inside.values())


def _add_rounded(system: _System, value: RoundedValue, table: IntArray, place: int) -> None:
    """(value - step / 2) events <= flagged <= (value + step / 2) events."""
    at = np.concatenate([table[0, place:], table[1, place:], table[0]])
    for end, sign in ((value.value - value.step / 2, 1), (value.value + value.step / 2, -1)):
        flags = np.ones(table[:, place:].size)
        weights = sign * np.concatenate([flags, -end * np.ones(table[0].size)])
        unique, where = np.unique(at, return_inverse=True)
        system.rows.append((unique, np.bincount(where, weights).astype(np.float64), -1e-6, np.inf))


def _add_growth(system: _System, runs: Sequence[Publication], tables: Mapping[int, Mapping[str, IntArray]]) -> None:
    """Rows were only added: no count of the second run is below that of the first."""
    for name, new in tables[1].items():
        if name not in tables[0]:
            continue
        before = {group: place for place, group in enumerate(runs[0].attributes[name].groups)}
        for at, group in enumerate(runs[1].attributes[name].groups):
            for label, interval in itertools.product(range(2), range(new.shape[2])):
                if group in before:
                    old = tables[0][name][label, before[group], [interval]]
                    system.require(new[label, at, [interval]], old, 0, np.inf)


@dataclass(frozen=True, eq=False)
class Audit:
    """The truth of one run: rows with a value per constituent, a bucket and a label; and what is reported of it."""

    values: NDArray[np.int64]  # [rows, constituents]
    bucket: IntArray
    event: BoolArray
    cutoffs: int
    points: tuple[int, ...]
    reported: tuple[tuple[int, ...], ...]  # constituents of each, the empty one is everybody

    def counts(self, constituents: tuple[int, ...]) -> tuple[Groups, IntArray]:
        """The groups with rows, and rows per label, group and bucket."""
        unique, place = np.unique(self.values[:, constituents], axis=0, return_inverse=True)
        groups = tuple(tuple(f"{value}" for value in row) for row in unique.tolist())
        counts = np.zeros((2, len(groups), self.cutoffs + 1), dtype=np.int64)
        np.add.at(counts, ((~self.event).astype(np.int64), place.ravel(), self.bucket), 1)
        return groups, counts


def name_of(constituents: tuple[int, ...]) -> str:
    """The name of an attribute."""
    return " x ".join(f"a{i}" for i in constituents) or "overall"


def publish(audit: Audit, shown: Mapping[str, BoolArray], rounded: Iterable[RoundedValue] = ()) -> Publication:
    """What is published of an audit under a plan."""
    attributes = {}
    for constituents in audit.reported:
        groups, counts = audit.counts(constituents)
        beneath = np.cumsum(counts, axis=2)[:, :, :-1]
        above = counts.sum(axis=2, keepdims=True) - beneath
        where = shown[name_of(constituents)]
        if len(constituents) > 1 and not where.any():
            continue  # not even its groups are listed
        names = tuple(f"a{i}" for i in constituents)
        attributes[name_of(constituents)] = Attribute(names, groups, where, above * where, beneath * where)
    return Publication(attributes, tuple(rounded))


def random_audit(rng: np.random.Generator, most_rows: int = 20_000) -> Audit:
    """Heavy-tailed groups, dependent attributes, tiny groups, scores that favour some."""
    rows = int(np.exp(rng.uniform(np.log(60), np.log(most_rows))))
    count = int(rng.integers(1, 5))
    values = np.zeros((rows, count), dtype=np.int64)
    for i in range(count):
        levels = int(rng.integers(2, 9))
        weights = rng.pareto(rng.uniform(0.4, 2), levels) + 1e-3 if rng.random() < 0.5 else rng.uniform(0.3, 1, levels)
        values[:, i] = rng.choice(levels, rows, p=weights / weights.sum())
        if i and rng.random() < 0.3:
            follows = rng.random(rows) < rng.choice([0.5, 0.95, 1.0])
            values[:, i] = np.where(follows, values[:, i - 1] % levels, values[:, i])
    cutoffs = int(rng.choice([1, 2, 5, 10, 50, 1_001]))
    event = rng.random(rows) < rng.choice([0.03, 0.1, 0.3, 0.6])
    score = rng.normal(event * rng.uniform(0, 2) + rng.normal(0, 0.5, 9)[values[:, 0]])
    edges = np.quantile(score, np.linspace(0.02, 0.98, cutoffs)) if cutoffs > 1 else np.array([0.5])
    pairs = list(itertools.combinations(range(count), 2))
    chosen = rng.permutation(len(pairs))[: rng.integers(0, 4)]
    triples = list(itertools.combinations(range(count), 3))
    reported: list[tuple[int, ...]] = [(), *((i,) for i in range(count)), *(pairs[i] for i in sorted(chosen))]
    if triples and rng.random() < 0.3:
        reported.append(triples[int(rng.integers(len(triples)))])
    central = np.arange(cutoffs // 4, cutoffs - cutoffs // 4) if rng.random() < 0.7 else np.arange(cutoffs)
    points = rng.choice(central, min(len(central), int(rng.integers(1, 4))), replace=False)
    return Audit(
        values, np.searchsorted(edges, score, side="right"), event, cutoffs, tuple(points.tolist()), tuple(reported)
    )


def next_run(rng: np.random.Generator, audit: Audit, kind: str) -> Audit:
    """The same window audited again: `same` data at other points, a few rows `changed` or `added`, or many `grown`."""
    points = rng.choice(audit.cutoffs, min(audit.cutoffs, int(rng.integers(1, 4))), replace=False)
    later = replace(audit, points=tuple(points.tolist()))
    rows = len(audit.bucket)
    if kind == "same":
        return later
    more = int(rng.integers(1, 12)) if kind in ("added", "changed") else int(rows * rng.uniform(0.2, 1)) + 1
    copied = rng.integers(0, rows, more)
    kept = np.ones(rows, dtype=bool)
    if kind == "changed":
        kept[rng.integers(0, rows, more)] = False
    values = np.concatenate([audit.values[kept], audit.values[copied]])
    if rng.random() < 0.3:
        values[-1, 0] = 9
    moved = np.clip(audit.bucket[copied] + rng.integers(-2, 3, more), 0, audit.cutoffs)
    return replace(
        later,
        values=values,
        bucket=np.concatenate([audit.bucket[kept], moved]),
        event=np.concatenate([audit.event[kept], audit.event[copied]]),
    )


def hidden_targets(audit: Audit, published: Publication, minimum: int) -> Iterator[tuple[Target, int]]:
    """Hidden counts of 1 to `minimum - 1`: of each group on either side of a cutoff, and between two neighbours.

    The cutoffs are those that something is shown at, and the operating points.
    """
    anywhere = np.any([one.shown.any(axis=0) for one in published.attributes.values()], axis=0)
    anywhere[list(audit.points)] = True
    bounds = np.concatenate([[0], np.flatnonzero(anywhere) + 1, [audit.cutoffs + 1]])
    for constituents in audit.reported:
        if (name := name_of(constituents)) not in published.attributes:
            continue
        counts = audit.counts(constituents)[1]
        below = np.concatenate([np.zeros((*counts.shape[:2], 1), dtype=np.int64), np.cumsum(counts, axis=2)], axis=2)
        ends = {(0, high) for high in bounds[1:]} | {(low, bounds[-1]) for low in bounds[:-1]}
        pairs = np.array(sorted(ends | set(itertools.pairwise(bounds))))
        truth = below[:, :, pairs[:, 1]] - below[:, :, pairs[:, 0]]
        truth = np.concatenate([truth, truth.sum(axis=0, keepdims=True)]) if published.rounded else truth
        for label, group, pair in np.argwhere((truth > 0) & (truth < minimum)).tolist():
            low, high = pairs[pair].tolist()
            yield Target(name, group, label, low, high), int(truth[label, group, pair])


def reported_of(audit: Audit) -> list[Reported]:
    """What disclosure control is given of an audit."""
    tables = ((c, *audit.counts(c)) for c in audit.reported)
    return [Reported(name_of(c), tuple(f"a{i}" for i in c), groups, *counts) for c, groups, counts in tables]


def previous_of(published: Publication) -> dict[str, Previous]:
    """What disclosure control is given of the run before."""
    return {
        name: Previous(one.groups, one.shown, *one.above, *one.beneath) for name, one in published.attributes.items()
    }
