"""Many groups: what is kept up to date instead of being computed anew gives what computing it anew gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import fairsweep as fs
from fairsweep.core.disclosure import nested_suppression
from fairsweep.core.disclosure.count_lines import Lines
from fairsweep.core.disclosure.feasible_tables import moves, moves_of_cells
from fairsweep.core.disclosure.intersections import plan
from fairsweep.core.disclosure.model import Reported, Series, below, flat
from fairsweep.core.disclosure.rounding import STEPS, _finest, _multiple
from fairsweep.core.inference.verdicts import INTERSECTIONS, OVERALL, Family, by_family
from tests.attacker import random_audit, reported_of

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
MINIMUM = 11


class SlowLines:
    """The lines of an intersection as they are defined: everything is looked at again after each one."""

    def __init__(
        self, directions: list[IntArray], series: Series, pools: list[IntArray], bounds: IntArray, visible: BoolArray
    ) -> None:
        self.directions, self.series, self.pools, self.bounds, self.visible = directions, series, pools, bounds, visible

    def cheapest(self, kind: BoolArray) -> None:
        weight = (self.series.rows[:, -1].reshape(2, -1).sum(axis=0) + 1) * self.visible
        choices = []
        for direction, numbers in enumerate(self.directions):
            for line in range(numbers.max() + 1):
                inside = numbers == line
                if kind[inside].any():
                    choices.append((weight[inside].sum() / kind[inside].sum(), line, direction))
        if choices:
            _, line, direction = min(choices)
            self.visible = self.visible & (self.directions[direction] != line)

    def unsafe(self) -> BoolArray:
        alone = self.series.unsafe(MINIMUM, self.bounds[:-1], self.bounds[1:]).any(axis=1).reshape(2, -1).any(axis=0)
        found: BoolArray = alone & self.visible
        if found.any():
            return found
        for places in self.pools:
            for pool in range(places.max() + 1):
                hidden = np.flatnonzero((places == pool) & ~self.visible)
                if not len(hidden) or not self.visible[places == pool].any():
                    continue
                together = Series(self._of(self.series.rows, hidden), self._of_members(hidden))
                if together.unsafe(MINIMUM, self.bounds[:-1], self.bounds[1:]).any():
                    found |= self.visible & (places == pool)
        return found

    @staticmethod
    def _of(counts: IntArray, cells: IntArray) -> IntArray:
        return np.asarray(counts.reshape(2, -1, counts.shape[1])[:, cells].sum(axis=1))

    def _of_members(self, cells: IntArray) -> tuple[IntArray, IntArray] | None:
        if self.series.members is None:
            return None
        top, bottom = (self._of(part, cells) for part in self.series.members)
        return top, bottom

    def until_safe(self) -> None:
        while (unsafe := self.unsafe()).any():
            self.cheapest(unsafe)


@pytest.mark.parametrize("seed", range(60))
def test_lines_are_suppressed_as_if_all_were_looked_at_again_after_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns, buckets = int(rng.integers(1, 12)), int(rng.integers(1, 5)), 4
    listed = np.flatnonzero(rng.random(rows * columns) < rng.choice([0.5, 1.0]))
    if not len(listed):
        return
    row, column = np.divmod(listed, columns)
    counts = rng.poisson(rng.choice([3, 9, 30]), (2, len(listed), buckets)) * (rng.random((2, len(listed), 1)) < 0.9)
    members = None
    if seed % 3 == 0:
        part = [(counts * rng.choice([0.5, 1.0], counts.shape)).astype(np.int64) for _ in range(2)]
        members = flat(below(part[0])), flat(below(part[1]))
    series = Series(flat(below(counts)), members)
    bounds = np.array([0, 2, buckets])
    visible = rng.random(len(listed)) < 0.95
    pools = [np.zeros_like(row), row, column][: int(rng.integers(1, 4))]
    fast = Lines((row, column), series, bounds, pools, MINIMUM, visible)
    slow = SlowLines([row, column], series, pools, bounds, visible)
    for count in (1, 2, 4):
        fast.suppress_unsafe()
        slow.until_safe()
        np.testing.assert_array_equal(fast.visible, slow.visible)
        fast.suppress_cheapest(count)
        for _ in range(count):
            slow.cheapest(slow.visible)
        np.testing.assert_array_equal(fast.visible, slow.visible)


def test_groups_looked_at_together_are_shown_as_if_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    together: dict[int, dict[str, BoolArray]] = {}
    alone: dict[int, dict[str, BoolArray]] = {}
    for found, at_once in ((together, 1 << 17), (alone, 1)):
        monkeypatch.setattr(nested_suppression, "_LOOKED_AT", at_once)
        for seed in range(300, 340):
            audit = random_audit(np.random.default_rng(seed), 5_000)
            found[seed] = plan(reported_of(audit), audit.points, MINIMUM)
    for seed, plans in together.items():
        for name, shown in plans.items():
            np.testing.assert_array_equal(shown, alone[seed][name])


def test_moves_among_listed_cells_are_those_of_the_whole_table() -> None:
    rng, some = np.random.default_rng(5), 0
    for _ in range(200):
        table = rng.poisson(0.7, (int(rng.integers(2, 9)), int(rng.integers(2, 9)), 5))
        listed = (table.sum(axis=2) > 0) & (rng.random(table.shape[:2]) < 0.8)
        table[~listed] = 0
        hidden, wanted = rng.random(listed.shape) < 0.6, np.ones(listed.shape, dtype=bool)
        interval = np.array([0, 0, 1, 1, 1])
        whole = moves(table, listed, hidden, interval, wanted)
        order = rng.permutation(int(listed.sum()))
        row, column = (place[order] for place in np.nonzero(listed))
        here = moves_of_cells(table[row, column], (row, column), hidden[row, column], interval, wanted[row, column])
        for one, other in ((whole.atoms, here.atoms), (whole.cuts, here.cuts), (whole.swaps, here.swaps)):
            np.testing.assert_array_equal(one[row, column], other)
            some += int(other.sum())
        assert not whole.atoms[~listed].any()
    assert some > 1_000


def slow_finest(mine: IntArray, others: IntArray, rest: BoolArray, minimum: int) -> int | None:
    """The finest step by trying every number of events."""
    for step in STEPS:
        multiple = _multiple(mine[0], mine[1], step)
        possible = []
        for events in range(1, int((mine[1] + others[1]).min()) + 1):
            flags = [
                [
                    f
                    for f in range(0 if open_ else own, own + more + 1)
                    if (200 * f + events * step) // (2 * events * step) == m
                ]
                for own, more, open_, m in zip(mine[0], others[0], rest, multiple, strict=True)
            ]
            if all(flags):
                possible.append((events, [min(f) for f in flags], [max(f) for f in flags]))
        events_wide = possible[-1][0] - possible[0][0] >= minimum - 1
        lowest = np.min([low for _, low, _ in possible], axis=0)
        highest = np.max([high for _, _, high in possible], axis=0)
        if events_wide and (highest - lowest >= minimum - 1)[rest].all():
            return step
    return None


def test_the_finest_step_is_that_of_trying_every_number_of_events() -> None:
    rng, found = np.random.default_rng(6), []
    for _ in range(150):
        points = int(rng.integers(1, 3))
        mine = np.stack([rng.integers(0, 30, points), np.repeat(rng.integers(1, 30), points)])
        others = np.stack([rng.integers(0, 30, points), np.repeat(rng.integers(0, 30), points)])
        rest = rng.random(points) < 0.8
        if not rest.any():
            continue
        found.append(slow_finest(mine, others, rest, 5))
        assert _finest(mine, others, rest, False, 5) == found[-1]
    assert len(set(found)) > 3


def test_the_members_of_families_are_found_wherever_they_stand() -> None:
    race, age = Family.of_attribute("race"), Family.of_attribute("age")
    families = [OVERALL, race, race, Family.of_attribute("race"), age, INTERSECTIONS, INTERSECTIONS, age]
    found = {family: places.tolist() for family, places in by_family(families).items()}
    assert found == {OVERALL: [0], race: [1, 2, 3], age: [4, 7], INTERSECTIONS: [5, 6]}
    assert by_family([]) == {}


def providers(groups: int, rows: int, events: int) -> list[Reported]:
    """Everybody, providers, sexes and both: `rows` of each provider and sex in each of three buckets."""
    rng = np.random.default_rng(0)
    counts = rng.poisson([[[rows]], [[events]]], (2, groups * 2, 3))
    by_provider, by_sex = counts.reshape(2, groups, 2, 3).sum(axis=2), counts.reshape(2, groups, 2, 3).sum(axis=1)

    def reported(name: str, attributes: tuple[str, ...], values: list[tuple[str, ...]], of: IntArray) -> Reported:
        return Reported(name, attributes, tuple(values), of[1], of[0])

    names, sexes = [f"P{i:06d}" for i in range(groups)], ["f", "m"]
    return [
        reported("overall", (), [()], counts.sum(axis=1, keepdims=True)),
        reported("provider", ("provider",), [(name,) for name in names], by_provider),
        reported("sex", ("sex",), [(sex,) for sex in sexes], by_sex),
        reported("both", ("provider", "sex"), [(name, sex) for name in names for sex in sexes], counts),
    ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("events", [3, 12, 40])
def test_a_plan_of_twenty_thousand_groups_and_their_intersection_ends(events: int) -> None:
    """Minutes, were a line of the intersection suppressed by looking at all the others."""
    shown = plan(providers(20_000, 80, events), [1, 0], MINIMUM)
    assert shown["sex"].all()
    assert shown["both"].shape == (40_000, 2)
    assert (shown["both"].sum() > 20_000) == (events == 40)
    assert not (shown["both"] & ~np.repeat(shown["provider"], 2, axis=0)).any()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("minimum", [0, 11])
def test_an_audit_of_twenty_thousand_groups_ends(minimum: int) -> None:
    """Minutes, were each group to ask all others of its family."""
    rng, groups = np.random.default_rng(0), 20_000
    size = 12 * groups + 400
    provider = np.concatenate([np.repeat(np.arange(groups), 12), np.zeros(400, dtype=np.int64)])
    rows = pd.DataFrame({"risk": rng.random(size), "fell": rng.integers(0, 2, size)})
    rows["provider"] = pd.Index([f"P{i:06d}" for i in range(groups)]).take(provider)
    point: dict[str, Any] = {"name": "point", "rule": "fixed", "at": 0.5}
    result = fs.audit(
        rows, score="risk", label="fell", flag_is="help", operating_points=[point], cutoffs=[0.5],
        attributes=[{"name": "provider", "reference": "P000000"}],
        privacy={"minimum_cell_size": minimum, "allowed_attributes": ["provider"]},
    )  # fmt: skip
    judged = result.tables["group_metrics"]
    assert judged.num_rows == 16 * (groups + 1)
    assert result.tables["disparities"].num_rows >= 16 * 3 * groups - 16
    assert "and 19,990 more groups" in result.summary()
    family = result.metrics.query("metric == 'group_benefit_equality' and attribute == 'provider'")
    assert int(family["p_adjusted"].notna().sum()) > (10_000 if not minimum else -1)
