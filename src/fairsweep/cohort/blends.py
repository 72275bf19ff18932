"""Blends as data: which of two models scores whom, and how the scores of one are brought to the level of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from fairsweep.config.faults import ConfigPath, Fault, WrongValueError, describe, refusal
from fairsweep.config.scalars import GroupValue, Identifier, WholeNumber, listed, number
from fairsweep.config.sections import ModelSpec, Section

Factor = Annotated[float, BeforeValidator(number("a number above 0", lambda x: x > 0))]


class TestSpec(Section):
    """What is asked of one value: of an age its bounds, of an attribute a list of groups.

    Attributes:
        at_least: the age is this or more.
        below: the age is less than this.
        is_in: the group is one of these.
    """

    __test__ = False  # pytest takes the name for its own

    at_least: WholeNumber | None = None
    below: WholeNumber | None = None
    is_in: Annotated[tuple[GroupValue, ...], listed(at_least=1)] | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> TestSpec:
        if (self.at_least is None and self.below is None) == (self.is_in is None):
            allowed = "at_least and below of an age, or is_in of an attribute"
            raise refusal("no test" if self.is_in is None else "two kinds of test", allowed, "write `{at_least: 65}`")
        return self


def _conditions(value: Any) -> Any:  # noqa: ANN401  (whatever the config holds)
    if not isinstance(value, Mapping) or not value:
        raise refusal(describe(value), "a mapping of age or attributes", "write `{age: {at_least: 65}}`")
    return value


Condition = Annotated[dict[str, TestSpec], BeforeValidator(_conditions)]


class ScaleSpec(Section):
    """How the other model's scores are scaled: so that the two agree at the seam, or by a factor that is given.

    Attributes:
        seam: the members around the seam: over those who have both scores and count, the factor is the sum of the
            scores of `use` over the sum of those of `otherwise`, each score rounded to 12 decimals, so that the
            two models flag the same share there on average (ratio of means).
        factor: the factor itself, say one that was found before.
    """

    seam: Condition | None = None
    factor: Factor | None = None

    @model_validator(mode="after")
    def _one_way(self) -> ScaleSpec:
        if (self.seam is None) == (self.factor is None):
            found = "neither" if self.seam is None else "both"
            step = "write `scale: {seam: {age: {at_least: 60, below: 70}}}`"
            raise refusal(found, "seam or factor", step)
        return self


class BlendSpec(Section):
    """A model made of two others: one for those of whom a condition holds, the other one for everybody else.

    Attributes:
        model: what it is called.
        when: the condition: every test holds.
        use: the id of the model that scores them.
        otherwise: the id of the model that scores the others, and those of whom it is not known.
        scale: how the scores of `otherwise` are scaled; None leaves them.
    """

    model: ModelSpec
    when: Condition
    use: Identifier
    otherwise: Identifier
    scale: ScaleSpec | None = None

    @model_validator(mode="after")
    def _of_two(self) -> BlendSpec:
        if self.use == self.otherwise:
            raise WrongValueError(Fault(("otherwise",), "the same as use", "another model", "name the other one"))
        return self

    @property
    def conditions(self) -> list[tuple[ConfigPath, Mapping[str, TestSpec]]]:
        """Every condition with its place in the blend."""
        found: list[tuple[ConfigPath, Mapping[str, TestSpec]]] = [(("when",), self.when)]
        if self.scale is not None and self.scale.seam is not None:
            found.append((("scale", "seam"), self.scale.seam))
        return found
