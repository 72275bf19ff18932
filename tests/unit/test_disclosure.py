from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.disclosure.feasible_tables import moves
from fairsweep.core.disclosure.intersections import plan, split
from fairsweep.core.disclosure.model import Previous, Reported
from fairsweep.core.disclosure.rounding import rounded_gbe, steady_gbe
from tests.attacker import (
    Audit,
    extremes,
    hidden_targets,
    name_of,
    next_run,
    previous_of,
    publish,
    random_audit,
    reported_of,
)

MINIMUM = 11
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def single(name: str, events: list[list[int]], non_events: list[list[int]] | None = None) -> Reported:
    """A single attribute, by default with ten times as many non-events as events."""
    rows = np.array(events)
    others = 10 * rows if non_events is None else np.array(non_events)
    return Reported(name, (name,), tuple((f"{i}",) for i in range(len(rows))), rows, others)


def everybody_of(part: Reported) -> Reported:
    return Reported("overall", (), ((),), part.events.sum(axis=0)[np.newaxis], part.non_events.sum(axis=0)[np.newaxis])


def planned(*parts: Reported, points: tuple[int, ...] = (0,)) -> dict[str, BoolArray]:
    return plan([everybody_of(parts[0]), *parts], points, MINIMUM)


def atoms(buckets: IntArray, shown: BoolArray) -> IntArray:
    bounds = [0, *(np.flatnonzero(shown) + 1)]
    return np.add.reduceat(buckets, bounds)


@cache
def planned_audit(seed: int) -> tuple[Audit, dict[str, BoolArray]]:
    audit = random_audit(np.random.default_rng(seed), 5_000)
    return audit, plan(reported_of(audit), audit.points, MINIMUM)


def audits(count: int) -> list[tuple[Audit, dict[str, BoolArray]]]:
    return [planned_audit(seed) for seed in range(500, 500 + count)]


def test_what_is_shown_of_each_group_is_safe_between_all_its_cutoffs() -> None:
    checked = 0
    for audit, shown in audits(30):
        for table in reported_of(audit):
            for events, non_events, where in zip(table.events, table.non_events, shown[table.name], strict=True):
                if where.any():
                    counts = np.concatenate([atoms(events, where), atoms(non_events, where)])
                    assert ((counts == 0) | (counts >= MINIMUM)).all()
                    checked += len(counts)
    assert checked > 200


def test_groups_of_a_single_attribute_are_shown_at_nested_cutoffs_and_never_hidden_alone() -> None:
    for audit, shown in audits(30):
        for constituents in audit.reported:
            mine = shown[name_of(constituents)]
            assert not (mine & ~shown["overall"]).any()
            if len(constituents) == 1:
                order = np.argsort(mine.sum(axis=1))
                assert not (mine[order][:-1] & ~mine[order][1:]).any()
                hidden = (~mine).sum(axis=0)[shown["overall"][0]]
                assert (hidden != 1).all()


def test_cells_are_shown_only_where_their_parents_are() -> None:
    shown_cells = 0
    for audit, shown in audits(40):
        for constituents in (c for c in audit.reported if len(c) == 2):
            for place, i in enumerate(constituents):
                parents = [group[0] for group in audit.counts((i,))[0]]
                for cell, group in enumerate(audit.counts(constituents)[0]):
                    mine = shown[name_of(constituents)][cell]
                    assert not (mine & ~shown[f"a{i}"][parents.index(group[place])]).any()
                    shown_cells += int(mine.any())
    assert shown_cells > 10


def test_reporting_more_changes_no_other_single_attribute() -> None:
    for audit, shown in audits(15):
        for i in range(audit.values.shape[1]):
            alone = plan(reported_of(replace(audit, reported=((), (i,)))), audit.points, MINIMUM)
            assert (alone[f"a{i}"] == shown[f"a{i}"]).all()
            assert (alone["overall"] == shown["overall"]).all()


def test_order_of_groups_and_attributes_changes_nothing() -> None:
    for audit, shown in audits(8):
        tables = []
        for table in reversed(reported_of(audit)):
            turned = slice(None, None, -1)
            tables.append(
                replace(
                    table, groups=table.groups[turned], events=table.events[turned], non_events=table.non_events[turned]
                )
            )
        turned_plan = plan(tables, audit.points, MINIMUM)
        for constituents in audit.reported:
            if len(constituents) < 2:
                name = name_of(constituents)
                assert (turned_plan[name][::-1] == shown[name]).all()


def test_one_small_group_takes_the_next_smallest_with_it_and_no_other() -> None:
    shown = planned(single("race", [[30, 40], [200, 300], [3, 2], [90, 100]]))["race"]
    assert shown[:, 0].tolist() == [False, True, False, True]


