"""What a config says of columns, held against those that an input has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from fairsweep.config.faults import ConfigPath, printable, rendered
from fairsweep.errors import Problem, did_you_mean, quoted
from fairsweep.input.expressions import DATE_PATTERN, NUMBER_PATTERN

NO_HEADER = "begin the file with a line of column names, separated by commas; its first line does not look like one"


class Inspected(Protocol):
    """What is known of an input before a row is read: an engine's `Inspection`."""

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """Name and type of each column."""
        ...

    @property
    def input_name(self) -> str:
        """What people call the input."""
        ...


def looks_like_a_row(columns: Sequence[tuple[str, str]]) -> bool:
    """Whether what a text file has for names may be values: numbers or days among them, or nothing that commas part."""
    if any(kind != "text" for _, kind in columns):
        return False
    values = rf"{NUMBER_PATTERN}|{DATE_PATTERN}"
    return len(columns) == 1 or any(re.fullmatch(values, name.strip()) for name, _ in columns)


def absent(path: ConfigPath, column: str, inspection: Inspected, *, headless: bool) -> Problem:
    """Why a column that a config names cannot be read.

    Args:
        path: where the config names it.
        column: its name.
        inspection: the columns there are.
        headless: whether these look like values rather than names.
    """
    name_of_file = inspection.input_name.rstrip("/").rpartition("/")[2]
    found = f"{_shown(column)}, which is not a column of {printable(name_of_file)}"
    if headless:
        # Values of a person may stand there, so none of them is shown.
        return Problem(rendered(path), found, "", NO_HEADER)
    names = [printable(name) for name, _ in inspection.columns]
    return Problem(rendered(path), found, "", did_you_mean(printable(column), names))


def absent_columns(section: str, wanted: Sequence[tuple[ConfigPath, str]], inspection: Inspected) -> list[Problem]:
    """The columns that a section of a config names, and its input does not have.

    Args:
        section: the key of the section.
        wanted: path within the section, and column.
        inspection: the columns there are.
    """
    names = {name for name, _ in inspection.columns}
    headless = not any(column in names for _, column in wanted) and looks_like_a_row(inspection.columns)
    return [
        absent((section, *path), column, inspection, headless=headless)
        for path, column in wanted
        if column not in names
    ]


def _shown(text: str) -> str:
    return quoted(printable(text))
