"""Rows of `operating_points`: the cutoffs that groups are judged at, and what they are chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairsweep.core.operating_points import ChosenCutoff
    from fairsweep.tables.tabulating import Columns

_FIELDS = {
    "operating_point": "name", "rule": "rule", "target": "target", "cutoff_index": "cutoff_index",
    "cutoff": "cutoff", "achieved": "achieved", "cutoff_below": "cutoff_below", "cutoff_above": "cutoff_above",
    "cutoff_origin": "origin", "population_gbe": "population_gbe", "status": "status",
}  # fmt: skip


def point_rows(chosen: Sequence[ChosenCutoff], limits: Sequence[tuple[float | None, float | None]]) -> Columns:
    """Rows of `operating_points`.

    Args:
        chosen: the cutoffs, in config order.
        limits: of each, the ends of the cutoffs that cannot be told from it; None where there are none.
    """
    columns: Columns = {column: [getattr(one, field) for one in chosen] for column, field in _FIELDS.items()}
    return columns | {f"cutoff_ci_{end}": [pair[i] for pair in limits] for i, end in enumerate(("low", "high"))}
