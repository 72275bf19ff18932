"""Typed conditions as data: the conditions of the intake, in a form that every engine can compile.

A node never holds SQL text. Engines compile nodes one by one (`engines/spark/columns.py`), so that a rule is written
once and means the same everywhere. Conditions are two-valued: a comparison with NULL is false, never NULL.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Literal

# The number syntax of DESIGN's text inputs. Spark casts `1d`, `0x1p3` and `inf` to numbers and Arrow does not.
NUMBER_PATTERN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
# An ISO date; a time to the second, and then an offset from UTC, may follow.
DATE_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?)?"


@dataclass(frozen=True)
class Field:
    """A column of the input, by its position: a name may occur twice, or hold any character."""

    position: int


@dataclass(frozen=True)
class Malformed:
    """True for a row of a text input with too few or too many fields."""


@dataclass(frozen=True)
class Constant:
    """A fixed text."""

    value: str


@dataclass(frozen=True)
class AsText:
    """The value as text: spaces stripped, the empty text NULL; `true`, `false`; ISO dates; digits of whole numbers."""

    value: Field


@dataclass(frozen=True)
class AsNumber:
    """The value as a DOUBLE: NULL where a text is not a number by `NUMBER_PATTERN`; booleans are 1 and 0."""

    value: Field


@dataclass(frozen=True)
class AsDate:
    """The day in UTC: NULL where a text is not an ISO date."""

    value: Field


@dataclass(frozen=True)
class IsNull:
    """True where there is no value."""

    value: Expression


@dataclass(frozen=True)
class IsNaN:
    """True where a number is NaN."""

    value: AsNumber


@dataclass(frozen=True)
class IsIn:
    """True where the value is one of a list; NULL is in no list."""

    value: Expression
    choices: tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class LongerThan:
    """True where a text has more characters (Unicode code points) than that; numbers and dates never have."""

    value: AsText
    characters: int


@dataclass(frozen=True)
class Compare:
    """True where `value operator bound` holds; false for NULL. In Spark NaN is above every number."""

    value: AsNumber | AsDate
    operator: Literal["<", "<=", ">", ">=", "="]
    bound: float | date


@dataclass(frozen=True)
class Not:
    """True where a condition is false."""

    condition: Expression


@dataclass(frozen=True)
class AllOf:
    """True where all conditions are."""

    conditions: tuple[Expression, ...]


@dataclass(frozen=True)
class AnyOf:
    """True where at least one condition is."""

    conditions: tuple[Expression, ...]


@dataclass(frozen=True)
class Case:
    """The value of the first condition that holds, otherwise the last value."""

    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression


Expression = (
    Field
    | Malformed
    | Constant
    | AsText
    | AsNumber
    | AsDate
    | IsNull
    | IsNaN
    | IsIn
    | LongerThan
    | Compare
    | Not
    | AllOf
    | AnyOf
    | Case
)


def fields_of(expression: object) -> set[int]:
    """The positions of all columns that an expression reads."""
    if isinstance(expression, Field):
        return {expression.position}
    if isinstance(expression, tuple):
        return set().union(*map(fields_of, expression))
    if is_dataclass(expression):
        return fields_of(tuple(getattr(expression, part.name) for part in fields(expression)))
    return set()
