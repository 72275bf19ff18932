"""The names of attributes and groups: the overall population, single attributes and intersections."""

from __future__ import annotations

import re
from collections.abc import Sequence

OVERALL = "overall"
ALL = "all"
# Characters that the name of a group may have: a longer text is never one.
LONGEST_GROUP = 1_000
SEPARATOR = " x "
TOO_SMALL = "too small to name"
_TOO_SMALL = re.compile(rf"([1-9][0-9]*) groups? {TOO_SMALL}")


def attribute_name(attributes: Sequence[str]) -> str:
    """The name of an attribute: an intersection joins its columns; without columns it is the overall population.

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


def too_small_to_name(groups: int) -> str:
    """The common name in results of all groups of an attribute with fewer members than the minimum.

    >>> too_small_to_name(3)
    '3 groups too small to name'
    >>> too_small_to_name(1)
    '1 group too small to name'
    """
    return f"{groups} group{'' if groups == 1 else 's'} {TOO_SMALL}"


def number_of_groups(group_value: str) -> int:
    """How many groups a row of a result table is of.

    >>> number_of_groups("3 groups too small to name"), number_of_groups("female")
    (3, 1)
    """
    found = _TOO_SMALL.fullmatch(group_value)
    return int(found[1]) if found else 1
