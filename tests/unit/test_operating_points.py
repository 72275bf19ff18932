from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.operating_points import ChosenCutoff, CutoffRule, OperatingPoint, choose

GRID = CutoffGrid.evenly("0.1", "0.5", 5)


def population(flagged: list[int], events: int, n: int) -> ConfusionCounts:
    """Counts with the given number flagged at each cutoff; flags find events first."""
    tp = np.minimum(flagged, events)
    fp = np.array(flagged) - tp
    return ConfusionCounts.of(tp, fp, events - tp, n - events - fp)


def chosen(rule: CutoffRule, parameter: str, flagged: list[int], events: int, n: int) -> ChosenCutoff:
    return choose(OperatingPoint("p", rule, parameter), GRID, population(flagged, events, n))


@pytest.mark.parametrize(
    ("rule", "parameter", "flagged", "events", "n", "index", "achieved", "status"),
    [
        ("population_gbe", "1.0", [90, 40, 12, 5, 0], 10, 100, 2, 1.2, "defined"),
        ("population_gbe", "1.0", [90, 12, 8, 5, 0], 10, 100, 1, 1.2, "defined"),  # as near: the one above
        ("population_gbe", "1.0", [90, 12, 12, 8, 0], 10, 100, 1, 1.2, "defined"),  # tied: the lowest
        ("population_gbe", "1.0", [8, 8, 8, 5, 0], 10, 100, 0, 0.8, "defined"),
        ("population_gbe", "0.85", [9, 8, 8, 5, 0], 10, 100, 0, 0.9, "defined"),  # 0.05 each side, exactly
        ("population_gbe", "1.0", [90, 40, 12, 5, 0], 0, 100, None, None, "no_events"),
        ("population_gbe", "1.0", [0, 0, 0, 0, 0], 0, 0, None, None, "empty"),
        ("population_gbe", "1.0", [0, 0, 0, 0, 0], 10, 100, 0, 0.0, "defined"),
        (
            "alert_rate",
            "0.29",
            [90, 30, 29, 5, 0],
            10,
            100,
            2,
            0.29,
            "defined",
        ),  # 0.29 * 100 is below 29 in doubles
        ("alert_rate", "0.28", [90, 30, 29, 5, 0], 10, 100, 3, 0.05, "defined"),
        ("alert_rate", "1", [90, 30, 29, 5, 0], 10, 100, 0, 0.9, "defined"),
        ("alert_rate", "0.01", [90, 40, 30, 9, 5], 10, 100, None, None, "no_cutoff"),
        ("alert_rate", "0.01", [0, 0, 0, 0, 0], 0, 0, None, None, "empty"),
        ("fixed", "0.3", [90, 40, 12, 5, 0], 10, 100, 2, 0.3, "defined"),
    ],
)
def test_rules_choose_cutoffs(
    rule: CutoffRule,
    parameter: str,
    flagged: list[int],
    events: int,
    n: int,
    index: int | None,
    achieved: float | None,
    status: str,
) -> None:
    choice = chosen(rule, parameter, flagged, events, n)
    assert (choice.cutoff_index, choice.achieved, choice.status) == (index, achieved, status)
    assert choice.cutoff == (None if index is None else GRID.values[index])
    assert choice.target == float(parameter)
    assert choice.origin == ("prespecified" if rule == "fixed" else "tuned_here")


def test_neighbours_are_the_grids_and_none_beyond_its_ends() -> None:
    flagged = [90, 40, 12, 5, 0]
    for parameter, neighbours in {"0.1": (None, 0.2), "0.3": (0.2, 0.4), "0.5": (0.4, None)}.items():
        choice = chosen("fixed", parameter, flagged, 10, 100)
        assert (choice.cutoff_below, choice.cutoff_above) == neighbours


def test_population_gbe_stands_beside_every_rule_unless_undefined() -> None:
    flagged = [90, 40, 12, 5, 0]
    assert chosen("fixed", "0.2", flagged, 10, 100).population_gbe == 4.0
    assert chosen("alert_rate", "0.2", flagged, 10, 100).population_gbe == 1.2
    assert chosen("fixed", "0.2", flagged, 0, 100).population_gbe is None


def test_fixed_cutoff_of_float_scores_is_the_rounded_one() -> None:
    choice = choose(OperatingPoint("p", "fixed", "0.3"), GRID.as_float(), population([90, 40, 12, 5, 0], 10, 100))
    assert choice.cutoff == choice.achieved == float(np.float32(0.3))
    assert choice.target == 0.3


def test_fixed_cutoff_off_the_grid_names_both_neighbours() -> None:
    with pytest.raises(ValueError, match=r"0\.25 is off the grid; its neighbours are 0\.2 and 0\.3"):
        chosen("fixed", "0.25", [90, 40, 12, 5, 0], 10, 100)


@given(
    flagged=st.lists(st.integers(0, 60), min_size=5, max_size=5).map(lambda a: sorted(a, reverse=True)),
    events=st.integers(1, 30),
    hundredths=st.integers(1, 300),
)
def test_rules_agree_with_a_naive_search_in_fractions(flagged: list[int], events: int, hundredths: int) -> None:
    parameter, exact = f"{hundredths / 100:.2f}", Fraction(hundredths, 100)
    n = 100

    def order(k: int) -> tuple[Fraction, bool, int]:
        gbe = Fraction(flagged[k], events)
        return abs(gbe - exact), not gbe >= exact, k

    nearest = min(range(5), key=order)
    assert chosen("population_gbe", parameter, flagged, events, n).cutoff_index == nearest
    lowest = next((k for k in range(5) if Fraction(flagged[k], n) <= exact), None)
    assert chosen("alert_rate", parameter, flagged, events, n).cutoff_index == lowest
