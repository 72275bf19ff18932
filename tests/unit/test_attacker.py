from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.disclosure.intersections import plan
from fairsweep.core.disclosure.rounding import rounded_gbe, steady_gbe
from tests.attacker import (
    Attribute,
    Audit,
    Publication,
    RoundedValue,
    Target,
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
Shown = dict[str, NDArray[np.bool_]]


def recovered(
    rng: np.random.Generator,
    targets: Sequence[tuple[Target, int]],
    runs: Sequence[Publication],
    run: int,
    most: int,
    *,
    growing: bool = False,
) -> tuple[int, list[Target]]:
    """How many of the targets, at most some, were tried, and those that could have no other value.

    Where the truth is not among what is possible, the attack is wrong and the test fails.
    """
    chosen = rng.choice(len(targets), min(most, len(targets)), replace=False).tolist() if targets else []
    found = []
    for target, truth in (targets[i] for i in chosen):
        least, greatest = extremes(runs, run, target, growing=growing)
        assert least - 1e-6 <= truth <= greatest + 1e-6, (target, truth, least, greatest)
        if greatest - least < 0.5:
            found.append(target)
    return len(chosen), found


def audit_of(cells: Mapping[Any, list[int]], reported: tuple[tuple[int, ...], ...]) -> Audit:
    """Events of each cell by bucket; twice as many non-events, spread alike, so that these are never the point."""
    values, buckets, events = [], [], []
    for cell, counts in cells.items():
        for bucket, count in enumerate(counts):
            values += [cell] * (51 * count)
            buckets += [bucket] * (51 * count)
            events += [True] * count + [False] * (50 * count)
    cutoffs = len(next(iter(cells.values()))) - 1
    return Audit(np.array(values), np.array(buckets), np.array(events), cutoffs, (0,), reported)


def everything(audit: Audit, but: Mapping[str, list[int]] | None = None) -> Shown:
    """All groups shown at all cutoffs, except some."""
    shown = {}
    for constituents in audit.reported:
        name = name_of(constituents)
        shown[name] = np.ones((len(audit.counts(constituents)[0]), audit.cutoffs), dtype=bool)
        shown[name][(but or {}).get(name, [])] = False
    return shown


def only_the_unsafe_hidden(audit: Audit) -> Shown:
    """Primary suppression: hide a group at a cutoff where one of its four cells is small, and nothing else."""
    shown: Shown = {}
    for constituents in audit.reported:
        counts = audit.counts(constituents)[1]
        beneath = np.cumsum(counts, axis=2)[:, :, :-1]
        cells = np.concatenate([beneath, counts.sum(axis=2, keepdims=True) - beneath])
        shown[name_of(constituents)] = ~np.logical_or.reduce((cells > 0) & (cells < MINIMUM), axis=0)
    return shown


def rounded_of(audit: Audit, shown: Shown) -> list[RoundedValue]:
    """The rounded values that hidden groups keep, of single attributes and of intersections that show something."""
    values = []
    for constituents in audit.reported:
        name, at = name_of(constituents), list(audit.points)
        if len(constituents) > 1 and not shown[name].any():
            continue  # it is not named
        counts = audit.counts(constituents)[1]
        beneath = np.cumsum(counts, axis=2)[:, :, :-1]
        above = counts.sum(axis=2, keepdims=True) - beneath
        of = ConfusionCounts.of(above[0], above[1], beneath[0], beneath[1])
        finer = [other for other in audit.reported if set(constituents) < set(other)]
        if len(constituents) != 1 or any(shown[name_of(other)].any() for other in finer):
            there = of[:, at]
            margins = (there.flagged, there.n - there.flagged, there.events, there.n - there.events)
            safe = np.all([margin >= MINIMUM for margin in margins], axis=0)
            kept = steady_gbe(there, safe & ~shown[name][:, at] & shown["overall"][0, at])
        else:
            kept = rounded_gbe(of, shown[name], shown["overall"][0], at, MINIMUM)
        for group, place in np.argwhere(~np.isnan(kept.value)).tolist():
            value, step = float(kept.value[group, place]), float(kept.step[group, place])
            values.append(RoundedValue(name, group, at[place], value, step))
    return values


def published(audit: Audit, before: Publication | None = None) -> Publication:
    """The planned publication; values are rounded where the adversary can use them within the time there is."""
    shown = plan(reported_of(audit), audit.points, MINIMUM, None if before is None else previous_of(before))
    return publish(audit, shown, rounded_of(audit, shown) if audit.cutoffs <= 50 else ())


def enumerated(run: Publication, target: Target, bounds: list[int]) -> tuple[int, int]:
    """Least and greatest value over every possible table of cells: the slow way, for tiny audits."""
    cells = run.attributes["a0 x a1"].groups
    whole = run.attributes["overall"]
    total = int(whole.above[target.label, 0, 0] + whole.beneath[target.label, 0, 0])
    below = [0, *whole.beneath[target.label, 0].tolist(), total]
    one = [
        [split for split in itertools.product(range(size + 1), repeat=len(cells)) if sum(split) == size]
        for size in np.diff(below).tolist()
    ]
    shape = [len(splits) for splits in one]
    places = np.indices(shape).reshape(len(shape), -1)
    tables = np.stack([np.array(splits)[place] for splits, place in zip(one, places, strict=True)], axis=2)
    possible = np.ones(len(tables), dtype=bool)
    sums = {}
    for name, attribute in run.attributes.items():
        at = [("a0", "a1").index(constituent) for constituent in attribute.attributes]
        for g, group in enumerate(attribute.groups):
            inside = [c for c, cell in enumerate(cells) if tuple(cell[i] for i in at) == group]
            sums[name, g] = tables[:, inside].sum(axis=1)
            for k in np.flatnonzero(attribute.shown[g]):
                possible &= sums[name, g][:, k + 1 :].sum(axis=1) == attribute.above[target.label, g, k]
                possible &= sums[name, g][:, : k + 1].sum(axis=1) == attribute.beneath[target.label, g, k]
    values = sums[target.attribute, target.group][possible, bounds.index(target.low) : bounds.index(target.high)]
    return int(values.sum(axis=1).min()), int(values.sum(axis=1).max())


@pytest.mark.parametrize("seed", range(8))
def test_attack_finds_exactly_the_range_that_enumeration_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2, (9, 2))
    audit = Audit(values, rng.integers(0, 3, 9), np.ones(9, dtype=bool), 2, (0,), ((), (0,), (1,), (0, 1)))
    shown = {name: mask & (rng.random(mask.shape) < 0.5) for name, mask in everything(audit).items()}
    shown["overall"][:] = True
    shown["a0 x a1"][0, 0] = True
    run = publish(audit, shown)
    for name, low, high in itertools.product(run.attributes, [0, 1], [2, 3]):
        target = Target(name, 0, 0, low, high)
        assert extremes([run], 0, target) == pytest.approx(enumerated(run, target, [0, 1, 2, 3]))


