"""Outcomes as data: which claims after a prediction mean that what was predicted has happened.

An outcome is one or more events, each a claim line of some setting with a code of some list, within a horizon after the
day of the score. People add their own as YAML; it holds no expressions, so that nothing in it can run.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from fairsweep.config.faults import Fault, WrongValueError, describe, printable, refusal
from fairsweep.config.parsing import content_of, parsed
from fairsweep.config.scalars import NOT_BLANK, Checked, Listed, PointName, PositiveWholeNumber, whole
from fairsweep.config.sections import Section
from fairsweep.errors import quoted

SYSTEMS = ("icd10cm", "icd9cm", "hcpcs", "drg")
DIAGNOSES = ("icd10cm", "icd9cm")
Setting = Literal["inpatient", "observation", "emergency", "outpatient", "professional", "other"]
SETTINGS = get_args(Setting)
LONGEST_HORIZON = 3_660
_CODE = re.compile(r"[A-Z0-9]{1,10}")


def plain_code(text: str) -> str:
    """A code as it is compared: without dots and spaces, in capitals.

    >>> plain_code("s72.001a ")
    'S72001A'
    """
    return text.replace(".", "").replace(" ", "").upper()


def _code(value: Any) -> str:  # noqa: ANN401  (whatever the config holds)
    allowed = "a code of 1 to 10 letters and digits; dots are ignored"
    if not isinstance(value, str):
        raise refusal(describe(value), allowed, "quote it: a code is a text, and zeros before it count")
    if not _CODE.fullmatch(plain_code(value)):
        raise refusal(describe(value), allowed, "write one code, or a list of them")
    return plain_code(value)


def _text(value: Any, allowed: str) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise refusal(describe(value), allowed, "write a sentence")
    return " ".join(value.split())


_written_code = Annotated[str, Field(pattern=r"^[A-Za-z0-9. ]+$", title="a code")]
Code = Annotated[str, BeforeValidator(_code, json_schema_input_type=_written_code)]
_some = Listed(next_step="add to it, or remove the key")
Codes = Annotated[tuple[Code, ...], Field(min_length=1), _some]
Text = Annotated[str, Field(pattern=NOT_BLANK), Checked(_text, "a text", "write a sentence")]
Days = Annotated[int, Field(ge=0, le=LONGEST_HORIZON), whole]


class CodeRangeSpec(Section):
    """All codes from one to another: those that begin with the last one are inside."""

    first: Code = Field(alias="from", description="The first code.")
    last: Code = Field(alias="to", description="The last code; those that begin with it are inside.")

    @model_validator(mode="after")
    def _in_order(self) -> CodeRangeSpec:
        if self.first > self.last:
            raise WrongValueError(Fault(("to",), f"{self.last}, before {self.first}", "from before to", "swap them"))
        return self

    @property
    def common(self) -> str:
        """What every code inside begins with."""
        both = zip(self.first, self.last, strict=False)
        return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], both))

    def holds(self, code: str) -> bool:
        """Whether a plain code is inside."""
        return self.first <= code and code[: len(self.last)] <= self.last


class CodeListSpec(Section):
    """Codes of one system: whole ones, beginnings, and ranges."""

    exact: Codes = Field(default=(), description="Whole codes. Dots, spaces and case are ignored.")
    prefix: Codes = Field(default=(), description="Beginnings of codes.")
    range: Annotated[tuple[CodeRangeSpec, ...], Field(min_length=1), _some] = Field(
        default=(), description="Ranges of codes, as in `{from: J09, to: J18}`."
    )

    @model_validator(mode="after")
    def _not_empty(self) -> CodeListSpec:
        if not (self.exact or self.prefix or self.range):
            raise refusal("no codes", "exact, prefix or range", "write `exact: [...]`, or remove the list")
        return self

    def holds(self, code: str) -> bool:
        """Whether a plain code is listed."""
        return code in self.exact or code.startswith(self.prefix) or any(one.holds(code) for one in self.range)


class CodesSpec(Section):
    """Code lists by system; a code of any of them counts."""

    icd10cm: CodeListSpec | None = Field(default=None, description="Diagnoses of ICD-10-CM.")
    icd9cm: CodeListSpec | None = Field(default=None, description="Diagnoses of ICD-9-CM.")
    hcpcs: CodeListSpec | None = Field(default=None, description="Procedures of HCPCS and CPT.")
    drg: CodeListSpec | None = Field(default=None, description="Diagnosis-related groups.")

    @model_validator(mode="after")
    def _not_empty(self) -> CodesSpec:
        if not self.lists:
            raise refusal("no code list", ", ".join(SYSTEMS), "write `icd10cm: {prefix: [...]}`, or remove the key")
        return self

    @property
    def lists(self) -> dict[str, CodeListSpec]:
        """The lists that are given, by system."""
        return {name: found for name in SYSTEMS if (found := getattr(self, name)) is not None}

    def holds(self, system: str, code: str) -> bool:
        """Whether a plain code of a system is listed."""
        found = self.lists.get(system)
        return found is not None and found.holds(code)


class EventSpec(Section):
    """An event of an outcome: a claim line of some setting, with some code."""

    name: PointName = Field(description="What the results call the event.")
    settings: Annotated[tuple[Setting, ...], Field(min_length=1), Listed()] = Field(
        description="Where the care was given: one of these."
    )
    codes: CodesSpec | None = Field(
        default=None, description="The line has one of these codes. Left out, its setting is enough."
    )
    position: Literal["any", "primary"] = Field(
        default="any", description="Whether `codes` asks for diagnoses in `any` position, or for the first one alone."
    )
    also: CodesSpec | None = Field(
        default=None,
        description="The line also has one of these codes, in any position: the cause of an injury, for example.",
    )
    exclude: CodesSpec | None = Field(
        default=None,
        description="The line has none of these codes, in any position: those of planned stays, for example.",
    )

    @model_validator(mode="after")
    def _position_of_diagnoses(self) -> EventSpec:
        if self.position == "primary" and not (self.codes and set(self.codes.lists) & set(DIAGNOSES)):
            step = "remove it, or list diagnoses"
            raise WrongValueError(Fault(("position",), "primary, without diagnoses", "a list of diagnoses", step))
        return self


class HorizonSpec(Section):
    """The days after the score in which the outcome is looked for."""

    days: PositiveWholeNumber | None = Field(default=None, description="The number of days.")
    months: PositiveWholeNumber | None = Field(
        default=None,
        description="The number of calendar months, instead of `days`: from the end of a month to the end of a month.",
    )
    offset: Days = Field(default=0, description="Days after the score that are left out first.")

    @model_validator(mode="after")
    def _one_length(self) -> HorizonSpec:
        if (self.days is None) == (self.months is None):
            raise refusal("days and months" if self.days else "no length", "days or months", "write `days: 30`")
        longest = self.days or 31 * (self.months or 0)
        if longest > LONGEST_HORIZON:
            raise refusal(f"{longest} days", f"at most {LONGEST_HORIZON:,} days", "shorten it")
        return self

    def bounds(self, scored_on: date) -> tuple[date, date]:
        """The first and the last day: from the day after the score and the offset."""
        start = scored_on + timedelta(self.offset)
        end = start + timedelta(self.days) if self.days else _months_after(start, self.months or 0)
        return start + timedelta(1), end


def _months_after(day: date, months: int) -> date:
    """The same day of a later month; from the last day of a month, and where there is no such day, the month's last."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    last = calendar.monthrange(year, month)[1]
    is_last = day.day == calendar.monthrange(day.year, day.month)[1]
    return date(year, month, last if is_last else min(day.day, last))


