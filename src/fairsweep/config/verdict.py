"""The section `verdict`: the floor of 0.8, and the level of the test."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairsweep.config.scalars import double
from fairsweep.config.sections import Section

Floor = Annotated[float, Field(gt=0, lt=1), double]
Alpha = Annotated[float, Field(gt=0, lt=0.5), double]


class VerdictSpec(Section):
    """What a group's Group Benefit Equality is judged by."""

    floor: Floor = Field(
        default=0.8,
        description="The Group Benefit Equality below which a group is in breach. "
        "The ceiling of a sanction is its reciprocal.",
    )
    alpha: Alpha = Field(default=0.05, description="The level of the one-sided test.")
