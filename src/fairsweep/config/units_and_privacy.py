"""What an audit's config says about evidence and privacy: units, weights, subgroups to search, what may be shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from fairsweep.config.attributes import Name
from fairsweep.config.faults import describe, refusal
from fairsweep.config.scalars import ColumnName, PositiveWholeNumber, Share, listed, number, one_of, whole
from fairsweep.config.sections import Section

Unit = Literal["member", "prediction"]
WeightKind = Literal["sampling", "frequency", "exposure"]
ScoreKind = Literal["score", "probability"]
MOST_WAYS = 3

UnitWord = Annotated[Unit, one_of("member", "prediction")]
"""`member`: each member counts once, and one that is there again is refused; `prediction`: members may have several."""
WeightWord = Annotated[WeightKind, one_of("sampling", "frequency", "exposure")]
"""What a weight is: the inverse of a chance to be sampled, a number of equal people, or a time under observation."""
ScoreWord = Annotated[ScoreKind, one_of("score", "probability")]
"""Whether scores are probabilities of the event, so that calibration can be told."""

SUPPRESSING = "0, which shows small cells, or a whole number from 2 to 100"
CellSize = Annotated[int, BeforeValidator(whole(SUPPRESSING, lambda n: n == 0 or 2 <= n <= 100))]


class PrivacySpec(Section):
    """What may be shown.

    Attributes:
        minimum_cell_size: no count of fewer members than this, but 0, is shown or can be derived; 0 shows everything.
        allowed_attributes: attributes that look as if they told people apart, and may be reported all the same.
    """

    minimum_cell_size: CellSize = 11
    allowed_attributes: Annotated[tuple[ColumnName, ...], listed()] = ()


def _searched(value: Any) -> Any:  # noqa: ANN401  (whatever the config holds)
    return {"attributes": value} if isinstance(value, list | tuple) else value


class DiscoverSpec(Section):
    """Which attributes to search for subgroups that nobody listed.

    Attributes:
        attributes: names of attributes, or columns; their combinations are searched.
        ways: how many of them are combined at most.
        minimum_events: subgroups with fewer events are not searched.
    """

    attributes: Annotated[tuple[Name, ...], listed(at_least=1)]
    ways: Annotated[int, BeforeValidator(whole("1, 2 or 3", lambda n: 1 <= n <= MOST_WAYS))] = MOST_WAYS
    minimum_events: PositiveWholeNumber = 30


Discover = Annotated[DiscoverSpec, BeforeValidator(_searched)]


def _mix(value: Any) -> dict[str, float]:  # noqa: ANN401
    allowed = "the share of each group, from 0 to 1, of about 1 together"
    if not isinstance(value, dict) or not value or not all(isinstance(group, str) for group in value):
        raise refusal(describe(value), allowed, "write {White: 0.7, Black: 0.2, other: 0.1}")
    share = number("a number from 0 to 1", lambda x: 0 <= x <= 1)
    shares = {group: share(one) for group, one in value.items()}
    if abs(sum(shares.values()) - 1) > 0.02:
        raise refusal(f"shares of {sum(shares.values()):.3f} together", allowed, "give every group's share")
    return shares


TrainingPopulation = dict[str, Annotated[dict[str, Share], BeforeValidator(_mix)]]
"""By attribute, the share of each group among those that the model was trained on."""
