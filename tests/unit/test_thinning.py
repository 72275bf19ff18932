from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from fairsweep.core.disclosure.model import Series, below
from fairsweep.core.disclosure.nesting import hidden_columns, thin

IntArray = NDArray[np.int64]
MINIMUM = 11
BUCKETS = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 3), st.integers(2, 9)), elements=st.sampled_from([0, 0, 3, 8, 20])
)


def intervals(buckets: IntArray, cutoffs: IntArray) -> IntArray:
    """Sums between neighbouring cutoffs, the slow way."""
    bounds = [0, *(int(k) + 1 for k in cutoffs), buckets.shape[1]]
    return np.array([[row[low:high].sum() for low, high in itertools.pairwise(bounds)] for row in buckets])


def is_safe(buckets: IntArray, cutoffs: IntArray) -> bool:
    sums = intervals(buckets, cutoffs)
    return bool(((sums == 0) | (sums >= MINIMUM)).all())


def every_cutoff(buckets: IntArray) -> IntArray:
    return np.arange(buckets.shape[1] - 1)


@given(buckets=BUCKETS)
def test_every_interval_is_safe_and_no_further_cutoff_would_be(buckets: IntArray) -> None:
    shown = thin(every_cutoff(buckets), Series.of(buckets), [], MINIMUM)
    if not is_safe(buckets, shown[:0]):
        assert len(shown) == 0
        return
    assert is_safe(buckets, shown)
    for k in set(range(buckets.shape[1] - 1)) - set(shown.tolist()):
        assert not is_safe(buckets, np.array(sorted([*shown, k])))


@given(buckets=BUCKETS, data=st.data())
def test_the_first_point_is_kept_whenever_it_could_be_shown_alone(buckets: IntArray, data: st.DataObject) -> None:
    point = data.draw(st.integers(0, buckets.shape[1] - 2))
    shown = thin(every_cutoff(buckets), Series.of(buckets), [point], MINIMUM)
    assert (point in shown) == is_safe(buckets, np.array([point]))


@given(buckets=BUCKETS)
def test_thinning_what_is_thinned_changes_nothing(buckets: IntArray) -> None:
    once = thin(every_cutoff(buckets), Series.of(buckets), [], MINIMUM)
    assert thin(once, Series.of(buckets), [], MINIMUM).tolist() == once.tolist()


@given(buckets=BUCKETS)
@example(buckets=np.array([[20, 0, 0, 8, 8, 8]]))
def test_greedy_choice_shows_at_least_half_of_the_most_different_counts_that_one_series_allows(
    buckets: IntArray,
) -> None:
    one = buckets[:1]
    cutoffs = every_cutoff(one)
    flagged = one.sum() - np.cumsum(one[0])
    best = max(
        (len(set(flagged[list(some)].tolist())) for r in range(len(cutoffs) + 1)
         for some in itertools.combinations(cutoffs, r) if is_safe(one, np.array(some, dtype=np.int64))),
        default=0,
    )  # fmt: skip
    shown = thin(cutoffs, Series.of(one), [], MINIMUM)
    assert 2 * len(set(flagged[shown].tolist())) >= best


def test_cutoffs_between_empty_buckets_all_stay() -> None:
    buckets = np.array([[20, 0, 0, 0, 15]])
    assert thin(np.arange(4), Series.of(buckets), [], MINIMUM).tolist() == [0, 1, 2, 3]


def test_a_small_leftover_at_the_bottom_joins_its_neighbour() -> None:
    buckets = np.array([[5, 12, 12]])
    assert thin(np.arange(2), Series.of(buckets), [], MINIMUM).tolist() == [1]


def test_unsafe_totals_show_nothing() -> None:
    assert thin(np.arange(2), Series.of(np.array([[40, 40, 40], [0, 3, 2]])), [1], MINIMUM).tolist() == []


def test_rows_of_too_few_members_are_unsafe_however_many_they_are() -> None:
    rows = np.array([[30, 30, 30]])
    top, bottom = np.array([[2, 10, 12]]), np.array([[3, 11, 10]])
    assert thin(np.arange(2), Series.of(rows), [], MINIMUM).tolist() == [0, 1]
    assert thin(np.arange(2), Series.of(rows, (top, bottom)), [], MINIMUM).tolist() == [1]


@given(
    buckets=hnp.arrays(np.int64, (2, 7), elements=st.integers(11, 40)),
    old=hnp.arrays(np.int64, (2, 7), elements=st.integers(11, 40)),
    point=st.integers(0, 5),
)
def test_changes_between_any_two_cutoffs_are_nothing_or_enough(buckets: IntArray, old: IntArray, point: int) -> None:
    changes = below(buckets - old)
    series = Series(below(buckets), changes=changes)
    shown = thin(np.arange(6), series, [point], MINIMUM)
    bounds = [0, *(shown + 1), 7]
    for row in changes:
        gaps = [abs(int(row[high] - row[low])) for low, high in itertools.combinations(bounds, 2)]
        if len(shown):
            assert all(gap == 0 or gap >= MINIMUM for gap in gaps)


def test_a_safe_rise_and_a_safe_fall_may_not_leave_a_small_net_change() -> None:
    old, new = np.array([[50, 50, 50]]), np.array([[50, 65, 38]])
    series = Series(below(new), changes=below(new - old))
    assert thin(np.arange(2), series, [], MINIMUM).tolist() == []
    balanced = Series(below(np.array([[50, 65, 35]])), changes=below(np.array([[0, 15, -15]])))
    assert thin(np.arange(2), balanced, [], MINIMUM).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("table", "hidden"),
    [
        ([[0, 40], [20, 11]], [False, False]),
        ([[3, 40, 90], [20, 11, 90]], [True, True, False]),  # one column alone would follow from the total
        ([[3, 12, 90], [4, 11, 90]], [True, True, False]),
        ([[3, 5, 90], [4, 20, 90]], [True, True, True]),  # 3 + 5 is small itself
        ([[3, 9, 90], [20, 7, 90]], [True, True, False]),
        ([[3]], [True]),
    ],
)
def test_columns_are_hidden_until_no_hidden_count_follows_from_row_totals(
    table: list[list[int]], hidden: list[bool]
) -> None:
    assert hidden_columns(np.array(table), MINIMUM).tolist() == hidden


@given(table=hnp.arrays(np.int64, (3, 4), elements=st.sampled_from([0, 0, 2, 6, 15, 40])))
def test_shown_columns_are_safe_and_hidden_ones_are_never_alone(table: IntArray) -> None:
    hidden = hidden_columns(table, MINIMUM)
    shown = table[:, ~hidden]
    assert not ((shown > 0) & (shown < MINIMUM)).any()
    if hidden.any() and not hidden.all():
        pool = table[:, hidden].sum(axis=1)
        assert not ((pool > 0) & (pool < MINIMUM)).any()
        assert table[:, hidden].any(axis=0).sum() != 1
