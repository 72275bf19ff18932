"""The sweep is the naive loop: for any scores, grid and type."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairsweep.auditing.reported import summed
from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.histogram import ScoreHistogram
from tests.examples import examples
from tests.laws.strategies import (
    ATTRIBUTES,
    FLOAT_GRIDS,
    GRIDS,
    GROUPS,
    ORDINARY,
    Person,
    histogram,
    people,
    scores,
)
from tests.reference import as_float, cell_of

PLACES = [(), ("race",), ("sex",), ("sex", "race"), ATTRIBUTES]
NAMES = ("tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")
FEW, SOME = examples(40), examples(100)


def naive(rows: list[Person], cutoff: float) -> Counter[str]:
    return Counter(cell_of("event" if p.event else "non_event", p.score, cutoff) for p in rows)


def counted(counts: ConfusionCounts) -> list[Counter[str]]:
    """Counts of one group, one counter for each cutoff."""
    return [
        Counter({name: n for name, a in zip(NAMES, counts.arrays, strict=True) if (n := int(a[k]))})
        for k in range(counts.shape[0])
    ]


def same(one: ScoreHistogram, other: ScoreHistogram) -> bool:
    arrays = ("cell", "bucket", "events", "non_events")
    return (one.grid.id, one.attributes, one.cells) == (other.grid.id, other.attributes, other.cells) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


@SOME
@given(data=st.data(), grid=GRIDS)
def test_a_bucket_is_the_number_of_cutoffs_that_the_score_reaches(data: st.DataObject, grid: CutoffGrid) -> None:
    found = data.draw(st.lists(scores(grid), min_size=1, max_size=20))
    assert [int(b) for b in grid.bucket(found)] == [sum(c <= s for c in grid.values.tolist()) for s in found]


@SOME
@given(data=st.data(), grid=GRIDS)
def test_the_sweep_is_the_naive_loop_at_every_cutoff_and_for_every_group(data: st.DataObject, grid: CutoffGrid) -> None:
    rows = data.draw(people(grid))
    checked = range(len(grid)) if len(grid) <= 101 else data.draw(st.sets(st.integers(0, len(grid) - 1), max_size=60))
    for attributes in PLACES:
        coarse = histogram(grid, rows).by(attributes)
        groups = [
            [p for p in rows if tuple(p.cell[ATTRIBUTES.index(a)] for a in attributes) == c] for c in coarse.cells
        ]
        assert sum(map(len, groups)) == len(rows)
        for place, group in enumerate(groups):
            swept = counted(coarse.counts()[place])
            for k in checked:
                assert swept[k] == naive(group, float(grid.values[k]))


@FEW
@given(data=st.data(), grid=FLOAT_GRIDS)
def test_float_scores_are_compared_with_cutoffs_rounded_to_float(data: st.DataObject, grid: CutoffGrid) -> None:
    # Every FLOAT is a double, so that the product compares doubles and the loop compares FLOATs.
    score = st.one_of(ORDINARY, st.sampled_from(grid.values.tolist()), scores(grid).filter(lambda s: abs(s) < 1e30))
    found = [as_float(s) for s in data.draw(st.lists(score, min_size=1, max_size=20))]
    singles = grid.values.astype(np.float32)
    assert [int(b) for b in grid.bucket(found)] == [int(sum(np.float32(s) >= singles)) for s in found]


@FEW
@given(data=st.data(), grid=GRIDS)
def test_a_few_cutoffs_count_what_the_whole_sweep_counts(data: st.DataObject, grid: CutoffGrid) -> None:
    whole = histogram(grid, data.draw(people(grid)))
    some = data.draw(st.lists(st.integers(0, len(grid) - 1), max_size=4))
    for few, all_of_them in zip(whole.counts_at(some).arrays, whole.counts()[:, some].arrays, strict=True):
        assert np.array_equal(few, all_of_them)


@FEW
@given(data=st.data(), grid=GRIDS)
def test_flags_never_grow_with_the_cutoff(data: st.DataObject, grid: CutoffGrid) -> None:
    counts = histogram(grid, data.draw(people(grid))).counts()
    for falling in (counts.tp, counts.fp, counts.flagged):
        assert (np.diff(falling, axis=1) <= 0).all()
    for constant in (counts.n, counts.events, counts.unscored_events, counts.unscored_non_events):
        assert (np.diff(constant, axis=1) == 0).all()


@FEW
@given(data=st.data(), grid=GRIDS)
def test_merging_is_commutative_and_associative_and_nothing_is_neutral(data: st.DataObject, grid: CutoffGrid) -> None:
    a, b, c = (histogram(grid, data.draw(people(grid, 12))) for _ in range(3))
    assert same(a + b, b + a)
    assert same((a + b) + c, a + (b + c))
    assert same(a + histogram(grid, []), a)


@FEW
@given(data=st.data(), grid=GRIDS)
def test_two_runs_together_are_one_run_of_both(data: st.DataObject, grid: CutoffGrid) -> None:
    first, second = (data.draw(people(grid, 15)) for _ in range(2))
    assert same(histogram(grid, first) + histogram(grid, second), histogram(grid, first + second))


@FEW
@given(data=st.data(), grid=GRIDS)
def test_the_order_of_rows_does_not_matter(data: st.DataObject, grid: CutoffGrid) -> None:
    rows = data.draw(people(grid, 15))
    assert same(histogram(grid, rows), histogram(grid, data.draw(st.permutations(rows))))


@FEW
@given(data=st.data(), grid=GRIDS)
def test_coarser_groups_are_sums_whatever_the_way_there(data: st.DataObject, grid: CutoffGrid) -> None:
    rows = data.draw(people(grid, 20))
    fine = histogram(grid, rows)
    assert same(fine.by(()), fine.by(("race",)).by(()))
    assert same(fine.by(("sex", "race")).by(ATTRIBUTES), fine)
    assert same(fine.by(("race",)), summed([fine.by(("sex",)), fine], ("race",)).whole())
    parts = [histogram(grid, [p for p in rows if p.cell[0] == group]) for group in GROUPS]
    whole = fine.by(()).counts().sum(axis=0)
    for total, array in zip(sum(parts[1:], parts[0]).by(()).counts().sum(axis=0).arrays, whole.arrays, strict=True):
        assert np.array_equal(total, array)
