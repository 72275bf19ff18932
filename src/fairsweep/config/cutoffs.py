"""Where scores may be cut, and the cutoffs that groups are judged at."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from fairsweep.config.faults import Fault, WrongValueError, refusal
from fairsweep.config.scalars import (
    ExactNumber,
    FiniteNumber,
    Listed,
    PointName,
    as_double,
    as_float,
    exact,
    whole,
)
from fairsweep.config.sections import Section
from fairsweep.core.cutoffs import CutoffGrid

MOST_CUTOFFS = 100_001
CutoffCount = Annotated[int, Field(ge=1, le=MOST_CUTOFFS), whole]
RuleName = Literal["fixed", "population_gbe", "alert_rate"]
Target = Annotated[Decimal, Field(gt=0), exact, as_float]
Rate = Annotated[Decimal, Field(gt=0, lt=1), exact, as_float]


def _cutoffs_in_order(values: tuple[Any, ...]) -> list[Fault]:
    """Look at neighbours as they were written; single wrong values are found elsewhere."""
    doubles = [_double(value) for value in values]
    faults = []
    for position, (before, after) in enumerate(pairwise(doubles), start=1):
        if before is None or after is None or before < after:
            continue
        found = f"{after!r} after {before!r}"
        step = "remove the repeated one" if before == after else "sort them"
        faults.append(Fault((position,), found, "cutoffs that strictly increase", step))
    return faults[:3]


def _double(value: object) -> float | None:
    try:
        return as_double(value)
    except WrongValueError:
        return None


def _has_no_single_fault(values: tuple[Any, ...]) -> list[Fault]:
    return [] if any(_double(value) is None for value in values) else _cutoffs_in_order(values)


class CutoffsSpec(Section):
    """The cutoffs: `count` of them evenly from `start` to `stop`, or a list of `values`."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["start", "stop", "count"]}, {"required": ["values"]}]}
    )

    start: ExactNumber | None = Field(default=None, description="The first cutoff.")
    stop: ExactNumber | None = Field(default=None, description="The last cutoff.")
    count: CutoffCount | None = Field(
        default=None,
        description="How many cutoffs. Cutoff k is the double nearest `start + k * (stop - start) / (count - 1)`.",
    )
    values: (
        Annotated[tuple[FiniteNumber, ...], Field(min_length=1, max_length=MOST_CUTOFFS), Listed(_has_no_single_fault)]
        | None
    ) = Field(default=None, description="The cutoffs themselves, in increasing order, instead of the other three keys.")

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> CutoffsSpec:
        even = ("start", "stop", "count")
        given = [key for key in even if getattr(self, key) is not None]
        if self.values is not None and given:
            step = "remove values, or start, stop and count"
            raise refusal("values beside " + ", ".join(given), "one way of giving the cutoffs", step)
        if self.values is None and not given:
            step = "write {start: 0, stop: 1, count: 1001}, or {values: [1, 2, 3]}"
            raise refusal("empty", "start, stop and count, or values", step)
        if self.values is None and len(given) < len(even):
            absent = [key for key in even if key not in given]
            faults = (Fault((key,), "missing", "", "write start, stop and count") for key in absent)
            raise WrongValueError(*faults)
        self._refuse_a_grid_that_does_not_increase()
        return self

    def _refuse_a_grid_that_does_not_increase(self) -> None:
        if self.start is not None and self.stop is not None and self.count != 1 and self.start >= self.stop:
            found = f"{float(self.stop)!r}, with start {float(self.start)!r}"
            step = "exchange them, or set count to 1"
            raise WrongValueError(Fault(("stop",), found, "a stop above the start", step))
        try:
            self.grid()
        except ValueError:
            step = "make the count smaller, or stop - start larger"
            fault = Fault(("count",), f"{self.count}", "cutoffs that differ as doubles", step)
            raise WrongValueError(fault) from None

    def grid(self) -> CutoffGrid:
        """The cutoffs as a grid of doubles."""
        if self.values is not None:
            return CutoffGrid(np.array(self.values, dtype=np.float64))
        return CutoffGrid.evenly(str(self.start), str(self.stop), self.count or 1)


class _Rule(NamedTuple):
    """The parameter that a rule takes, and an example."""

    key: str
    example: str


RULES: dict[RuleName, _Rule] = {
    "fixed": _Rule("at", "`at: 0.05`"),
    "population_gbe": _Rule("target", "`target: 1.0`"),
    "alert_rate": _Rule("rate", "`rate: 0.03`"),
}


def _with_its_parameter(schema: dict[str, Any]) -> None:
    """Each rule needs its parameter."""
    schema["allOf"] = [
        {"if": {"properties": {"rule": {"const": name}}, "required": ["rule"]}, "then": {"required": [rule.key]}}
        for name, rule in RULES.items()
    ]


class OperatingPointSpec(Section):
    """A rule that gives one cutoff, with its one parameter."""

    model_config = ConfigDict(json_schema_extra=_with_its_parameter)

    name: PointName = Field(description="What the results call the operating point.")
    rule: RuleName = Field(description="How the cutoff is chosen; each rule takes one of the keys below.")
    at: ExactNumber | None = Field(default=None, description="Of `fixed`: the cutoff itself. It joins the cutoffs.")
    target: Target | None = Field(
        default=None,
        description="Of `population_gbe`: the cutoff whose population Group Benefit Equality is nearest to this. "
        "Of two that are equally near, the one at or above it, then the lower one.",
    )
    rate: Rate | None = Field(
        default=None, description="Of `alert_rate`: the lowest cutoff that flags at most this share of the population."
    )

    @model_validator(mode="after")
    def _its_own_parameter_only(self) -> OperatingPointSpec:
        wanted = RULES[self.rule].key
        faults = []
        if getattr(self, wanted) is None:
            step = f"write {RULES[self.rule].example}"
            faults.append(Fault((wanted,), "missing", f"rule {self.rule} with `{wanted}`", step))
        for key in ("at", "target", "rate"):
            if key != wanted and getattr(self, key) is not None:
                step = f"remove it, or change the rule from {self.rule}"
                faults.append(Fault((key,), "given", f"rule {self.rule} with `{wanted}` only", step))
        if faults:
            raise WrongValueError(*faults)
        return self

    @property
    def parameter(self) -> str:
        """The parameter of the rule as a decimal."""
        return str(getattr(self, RULES[self.rule].key))
