"""The flow of a cohort without small cells: by members, and against somebody who solves for what is hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from fairsweep.cohort.flow_rows import told

MINIMUM = 11
Parts = dict[str, tuple[list[int], list[int]]]
"""By group the rows left out at each step, then those with an event and those without; and of how many members."""


def flow_of(parts: Parts) -> list[dict[str, Any]]:
    """The flow of one attribute and of everybody, who are the sum; no member is in two groups."""
    whole = tuple(np.sum([parts[group][i] for group in parts], axis=0).tolist() for i in range(2))
    rows = []
    for attribute, groups in (("overall", {"all": whole}), ("sex", parts)):
        for group, (counts, members) in groups.items():
            left = sum(counts)
            place = {"input": "predictions", "attribute": attribute, "group_value": group}
            for step, (out, held) in enumerate(zip(counts[:-2], members, strict=False), 1):
                rows.append(
                    place | {"step": step, "rows_in": left, "rows_out": out, "members": (held,), "events": None}
                )
                left -= out
            last = {"step": len(counts) - 1, "rows_in": left, "rows_out": 0, "members": tuple(members[-2:])}
            rows.append(place | last | {"events": counts[-2]})
    return rows


def columns_of(rows: list[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    return sorted((row for row in rows if row["group_value"] == group), key=lambda row: row["step"])


def test_without_a_minimum_all_is_told_and_members_are_not() -> None:
    rows = flow_of({"a": ([3, 4, 90], [3, 4, 90]), "b": ([0, 50, 60], [0, 50, 60])})
    assert told(rows, 0) == [{name: value for name, value in row.items() if name != "members"} for row in rows]


def test_enough_rows_of_too_few_members_are_hidden_in_every_group() -> None:
    counts = [30, 40, 50, 400]
    same = {"a": (counts, counts), "b": (counts, counts)}
    assert all(row["rows_out"] is not None for row in told(flow_of(same), MINIMUM))
    few = {**same, "b": (counts, [4, 40, 50, 400])}
    shown = told(flow_of(few), MINIMUM)
    for group in "ab":
        first, second, last = columns_of(shown, group)
        # With the second step, or the total after the first, the hidden one would follow.
        assert (first["rows_out"], second["rows_out"]) == (None, None)
        assert first["rows_in"] == sum(counts)
        assert (last["rows_in"], last["events"]) == (450, 50)


@pytest.mark.parametrize("seed", range(60))
def test_nobody_can_solve_for_a_small_number_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.choice([0, 0, 3, 8, 12, 30, 100], size=(int(rng.integers(1, 4)), int(rng.integers(3, 6)))).tolist()
    parts = {f"g{i}": (row, row) for i, row in enumerate(counts)}
    rows = flow_of(parts)
    shown = told(rows, MINIMUM)
    steps, groups = len(counts[0]), list(parts)
    equations, values = [np.zeros(steps * len(groups))], [0]

    def knows(of: list[str], cells: range | list[int], value: int | None) -> None:
        if value is not None:
            found = np.zeros((len(groups), steps))
            for group in of:
                found[groups.index(group), list(cells)] = 1
            equations.append(found.ravel())
            values.append(value)

    for row in shown:
        of = groups if row["group_value"] == "all" else [row["group_value"]]
        place = row["step"] - 1
        knows(of, range(place, steps), row["rows_in"])
        if place < steps - 2:
            knows(of, [place], row["rows_out"])
        else:
            knows(of, [steps - 2], row["events"])
    small = [(i, j) for i in range(len(groups)) for j in range(steps) if 0 < counts[i][j] < MINIMUM]
    for i, j in small:
        wanted = np.zeros((len(groups), steps))
        wanted[i, j] = 1
        low = linprog(wanted.ravel(), A_eq=np.array(equations), b_eq=values)
        high = linprog(-wanted.ravel(), A_eq=np.array(equations), b_eq=values)
        greatest = np.inf if high.fun is None else -high.fun
        assert low.fun is not None
        assert greatest > low.fun + 0.5
