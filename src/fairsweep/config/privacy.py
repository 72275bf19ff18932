"""The section `privacy`: which counts may be shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairsweep.config.scalars import Checked, ColumnName, Listed, as_whole
from fairsweep.config.sections import Section

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
