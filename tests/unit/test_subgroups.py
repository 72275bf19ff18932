from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.evidence.lattice import Lattice, p_beyond_rest
from fairsweep.core.evidence.subgroups import Subgroup, search
from fairsweep.core.inference.intervals import bonett_price, log_gbe_variance, relative_log_variance, score_statistic
from fairsweep.core.inference.verdicts import FlagIs, Rule

HELP, SANCTION = Rule("help"), Rule("sanction")
Z90 = 1.6448536269514722
Joint = NDArray[np.int64]
Found = tuple[tuple[str, ...], tuple[str, ...]]
Sets = dict[tuple[str, ...], tuple[Sequence[tuple[str, ...]], ConfusionCounts]]
NAMES = ("age", "race", "sex", "dual", "region")


def counts(*groups: tuple[int, int, int]) -> ConfusionCounts:
    """Groups given as (tp, fp, fn), each with 1,000 true negatives."""
    tp, fp, fn = np.array(groups, dtype=np.int64).T
    return ConfusionCounts.of(tp, fp, fn, 1_000)


def all_sets(joint: Joint, ways: int = 3) -> Sets:
    """Every combination of up to some attributes, from tp, fp and fn per joint cell, `[3, ages, races, ...]`."""
    sets: Sets = {}
    for size in range(1, ways + 1):
        for axes in combinations(range(joint.ndim - 1), size):
            others = tuple(axis + 1 for axis in range(joint.ndim - 1) if axis not in axes)
            tp, fp, fn = joint.sum(axis=others).reshape(3, -1)
            cells = [tuple(f"{NAMES[a][0]}{v}" for a, v in zip(axes, place, strict=True))
                     for place in np.ndindex(*(joint.shape[a + 1] for a in axes))]  # fmt: skip
            sets[tuple(NAMES[a] for a in axes)] = cells, ConfusionCounts.of(tp, fp, fn, 20 * (tp + fn))
    return sets


def everybody(joint: Joint) -> ConfusionCounts:
    tp, fp, fn = joint.reshape(3, -1).sum(axis=1)
    return ConfusionCounts.of(tp, fp, fn, 20 * (tp + fn))


def drawn(seed: int, events: NDArray[np.float64], gbe: NDArray[np.float64], recall: float = 0.35) -> Joint:
    """A population in which each joint cell has its expected events and its true group benefit equality."""
    share = recall * gbe
    expected = np.stack([events * share, events * (gbe - share), events * (1 - share)])
    return np.random.default_rng(seed).poisson(expected)


def turned(joint: Joint) -> Joint:
    """Flags and events exchanged."""
    return joint[[0, 2, 1]]


def found(subgroups: Sequence[Subgroup]) -> list[Found]:
    return [(subgroup.attributes, subgroup.values) for subgroup in subgroups]


BALANCED = ConfusionCounts.of(10**6, 10**6, 10**6, 10**8)


def test_planted_three_way_subgroup_is_found_first_and_alone_among_500_fair_ones() -> None:
    gbe = np.ones((7, 8, 9))
    gbe[1, 2, 3] = 0.5
    for seed in range(8):
        joint = drawn(seed, np.full(gbe.shape, 300.0), gbe)
        result = search(all_sets(joint), everybody(joint), HELP, with_explained=True)
        assert found(result)[0] == (("age", "race", "sex"), ("a1", "r2", "s3"))
        assert [subgroup.explained_by for subgroup in result].count(None) == 1
        assert result[0].searched == 7 + 8 + 9 + 56 + 63 + 72 + 504


@pytest.mark.parametrize("flag_is", ["help", "sanction"])
def test_parents_that_are_low_only_because_of_a_child_are_explained_by_it(flag_is: FlagIs) -> None:
    events, gbe = np.full((4, 5, 6), 100.0), np.ones((4, 5, 6))
    events[1, 2, 3], gbe[1, 2, 3] = 4_000, 0.5
    for seed in range(5):
        joint = drawn(seed, events, gbe)
        joint = joint if flag_is == "help" else turned(joint)
        result = search(all_sets(joint), BALANCED, Rule(flag_is), with_explained=True)
        assert found(result)[0] == (("age", "race", "sex"), ("a1", "r2", "s3"))
        assert result[0].explained_by is None
        parents = {(subgroup.attributes, subgroup.values) for subgroup in result[1:]}
        assert {(("age",), ("a1",)), (("race", "sex"), ("r2", "s3"))} <= parents
        assert {subgroup.explained_by for subgroup in result[1:]} == {("a1", "r2", "s3")}
        assert {subgroup.explained_by_attributes for subgroup in result[1:]} == {("age", "race", "sex")}


