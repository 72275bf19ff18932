"""The names of attributes and groups: everybody, single attributes and intersections."""

from __future__ import annotations

from collections.abc import Sequence

OVERALL = "overall"
ALL = "all"
# Characters that the name of a group may have: a longer text is never one.
LONGEST_GROUP = 1_000
SEPARATOR = " x "


def attribute_name(attributes: Sequence[str]) -> str:
    """An intersection is its columns joined; nobody's attributes are everybody's.

    >>> attribute_name(["race", "sex"])
    'race x sex'
    """
    return SEPARATOR.join(attributes) if attributes else OVERALL


def group_name(values: Sequence[str]) -> str:
    """The group of an intersection is its values joined; a value that itself contains ` x ` is quoted.

    >>> group_name(["Black", "female"])
    'Black x female'
    >>> group_name(["4 x 4 owner", "female"])
    '"4 x 4 owner" x female'
    """
    if not values:
        return ALL
    if len(values) == 1:
        return values[0]
    return SEPARATOR.join(_quoted(value) for value in values)


def _quoted(value: str) -> str:
    # A value that looks quoted already is quoted too: no two groups may share a name.
    if SEPARATOR not in f" {value} " and not value.startswith('"'):
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'
