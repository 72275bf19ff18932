"""Single values in a config: each kind with its check and its words. Nothing is converted silently."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from numbers import Integral, Real
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from fairsweep.config.documents import Spelled
from fairsweep.config.faults import Fault, WrongValueError, describe, printable, refusal
from fairsweep.core.groups import LONGEST_GROUP
from fairsweep.errors import did_you_mean, quoted

IDENTIFIER_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,128}")
POINT_NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_number(value: object) -> bool:
    """Whether a value is a number; truth values are not."""
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def number(allowed: str = "a finite number", holds: Callable[[float], bool] = lambda _: True) -> Callable[[Any], float]:
    """A check for a number, taken as the double nearest to the decimal that was written."""

    def check(value: Any) -> float:  # noqa: ANN401  (whatever the config holds)
        if not is_number(value):
            step = "write it without quotes" if isinstance(value, str) else f"write {allowed}"
            raise refusal(describe(value), allowed, step)
        double = float(value)
        if not math.isfinite(double) or not holds(double):
            raise refusal(describe(value), allowed, "change it")
        return double

    return check


def exact(
    allowed: str = "a finite number", holds: Callable[[float], bool] = lambda _: True
) -> Callable[[Any], Decimal]:
    """A check for a number that is reckoned with exactly, as the decimal that was written."""
    as_double = number(allowed, holds)

    def check(value: Any) -> Decimal:  # noqa: ANN401
        double = as_double(value)
        shortest = Decimal(repr(double))
        if isinstance(value, Decimal) and value != shortest:
            allowed = "a decimal of at most 15 significant digits"
            raise refusal(describe(value), allowed, f"round it, say to {double}")
        return shortest

    return check


def whole(allowed: str, holds: Callable[[int], bool] = lambda _: True) -> Callable[[Any], int]:
    """A check for a whole number, written without a decimal point."""

    def check(value: Any) -> int:  # noqa: ANN401
        if is_number(value) and isinstance(value, Integral):
            if holds(int(value)):
                return int(value)
            raise refusal(describe(value), allowed, "change it")
        if is_number(value) and math.isfinite(value) and value == int(value):
            raise refusal(describe(value), allowed, f"write {int(value)}")
        raise refusal(describe(value), allowed, "write it as digits, without quotes")

    return check


def one_of(*words: str) -> BeforeValidator:
    """A check for one of a few words."""

    def check(value: Any) -> str:  # noqa: ANN401
        if isinstance(value, str) and value in words:
            return value
        found = quoted(printable(value)) if isinstance(value, str) else describe(value)
        raise refusal(found, ", ".join(words), did_you_mean(str(value), words))

    return BeforeValidator(check)


def listed(check_all: Callable[[tuple[Any, ...]], list[Fault]] = lambda _: [], *, at_least: int = 0) -> BeforeValidator:
    """A check for a list; `check_all` looks at the values as they were written."""

    def check(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
        if not isinstance(value, list | tuple):
            shown = str(value) if is_number(value) else "..."
            if isinstance(value, str):  # as it is written in YAML and in Python
                shown = ", ".join(f'"{part.strip()}"' for part in printable(value[:40]).split(","))
            raise refusal(describe(value), "a list", f"write `[{shown}]`")
        if len(value) < at_least:
            count = "an empty list" if not value else f"a list of {len(value)}"
            raise refusal(count, f"at least {at_least}", "add to it")
        if faults := check_all(tuple(value)):
            raise WrongValueError(*faults)
        return tuple(value)

    return BeforeValidator(check)


def _column_name(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise refusal(describe(value), "a column name", "write the name; quote one that looks like a number")
    if not value.strip():
        raise refusal("blank text", "a column name", "write the name of a column, or remove the key")
    return value


def _identifier(value: Any) -> str:  # noqa: ANN401
    if is_number(value):
        text = value.text if isinstance(value, Spelled) else str(value)
        raise refusal(describe(value), "a text", f'quote it: "{text[:40]}"')
    if not isinstance(value, str):
        raise refusal(describe(value), "a text", "write a short name, such as falls")
    if not IDENTIFIER_PATTERN.fullmatch(value):
        allowed = "1 to 128 of A-Z a-z 0-9 . _ : -"
        raise refusal(quoted(printable(value)), allowed, "replace every other character, say by `-`")
    return value


def _point_name(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str) or not POINT_NAME_PATTERN.fullmatch(value):
        step = "quote it" if is_number(value) else "write a short name, such as deployed"
        raise refusal(describe(value), "a text of 1 to 64 of A-Z a-z 0-9 . _ -", step)
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
        double = number()(value)
        return int(double) if double.is_integer() else double
    if not isinstance(value, str) or not value.strip(" "):
        allowed = "a number, a text, true or false"
        raise refusal(describe(value), allowed, "leave it out: rows without a label are refused")
    return value.strip(" ")


ColumnName = Annotated[str, BeforeValidator(_column_name)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
PointName = Annotated[str, BeforeValidator(_point_name)]
GroupValue = Annotated[str, BeforeValidator(_group_value)]
Label = Annotated[str | int | float | bool, BeforeValidator(_label)]
FiniteNumber = Annotated[float, BeforeValidator(number())]
WholeNumber = Annotated[int, BeforeValidator(whole("a whole number"))]
PositiveWholeNumber = Annotated[int, BeforeValidator(whole("a whole number of at least 1", lambda n: n >= 1))]
Share = Annotated[float, BeforeValidator(number("a number from 0 to 1", lambda x: 0 <= x <= 1))]
as_float = PlainSerializer(float, return_type=float)
ExactNumber = Annotated[Decimal, BeforeValidator(exact()), as_float]
