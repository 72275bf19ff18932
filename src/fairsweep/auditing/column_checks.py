"""Check a config against the columns of its input, before a row is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from fairsweep.auditing.identifiers import by_name
from fairsweep.auditing.spec import AuditSpec
from fairsweep.config.attributes import AttributeSpec
from fairsweep.config.faults import ConfigPath, describe, rendered
from fairsweep.config.input_columns import Inspected, _shown, absent, looks_like_a_row
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.errors import Problem, UsageError
from fairsweep.input.intake import FIRST_DAY, NO_END, Window

_NUMBERS = ("integer", "decimal", "float", "double")
_ALLOWED_TYPES: Mapping[str, tuple[str, ...]] = {
    "score": ("text", *_NUMBERS),
    "label": ("text", "boolean", *_NUMBERS, "date", "timestamp", "timestamp_ntz"),
    "member": ("text", "boolean", *_NUMBERS, "date", "timestamp", "timestamp_ntz"),
    "scored_on": ("text", "date", "timestamp", "timestamp_ntz"),
    "model_id": ("text", "integer"),
    "model_version": ("text", "integer"),
    "weight": ("text", *_NUMBERS),
}
_GROUP_TYPES = ("text", "boolean", "integer", "date")
_BAND_TYPES = ("text", *_NUMBERS)
_FLOATING = ("float", "double")


def check_columns(spec: AuditSpec, inspection: Inspected, config: str = "") -> None:
    """Check every column that the config names, and the cutoffs against the type of the scores.

    Args:
        spec: the config.
        inspection: the columns of the input.
        config: the name of the config, for the `place` of problems.

    Raises:
        UsageError: with every problem.
    """
    types = dict(inspection.columns)
    uses = _uses(spec)
    problems: list[Problem] = []
    headless = not any(column in types for _, column, _, _ in uses) and looks_like_a_row(inspection.columns)
    for path, column, allowed, step in uses:
        if column not in types:
            problems.append(absent(path, column, inspection, headless=headless))
        elif types[column] not in allowed:
            found = f"{_shown(column)}, a column of type {types[column].replace('_', ' ')}"
            problems.append(Problem(rendered(path), found, "a column of " + ", ".join(allowed), step))
    problems.extend(by_name(spec))
    if types.get(spec.columns.score) == "float":
        problems.extend(_float_cutoffs(spec.grid()))
    if types.get(spec.columns.label) in _FLOATING:
        problems.extend(_texts_of_fractions(spec, types[spec.columns.label]))
    if problems:
        prefix = f"{config}: " if config else ""
        raise UsageError([replace(problem, place=prefix + problem.place) for problem in problems])


def _uses(spec: AuditSpec) -> list[tuple[ConfigPath, str, tuple[str, ...], str]]:
    """Each use of a column: where, its name, the types that serve, and what to do about another."""
    uses: list[tuple[ConfigPath, str, tuple[str, ...], str]] = []
    for key, allowed in _ALLOWED_TYPES.items():
        column = getattr(spec.columns, key)
        if column is not None:
            uses.append((("columns", key), column, allowed, f"name another column, or cast it to {allowed[0]}"))
    for attribute in spec.base_attributes:
        by_bands = attribute.breaks is not None
        allowed = _BAND_TYPES if by_bands else _GROUP_TYPES
        step = "cast it to text or integer" if by_bands else "use breaks for numbers, or cast it to text"
        uses.append((_place(spec, attribute), attribute.column, allowed, step))
    return uses


def _place(spec: AuditSpec, attribute: AttributeSpec) -> ConfigPath:
    """Where the config names the column of an attribute."""
    for position, item in enumerate(spec.attributes):
        if item == attribute:
            plain = attribute.column == attribute.name
            return ("attributes", position) if plain else ("attributes", position, "from")
        if not isinstance(item, AttributeSpec) and attribute.name in item.attributes:
            members = item.attributes
            if not any(isinstance(one, AttributeSpec) and one.name == attribute.name for one in spec.attributes):
                return ("attributes", position, members.index(attribute.name))
    return ("attributes",)


def _float_cutoffs(grid: CutoffGrid) -> list[Problem]:
    """FLOAT scores are compared with cutoffs rounded to FLOAT, which must still differ."""
    try:
        grid.as_float()
    except ValueError as error:
        step = "use fewer cutoffs, or cast the scores to double"
        return [Problem("cutoffs", f"too close for scores of type float ({error})", "", step)]
    return []


def _texts_of_fractions(spec: AuditSpec, kind: str) -> list[Problem]:
    """A label given as text is compared with the label as text, and engines write one fraction in several ways."""
    column = f"beside {_shown(spec.columns.label)}, a column of type {kind}"
    step = "write it as a number, without quotes, or cast the column to text"
    lists = (("event_labels", spec.event_labels), ("non_event_labels", spec.non_event_labels or ()))
    return [
        Problem(rendered((key, place)), f"{describe(label)} {column}", "numbers", step)
        for key, labels in lists
        for place, label in enumerate(labels)
        if isinstance(label, str | bool)
    ]


WINDOW_FLAGS = ("--window-start", "--window-end")


def window_of(spec: AuditSpec, start: str | None, end: str | None, names: tuple[str, str] = WINDOW_FLAGS) -> Window:
    """The window of `--window-start` and `--window-end`; without them, all time.

    Args:
        spec: the config.
        start: the first day.
        end: the day after the last.
        names: the names of the two flags, for the `place` of problems.

    Raises:
        UsageError: if a day is not a valid date, the end does not follow the start, or no column has the day.
    """
    problems: list[Problem] = []
    days = [_day(flag, text, problems) for flag, text in zip(names, (start, end), strict=True)]
    window = Window(days[0] or FIRST_DAY, days[1] or NO_END)
    if not problems and window.start >= window.end:
        found = f"{window.end}, with start {window.start}"
        problems.append(Problem(names[1], found, "a day after the start", "the end is exclusive: give a later day"))
    if (start is not None or end is not None) and spec.columns.scored_on is None:
        step = "name the column with the day of the score, or remove the window"
        problems.append(Problem("columns.scored_on", "missing", "a column, with a window", step))
    if problems:
        raise UsageError(problems)
    return window


def _day(flag: str, text: str | None, problems: list[Problem]) -> date | None:
    if text is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    problems.append(Problem(flag, _shown(text), "a day as in 2026-01-31", "write year-month-day"))
    return None
