"""Rows of `cohort_flow` without small cells: a step is told of all groups of an attribute, or of none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairsweep.core.thinning import hidden_columns
from fairsweep.groups import OVERALL

Row = dict[str, Any]
EVENTS, NON_EVENTS = "events", "non_events"


def told(rows: Sequence[Row], minimum: int) -> list[Row]:
    """The rows with what would show a small cell left out; with 0 all as they are.

    Rows that came to a step are the sum of those left out from there on, so that they are told of the first step
    alone once anything is hidden.

    Args:
        rows: of one model.
        minimum: the fewest members that may be shown.
    """
    if not minimum:
        return list(rows)
    inputs: dict[str, list[Row]] = {}
    for row in rows:
        inputs.setdefault(row["input"], []).append(row)
    return [row for of_one in inputs.values() for row in _input(of_one, minimum)]


def _input(rows: Sequence[Row], minimum: int) -> list[Row]:
    everybody = _columns([row for row in rows if row["attribute"] == OVERALL])
    found: list[Row] = []
    for attribute in dict.fromkeys(row["attribute"] for row in rows):
        groups: dict[str, list[Row]] = {}
        for row in rows:
            if row["attribute"] == attribute:
                groups.setdefault(row["group_value"], []).append(row)
        # What is hidden of everybody is hidden of the groups, whose sum it is.
        table = [everybody, *map(_columns, groups.values())]
        hidden = _hidden(table, minimum)
        totals = all(not 0 < sum(columns.values()) < minimum for columns in table)
        for steps in groups.values():
            found += _steps(steps, hidden, totals=totals)
    return found


def _columns(steps: Sequence[Row]) -> dict[str, int]:
    """By step, the rows left out there; at the end those that remain, with and without an event."""
    *before, last = sorted(steps, key=lambda row: row["step"])
    events = last["events"] or 0
    return {str(row["step"]): row["rows_out"] for row in before} | {
        EVENTS: events,
        NON_EVENTS: last["rows_in"] - events,
    }


def _hidden(table: Sequence[Mapping[str, int]], minimum: int) -> frozenset[str]:
    names = list(dict.fromkeys(name for columns in table for name in columns))
    counts = np.array([[columns.get(name, 0) for name in names] for columns in table], dtype=np.int64)
    return frozenset(name for name, hide in zip(names, hidden_columns(counts, minimum), strict=True) if hide)


def _steps(steps: Sequence[Row], hidden: frozenset[str], *, totals: bool) -> list[Row]:
    """The steps of one group, without what is hidden."""
    if not hidden:
        return list(steps)
    first, *_ = last = sorted(steps, key=lambda row: row["step"])
    found = []
    for row in steps:
        remain = row is last[-1] and not {EVENTS, NON_EVENTS} & hidden
        gone: Row = {}
        if not remain and not (row is first and totals):
            gone["rows_in"] = None
        if str(row["step"]) in hidden:
            gone["rows_out"] = None
        if row is last[-1] and not remain:
            gone["events"] = None
        found.append(row | gone)
    return found
