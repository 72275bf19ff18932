"""The gate of `--fail-on`: which groups meet a condition that should stop a pipeline."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from fairsweep.groups import OVERALL

if TYPE_CHECKING:
    from fairsweep.surfaces.findings import Row, Tables

Condition = Literal["breach", "below_floor", "not_assessed"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)


class Met(NamedTuple):
    """A group that meets a condition at an operating point."""

    condition: Condition
    model_id: str
    model_version: str
    operating_point: str
    attribute: str
    group_value: str


def met(tables: Tables, conditions: Collection[str]) -> tuple[Met, ...]:
    """The groups of all runs and operating points that meet one of the conditions.

    Args:
        tables: `group_metrics` of the runs; the stored verdicts count, nothing is judged anew.
        conditions: `breach` is the verdict; `below_floor` holds for a value beyond the floor, or for a
            sanction the ceiling, proven or not; `not_assessed` holds for groups, never for everybody, whose
            lack of a verdict may be by design.

    Returns:
        The groups by condition, then in the order of the table.
    """
    import pyarrow.compute as pc

    metrics = tables["group_metrics"]
    judged = metrics.filter(pc.equal(metrics["metric"], "group_benefit_equality"))
    rows = judged.select([*Met._fields[1:], "verdict", "below_floor", "above_ceiling"]).to_pylist()
    return tuple(
        Met(condition, *(row[name] for name in Met._fields[1:]))
        for condition in CONDITIONS
        if condition in conditions
        for row in rows
        if _holds(condition, row)
    )


def _holds(condition: Condition, row: Row) -> bool:
    if condition == "breach":
        return bool(row["verdict"] == "breach")
    if condition == "below_floor":
        return bool(row["below_floor"] or row["above_ceiling"])
    return bool(row["verdict"] == "not_assessed" and row["attribute"] != OVERALL)