@pytest.mark.parametrize("flag_is", ["help", "sanction"])
def test_planted_one_way_subgroup_is_found_as_such_and_its_children_are_dropped(flag_is: FlagIs) -> None:
    gbe = np.ones((4, 5, 6, 3))
    gbe[1] = 0.5
    beside = 0
    for seed in range(10):
        joint = drawn(seed, np.full(gbe.shape, 60.0), gbe)
        joint = joint if flag_is == "help" else turned(joint)
        result = search(all_sets(joint), everybody(joint), Rule(flag_is), with_explained=True)
        assert found(result)[0] == (("age",), ("a1",))
        others = [subgroup.explained_by for subgroup in result[1:]]
        assert others.count(("a1",)) >= 5 + 6 + 3
        beside += others.count(None)
    # By chance one in twenty has a child that is lower still.
    assert beside <= 2


@pytest.mark.parametrize("flag_is", ["help", "sanction"])
def test_nothing_is_found_among_fair_groups_and_seldom_where_every_cell_is_on_the_bound(flag_is: FlagIs) -> None:
    runs = 60
    for true, most in ((1.0, 0), (0.8, 5)):
        reports = 0
        for seed in range(runs):
            joint = drawn(seed, np.full((3, 4, 5), 80.0), np.full((3, 4, 5), true))
            joint = joint if flag_is == "help" else turned(joint)
            reports += bool(search(all_sets(joint), BALANCED, Rule(flag_is)))
        assert reports <= most


def test_two_children_explain_their_parent_together_even_where_they_overlap() -> None:
    disjoint, overlapping = np.ones((3, 4, 5)), np.ones((3, 4, 5))
    disjoint[1, 0], disjoint[1, 1] = 0.5, 0.5
    overlapping[1, 0], overlapping[1, :, 0] = 0.3, 0.3
    for gbe, names in ((disjoint, {("a1", "r0"), ("a1", "r1")}), (overlapping, {("a1", "r0"), ("a1", "s0")})):
        joint = drawn(1, np.full(gbe.shape, 400.0), gbe)
        result = search(all_sets(joint), BALANCED, HELP, with_explained=True)
        assert {subgroup.values for subgroup in result if subgroup.explained_by is None} == names
        assert ("a1",) in {subgroup.values for subgroup in result if subgroup.explained_by in names}


def test_parent_that_is_low_beyond_its_worst_child_is_reported_beside_it() -> None:
    gbe = np.ones((4, 5, 6))
    gbe[1], gbe[1, 2] = 0.6, 0.25
    joint = drawn(3, np.full(gbe.shape, 200.0), gbe)
    result = search(all_sets(joint), everybody(joint), HELP)
    assert found(result) == [(("age",), ("a1",)), (("age", "race"), ("a1", "r2"))]


def test_group_that_is_low_only_where_it_overlaps_a_finding_is_explained_by_it() -> None:
    gbe = np.ones((4, 5))
    gbe[1] = 0.5
    events = np.full(gbe.shape, 200.0)
    events[1, 2] = 5_000
    joint = drawn(3, events, gbe)
    result = search(all_sets(joint), BALANCED, HELP, with_explained=True)
    reasons = {subgroup.values: subgroup.explained_by for subgroup in result}
    assert reasons[("a1",)] is None
    assert reasons[("r2",)] == ("a1",)


