from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from fairsweep.auditing.reported import summed
from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.histogram import UNSCORED_BUCKET, ScoreHistogram

GRID = CutoffGrid(np.array([0.25, 0.5, 0.75]))
ENTRIES = [
    # race, sex, bucket, events, non-events
    ("B", "f", 3, 2, 1),
    ("A", "f", 0, 1, 5),
    ("A", "f", 2, 3, 0),
    ("A", "m", UNSCORED_BUCKET, 4, 2),
    ("A", "m", 1, 0, 1),
    ("A", "f", 2, 1, 1),
]


def histogram(entries: list[tuple[str, str, int, int, int]], grid: CutoffGrid = GRID) -> ScoreHistogram:
    cells = [(race, sex) for race, sex, *_ in entries]
    numbers = np.array([numbers for _, _, *numbers in entries], dtype=np.int64).reshape(-1, 3)
    return ScoreHistogram.merged(grid, ("race", "sex"), cells, np.arange(len(cells)), *numbers.T)


def rows_of(found: ScoreHistogram) -> list[tuple[tuple[str, ...], int, int, int]]:
    arrays = (found.bucket, found.events, found.non_events)
    cells = [found.cells[i] for i in found.cell]
    return [(cell, *map(int, numbers)) for cell, *numbers in zip(cells, *arrays, strict=True)]  # type: ignore[misc]


def shown(counts: ConfusionCounts) -> list[list[list[int]]]:
    """tp, fp, fn, tn and the unscored, each `[cells][cutoffs]`."""
    return [array.tolist() for array in astuple(counts)]


def test_entries_of_one_cell_and_bucket_are_summed_and_sorted() -> None:
    assert rows_of(histogram(ENTRIES)) == [
        (("A", "f"), 0, 1, 5),
        (("A", "f"), 2, 4, 1),
        (("A", "m"), UNSCORED_BUCKET, 4, 2),
        (("A", "m"), 1, 0, 1),
        (("B", "f"), 3, 2, 1),
    ]


def test_counts_are_suffix_sums_and_the_unscored_are_never_in_them() -> None:
    found = histogram(ENTRIES)
    assert found.cells == (("A", "f"), ("A", "m"), ("B", "f"))
    assert shown(found.counts()) == [
        [[4, 4, 0], [0, 0, 0], [2, 2, 2]],
        [[1, 1, 0], [1, 0, 0], [1, 1, 1]],
        [[1, 1, 5], [0, 0, 0], [0, 0, 0]],
        [[5, 5, 6], [0, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [4, 4, 4], [0, 0, 0]],
        [[0, 0, 0], [2, 2, 2], [0, 0, 0]],
    ]


@pytest.mark.parametrize("indices", [[], [1], [2, 0], [0, 1, 2], [1, 1]])
def test_counts_at_some_cutoffs_are_those_of_the_whole_grid(indices: list[int]) -> None:
    found = histogram(ENTRIES)
    assert shown(found.counts_at(indices)) == shown(found.counts()[:, np.array(indices, dtype=int)])


def test_coarser_groups_are_sums() -> None:
    found = histogram(ENTRIES)
    assert rows_of(found.by(("sex",))) == [
        (("f",), 0, 1, 5),
        (("f",), 2, 4, 1),
        (("f",), 3, 2, 1),
        (("m",), UNSCORED_BUCKET, 4, 2),
        (("m",), 1, 0, 1),
    ]
    assert found.by(("sex", "race")).cells == (("f", "A"), ("f", "B"), ("m", "A"))
    assert rows_of(found.by(()))[0] == ((), UNSCORED_BUCKET, 4, 2)


def test_an_attribute_that_was_not_counted_cannot_be_summed_to() -> None:
    found = histogram(ENTRIES)
    with pytest.raises(ValueError, match="not in"):
        found.by(("age",))
    with pytest.raises(ValueError, match=r"no histogram has \('age',\)"):
        summed([found], ("age",))


def test_sums_come_from_the_first_histogram_that_has_the_attributes() -> None:
    found = histogram(ENTRIES)
    assert rows_of(summed([found.by(("race",)), found], ("sex",)).whole()) == rows_of(found.by(("sex",)))


def test_merging_sums_equal_cells_and_keeps_others() -> None:
    merged = histogram(ENTRIES[:3]) + histogram([("A", "f", 2, 1, 1), ("C", "m", 0, 0, 1)])
    assert rows_of(merged) == [
        (("A", "f"), 0, 1, 5),
        (("A", "f"), 2, 4, 1),
        (("B", "f"), 3, 2, 1),
        (("C", "m"), 0, 0, 1),
    ]


def test_nothing_counted_is_a_histogram_too() -> None:
    nothing = histogram([])
    assert nothing.counts().shape == (0, 3)
    assert rows_of(nothing + histogram(ENTRIES)) == rows_of(histogram(ENTRIES))


def test_histograms_on_different_grids_or_attributes_do_not_merge() -> None:
    other = CutoffGrid(np.array([0.25, 0.5]))
    with pytest.raises(ValueError, match=r"3 cutoffs \([0-9a-f]{16}\) and 2 cutoffs .*; recount one of them"):
        histogram(ENTRIES) + histogram([("A", "f", 1, 1, 0)], other)
    with pytest.raises(ValueError, match="different grids"):
        histogram(ENTRIES) + histogram(ENTRIES, GRID.as_float())
    with pytest.raises(ValueError, match=r"\('race', 'sex'\) and \('race',\)"):
        histogram(ENTRIES) + histogram(ENTRIES).by(("race",))


def test_counts_beyond_32_bits_are_exact() -> None:
    many = histogram([("A", "f", 3, 2**40, 2**41), ("A", "f", 3, 1, 1)])
    assert many.counts().tp.tolist() == [[2**40 + 1] * 3]
    assert (many + many).by(()).counts().fp.tolist() == [[2 * (2**41 + 1)] * 3]
