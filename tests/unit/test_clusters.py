from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference.cluster_ranks import Standing, kinds, several
from fairsweep.core.inference.clusters import (
    MEASURES,
    ClusterSums,
    MemberCounts,
    gbe_variance,
    positive_predictive_value_variance,
    true_positive_rate_variance,
)
from fairsweep.core.inference.intervals import log_gbe_variance
from tests.unit.terms import terms

BUCKETS, CELLS = 6, 3
QUICK = settings(max_examples=50, deadline=None)
Row = tuple[int, int, int, bool]
Ints = NDArray[np.int64]
MEMBER = st.integers(0, 5) | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([7, 7 + 2**40, 7 + 2**41])
ROWS = st.lists(st.tuples(MEMBER, st.integers(0, CELLS - 1), st.integers(0, BUCKETS - 1), st.booleans()), max_size=40)


def columns(rows: list[Row]) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    member, cell, bucket, event = ([row[i] for row in rows] for i in range(4))
    numbers = (np.array(one, dtype=np.int64) for one in (member, cell, bucket))
    return (*numbers, np.array(event, dtype=bool))  # type: ignore[return-value]


def summed(rows: list[Row], buckets: int = BUCKETS) -> dict[str, Ints]:
    """Measures by cell and bucket, `[cells, buckets]`."""
    member, cell, bucket, event = columns(rows)
    found = {}
    for name, term in terms(member, cell, bucket, event).items():
        found[name] = np.zeros((CELLS, buckets), dtype=np.int64)
        np.add.at(found[name], (cell, bucket), term)
    return found