@pytest.mark.parametrize(
    ("rule", "group", "shortfall", "limit"),
    [(HELP, (30, 10, 60), 0.8 * 90 - 40, 1), (SANCTION, (30, 60, 10), 90 - 40 / 0.8, 0)],
)
def test_figures_of_a_subgroup(rule: Rule, group: tuple[int, int, int], shortfall: float, limit: int) -> None:
    fair = (300, 260, 250)
    (one,) = search({("race",): ([("b",), ("w",)], counts(group, fair))}, BALANCED, rule)
    tp, fp, fn = group
    side = 1 if rule is HELP else -1
    assert (one.attributes, one.values, one.searched, one.explained_by) == (("race",), ("b",), 2, None)
    assert [int(a) for a in one.counts.arrays[:4]] == [*group, 1_000]
    assert one.value == pytest.approx((tp + fp) / (tp + fn))
    assert (one.ci_low, one.ci_high) == pytest.approx([float(a) for a in bonett_price(*group)])
    assert one.shortfall == pytest.approx(shortfall)
    nearer = float(bonett_price(*group, Z90)[limit])
    assert one.shortfall_low == pytest.approx(side * (rule.bound - nearer) * (tp + fn))
    assert 0 < one.shortfall_low < one.shortfall
    assert one.p == pytest.approx(norm.cdf(side * float(score_statistic(*group, rule.bound))))
    assert one.p_adjusted == pytest.approx(2 * one.p)


def test_figures_on_the_relative_basis_are_in_units_of_the_population() -> None:
    group, population = (300, 1_000, 90), ConfusionCounts.of(2_000, 12_000, 500, 10**6)
    (one,) = search({("race",): ([("b",)], counts(group))}, population, HELP)
    overall, gbe = 14_000 / 2_500, 1_300 / 390
    wider = np.sqrt(relative_log_variance(group, (2_000, 12_000, 500)) / log_gbe_variance(*group))
    assert one.value == pytest.approx(gbe / overall)
    limits = [
        gbe / overall * (float(end) / gbe) ** wider for end in (*bonett_price(*group), *bonett_price(*group, Z90))
    ]
    assert (one.ci_low, one.ci_high) == pytest.approx(limits[:2])
    assert one.shortfall == pytest.approx(0.8 * overall * 390 - 1_300)
    assert one.shortfall_low == pytest.approx((0.8 - limits[3]) * overall * 390)
    unflagged = search({("race",): ([("b",)], counts((0, 0, 390)))}, population, HELP)[0]
    high = float(bonett_price(0, 0, 390)[1]) / overall
    assert (unflagged.value, unflagged.ci_low, unflagged.ci_high) == pytest.approx((0, 0, high))


def test_order_is_by_the_lower_limit_of_people_and_not_by_p_or_value() -> None:
    groups = counts((300, 100, 600), (10, 0, 190), (700, 1_300, 2_000), (3_000, 3_000, 3_000))
    result = search({("race",): ([("b",), ("c",), ("d",), ("w",)], groups)}, BALANCED, HELP)
    assert [subgroup.values for subgroup in result] == [("b",), ("c",), ("d",)]
    lows = [subgroup.shortfall_low for subgroup in result]
    assert lows == sorted(lows, reverse=True)
    assert result[0].value > result[1].value < result[2].value


def test_support_is_on_events_and_the_family_is_what_was_searched() -> None:
    groups = counts((5, 0, 25), (5, 0, 24), (5, 90, 24), (300, 260, 250))
    sets: Sets = {("race",): ([("b",), ("c",), ("d",), ("w",)], groups)}
    (one,) = search(sets, BALANCED, HELP)
    assert (one.values, one.searched) == (("b",), 2)
    assert {subgroup.values for subgroup in search(sets, BALANCED, HELP, minimum_events=29)} == {("b",), ("c",)}


def test_same_people_under_several_descriptions_are_told_once_by_the_shortest() -> None:
    low, fair = (30, 10, 160), (600, 520, 500)
    sets: Sets = {
        ("sex",): ([("f",), ("m",)], counts(low, fair)),
        ("dual",): ([("no",), ("yes",)], counts(fair, low)),
        ("dual", "sex"): ([("no", "m"), ("yes", "f")], counts(fair, low)),
    }
    first, *others = search(sets, BALANCED, HELP, with_explained=True)
    assert (first.attributes, first.explained_by) == (("dual",), None)
    assert [(other.attributes, other.explained_by) for other in others] == [
        (("sex",), ("yes",)), (("dual", "sex"), ("yes",)),
    ]  # fmt: skip


