"""Compile expressions to Spark Columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING

import pyspark.sql.functions as F

from fairsweep.input.expressions import (
    DATE_PATTERN,
    NUMBER_PATTERN,
    AllOf,
    AnyOf,
    AsDate,
    AsNumber,
    AsText,
    Case,
    Compare,
    Constant,
    Expression,
    Field,
    IsIn,
    IsNaN,
    IsNull,
    LongerThan,
    Malformed,
    Not,
)

if TYPE_CHECKING:
    from pyspark.sql import Column

    from fairsweep.input.source_columns import ColumnType

MALFORMED_COLUMN = "malformed"


def field_name(position: int) -> str:
    """The name of column `position` inside the scan, where users' names are not used."""
    return f"c{position}"


class Compiler:
    """Compiles expressions over columns `c0, c1, ...` of known types."""

    def __init__(self, types: Sequence[ColumnType], *, malformed: bool) -> None:
        """Take the types of the columns, and whether the input marks malformed rows."""
        self._types = types
        self.malformed = malformed
        self._forget()

    def _forget(self) -> None:
        # Each part of a Column is a call to Java, and expressions have most of their parts in common.
        self._conditions: dict[Expression, Column] = {}
        self._values: dict[Expression, Column] = {}

    def __getstate__(self) -> dict[str, object]:
        """The state that is sent to tasks: columns stay in Java."""
        return {"_types": self._types, "malformed": self.malformed}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take what was sent."""
        self.__dict__.update(state)
        self._forget()

    def condition(self, expression: Expression) -> Column:
        """A Column of type BOOLEAN that is never NULL."""
        found = self._conditions.get(expression)
        if found is None:
            found = self._conditions[expression] = self._condition(expression)
        return found

    def _condition(self, expression: Expression) -> Column:  # noqa: PLR0911  (one of each kind)
        match expression:
            case Malformed():
                return F.col(MALFORMED_COLUMN).isNotNull() if self.malformed else F.lit(False)
            case IsNull(value):
                return self._is_null(value)
            case IsNaN(AsNumber(field)):
                floating = self._types[field.position] in {"float", "double"}
                return F.coalesce(F.isnan(self.value(field)), F.lit(False)) if floating else F.lit(False)
            case IsIn(value, choices):
                return F.coalesce(self.value(value).isin(*choices), F.lit(False))
            case LongerThan(value, characters):
                # Values that are not text take only a few characters.
                is_text = self._types[value.value.position] == "text"
                longer = F.char_length(self.value(value)) > F.lit(characters)
                return F.coalesce(longer, F.lit(False)) if is_text else F.lit(False)
            case Compare(value, operator, bound):
                return F.coalesce(_compare(self.value(value), operator, bound), F.lit(False))
            case Not(inner):
                return ~self.condition(inner)
            case AllOf(conditions):
                return reduce(lambda a, b: a & b, map(self.condition, conditions)) if conditions else F.lit(True)
            case AnyOf(conditions):
                return reduce(lambda a, b: a | b, map(self.condition, conditions)) if conditions else F.lit(False)
            case _:
                raise TypeError(f"not a condition: {type(expression).__name__}")

    def _is_null(self, value: Expression) -> Column:
        if isinstance(value, AsText) and self._types[value.value.position] != "text":
            # Checking whether a number exists does not need its text, which would take longer than everything else.
            return F.col(field_name(value.value.position)).isNull()
        return self.value(value).isNull()

    def raw(self, position: int) -> Column:
        """An input column in a form whose values can be collected and compared again: dates as days since 1970."""
        column = F.col(field_name(position))
        # As literals, dates would pass through the calendar of their time, and not all are dates in Python.
        return F.unix_date(column) if self._types[position] == "date" else column

    def short(self, position: int, characters: int) -> Column:
        """An input column as in `raw`, NULL if it is a text of more characters, so that collected rows stay small."""
        column = self.raw(position)
        return F.when(F.char_length(column) <= characters, column) if self._types[position] == "text" else column

    def who(self, expression: AsText) -> list[Column]:
        """The numbers that together identify the value of each row.

        A whole number represents itself; a text is represented by two hashes of 64 bits, so that collisions are as
        unlikely as for random numbers. No text leaves the scan.
        """
        if self._types[expression.value.position] == "integer":
            whole = self.raw(expression.value.position)
            # Of a number that no BIGINT holds the hash serves; a cast would fail, and name it.
            larger = F.when(whole.isNotNull(), F.xxhash64(whole.cast("string")))
            return [F.coalesce(whole.try_cast("long"), larger, F.lit(0).cast("long"))]
        text = self.value(expression)
        return [F.xxhash64(text), F.xxhash64(F.lit("second"), text)]

    def value(self, expression: Expression) -> Column:
        """A Column of the expression's own type, NULL where there is no value."""
        found = self._values.get(expression)
        if found is None:
            found = self._values[expression] = self._value(expression)
        return found

    def _value(self, expression: Expression) -> Column:
        match expression:
            case Field(position):
                return F.col(field_name(position))
            case Constant(text):
                return F.lit(text)
            case AsText(field):
                return self._text(field)
            case AsNumber(field):
                return self._number(field)
            case AsDate(field):
                return self._date(field)
            case Case(branches, otherwise):
                result = self.value(otherwise)
                for condition, value in reversed(branches):
                    result = F.when(self.condition(condition), self.value(value)).otherwise(result)
                return result
            case _:
                return self.condition(expression)

    def _text(self, field: Field) -> Column:
        column = F.col(field_name(field.position))
        if self._types[field.position] == "text":
            return F.nullif(F.trim(column), F.lit(""))
        return column.cast("string")

    def _number(self, field: Field) -> Column:
        column = F.col(field_name(field.position))
        kind = self._types[field.position]
        if kind in {"date", "timestamp", "timestamp_ntz"}:
            # Spark makes seconds of some of them, and refuses others.
            return F.lit(None).cast("double")
        if kind != "text":
            return column.cast("double")
        text = F.trim(column)
        return F.when(text.rlike(rf"\A{NUMBER_PATTERN}\z"), text.try_cast("double"))

    def _date(self, field: Field) -> Column:
        column = F.col(field_name(field.position))
        kind = self._types[field.position]
        if kind == "date":
            return column
        if kind == "text":
            text = F.trim(column)
            column = F.when(text.rlike(rf"\A{DATE_PATTERN}\z"), text.try_cast("timestamp"))
        # The session's time zone is UTC during the scan.
        return column.cast("date")


def _compare(value: Column, operator: str, bound: float | date) -> Column:
    right = F.lit(bound)
    match operator:
        case "<":
            return value < right
        case "<=":
            return value <= right
        case ">":
            return value > right
        case ">=":
            return value >= right
        case _:
            return value == right