def counts_of(rows: list[Row], buckets: int = BUCKETS) -> ConfusionCounts:
    """Confusion counts by cell and cutoff, counted one row at a time."""
    found = np.zeros((4, CELLS, buckets - 1), dtype=np.int64)
    for _, cell, bucket, event in rows:
        for cutoff in range(buckets - 1):
            flagged = bucket > cutoff
            found[
                {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[flagged, event], cell, cutoff
            ] += 1
    return ConfusionCounts.of(*found)


def members_of(rows: list[Row], cell: int, cutoff: int) -> list[tuple[int, int, int]]:
    """Flags, events and true positives of each member of a cell at a cutoff."""
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for member, its_cell, bucket, event in rows:
        if its_cell == cell:
            for i, holds in enumerate((bucket > cutoff, event, bucket > cutoff and event)):
                found[member][i] += holds
    return [(a, b, t) for a, b, t in found.values()]


@QUICK
@given(rows=ROWS)
def test_suffix_sums_equal_the_sums_over_members_at_every_cutoff(rows: list[Row]) -> None:
    sums = ClusterSums.of(summed(rows))
    for cell in range(CELLS):
        for cutoff in range(BUCKETS - 1):
            members = members_of(rows, cell, cutoff)
            expected = [
                sum(a * a for a, _, _ in members),
                sum(a * b for a, b, _ in members),
                sum(t * t for _, _, t in members),
                sum(a * t for a, _, t in members),
                sum(t * b for _, b, t in members),
                sum(b * b for _, b, _ in members),
            ]
            here = sums[cell, cutoff]
            assert [int(array) for array in here.arrays] == expected
            assert int(here.either_squared) == sum((a + b - t) ** 2 for a, b, t in members)


@QUICK
@given(rows=ROWS)
def test_distinct_members_are_told_at_every_cutoff(rows: list[Row]) -> None:
    found = MemberCounts.of(summed(rows))
    for cell in range(CELLS):
        for cutoff in range(BUCKETS - 1):
            here = found[cell, cutoff]
            told = here.tp, here.fp, here.fn, here.tn
            for number, (flagged, event) in zip(told, [(1, 1), (1, 0), (0, 1), (0, 0)], strict=True):
                who = {m for m, c, b, y in rows if c == cell and (b > cutoff) == flagged and y == event}
                assert int(number) == len(who)


@QUICK
@given(rows=ROWS, data=st.data())
def test_order_of_the_rows_changes_no_sum(rows: list[Row], data: st.DataObject) -> None:
    straight = summed(rows)
    for other in (data.draw(st.permutations(rows)), sorted(rows), sorted(rows, key=lambda r: (r[0], r[1], -r[2]))):
        turned = summed(list(other))
        assert all(np.array_equal(straight[name], turned[name]) for name in MEASURES)


@QUICK
@given(rows=ROWS)
def test_rows_added_a_second_time_under_other_members_double_every_sum(rows: list[Row]) -> None:
    known = {row[0] for row in rows}
    free = (number for number in range(10_000) if number not in known)
    others = {member: next(free) for member in known}
    once, twice = summed(rows), summed(rows + [(others[m], c, b, y) for m, c, b, y in rows])
    assert all(np.array_equal(2 * once[name], twice[name]) for name in MEASURES)


def test_terms_are_int64_in_the_order_of_their_names_whether_or_not_members_repeat() -> None:
    for rows in ([], [(1, 0, 2, True)], [(1, 0, 2, True), (1, 0, 3, False), (2, 0, 0, True)]):
        found = terms(*columns(rows))
        assert tuple(found) == MEASURES
        assert {(term.dtype, len(term)) for term in found.values()} == {(np.dtype(np.int64), len(rows))}


def test_terms_of_one_member_by_hand() -> None:
    rows = [(9, 0, 1, True), (9, 0, 5, False), (9, 0, 3, True), (4, 0, 2, False)]
    found = {name: term.tolist() for name, term in terms(*columns(rows)).items()}
    # From the top: the non-event in bucket 5, then the events in 3 and in 1; member 4 is alone.
    assert found == {
        "flags_squared": [5, 1, 3, 1],
        "flags_by_events": [2, 2, 2, 0],
        "true_positives_squared": [3, 0, 1, 0],
        "true_positives_by_flags": [4, 0, 2, 0],
        "true_positives_by_events": [2, 0, 2, 0],
        "events_squared": [0, 4, 0, 0],
        "top_event_members": [0, 0, 1, 0],
        "top_non_event_members": [0, 1, 0, 1],
        "bottom_event_members": [1, 0, 0, 0],
        "bottom_non_event_members": [0, 1, 0, 1],
    }


@pytest.mark.parametrize("member_factor", [1, 6_364_136_223_846_793_005])
@pytest.mark.parametrize("cell_factor", [1, 2**61])
def test_many_rows_of_any_numbering_equal_sums_by_sorting(member_factor: int, cell_factor: int) -> None:
    rng = np.random.default_rng(4)
    n = 40_000
    member, bucket = rng.integers(0, 25_000, n), rng.integers(0, 101, n)
    cell, event = (member + rng.integers(0, 2, n)) % 3, rng.random(n) < 0.2
    with np.errstate(over="ignore"):
        found = terms(member * np.int64(member_factor), cell * np.int64(cell_factor), bucket, event)
    for cutoff in (0, 37, 90):
        above = bucket > cutoff
        cluster = member * 3 + cell
        a, b, t = (np.bincount(cluster, weights=w, minlength=75_000) for w in (above, event, above & event))
        expected = [a @ a, a @ b, t @ t, a @ t, t @ b]
        assert [int(found[name][above].sum()) for name in MEASURES[:5]] == expected
        assert int(found["events_squared"].sum()) == b @ b
        assert int(found["top_event_members"][above].sum()) == np.count_nonzero(t)
        assert int(found["bottom_event_members"][~above].sum()) == np.count_nonzero(b - t)


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3)
ODD = 0x9E3779B97F4A7C15


def mixed_alike(count: int) -> list[tuple[int, int]]:
    """Pairs of different numbers that are mixed into the same one on the way to their order."""
    found = []
    for first in range(count):
        mixed = first * ODD % 2**64
        other = mixed ^ mixed >> 32
        found.append((first, other - 2**64 if other >= 2**63 else other))
    return found


@QUICK
@given(
    rows=st.lists(st.tuples(st.tuples(NUMBERS, NUMBERS), st.sampled_from([0, 1, 2, 5, 2**40])), max_size=40)
    | st.lists(st.tuples(st.sampled_from(mixed_alike(4)), st.integers(0, 3)), max_size=40),
    columns=st.integers(1, 2),
)
def test_rows_of_members_who_have_several_come_together_from_the_top(
    rows: list[tuple[tuple[int, int], int]], columns: int
) -> None:
    who = [np.array([numbers[i] for numbers, _ in rows], dtype=np.int64) for i in range(columns)]
    bucket = np.array([bucket for _, bucket in rows], dtype=np.int64)
    places, member = several(who, bucket)
    names = [numbers[:columns] for numbers, _ in rows]
    assert sorted(places.tolist()) == [i for i, name in enumerate(names) if names.count(name) > 1]
    assert len(set(zip(member.tolist(), (names[i] for i in places), strict=True))) == len(set(member.tolist()))
    assert member.tolist() == sorted(member.tolist())
    assert set(member.tolist()) == set(range(len({names[i] for i in places})))
    for (one, above), (other, below) in pairwise(zip(member.tolist(), bucket[places].tolist(), strict=True)):
        assert one != other or above >= below


