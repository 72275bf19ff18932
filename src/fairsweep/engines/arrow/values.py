"""The values of an expression's leaves over the levels of a column: text, number or day."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fairsweep.input.expressions import DATE_PATTERN, NUMBER_PATTERN

_FIVE_DIGITS = re.compile("[0-9]{5}")
_THREE_DIGITS = re.compile(r"\A-(?=[0-9]{3}-)")
EPOCH = date(1970, 1, 1)
_YEAR_NULL = re.compile("0000-")
_DAYS_OF_YEAR_NULL = -719_528
_LARGEST_OFFSET = timedelta(hours=18)
_MICROSECONDS_OF_A_DAY = 86_400_000_000
# Below these a decimal is the quotient of two whole numbers that a double can hold, which division rounds once.
_LARGEST_WHOLE = 15
_LARGEST_POWER = 22


@dataclass(frozen=True, eq=False)
class Values:
    """Numbers or days over the levels of a column.

    Attributes:
        numbers: float64 numbers, or int64 days since 1970; anything where there is no value.
        missing: where there is no value; None where there is one everywhere.
    """

    numbers: NDArray[Any]
    missing: NDArray[np.bool_] | None

    @cached_property
    def finite(self) -> bool:
        """Whether every number is finite."""
        return bool(np.isfinite(self.numbers).all())


def missing(levels: pa.Array) -> NDArray[np.bool_] | None:
    """Where the levels are NULL; None where none is."""
    return levels.is_null().to_numpy(zero_copy_only=False) if levels.null_count else None


def texts(levels: pa.Array) -> pa.Array:
    """Levels as text: spaces stripped, the empty text NULL."""
    kind = levels.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        stripped = pc.utf8_trim(levels.cast(pa.string()), characters=" ")
        return pc.if_else(pc.equal(stripped, ""), pa.scalar(None, pa.string()), stripped)
    if pa.types.is_null(kind):
        return levels.cast(pa.string())
    if pa.types.is_date(kind):
        return _written(levels.cast(pa.date32()))
    if pa.types.is_timestamp(kind):
        return _written(_microseconds(levels))
    if pa.types.is_decimal(kind):
        return pa.array([None if v is None else format(v, "f") for v in levels.to_pylist()], pa.string())
    return levels.cast(pa.string())


def _written(moments: pa.Array) -> pa.Array:
    """ISO dates and times of any year, as Spark writes them: a plus before more than four digits, no idle zeros."""
    if pa.types.is_date(moments.type):
        points = moments.view(pa.int32()).fill_null(0).to_numpy().astype("datetime64[D]")
    else:
        points = moments.view(pa.int64()).fill_null(0).to_numpy().astype("datetime64[us]")
    found = (re.sub(r"(\.\d*?)0+\Z", r"\1", text).removesuffix(".") for text in np.datetime_as_string(points).tolist())
    signed = (f"+{text}" if _FIVE_DIGITS.match(text) else _THREE_DIGITS.sub("-0", text) for text in found)
    return pa.array([text.replace("T", " ") for text in signed], pa.string(), mask=moments.is_null().to_numpy(False))


def numbers(levels: pa.Array) -> Values:
    """Levels as DOUBLE: no value where a text is not a number by `NUMBER_PATTERN`; booleans are 1 and 0."""
    kind = levels.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _numbers_of_texts(levels.cast(pa.string()))
    if pa.types.is_null(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return Values(np.zeros(len(levels)), np.ones(len(levels), dtype=bool))
    if pa.types.is_decimal(kind):
        return Values(_numbers_of_decimals(levels), missing(levels))
    if pa.types.is_boolean(kind):
        levels = levels.cast(pa.int8())
    # A safe cast would refuse whole numbers that a double has to round, as Spark does too.
    doubles = levels.cast(pa.float64(), safe=False)
    filled = doubles.fill_null(0.0) if doubles.null_count else doubles
    return Values(filled.to_numpy(zero_copy_only=False), missing(levels))


def _numbers_of_texts(levels: pa.Array) -> Values:
    stripped = pc.utf8_trim(levels, characters=" ")
    written = pc.match_substring_regex(stripped, rf"\A(?:{NUMBER_PATTERN})\z").fill_null(False)
    plain = pc.if_else(written, pc.utf8_ltrim(stripped, characters="+"), "0")
    try:
        found = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        # Arrow refuses numbers beyond the range of a double; they are infinite, or 0.
        found = np.array([float(text) for text in plain.to_pylist()])
    absent = ~written.to_numpy(zero_copy_only=False)
    return Values(found, absent if absent.any() else None)


def _numbers_of_decimals(levels: pa.Array) -> NDArray[np.float64]:
    kind = levels.type
    if pa.types.is_decimal128(kind) and kind.precision <= _LARGEST_WHOLE and kind.scale <= _LARGEST_POWER:
        filled = levels.fill_null(pa.scalar(0, kind)) if levels.null_count else levels
        words = np.frombuffer(filled.buffers()[1], dtype=np.int64)[2 * filled.offset :: 2][: len(filled)]
        quotient: NDArray[np.float64] = words.astype(np.float64) / np.float64(10.0**kind.scale)
        return quotient
    return np.array([0.0 if value is None else float(value) for value in levels.to_pylist()])


def days(levels: pa.Array) -> Values:
    """Levels as days in UTC since 1970: no value where a text is not an ISO date."""
    kind = levels.type
    if pa.types.is_date32(kind):
        return _whole(levels.view(pa.int32()), lambda n: n)
    if pa.types.is_date64(kind):
        return days(levels.cast(pa.date32()))
    if pa.types.is_timestamp(kind):
        return _whole(_microseconds(levels).view(pa.int64()), lambda n: n // _MICROSECONDS_OF_A_DAY)
    found = [None if text is None else _day_of(text) for text in texts(levels).to_pylist()]
    return _whole(pa.array(found, pa.int64()), lambda n: n)


def _microseconds(levels: pa.Array) -> pa.Array:
    """Points in time to the microsecond; with a zone they are moments of UTC."""
    return levels.cast(pa.timestamp("us", tz=levels.type.tz), safe=False).cast(
        pa.timestamp("us", tz="UTC" if levels.type.tz else None)
    )


def _whole(levels: pa.Array, day: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Values:
    filled = levels.fill_null(0) if levels.null_count else levels
    return Values(day(filled.to_numpy().astype(np.int64)), missing(levels))


def _day_of(text: str) -> int | None:
    if not re.fullmatch(DATE_PATTERN, text, re.ASCII):
        return None
    try:
        if _YEAR_NULL.match(text):
            # There is no such year in Python; it has the days of 2000.
            return _DAYS_OF_YEAR_NULL + (date.fromisoformat(f"2000{text[4:10]}") - date(2000, 1, 1)).days
        moment = datetime.fromisoformat(text)
        offset = moment.utcoffset()
        if offset is not None:
            if abs(offset) > _LARGEST_OFFSET:
                return None
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (moment.date() - EPOCH).days
