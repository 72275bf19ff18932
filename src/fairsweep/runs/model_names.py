"""The names of models, where rows give them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairsweep.config.scalars import IDENTIFIER_PATTERN
from fairsweep.errors import Problem

if TYPE_CHECKING:
    from fairsweep.engines.protocol import ModelKey


def model_problems(key: ModelKey) -> list[Problem]:
    """The problems of a model name that was read from rows."""
    columns = zip(("columns.model_id", "columns.model_version"), key, strict=True)
    return [
        Problem(
            place,
            "NULL, blank, or not an id",
            "1 to 128 letters, digits, . _ : -",
            "name the model of those rows",
        )
        for place, value in columns
        if not re.fullmatch(IDENTIFIER_PATTERN, value)
    ]