class SequenceSpec(Section):
    """How many days the second event begins after the first has ended."""

    at_least: Days = Field(default=0, description="The smallest number of days.")
    at_most: Days = Field(description="The largest number of days.")

    @model_validator(mode="after")
    def _in_order(self) -> SequenceSpec:
        if self.at_least > self.at_most:
            step = "swap them"
            raise WrongValueError(Fault(("at_least",), f"{self.at_least}, above at_most", "at most at_most", step))
        return self


class OutcomeSpec(Section):
    """An outcome: which claims after a prediction mean that what was predicted has happened."""

    model_config = ConfigDict(title="Fairsweep outcome")

    name: PointName = Field(description="What the results call the outcome.")
    title: Text = Field(description="The same in words.")
    source: Text = Field(description="Who defined the outcome, and where.")
    limits: Annotated[tuple[Text, ...], Field(min_length=1), Listed()] = Field(
        description="What the outcome misses, or mistakes for something else."
    )
    horizon: HorizonSpec = Field(description="The days after the score in which the events are looked for.")
    events: Annotated[tuple[EventSpec, ...], Field(min_length=1), Listed()] = Field(
        description="The events that make the outcome."
    )
    combination: Literal["any", "all", "sequence"] = Field(
        default="any", description="`any` of the events, `all` of them, or `sequence`: the first, then the second."
    )
    within: SequenceSpec | None = Field(
        default=None,
        description="Of a sequence: how many days the second event begins after the first has ended.",
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> OutcomeSpec:
        faults = []
        names = [event.name for event in self.events]
        for position, name in enumerate(names):
            if name in names[:position]:
                found = f"{quoted(printable(name))} again"
                faults.append(Fault(("events", position, "name"), found, "each name once", "rename it"))
        in_order = self.combination == "sequence"
        if in_order and len(self.events) != 2:
            step = "list the first and the second event"
            faults.append(Fault(("events",), f"a list of {len(self.events)}", "2 events for a sequence", step))
        if in_order != (self.within is not None):
            found = "missing" if in_order else f"given with combination {self.combination}"
            step = "write `within: {at_most: 30}`" if in_order else "remove it"
            faults.append(Fault(("within",), found, "days between the events of a sequence", step))
        if faults:
            raise WrongValueError(*faults)
        return self


_HINTS = {
    "name": "write a short name, such as readmission_30_days",
    "title": "write its name in words",
    "source": "write who defined it, and where",
    "limits": "write its known limits, as in `limits: [care outside the plan is not seen]`",
    "horizon": "write `horizon: {days: 30}`",
    "events": "write `events: [{name: stay, settings: [inpatient]}]`",
    "events.name": "give the event a name",
    "events.settings": f"write some of {', '.join(SETTINGS)}",
    "within.at_most": "write how many days at most",
}


def load_outcome(path: str | Path) -> OutcomeSpec:
    """Load an outcome from its file.

    Raises:
        UsageError: with every problem found.
    """
    return parsed(OutcomeSpec, content_of(Path(path)), str(path), _HINTS)
