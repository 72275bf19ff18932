"""Where scores may be cut, and the cutoffs that groups are judged at."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, model_validator

from fairsweep.config.faults import Fault, WrongValueError, refusal
from fairsweep.config.scalars import (
    ExactNumber,
    FiniteNumber,
    PointName,
    as_float,
    exact,
    listed,
    number,
    one_of,
    whole,
)
from fairsweep.config.sections import Section
from fairsweep.core.cutoffs import CutoffGrid

MOST_CUTOFFS = 100_001
CutoffCount = Annotated[
    int,
    BeforeValidator(whole(f"a whole number from 1 to {MOST_CUTOFFS:,}", lambda n: 1 <= n <= MOST_CUTOFFS)),
]
RuleName = Literal["fixed", "population_gbe", "alert_rate"]
Target = Annotated[Decimal, BeforeValidator(exact("a number above 0", lambda x: x > 0)), as_float]
Rate = Annotated[Decimal, BeforeValidator(exact("a number above 0 and below 1", lambda x: 0 < x < 1)), as_float]


def _cutoffs_in_order(values: tuple[Any, ...]) -> list[Fault]:
    """Look at neighbours as they were written; single wrong values are found elsewhere."""
    if len(values) > MOST_CUTOFFS:
        return [Fault((), f"a list of {len(values):,}", f"at most {MOST_CUTOFFS:,} cutoffs", "thin them out")]
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
        return number()(value)
    except WrongValueError:
        return None


def _has_no_single_fault(values: tuple[Any, ...]) -> list[Fault]:
    return [] if any(_double(value) is None for value in values) else _cutoffs_in_order(values)


class CutoffsSpec(Section):
    """The cutoffs: `count` of them evenly from `start` to `stop`, or a list of `values`."""

    start: ExactNumber | None = None
    stop: ExactNumber | None = None
    count: CutoffCount | None = None
    values: Annotated[tuple[FiniteNumber, ...], listed(_has_no_single_fault, at_least=1)] | None = None

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


class OperatingPointSpec(Section):
    """A rule that gives one cutoff, with its one parameter."""

    name: PointName
    rule: Annotated[RuleName, one_of("fixed", "population_gbe", "alert_rate")]
    at: ExactNumber | None = None
    target: Target | None = None
    rate: Rate | None = None

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


class _Rule(NamedTuple):
    """The parameter that a rule takes, and an example."""

    key: str
    example: str


RULES = {
    "fixed": _Rule("at", "`at: 0.05`"),
    "population_gbe": _Rule("target", "`target: 1.0`"),
    "alert_rate": _Rule("rate", "`rate: 0.03`"),
}
