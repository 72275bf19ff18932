"""Sections of an audit's config about its rows and subgroups: units, weights, the search, the training population."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fairsweep.config.attributes import Name
from fairsweep.config.faults import describe, refusal
from fairsweep.config.scalars import Listed, PositiveWholeNumber, Share, whole
from fairsweep.config.sections import Section

Unit = Literal["member", "prediction"]
WeightKind = Literal["sampling", "frequency", "exposure"]
ScoreKind = Literal["score", "probability"]
MOST_WAYS = 3

_Searched = Annotated[tuple[Name, ...], Field(min_length=1), Listed()]


def _searched(value: Any) -> Any:  # noqa: ANN401  (whatever the config holds)
    return {"attributes": value} if isinstance(value, list | tuple) else value


class DiscoverSpec(Section):
    """Which attributes to search for subgroups that nobody listed."""

    attributes: _Searched = Field(description="Attributes or columns; their combinations are searched.")
    ways: Annotated[int, Field(ge=1, le=MOST_WAYS), whole] = Field(
        default=MOST_WAYS, description="How many attributes are combined at most."
    )
    minimum_events: PositiveWholeNumber = Field(default=30, description="Subgroups with fewer events are not searched.")


Discover = Annotated[DiscoverSpec, BeforeValidator(_searched, json_schema_input_type=_Searched | DiscoverSpec)]

_MIX = "the share of each group, from 0 to 1, of about 1 together"


def _by_group(value: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict) or not value or not all(isinstance(group, str) for group in value):
        raise refusal(describe(value), _MIX, "write {White: 0.7, Black: 0.2, other: 0.1}")
    return value


def _about_one(shares: dict[str, float]) -> dict[str, float]:
    if abs(sum(shares.values()) - 1) > 0.02:
        raise refusal(f"shares of {sum(shares.values()):.3f} together", _MIX, "give every group's share")
    return shares


TrainingPopulation = dict[str, Annotated[dict[str, Share], BeforeValidator(_by_group), AfterValidator(_about_one)]]