@pytest.mark.parametrize("largest", [1, 3, 40, 600])
def test_kinds_are_the_standings_of_the_rows_whatever_the_clusters_size(largest: int) -> None:
    rng = np.random.default_rng(largest)
    cluster = np.repeat(np.arange(30), rng.integers(1, largest + 1, 30))
    event = rng.random(len(cluster)) < 0.3
    found, kind = kinds(cluster, event)
    for told, expected in zip(found, Standing.of(cluster, event), strict=True):
        assert np.array_equal(told[kind], expected)
    assert len({tuple(row) for row in np.stack(found, axis=1).tolist()}) == len(found.size)


@QUICK
@given(rows=ROWS)
def test_variances_equal_the_direct_sums_over_members(rows: list[Row]) -> None:
    sums, counts = ClusterSums.of(summed(rows)), counts_of(rows)
    found = [f(counts, sums) for f in (gbe_variance, true_positive_rate_variance, positive_predictive_value_variance)]
    for cell in range(CELLS):
        for cutoff in range(BUCKETS - 1):
            members = members_of(rows, cell, cutoff)
            flagged, events, both = (sum(column) for column in zip(*members, strict=True)) if members else (0, 0, 0)
            direct = [
                sum((a - flagged / events * b) ** 2 for a, b, _ in members) / events**2 if events else np.nan,
                sum((t - both / events * b) ** 2 for _, b, t in members) / events**2 if events else np.nan,
                sum((t - both / flagged * a) ** 2 for a, _, t in members) / flagged**2 if flagged else np.nan,
            ]
            here = [float(variance[cell, cutoff]) for variance in found]
            assert here == pytest.approx(direct, rel=1e-9, abs=1e-12, nan_ok=True)


@given(tp=st.integers(0, 40), fp=st.integers(0, 40), fn=st.integers(0, 40))
def test_with_one_row_a_member_variances_are_those_of_independent_rows_to_the_last_digit(
    tp: int, fp: int, fn: int
) -> None:
    kinds = [(1, True)] * tp + [(1, False)] * fp + [(0, True)] * fn + [(0, False)] * 3
    rows = [(i, 0, bucket, event) for i, (bucket, event) in enumerate(kinds)]
    sums, counts = ClusterSums.of(summed(rows, 2))[0], counts_of(rows, 2)[0]
    theta = counts.flagged / np.maximum(counts.events, 1)
    naive = theta**2 * log_gbe_variance(tp, fp, fn)
    if tp + fp and tp + fn:
        assert gbe_variance(counts, sums) == pytest.approx(naive, rel=1e-14)
        recall, precision = tp / (tp + fn), tp / (tp + fp)
        assert true_positive_rate_variance(counts, sums) == pytest.approx(recall * (1 - recall) / (tp + fn))
        found = positive_predictive_value_variance(counts, sums)
        assert found == pytest.approx(precision * (1 - precision) / (tp + fp))


@pytest.mark.parametrize(("flags", "events"), [(1, 1), (3, 2), (2, 3), (7, 1), (1, 7), (997, 991)])
def test_variance_is_0_and_not_rounding_where_every_member_has_the_same_ratio(flags: int, events: int) -> None:
    sizes = np.arange(1, 50)
    a, b = flags * sizes, events * sizes
    sums = ClusterSums(
        *(np.array([one @ other]) for one, other in [(a, a), (a, b), (b * 0, b), (b * 0, b), (b * 0, b), (b, b)])
    )
    counts = ConfusionCounts.of(np.array([0]), a.sum(), b.sum(), 0)
    assert gbe_variance(counts, sums).tolist() == [0.0]


def test_the_rest_of_everybody_is_exact_where_members_are_in_one_group() -> None:
    rng = np.random.default_rng(8)
    members = rng.integers(0, 60, 200)
    rows = [
        (int(m), int(m) % CELLS, int(b), bool(y))
        for m, b, y in zip(members, rng.integers(0, 6, 200), rng.random(200) < 0.4, strict=True)
    ]
    everybody = ClusterSums.of(summed([(m, 0, b, y) for m, _, b, y in rows]))[:1]
    first = ClusterSums.of(summed(rows))[:1]
    rest = ClusterSums.of(summed([(m, 0, b, y) for m, c, b, y in rows if c != 0]))[:1]
    for found, expected in zip((everybody - first).arrays, rest.arrays, strict=True):
        assert np.array_equal(found, expected)