def test_without_suppression_every_small_count_is_recovered() -> None:
    rng = np.random.default_rng(1)
    for seed in range(4):
        audit = random_audit(np.random.default_rng(seed), 2_000)
        run = publish(audit, everything(audit))
        tried, found = recovered(rng, list(hidden_targets(audit, run, MINIMUM)), [run], 0, 3)
        assert tried == len(found) == 3


def test_hiding_only_small_counts_lets_some_be_recovered() -> None:
    rng = np.random.default_rng(2)
    tried = found = 0
    for seed in range(12):
        audit = random_audit(np.random.default_rng(seed), 5_000)
        shown = only_the_unsafe_hidden(audit)
        run = publish(audit, shown)
        targets = [
            (target, truth)
            for target, truth in hidden_targets(audit, run, MINIMUM)
            if target.low == 0
            and target.high <= audit.cutoffs
            and not shown[target.attribute][target.group, target.high - 1]
        ]
        here = recovered(rng, targets, [run], 0, 5)
        tried, found = tried + here[0], found + len(here[1])
    assert tried > 50
    assert found >= 4


def test_a_lone_hidden_group_and_the_lone_cell_of_a_row_are_recovered() -> None:
    audit = audit_of({(0, 0): [20, 30], (0, 1): [15, 18], (1, 0): [40, 22], (1, 1): [3, 14]}, ((), (0,), (1,), (0, 1)))
    run = publish(audit, everything(audit, {"a0 x a1": [3]}))
    assert extremes([run], 0, Target("a0 x a1", 3, 0, 0, 1)) == (3, 3)
    both = publish(audit, everything(audit, {"a0 x a1": [2, 3]}))
    assert extremes([both], 0, Target("a0 x a1", 3, 0, 0, 1)) == (3, 3)
    all_four = publish(audit, everything(audit, {"a0 x a1": [0, 1, 2, 3]}))
    assert all_four.attributes.keys() == {"overall", "a0", "a1"}