def test_a_large_group_that_is_small_on_one_side_hides_no_safe_smaller_ones() -> None:
    shown = planned(single("race", [[30, 40], [400, 4], [20, 30], [90, 100]]))["race"]
    assert shown[:, 0].tolist() == [True, False, False, True]


def test_a_group_without_rows_is_shown_as_zeros_wherever_everybody_is() -> None:
    shown = planned(single("race", [[30, 40], [0, 0], [3, 2], [25, 30]]))
    assert shown["race"][:, 0].tolist() == [True, True, False, False]
    assert shown["overall"].all()


def test_the_only_group_is_everybody() -> None:
    shown = planned(single("race", [[30, 5, 40]]), points=(1, 0))
    assert shown["race"].tolist() == shown["overall"].tolist()


def test_zeros_are_shown_and_small_totals_show_nothing() -> None:
    safe = planned(single("race", [[0, 40], [0, 60]], [[30, 0], [20, 0]]))
    assert safe["race"].all()
    assert not any(shown.any() for shown in planned(single("race", [[2, 3], [1, 0]])).values())


def test_a_minimum_of_nothing_hides_nothing() -> None:
    race = single("race", [[1, 2], [3, 4]])
    assert all(shown.all() for shown in plan([everybody_of(race), race], [0], 0).values())


def test_members_are_counted_and_not_rows() -> None:
    rows = [[40, 40], [30, 30], [50, 50]]
    names = ("top_event_members", "top_non_event_members", "bottom_event_members", "bottom_non_event_members")
    many, few = np.array(rows), np.array([[40, 40], [2, 3], [50, 50]])
    race = single("race", rows, rows)
    both = {
        counted: plan(
            [
                replace(everybody_of(race), members={name: members.sum(axis=0)[np.newaxis] for name in names}),
                replace(race, members=dict.fromkeys(names, members)),
            ],
            [0],
            MINIMUM,
        )["race"][:, 0].tolist()
        for counted, members in (("rows", many), ("members", few))
    }
    assert both == {"rows": [True, True, True], "members": [False, False, True]}


def test_a_large_intersection_is_shown_with_only_its_small_row_and_a_complement_hidden() -> None:
    rng = np.random.default_rng(3)
    race, sex = rng.choice(4, 60_000, p=[0.6, 0.3, 0.094, 0.006]), rng.choice(2, 60_000)
    values = np.stack([race, sex], axis=1)
    event = rng.random(60_000) < 0.1
    bucket = (rng.random(60_000) < 0.2 + 0.3 * event).astype(np.int64)
    rare = race == 3
    event[rare] = np.arange(rare.sum()) < 30
    audit = Audit(values, bucket, event, 1, (0,), ((), (0,), (1,), (0, 1)))
    shown = plan(reported_of(audit), [0], MINIMUM)
    assert shown["a1"].all()
    assert shown["a0"][:2].all()
    visible = {group: bool(mine.any()) for group, mine in zip(audit.counts((0, 1))[0], shown["a0 x a1"], strict=True)}
    assert all(visible[race, sex] for race in "01" for sex in "01")
    assert not any(visible["3", sex] for sex in "01")


def test_large_groups_are_mostly_shown() -> None:
    large = shown_of_large = 0
    for audit, shown in audits(40):
        point = audit.points[0]
        for i in range(audit.values.shape[1]):
            counts = audit.counts((i,))[1]
            sides = np.concatenate([counts[:, :, point + 1 :].sum(axis=2), counts[:, :, : point + 1].sum(axis=2)])
            is_large = sides.min(axis=0) >= 50
            large += int(is_large.sum())
            shown_of_large += int((is_large & shown[f"a{i}"][:, point]).sum())
    assert large > 25
    assert shown_of_large > 0.9 * large


@pytest.mark.parametrize("kind", ["heavy", "equal"])
def test_a_thousand_groups_at_a_thousand_cutoffs_take_less_than_five_seconds(kind: str) -> None:
    rng = np.random.default_rng(4)
    sizes = np.minimum(100_000, 20 * rng.pareto(0.6, 1_000) + 1) if kind == "heavy" else np.full(1_000, 2_000)
    shape = rng.dirichlet(np.full(1_002, 3.0), 2)
    events, non_events = (
        rng.poisson(share * sizes[:, np.newaxis] * curve) for share, curve in zip((0.05, 0.95), shape, strict=True)
    )
    groups = tuple((f"{i}",) for i in range(1_000))
    one = Reported("provider", ("provider",), groups, events, non_events)
    start = time.perf_counter()
    shown = plan([everybody_of(one), one], [300, 500], MINIMUM)
    assert time.perf_counter() - start < 5
    assert shown["provider"].sum() > 2_000


