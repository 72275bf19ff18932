"""Single values in a config: each kind with its check and its words. Nothing is converted silently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, core_schema

from fairsweep.config.documents import Spelled
from fairsweep.config.faults import Fault, WrongValueError, describe, printable, refusal
from fairsweep.core.groups import LONGEST_GROUP

_BOUNDS = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}


def is_number(value: object) -> bool:
    """Whether a value is a number; truth values are not."""
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def as_double(value: Any, allowed: str = "a finite number") -> float:  # noqa: ANN401  (whatever the config holds)
    """The double nearest to the decimal that was written."""
    if not is_number(value):
        step = "write it without quotes" if isinstance(value, str) else f"write {allowed}"
        raise refusal(describe(value), allowed, step)
    double = float(value)
    if not math.isfinite(double):
        raise refusal(describe(value), allowed, "change it")
    return double


def _as_decimal(value: Any, allowed: str) -> Decimal:  # noqa: ANN401
    """The decimal that was written, where it is the shortest name of a double."""
    double = as_double(value, allowed)
    shortest = Decimal(repr(double))
    if isinstance(value, Decimal) and value != shortest:
        allowed = "a decimal of at most 15 significant digits"
        raise refusal(describe(value), allowed, f"round it, say to {double}")
    return shortest


def as_whole(value: Any, allowed: str) -> int:  # noqa: ANN401
    """A whole number, written without a decimal point."""
    if is_number(value) and isinstance(value, Integral):
        return int(value)
    if is_number(value) and math.isfinite(value) and value == int(value):
        raise refusal(describe(value), allowed, f"write {int(value)}")
    raise refusal(describe(value), allowed, "write it as digits, without quotes")


def in_words(noun: str, bounds: Mapping[str, Any]) -> str:
    """A number and its bounds.

    >>> in_words("number", {"gt": 0, "lt": 1}), in_words("whole number", {"ge": 1, "le": 100_001})
    ('a number above 0 and below 1', 'a whole number from 1 to 100,001')
    """
    # Pydantic before 2.11 keeps a bound of 1 as 1.0.
    given = {key: f"{bounds[key]:,}".removesuffix(".0") for key in _BOUNDS if bounds.get(key) is not None}
    if {"ge", "le"} <= set(given):
        return f"a {noun} from {given['ge']} to {given['le']}"
    parts = [f"{_BOUNDS[key]} {bound}" for key, bound in given.items()]
    if parts:
        return f"a {noun} " + " and ".join(parts)
    return "a finite number" if noun == "number" else f"a {noun}"


@dataclass(frozen=True)
class Checked:
    """Take a single value, hold it against the constraints of its type, and say what is wrong in our own words.

    Attributes:
        take: the value as the type has it, or a refusal; it gets what is allowed, in words.
        allowed: what is allowed; of a number, its bounds say so.
        next_step: what to do where a constraint does not hold.
    """

    take: Callable[[Any, str], Any]
    allowed: str = ""
    next_step: str = "change it"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """The schema of the type, in this check."""
        constrained = handler(source)
        allowed = self.allowed or in_words("whole number" if constrained["type"] == "int" else "number", constrained)

        def check(value: Any, hold: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
            taken = self.take(value, allowed)
            try:
                return hold(taken)
            except ValidationError:
                raise refusal(describe(value), allowed, self.next_step) from None

        return core_schema.no_info_wrap_validator_function(check, constrained)


@dataclass(frozen=True)
class Listed:
    """Take a list, of as many items as its type allows (`Field(min_length=1)`).

    Attributes:
        check_all: what is wrong with the values together, as they were written.
        allowed: what is allowed instead of a shorter list.
        next_step: what to do with a shorter list.
    """

    check_all: Callable[[tuple[Any, ...]], list[Fault]] = lambda _: []
    allowed: str = ""
    next_step: str = "add to it"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """The schema of the list, after this check."""
        constrained: Mapping[str, Any] = handler(source)
        least, most = constrained.get("min_length", 0), constrained.get("max_length", math.inf)

        def check(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
            self._refuse_other_kinds(value)
            found = f"a list of {len(value):,}" if value else "an empty list"
            if len(value) < least:
                raise refusal(found, self.allowed or f"at least {least}", self.next_step)
            if len(value) > most:
                raise refusal(found, f"at most {most:,}", "thin them out")
            if faults := self.check_all(tuple(value)):
                raise WrongValueError(*faults)
            return tuple(value)

        return core_schema.no_info_before_validator_function(check, constrained)

    @staticmethod
    def _refuse_other_kinds(value: Any) -> None:  # noqa: ANN401
        if isinstance(value, list | tuple):
            return
        shown = str(value) if is_number(value) else "..."
        if isinstance(value, str):  # as it is written in YAML and in Python
            shown = ", ".join(f'"{part.strip()}"' for part in printable(value[:40]).split(","))
        raise refusal(describe(value), "a list", f"write `[{shown}]`")


def _column_name(value: Any, allowed: str) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise refusal(describe(value), allowed, "write the name; quote one that looks like a number")
    return value


def _identifier(value: Any, _: str) -> str:  # noqa: ANN401
    if is_number(value):
        text = value.text if isinstance(value, Spelled) else str(value)
        raise refusal(describe(value), "a text", f'quote it: "{text[:40]}"')
    if not isinstance(value, str):
        raise refusal(describe(value), "a text", "write a short name, such as falls")
    return value


def _point_name(value: Any, allowed: str) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        step = "quote it" if is_number(value) else "write a short name, such as deployed"
        raise refusal(describe(value), allowed, step)
    return value


def _group_value(value: Any) -> str:  # noqa: ANN401
    """Group values are text; whole numbers and truth values stand for the text that such a column gives."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Spelled):
        raise refusal(f"the number {value.text}", "a text or plain digits", f'quote it: "{value.text[:40]}"')
    if isinstance(value, Integral):
        return str(int(value))
    if not isinstance(value, str):
        step = f'quote it: "{value}"' if is_number(value) else "write a text, or remove it"
        raise refusal(describe(value), "a text, a whole number, true or false", step)
    text = value.strip(" ")
    if len(text) > LONGEST_GROUP:
        allowed = f"at most {LONGEST_GROUP:,} characters"
        raise refusal(f"a text of {len(text):,} characters", allowed, "remove it: such rows are refused")
    if not text:
        raise refusal("blank text", "a group value", "leave it out: blank group values are always `unknown`")
    return text