def test_finer_cutoffs_of_single_attributes_tell_an_intersection_that_is_safe_at_coarser_ones() -> None:
    # Every margin is 0 or at least 11: cells over both lower buckets, rows and columns in each. Cell (0, 0) is empty
    # there, so that (1, 1) is the row minus the column: 5 and 6.
    cells = {(0, 0): [0, 0, 30], (0, 1): [12, 12, 30], (1, 0): [12, 12, 30], (1, 1): [5, 6, 30]}
    audit = audit_of(cells, ((), (0,), (1,), (0, 1)))
    shown = everything(audit)
    shown["a0 x a1"][:, 0] = False
    run = publish(audit, shown)
    assert extremes([run], 0, Target("a0 x a1", 3, 0, 0, 1)) == (5, 5)
    safe = publish(audit, plan(reported_of(audit), [1], MINIMUM))
    assert not recovered(np.random.default_rng(0), list(hidden_targets(audit, safe, MINIMUM)), [safe], 0, 99)[1]


def test_the_mere_list_of_combinations_tells_that_one_attribute_follows_from_another() -> None:
    cells = {(0, 0): [20, 30], (1, 0): [3, 3], (2, 1): [30, 40], (3, 1): [14, 17]}
    audit = audit_of(cells, ((), (0,), (1,), (0, 1)))
    shown = {name: mask.copy() for name, mask in plan(reported_of(audit), [0], MINIMUM).items()}
    assert not shown["a0 x a1"].any()
    shown["a0"][0] = True
    run = publish(audit, shown)
    groups = audit.counts((0, 1))[0]
    nothing = np.zeros((2, len(groups), 1), dtype=np.int64)
    listed = Attribute(("a0", "a1"), groups, shown["a0 x a1"], nothing, nothing)
    with_list = Publication({**run.attributes, "a0 x a1": listed})
    target = Target("a0", 1, 0, 0, 1)
    assert extremes([with_list], 0, target) == (3, 3)
    assert extremes([run], 0, target)[0] < extremes([run], 0, target)[1]


def test_two_intersections_tell_of_one_another_what_they_share_though_it_is_not_reported() -> None:
    cells = {(0, 0, 0): [20, 30, 0], (0, 1, 1): [3, 2, 0], (1, 0, 1): [25, 4, 0], (1, 1, 0): [30, 40, 0]}
    audit = audit_of({cell: counts[:2] for cell, counts in cells.items()}, ((), (0, 1), (0, 2)))
    leaky = publish(audit, everything(audit, {"a0 x a2": [1, 3]}))
    target = Target("a0 x a2", 1, 0, 0, 1)
    assert extremes([leaky], 0, target) == (3, 3)
    safe = publish(audit, plan(reported_of(audit), [0], MINIMUM))
    assert not recovered(np.random.default_rng(0), list(hidden_targets(audit, safe, MINIMUM)), [safe], 0, 99)[1]


def test_nothing_is_recovered_from_planned_audits() -> None:
    tried = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        audit = random_audit(rng)
        run = published(audit)
        count, found = recovered(rng, list(hidden_targets(audit, run, MINIMUM)), [run], 0, 4)
        tried += count
        assert not found
    assert tried > 140


@pytest.mark.parametrize("kind", ["same", "added", "changed", "grown"])
def test_nothing_is_recovered_from_two_runs_of_one_window(kind: str) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        audit = random_audit(rng, 5_000)
        first = published(audit)
        later = next_run(rng, audit, kind)
        second = published(later, first)
        assert not small_changes(first, second)
        targets = list(hidden_targets(later, second, MINIMUM))
        growing = kind == "grown" and audit.cutoffs <= 50
        assert not recovered(rng, targets, [first, second], 1, 1, growing=growing)[1]


def small_changes(first: Publication, second: Publication) -> list[str]:
    """Where a published count changed by 1 to `MINIMUM - 1`."""
    found = []
    for name, new in second.attributes.items():
        old = first.attributes.get(name)
        for g, group in enumerate(new.groups if old else ()):
            if old is None or group not in old.groups:
                continue
            before = old.groups.index(group)
            both = old.shown[before] & new.shown[g]
            for label, (now, then) in itertools.product(range(2), ((new.above, old.above), (new.beneath, old.beneath))):
                change = np.abs(now[label, g, both] - then[label, before, both])
                if ((change > 0) & (change < MINIMUM)).any():
                    found.append(f"{name} {group}")
    return found


def test_small_changes_are_seen_where_nothing_prevents_them() -> None:
    rng = np.random.default_rng(5)
    audit = random_audit(rng, 5_000)
    later = next_run(rng, audit, "added")
    assert small_changes(publish(audit, everything(audit)), publish(later, everything(later)))
