"""Compile expressions to arrays: each node over the levels of the one column it reads, and only then over rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fairsweep.engines.arrow import values
from fairsweep.engines.arrow.coded_columns import CodedColumn
from fairsweep.engines.arrow.member_keys import numbers
from fairsweep.engines.arrow.values import EPOCH, Values
from fairsweep.input.expressions import (
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

Mask = NDArray[np.bool_]


class Truth(NamedTuple):
    """A condition over a batch.

    Attributes:
        field: the column over whose levels `holds` is; None where it is over rows, or the same everywhere.
        holds: an array, or one answer for all.
    """

    field: int | None
    holds: Mask | bool


TRUE, FALSE = Truth(None, True), Truth(None, False)


class Groups(NamedTuple):
    """A text of every row, as codes into names.

    Attributes:
        field: the column whose levels have the `codes`; None if they are per row, or one for all rows.
        codes: indices into `names`.
        names: the texts, some perhaps twice, or on no row.
    """

    field: int | None
    codes: NDArray[np.int32]
    names: pa.Array


class Batch:
    """Some rows, and what has been found of them so far.

    Args:
        columns: the columns that are read, by position.
        rows: how many rows there are.
        malformed: whether all of them are rows with too few or too many fields.
    """

    def __init__(
        self, columns: Mapping[int, pa.Array | pa.ChunkedArray], rows: int, *, malformed: bool = False
    ) -> None:
        self.rows = rows
        self._columns = {position: CodedColumn.of(column) for position, column in columns.items()}
        self.malformed = malformed
        self._found: dict[Expression, Any] = {}

    # --- over rows

    def holds(self, expression: Expression) -> Mask | bool:
        """A condition for each row, or one answer for all rows."""
        return self._rows(self.truth(expression))

    def score(self, expression: AsNumber) -> NDArray[np.float64]:
        """A number for each row; anything where there is none."""
        return self._columns[expression.value.position].spread(self._numbers(expression).numbers)

    def who(self, expression: AsText) -> list[NDArray[np.int64]]:
        """The numbers that together identify the value of each row."""
        column = self._columns[expression.value.position]
        levels = column.levels if pa.types.is_integer(column.levels.type) else self._texts(expression)
        return [column.spread(number) for number in numbers(levels)]

    def levels_of_rows(self, field: int | None) -> NDArray[Any] | None:
        """The level of each row in a column; None where the rows are their own levels."""
        return None if field is None else self._columns[field].codes

    def _rows(self, truth: Truth) -> Mask | bool:
        if isinstance(truth.holds, bool) or truth.field is None:
            return truth.holds
        return self._columns[truth.field].spread(truth.holds)

    # --- conditions

    def truth(self, expression: Expression) -> Truth:  # noqa: PLR0911  (one of each kind)
        """A condition; it is never NULL."""
        match expression:
            case Malformed():
                return Truth(None, self.malformed)
            case Not(inner):
                field, holds = self.truth(inner)
                return Truth(field, not holds if isinstance(holds, bool) else ~holds)
            case AllOf(conditions):
                return self._joined(conditions, np.logical_and, TRUE)
            case AnyOf(conditions):
                return self._joined(conditions, np.logical_or, FALSE)
            case IsNull(value):
                return self._leaf(value, lambda: self._missing(value))
            case IsNaN(number):
                return self._leaf(number, lambda: self._is_nan(number))
            case IsIn(value, choices):
                return self._leaf(value, lambda: self._is_in(value, choices))
            case LongerThan(value, characters):
                return self._leaf(value, lambda: self._longer(value, characters))
            case Compare(value, operator, bound):
                return self._leaf(value, lambda: self._compared(value, operator, bound))
            case _:
                raise TypeError(f"not a condition: {type(expression).__name__}")

    def _leaf(self, value: Expression, find: Callable[[], Mask | bool]) -> Truth:
        holds = find()
        if isinstance(holds, bool) or not holds.any():
            return Truth(None, bool(np.any(holds)))
        return Truth(_field_of(value).position, holds)

    def _joined(self, conditions: Sequence[Expression], join: np.ufunc, neutral: Truth) -> Truth:
        """All or any of several conditions; what one column decides is joined over its levels first."""
        by_field: dict[int | None, Mask] = {}
        for condition in conditions:
            field, holds = self.truth(condition)
            if isinstance(holds, bool):
                if holds is not neutral.holds:
                    return Truth(None, holds)
                continue
            by_field[field] = join(by_field[field], holds) if field in by_field else holds
        if len(by_field) == 1:
            return Truth(*next(iter(by_field.items())))
        rows = [np.asarray(self._rows(Truth(field, holds))) for field, holds in by_field.items()]
        return Truth(None, join.reduce(rows)) if rows else neutral

    def _missing(self, value: Expression) -> Mask | bool:
        match value:
            case AsText(field):
                levels = self._columns[field.position].levels
                # Text can be blank; to know that a number is there, it need not be spelled.
                absent = values.missing(self._texts(value) if _is_text(levels.type) else levels)
            case AsNumber():
                absent = self._numbers(value).missing
            case AsDate():
                absent = self._days(value).missing
            case _:
                raise TypeError(f"never NULL: {type(value).__name__}")
        return False if absent is None else absent

    def _is_nan(self, value: AsNumber) -> Mask | bool:
        found = self._numbers(value)
        return False if found.finite else _present(np.isnan(found.numbers), found)

    def _is_in(self, value: Expression, choices: Sequence[str | float]) -> Mask:
        if isinstance(value, AsNumber):
            found = self._numbers(value)
            return _present(np.isin(found.numbers, np.array(choices, dtype=np.float64)), found)
        chosen = pc.is_in(self._texts(value), value_set=pa.array(choices, pa.string()), skip_nulls=True)
        mask: Mask = chosen.to_numpy(zero_copy_only=False)
        return mask

    def _longer(self, value: Expression, characters: int) -> Mask | bool:
        if not _is_text(self._columns[_field_of(value).position].levels.type):
            return False  # values that are not text take only a few characters
        longer = pc.greater(pc.utf8_length(self._texts(value)), characters).fill_null(False)
        mask: Mask = longer.to_numpy(zero_copy_only=False)
        return mask

    def _compared(self, value: AsNumber | AsDate, operator: str, bound: float | date) -> Mask | bool:
        if isinstance(bound, date):
            found, limit = self._days(value), float((bound - EPOCH).days)
        else:
            found, limit = self._numbers(value), bound
            if np.isinf(limit) and operator == "=" and found.finite:
                return False
        number = found.numbers
        with np.errstate(invalid="ignore"):
            match operator:
                case "<":
                    holds = number < limit
                case "<=":
                    holds = number <= limit
                case ">":
                    holds = ~(number <= limit)  # NaN is above every number, as in Spark
                case ">=":
                    holds = ~(number < limit)
                case _:
                    holds = number == limit
        return _present(holds, found)

    # --- values

    def _texts(self, expression: Expression) -> pa.Array:
        return self._once(expression, values.texts)

    def _numbers(self, expression: Expression) -> Values:
        found: Values = self._once(expression, values.numbers)
        return found

    def _days(self, expression: Expression) -> Values:
        found: Values = self._once(expression, values.days)
        return found

    def _once(self, expression: Expression, find: Callable[[pa.Array], Any]) -> Any:  # noqa: ANN401
        if expression not in self._found:
            self._found[expression] = find(self._columns[_field_of(expression).position].levels)
        return self._found[expression]

    # --- groups

    def groups(self, expression: Expression | None) -> Groups:
        """A text for each row, the empty one where there is none."""
        if expression is None:
            return Groups(None, np.zeros(1, dtype=np.int32), pa.array([""]))
        match expression:
            case AsText(field):
                texts = self._texts(expression).fill_null("").dictionary_encode()
                return Groups(field.position, texts.indices.to_numpy(), texts.dictionary)
            case Case(branches, AsText() as otherwise):
                start = self.groups(otherwise)
            case Case(branches, Constant(text)):
                start = Groups(None, np.zeros(1, dtype=np.int32), pa.array([text]))
            case _:
                raise TypeError(f"not a group: {type(expression).__name__}")
        return self._branched(branches, start)

    def _branched(self, branches: Sequence[tuple[Expression, Expression]], start: Groups) -> Groups:
        truths = [self.truth(condition) for condition, _ in branches]
        field = next((truth.field for truth in truths if truth.field is not None), start.field)
        size = 1 if field is None else len(self._columns[field].levels)
        codes = np.broadcast_to(start.codes, size).copy()
        names = [start.names]
        for place, ((_, value), truth) in reversed(list(enumerate(zip(branches, truths, strict=True)))):
            if not isinstance(value, Constant):
                raise TypeError(f"not the name of a group: {type(value).__name__}")
            codes[truth.holds] = len(start.names) + place
        if any(
            isinstance(condition, LongerThan) and truth.holds is not False
            for (condition, _), truth in zip(branches, truths, strict=True)
        ):
            # No row has these names any more, and they can be of any length.
            left = np.bincount(codes, minlength=len(start.names))[: len(start.names)] > 0
            names = [pc.if_else(pa.array(left), start.names, "")]
        names += [pa.array([value.value for _, value in branches], pa.string())]  # type: ignore[union-attr]
        return Groups(field, codes, pa.concat_arrays(names))


def _present(holds: Mask, found: Values) -> Mask:
    return holds if found.missing is None else holds & ~found.missing


def _field_of(expression: Expression) -> Field:
    match expression:
        case AsText(field) | AsNumber(field) | AsDate(field):
            return field
        case _:
            raise TypeError(f"reads no column: {type(expression).__name__}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
