"""Rows of `cohort_flow` without small cells: a step is shown for all groups of an attribute, or for none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairsweep.core.disclosure.nesting import hidden_columns
from fairsweep.core.groups import OVERALL, too_small_to_name
from fairsweep.engines.protocol import RowsOf

Row = dict[str, Any]
Columns = dict[str, RowsOf]
EVENTS, NON_EVENTS = "events", "non_events"
MEMBERS = "members"


def told(rows: Sequence[Row], minimum: int) -> list[Row]:
    """The rows with small cells suppressed, and without their members; with 0 all rows unchanged.

    The rows that reached a step are the sum of those excluded from there on. So if any step is suppressed, they are
    shown for the first step only.

    Args:
        rows: of one model; `members` is a lower bound of the number of members of each row.
        minimum: the fewest members that may be shown.
    """
    inputs: dict[str, list[Row]] = {}
    for row in rows:
        inputs.setdefault(row["input"], []).append(row)
    found = [row for of_one in inputs.values() for row in _input(of_one, minimum)] if minimum else rows
    return [{name: value for name, value in row.items() if name != MEMBERS} for row in found]


def _input(rows: Sequence[Row], minimum: int) -> list[Row]:
    everybody = _columns([row for row in rows if row["attribute"] == OVERALL])
    found: list[Row] = []
    for attribute in dict.fromkeys(row["attribute"] for row in rows):
        groups: dict[str, list[Row]] = {}
        for row in rows:
            if row["attribute"] == attribute:
                groups.setdefault(row["group_value"], []).append(row)
        # What is suppressed for the population is suppressed for groups too, because their sum is the population.
        table = [everybody, *map(_columns, groups.values())]
        hidden = _hidden(table, minimum)
        totals = not any(RowsOf.pooled(columns.values()).is_few(minimum) for columns in table)
        shown = {group: _steps(steps, hidden, totals=totals) for group, steps in groups.items()}
        small = [] if attribute == OVERALL else [group for group, steps in groups.items() if _is_small(steps, minimum)]
        found += [row for group, steps in shown.items() if group not in small for row in steps]
        found += _unnamed([shown[group] for group in small])
    return found


def _is_small(steps: Sequence[Row], minimum: int) -> bool:
    """Whether a group has rows, of fewer members than the minimum at every step."""
    return RowsOf.pooled(_columns(steps).values()).is_few(minimum)


def _unnamed(groups: Sequence[Sequence[Row]]) -> list[Row]:
    """The steps of groups that are too small to name, without figures and once for all of them."""
    nothing = {"group_value": too_small_to_name(len(groups)), "rows_in": None, "rows_out": None, "events": None}
    return [row | nothing for row in groups[0]] if groups else []


def _columns(steps: Sequence[Row]) -> Columns:
    """By step, the excluded rows; at the end the remaining rows, with and without an event."""
    *before, last = sorted(steps, key=lambda row: row["step"])
    events = last["events"] or 0
    with_event, without = last[MEMBERS]
    return {str(row["step"]): RowsOf(row["rows_out"], *row[MEMBERS]) for row in before} | {
        EVENTS: RowsOf(events, with_event),
        NON_EVENTS: RowsOf(last["rows_in"] - events, without),
    }


def _hidden(table: Sequence[Columns], minimum: int) -> frozenset[str]:
    names = list(dict.fromkeys(name for columns in table for name in columns))
    counts = np.array([[columns.get(name, RowsOf(0, 0)) for name in names] for columns in table], dtype=np.int64)
    hidden = hidden_columns(counts[..., 0], minimum, counts[..., 1])
    return frozenset(name for name, hide in zip(names, hidden, strict=True) if hide)


def _steps(steps: Sequence[Row], hidden: frozenset[str], *, totals: bool) -> list[Row]:
    """The steps of one group, without suppressed values."""
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