def _label(value: Any) -> str | int | float | bool:  # noqa: ANN401
    """A label: numbers compare as numbers, so 1.0 is 1; text without the spaces around it."""
    if isinstance(value, bool):
        return value
    if is_number(value):
        double = as_double(value)
        return int(double) if double.is_integer() else double
    if not isinstance(value, str) or not value.strip(" "):
        allowed = "a number, a text, true or false"
        raise refusal(describe(value), allowed, "leave it out: rows without a label are refused")
    return value.strip(" ")


NOT_BLANK = r"\S"
IDENTIFIER_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
POINT_NAME_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"

ColumnName = Annotated[
    str,
    Field(pattern=NOT_BLANK, title="a column name"),
    Checked(_column_name, "a column name", "write the name of a column, or remove the key"),
]
Identifier = Annotated[
    str,
    Field(pattern=IDENTIFIER_PATTERN, title="a text of letters, digits, `. _ : -`"),
    Checked(_identifier, "1 to 128 of A-Z a-z 0-9 . _ : -", "replace every other character, say by `-`"),
]
PointName = Annotated[
    str,
    Field(pattern=POINT_NAME_PATTERN, title="a name of letters, digits, `. _ -`"),
    Checked(_point_name, "a text of 1 to 64 of A-Z a-z 0-9 . _ -", "write a short name, such as deployed"),
]
_WrittenGroup = Annotated[Annotated[str, Field(pattern=NOT_BLANK)] | int | bool, Field(title="a group value")]
GroupValue = Annotated[
    str,
    BeforeValidator(_group_value, json_schema_input_type=_WrittenGroup),
]
Label = Annotated[str | int | float | bool, Field(title="a label"), BeforeValidator(_label)]

double = Checked(as_double)
exact = Checked(_as_decimal)
whole = Checked(as_whole)
as_float = PlainSerializer(float, return_type=float)
FiniteNumber = Annotated[float, double]
ExactNumber = Annotated[Decimal, exact, as_float]
WholeNumber = Annotated[int, whole]
PositiveWholeNumber = Annotated[int, Field(ge=1), whole]
Share = Annotated[float, Field(ge=0, le=1), double]