def test_empty_input_finds_nothing() -> None:
    nobody = ConfusionCounts.of([], [], [], [])
    few = counts((1, 2, 3))
    sets: Sequence[Mapping[tuple[str, ...], tuple[list[tuple[str, ...]], ConfusionCounts]]] = [
        {}, {("race",): ([], nobody)}, {("race",): ([("b",)], few)},
    ]  # fmt: skip
    for given_sets in sets:
        assert search(given_sets, BALANCED, HELP) == ()
    no_events = ConfusionCounts.of(0, 50, 0, 9)
    assert search({("race",): ([("b",)], no_events.reshape(1))}, no_events, HELP) == ()
    none_flagged = ConfusionCounts.of(0, 0, 50, 9)
    assert search({("race",): ([("b",)], none_flagged.reshape(1))}, none_flagged, HELP) == ()


def mixed(seed: int) -> Joint:
    """Many cells, some of them low."""
    rng = np.random.default_rng(seed)
    return drawn(seed, rng.uniform(300, 900, (2, 3, 3)), rng.choice([0.5, 0.7, 1.0, 1.2], (2, 3, 3)))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_sanction_mirrors_help(seed: int) -> None:
    joint = mixed(seed)
    straight = search(all_sets(joint), BALANCED, HELP, most=100, with_explained=True)
    mirrored = search(all_sets(turned(joint)), BALANCED, SANCTION, most=100, with_explained=True)
    twin = dict(zip(found(mirrored), mirrored, strict=True))
    assert set(found(straight)) == set(twin)
    for one, subgroup in zip(found(straight), straight, strict=True):
        assert subgroup.value * twin[one].value == pytest.approx(1)
        assert subgroup.ci_low * twin[one].ci_high == pytest.approx(1)
        assert subgroup.shortfall == pytest.approx(0.8 * twin[one].shortfall)
        assert subgroup.p == pytest.approx(twin[one].p, rel=1e-6)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_neither_the_order_of_the_input_nor_the_length_of_the_list_changes_a_finding(
    seed: int, data: st.DataObject
) -> None:
    joint = mixed(seed)
    sets, population = all_sets(joint), everybody(joint)
    whole = search(sets, population, HELP)
    length = data.draw(st.integers(1, 20))
    assert found(search(sets, population, HELP, most=length)) == found(whole)[:length]
    shuffled: Sets = {}
    for names in data.draw(st.permutations(list(sets))):
        order = data.draw(st.permutations(range(len(names))))
        cells, tallies = sets[names]
        backwards = list(range(len(cells)))[::-1]
        turned_cells = [tuple(cells[k][i] for i in order) for k in backwards]
        shuffled[tuple(names[i] for i in order)] = turned_cells, tallies[backwards]
    again = search(shuffled, population, HELP)
    assert [dict(zip(*one, strict=True)) for one in found(again)] == [
        dict(zip(*one, strict=True)) for one in found(whole)
    ]


