"""What an audit's config says about evidence and privacy: units, weights, subgroups to search, what may be shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fairsweep.config.attributes import Name
from fairsweep.config.faults import describe, refusal
from fairsweep.config.scalars import Checked, ColumnName, Listed, PositiveWholeNumber, Share, as_whole, whole
from fairsweep.config.sections import Section

Unit = Literal["member", "prediction"]
WeightKind = Literal["sampling", "frequency", "exposure"]
ScoreKind = Literal["score", "probability"]
MOST_WAYS = 3

SUPPRESSING = "0, which shows small cells, or a whole number from 2 to 100"
CellSize = Annotated[Literal[0] | Annotated[int, Field(ge=2, le=100)], Checked(as_whole, SUPPRESSING)]


class PrivacySpec(Section):
    """What may be shown."""

    minimum_cell_size: CellSize = Field(
        default=11,
        description="No count of fewer members than this, except 0, is shown or can be derived from what is shown. "
        "0 shows everything.",
    )
    allowed_attributes: Annotated[tuple[ColumnName, ...], Listed()] = Field(
        default=(), description="Attributes that are reported although their names suggest that they identify people."
    )


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
