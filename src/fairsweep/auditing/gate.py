"""The gate of `--fail-on`: which groups meet a condition that should stop a pipeline."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from fairsweep.core.groups import OVERALL

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.auditing.findings import Row, Tables

Condition = Literal["breach", "below_floor", "not_assessed"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)


class Met(NamedTuple):
    """A group that meets a condition at an operating point; of a suppressed group only the model is given."""

    condition: Condition
    model_id: str
    model_version: str
    operating_point: str | None = None
    attribute: str | None = None
    group_value: str | None = None


def met(tables: Tables, conditions: Collection[str]) -> tuple[Met, ...]:
    """The groups of all runs and operating points that meet one of the conditions.

    Args:
        tables: `group_metrics` and `runs`; the stored verdicts are used, and nothing is judged again. Conditions
            that suppressed groups meet were counted before suppression.
        conditions: `breach` is the verdict; `below_floor` holds for a value beyond the floor, or for a
            sanction the ceiling, proven or not; `not_assessed` holds for groups, never for the overall population,
            which may have no verdict by design.

    Returns:
        The groups by condition, then in the order of the table.
    """
    import pyarrow.compute as pc

    metrics = tables["group_metrics"]
    judged = metrics.filter(pc.equal(metrics["metric"], "group_benefit_equality"))
    judged = judged.select(["run_id", *Met._fields[1:], "verdict", "below_floor", "above_ceiling", "status"])
    runs = tables["runs"].to_pylist() if "runs" in tables else []
    found: list[Met] = []
    for condition in CONDITIONS:
        if condition not in conditions:
            continue
        shown = judged.filter(_holds(condition, judged)).to_pylist()
        found += [Met(condition, *(row[name] for name in Met._fields[1:])) for row in shown]
        found += [one for run in runs for one in _hidden(condition, run, shown)]
    return tuple(found)


def _hidden(condition: Condition, run: Row, shown: Sequence[Row]) -> list[Met]:
    """The groups of a run that meet a condition and are not shown."""
    counted = json.loads(run["conditions"] or "{}").get(condition, 0)
    n = counted - sum(row["run_id"] == run["run_id"] for row in shown)
    return [Met(condition, run["model_id"], run["model_version"])] * max(n, 0)


def _holds(condition: Condition, judged: pa.Table) -> pa.ChunkedArray:
    """Which rows of group benefit equality meet a condition; NULL counts as no."""
    import pyarrow.compute as pc

    from fairsweep.core.metrics import SUPPRESSED

    if condition == "breach":
        found = pc.equal(judged["verdict"], "breach")
    elif condition == "below_floor":
        found = pc.or_(*(pc.fill_null(judged[name], False) for name in ("below_floor", "above_ceiling")))
    else:
        # A suppressed group shows no verdict, whether it has been assessed or not.
        told = pc.and_(pc.equal(judged["verdict"], "not_assessed"), pc.not_equal(judged["status"], SUPPRESSED))
        found = pc.and_(told, pc.not_equal(judged["attribute"], OVERALL))
    return found