def people_of(lattice: Lattice, cell: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The joint cells that a cell consists of."""
    mask = np.ones(shape, dtype=bool)
    for name, value in lattice.members[cell]:
        mask &= np.indices(shape)[NAMES.index(name)] == int(value[1:])
    return mask


@given(seed=st.integers(0, 10**6), data=st.data())
def test_remainders_equal_taking_the_people_out_of_the_joint_table(seed: int, data: st.DataObject) -> None:
    joint = np.random.default_rng(seed).integers(1, 9, (3, 2, 3, 2))
    lattice = Lattice.of(all_sets(joint))
    place = st.integers(0, len(lattice.members) - 1)
    cell, others = data.draw(place), data.draw(st.lists(place, max_size=5))
    left, taken = lattice.remainders(cell, others)
    kept, expected = people_of(lattice, cell, joint.shape[1:]), []
    for other in others:
        out = people_of(lattice, other, joint.shape[1:])
        assert other in taken or not (kept & out).any()
        kept = kept & ~out
        expected += [joint[:, kept].sum(axis=1).tolist()] if other in taken else []
    assert np.array(left.arrays[:3]).T.tolist()[: len(expected)] == expected[: len(taken)]
    assert len(taken) <= len(expected)


def test_overlap_that_takes_a_combination_not_given_is_passed_over() -> None:
    joint = drawn(1, np.full((2, 2, 2, 2), 50.0), np.ones((2, 2, 2, 2)))
    lattice = Lattice.of(all_sets(joint))
    cell = lattice.place[frozenset({("age", "a0"), ("race", "r0"), ("sex", "s0")})]
    unknown = lattice.place[frozenset({("dual", "d0")})]
    conflicting = lattice.place[frozenset({("age", "a1"), ("dual", "d0")})]
    left, taken = lattice.remainders(cell, [unknown, conflicting])
    assert taken == []
    assert left.shape == (0,)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_descents_are_all_pairs_of_which_one_names_fewer_of_the_same_values(seed: int) -> None:
    joint = np.random.default_rng(seed).integers(0, 9, (3, 2, 3, 2))
    sets = all_sets(joint)
    del sets[("age", "sex")]
    lattice = Lattice.of(sets)
    cells = np.arange(len(lattice.members))[::2]
    expected = {
        (int(cell), other)
        for cell in cells
        for other in range(len(lattice.members))
        if lattice.members[other] < lattice.members[cell]
    }
    descendants, ancestors = lattice.descents(cells)
    assert set(zip(descendants.tolist(), ancestors.tolist(), strict=True)) == expected
    assert len(descendants) == len(expected)


@pytest.mark.parametrize("flag_is", ["help", "sanction"])
@pytest.mark.parametrize(("events", "rest_events"), [(60, 60), (60, 2_000), (150, 40), (1_000, 100)])
def test_test_against_the_rest_holds_its_level(flag_is: FlagIs, events: int, rest_events: int) -> None:
    rng = np.random.default_rng(5)

    def many(size: int) -> ConfusionCounts:
        tp, fp, fn = rng.poisson(np.array([0.25, 0.5, 0.75])[:, np.newaxis] * size, (3, 60_000))
        return ConfusionCounts.of(tp, fp, fn, 0)

    p = p_beyond_rest(many(events), many(rest_events), flag_is)
    assert 0.03 < (p < 0.05).mean() < 0.055
    assert (p < 0.001).mean() < 0.0015


def test_test_against_the_rest_is_defined_at_zeros_and_turns_over() -> None:
    cells, rest = counts((0, 0, 40), (0, 0, 40), (20, 10, 20), (20, 10, 20), (9, 0, 0)), counts(
        (40, 30, 30), (0, 0, 30), (0, 0, 0), (20, 10, 20), (9, 0, 0)
    )  # fmt: skip
    p = p_beyond_rest(cells, rest, "help")
    assert p[0] < 1e-6
    assert p[1:].tolist() == [0.5] * 4
    mirrored = [ConfusionCounts.of(part.tp, part.fn, part.fp, part.tn) for part in (cells, rest)]
    assert p_beyond_rest(mirrored[0], mirrored[1], "sanction").tolist() == p.tolist()


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({(): ([()], counts((1, 2, 3)))}, "must name some attributes once"),
        ({("a", "a"): ([("x", "x")], counts((1, 2, 3)))}, "must name some attributes once"),
        ({("a", "b"): ([("x", "y")], counts((1, 2, 3))), ("b", "a"): ([("y", "x")], counts((1, 2, 3)))}, "come once"),
        ({("a",): ([("x",), ("y",)], counts((1, 2, 3)))}, r"2 cells and counts of shape \(1,\) do not match"),
        ({("a",): ([("x", "y")], counts((1, 2, 3)))}, "do not match"),
        ({("a",): ([("x",), ("x",)], counts((1, 2, 3), (1, 2, 3)))}, "a cell comes twice"),
    ],
)
def test_malformed_sets_are_refused(sets: Sets, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(sets, BALANCED, HELP)


def test_limits_below_1_are_refused() -> None:
    for minimum_events, most in ((0, 20), (30, 0)):
        with pytest.raises(ValueError, match="both must be at least 1"):
            search({}, BALANCED, HELP, minimum_events=minimum_events, most=most)
