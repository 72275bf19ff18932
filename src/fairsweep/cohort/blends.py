"""Blends as data: which of two models scores whom, and how the scores of one are brought to the level of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from fairsweep.config.faults import ConfigPath, Fault, WrongValueError, describe, refusal
from fairsweep.config.scalars import GroupValue, Identifier, Listed, WholeNumber, double
from fairsweep.config.sections import ModelSpec, Section

Factor = Annotated[float, Field(gt=0), double]


class TestSpec(Section):
    """A test of one value: of an age by its bounds, of an attribute by a list of groups."""

    __test__ = False  # pytest takes the name for its own

    at_least: WholeNumber | None = Field(default=None, description="The age is this or more.")
    below: WholeNumber | None = Field(default=None, description="The age is less than this.")
    is_in: Annotated[tuple[GroupValue, ...], Field(min_length=1), Listed()] | None = Field(
        default=None, description="The group is one of these."
    )

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

    Over the members at the seam who count and have both scores, the factor is the sum of the scores of `use` over the
    sum of those of `otherwise` (ratio of means), each score rounded to 12 decimals.
    """

    seam: Condition | None = Field(
        default=None,
        description="The members at the seam, as in `{age: {at_least: 60, below: 70}}`. The factor is the mean score "
        "of `use` over that of `otherwise` among those who have both.",
    )
    factor: Factor | None = Field(default=None, description="The factor itself, instead of `seam`.")

    @model_validator(mode="after")
    def _one_way(self) -> ScaleSpec:
        if (self.seam is None) == (self.factor is None):
            found = "neither" if self.seam is None else "both"
            step = "write `scale: {seam: {age: {at_least: 60, below: 70}}}`"
            raise refusal(found, "seam or factor", step)
        return self


class BlendSpec(Section):
    """A model made of two others: one for members who meet a condition, the other one for everybody else."""

    model: ModelSpec = Field(description="The id and the version of the blend.")
    when: Condition = Field(description="The condition, as in `{age: {at_least: 65}}`: every test holds.")
    use: Identifier = Field(description="The id of the model that scores the members who meet the condition.")
    otherwise: Identifier = Field(
        description="The id of the model that scores all others, and members of whom the value is not known."
    )
    scale: ScaleSpec | None = Field(
        default=None, description="How the scores of `otherwise` are scaled. Left out, they are taken as they are."
    )

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