def test_the_same_data_under_other_points_gives_the_plan_of_before() -> None:
    for seed in range(520, 530):
        rng = np.random.default_rng(seed)
        audit = random_audit(rng, 5_000)
        first = plan(reported_of(audit), audit.points, MINIMUM)
        later = next_run(rng, audit, "same")
        run = publish(audit, first)
        second = plan(reported_of(later), later.points, MINIMUM, previous_of(run))
        assert all((second[name] == first[name]).all() for name in run.attributes)


def test_nothing_hidden_before_is_shown_now() -> None:
    for seed in range(540, 548):
        rng = np.random.default_rng(seed)
        audit = random_audit(rng, 5_000)
        run = publish(audit, plan(reported_of(audit), audit.points, MINIMUM))
        for kind in ("changed", "grown", "added"):
            later = next_run(rng, audit, kind)
            now = publish(later, plan(reported_of(later), later.points, MINIMUM, previous_of(run)))
            for name in now.attributes.keys() & run.attributes.keys():
                before, after = run.attributes[name], now.attributes[name]
                for group, where in zip(after.groups, after.shown, strict=True):
                    if group in before.groups:
                        assert not (where & ~before.shown[before.groups.index(group)]).any()


def test_a_few_added_rows_are_not_told_by_the_difference_of_two_runs() -> None:
    race = single("race", [[100, 200], [80, 90]])
    before = {
        table.name: Previous(table.groups, np.ones((len(table.groups), 1), dtype=bool), *cells(table))
        for table in (everybody_of(race), race)
    }
    added = {rows: replace(race, events=race.events + np.array([[0, 0], [rows, 0]])) for rows in (0, 3, 12)}
    shown = {rows: plan([everybody_of(more), more], [0], MINIMUM, before)["race"].any() for rows, more in added.items()}
    assert shown == {0: True, 3: False, 12: True}


def cells(table: Reported) -> list[IntArray]:
    """tp, fp, fn, tn at the only cutoff."""
    return [counts[:, bucket, np.newaxis] for bucket in (1, 0) for counts in (table.events, table.non_events)]


def test_a_new_group_is_a_change_from_nobody() -> None:
    old = single("race", [[100, 200], [80, 90]])
    before = {
        table.name: Previous(table.groups, np.ones((len(table.groups), 1), dtype=bool), *cells(table))
        for table in (everybody_of(old), old)
    }
    for rows, expected in ((4, [False] * 3), (40, [True] * 3)):
        new = single("race", [[150, 250], [80, 90], [rows, rows]])
        shown = plan([everybody_of(new), new], [0], MINIMUM, before)
        assert shown["overall"].all()
        assert shown["race"][:, 0].tolist() == expected


def test_a_previous_attribute_needs_the_previous_everybody() -> None:
    race = single("race", [[100, 200], [80, 90]])
    with pytest.raises(ValueError, match="the previous run showed race"):
        plan(
            [everybody_of(race), race],
            [0],
            MINIMUM,
            {"race": Previous(race.groups, np.ones((2, 1), bool), *cells(race))},
        )


def test_everybody_and_the_groups_of_the_parts_are_needed() -> None:
    race = single("race", [[100, 200], [80, 90]])
    with pytest.raises(ValueError, match="needs the overall population"):
        plan([race], [0], MINIMUM)
    pair = Reported("race x sex", ("race", "sex"), (("7", "f"),), race.events[:1], race.non_events[:1])
    with pytest.raises(ValueError, match="race has no group"):
        plan([everybody_of(race), race, pair], [0], MINIMUM)


@pytest.mark.parametrize(
    ("attributes", "parts", "expected"),
    [
        ("ab", ["a", "b"], (set(), [{"a"}, {"b"}])),
        ("abc", ["ab", "c"], (set(), [{"a", "b"}, {"c"}])),
        ("abc", ["ab", "ac"], ({"a"}, [{"b"}, {"c"}])),
        ("abc", ["ab", "bc", "ac"], None),
    ],
)
def test_constituents_are_divided_so_that_no_reported_part_reaches_over(
    attributes: str, parts: list[str], expected: object
) -> None:
    assert split(tuple(attributes), [tuple(part) for part in parts]) == expected


