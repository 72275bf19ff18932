"""Groups that are too small to name: one line of an attribute for all of them, in every result table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.disclosure.model import MEMBER_MEASURES
from fairsweep.core.groups import OVERALL, too_small_to_name
from fairsweep.core.metrics import SUPPRESSED
from fairsweep.input.intake import REFUSAL_REASONS

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.auditing.assessment import Assessment
    from fairsweep.auditing.reported import Attribute
    from fairsweep.core.counts import IntArray
    from fairsweep.tables.schema import Table

Unnamed = Mapping[str, frozenset[str]]
"""By attribute, the groups that no table and no text names."""


def groups_too_small_to_name(assessment: Assessment) -> Unnamed:
    """The groups of fewer members than the minimum, but for those that the config names.

    Such a name can tell of a single person: a rare language, a village. None of these groups is ever shown with
    figures, because its events, its non-events or its people without a score are fewer than the minimum.
    """
    minimum = assessment.spec.privacy.minimum_cell_size
    if not minimum:
        return {}
    named = {
        one.name: {*(one.values or ()), *((one.reference,) if one.reference is not None else ())}
        for one in assessment.spec.base_attributes
    }
    # A group of many refused rows is not small.
    refused: dict[tuple[str, str], int] = {}
    for tally in assessment.state.tallies:
        if tally.reason in REFUSAL_REASONS:
            refused[tally.attribute, tally.group_value] = refused.get((tally.attribute, tally.group_value), 0) + tally.n
    found = {}
    for attribute in assessment.attributes:
        if attribute.name == OVERALL:
            continue
        small = frozenset(
            group
            for group, members in zip(attribute.groups, _members(attribute).tolist(), strict=True)
            if members + refused.get((attribute.name, group), 0) < minimum
            and group not in named.get(attribute.name, ())
        )
        if small:
            found[attribute.name] = small
    return found


def _members(attribute: Attribute) -> IntArray:
    """How many members each group has at least; where each row is a member, how many it has."""
    if attribute.units.repeated:
        with_event, without = (attribute.between(name, [0]).sum(axis=1) for name in MEMBER_MEASURES[:2])
        return np.asarray(np.maximum(with_event, without))
    counts = attribute.rows_at([0])[:, 0]
    return np.asarray(counts.n + counts.unscored_events + counts.unscored_non_events)


def with_unnamed_groups(rows: pa.Table, unnamed: Unnamed, table: Table) -> pa.Table:
    """The rows, with those of unnamed groups replaced by one row per attribute, which has the number of groups.

    Args:
        rows: rows of a result table. If one of the replaced rows is suppressed, it is kept; otherwise all of them
            are of groups without a scored row.
        unnamed: by attribute, the groups that may not be named.
        table: the table of the rows; they stay sorted by its key.
    """
    if not unnamed or not {"attribute", "group_value"} <= set(rows.column_names):
        return rows
    import pyarrow as pa
    import pyarrow.compute as pc

    small = pa.array(np.zeros(rows.num_rows, dtype=bool))
    names = rows["group_value"].combine_chunks()
    for attribute, groups in unnamed.items():
        of_attribute = pc.equal(rows["attribute"], attribute).combine_chunks()
        here = pc.and_(of_attribute, pc.is_in(names, value_set=pa.array(sorted(groups))))
        names = pc.if_else(here, too_small_to_name(len(groups)), names)
        small = pc.or_(small, here)
    place = rows.column_names.index("group_value")
    renamed = rows.set_column(place, rows.schema.field(place), names)
    rank = np.arange(rows.num_rows)
    if "status" in rows.column_names:
        rank += rows.num_rows * (rows["status"].to_numpy(zero_copy_only=False) != SUPPRESSED)
    ranked = renamed.append_column("_rank", pa.array(rank))
    key = list(table.key)
    first = ranked.filter(small).group_by(key).aggregate([("_rank", "min")])["_rank_min"].combine_chunks()
    kept = renamed.filter(pc.or_(pc.invert(small), pc.is_in(ranked["_rank"].combine_chunks(), value_set=first)))
    return kept.sort_by([(column, "ascending") for column in key])