def test_a_move_is_found_exactly_where_a_second_table_has_the_same_margins() -> None:
    rng = np.random.default_rng(6)
    found = 0
    for _ in range(300):
        table = rng.integers(0, 2, (2, 2, 2))
        every = np.ones((2, 2), dtype=bool)
        moved = moves(table, every, ~every, np.zeros(2, dtype=np.int64), every).atoms
        sign = np.array([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
        other = any(((table + side * sign) >= 0).all() for side in (1, -1))
        assert moved.all() == other == moved.any()
        found += other
    assert 5 < found < 295


def counts_of(table: IntArray) -> ConfusionCounts:
    return ConfusionCounts.of(*(table[:, i, np.newaxis] for i in range(4)))


def test_groups_with_large_margins_keep_gbe_to_two_decimals_where_only_inner_cells_are_small() -> None:
    counts = counts_of(np.array([[3, 30, 40, 500], [5, 40, 30, 400], [90, 90, 90, 900]]))
    shown = np.array([[False], [False], [True]])
    kept = rounded_gbe(counts, shown, np.ones(1, dtype=bool), [0], MINIMUM)
    assert kept.value[:, 0].tolist() == pytest.approx([0.77, 1.29, np.nan], nan_ok=True)
    assert kept.step[:2, 0].tolist() == [0.01, 0.01]


def test_a_hidden_group_with_small_margins_makes_the_value_beside_it_coarse_where_events_are_known() -> None:
    # At the second cutoff 1.03 of 290 known events would be 298 to 300 flagged, and leave 7 to 9 for the second group.
    at_first = [[200, 400, 90, 2_210], [6, 5, 3, 38], [40, 50, 30, 400], [900, 900, 900, 9_000]]
    at_second = [[130, 170, 160, 2_440], [4, 3, 5, 40], [30, 35, 40, 415], [700, 700, 1_100, 9_200]]
    counts = ConfusionCounts.of(*np.array([at_first, at_second]).transpose(2, 1, 0))
    shown = np.array([[True, False], [False, False], [False, False], [True, True]])
    kept = rounded_gbe(counts, shown, np.ones(2, dtype=bool), [1], MINIMUM)
    assert kept.step[:, 0].tolist() == pytest.approx([0.1, np.nan, 0.01, np.nan], nan_ok=True)
    assert kept.value[:, 0].tolist() == pytest.approx([1.0, np.nan, 0.93, np.nan], nan_ok=True)


def test_no_value_is_kept_where_everybody_is_hidden_or_margins_are_small() -> None:
    counts = counts_of(np.array([[3, 30, 40, 500], [5, 40, 30, 400], [2, 3, 90, 900]]))
    hidden = np.zeros((3, 1), dtype=bool)
    assert np.isnan(rounded_gbe(counts, hidden, np.zeros(1, dtype=bool), [0], MINIMUM).value).all()
    assert np.isnan(rounded_gbe(counts, hidden, np.ones(1, dtype=bool), [0], MINIMUM).value[2]).all()


def test_beside_intersections_a_value_is_as_fine_as_one_person_more_or_less_cannot_change() -> None:
    counts = counts_of(np.array([[94, 80, 105, 255], [940, 800, 1_050, 2_550], [20, 20, 20, 20], [9_000, 1, 1_000, 9]]))
    kept = steady_gbe(counts, np.array([[True], [True], [True], [False]]))
    # 174 of 199; 1,740 of 1,990; 40 of 40: .05 is too fine for 39 of 41.
    assert kept.step[:, 0].tolist() == pytest.approx([0.1, 0.02, 0.2, np.nan], nan_ok=True)
    assert kept.value[:, 0].tolist() == pytest.approx([0.9, 0.88, 1.0, np.nan], nan_ok=True)


def test_every_small_count_of_a_planned_audit_keeps_a_wide_range_in_a_single_attribute() -> None:
    rng = np.random.default_rng(7)
    for seed in range(560, 570):
        audit = random_audit(np.random.default_rng(seed), 3_000)
        audit = replace(audit, reported=((), (0,)))
        run = publish(audit, plan(reported_of(audit), audit.points, MINIMUM))
        targets = [target for target, _ in hidden_targets(audit, run, MINIMUM)]
        for target in (targets[i] for i in rng.permutation(len(targets))[:3]):
            least, greatest = extremes([run], 0, target)
            assert greatest - least >= MINIMUM


def test_a_cell_that_is_gone_needs_no_part_that_still_has_its_group() -> None:
    rows = np.array([[300, 200], [250, 260], [100, 90]])
    groups = (("0", "f"), ("0", "m"), ("1", "f"))
    pair = Reported("race x sex", ("race", "sex"), groups, rows, rows)
    old_groups = (*groups, ("7", "m"))
    old_rows = np.vstack([rows, [[20, 30]]])
    old = replace(pair, groups=old_groups, events=old_rows, non_events=old_rows)
    before = {
        table.name: Previous(table.groups, np.ones((len(table.groups), 1), dtype=bool), *cells(table))
        for table in (everybody_of(old), old)
    }
    race = single("race", [[550, 460], [100, 90]], [[550, 460], [100, 90]])
    shown = plan([everybody_of(race), race, pair], [0], MINIMUM, before)
    assert {name: mine.shape for name, mine in shown.items()} == {
        "overall": (1, 1), "race": (2, 1), "race x sex": (3, 1)
    }  # fmt: skip
    assert shown["race"].all()
