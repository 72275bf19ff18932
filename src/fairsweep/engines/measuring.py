"""Sums over rows beside their number, of scores, of weights, of pairs of a member's rows: one kernel for all engines.

It takes the judged rows themselves, because terms of a member need all rows of the member at once. Workers have no more
than Spark's own packages: only the standard library, numpy and pyarrow may be imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fairsweep.core import clusters, weights
from fairsweep.core.histogram import SCORE_MEASURES, UNSCORED_BUCKET
from fairsweep.engines.states import EVENT, KEYS, MEASURES, NON_EVENT, USED, group_columns, renumbered
from fairsweep.intake import REPEATED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.intake import Intake

BILLION = 1_000_000_000
# A sum over fewer keys than this is made in an array with a place for each.
MOST_PLACES = 1 << 24
Measured = dict[str, "NDArray[np.int64]"]


def measure_names(intake: Intake) -> tuple[str, ...]:
    """The measures that an audit keeps beside the number of rows."""
    return (
        *(SCORE_MEASURES if intake.score_sums else ()),
        *(weights.MEASURES if intake.weight is not None else ()),
        *(clusters.MEASURES if intake.member is not None else ()),
    )


def grouping_sets(intake: Intake) -> list[tuple[int, ...]]:
    """The sets that measures are kept for: what is reported, and everybody, since members' sums do not add up."""
    position = {name: i for i, (name, _) in enumerate(intake.groups)}
    return list(dict.fromkeys([(), *(tuple(sorted(position[n] for n in names)) for names in intake.groupings)]))


@dataclass(frozen=True)
class Rows:
    """Judged rows inside the window, as columns of one length.

    Attributes:
        texts: model, version and the group of each single attribute, by their names in counts.
        rule: the first rule that holds, or `USED`.
        bucket: the bucket of a used row; anything for others.
        label: `EVENT`, `NON_EVENT` or `NOT_KNOWN`.
        score: a finite number for used rows; None where scores are not summed.
        weight: a number within bounds for used and unscored rows; None where there are no weights.
        member: a number for each member; None where rows are people.
    """

    texts: Mapping[str, pa.DictionaryArray]
    rule: NDArray[np.int64]
    bucket: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float64] | None = None
    weight: NDArray[np.float64] | None = None
    member: NDArray[np.int64] | None = None

    def codes(self, names: Sequence[str]) -> NDArray[np.int64]:
        """A small number for each combination of some texts."""
        found = np.zeros(len(self.rule), dtype=np.int64)
        for name in names:
            column = self.texts[name]
            found = found * max(len(column.dictionary), 1) + column.indices.to_numpy()
            if int(np.max(found, initial=0)) >= MOST_PLACES:
                found = renumbered(found)
        return found


def measured(rows: Rows, intake: Intake, buckets: int, sets: Sequence[tuple[int, ...]]) -> pa.Table:
    """Counts and measures by model, cell, rule and bucket, in the form that `states` takes.

    Args:
        rows: all rows of every member that there is a row of.
        intake: what was asked of every row.
        buckets: how many buckets used rows have.
        sets: for each grouping set the positions of its single attributes.
    """
    rule = _once(rows, rows.member, intake) if intake.once and rows.member is not None else rows.rule
    used = rule == USED
    place = np.where(used, rows.bucket, buckets + rule)
    own = _of_rows(rows, used, used | (rule >= intake.refusals))
    parts = []
    for positions in sets:
        names = [*KEYS[:2], *(group_columns(intake)[i] for i in positions)]
        cell = rows.codes(names)
        columns = own | (_of_members(rows, rows.member, cell, used) if rows.member is not None else {})
        first, sums = _summed(cell * (buckets + len(intake.rules)) + place, columns)
        texts = {name: rows.texts[name].take(pa.array(first)) if name in names else None for name in rows.texts}
        parts.append(_table(texts, rule[first], rows.bucket[first], sums))
    return pa.concat_tables(parts)


def _once(rows: Rows, member: NDArray[np.int64], intake: Intake) -> NDArray[np.int64]:
    """The rules, where a member of a model who is there again is refused each time: nobody can say which row holds."""
    rule = rows.rule.copy()
    kept = np.flatnonzero((rule == USED) | (rule >= intake.refusals))
    who = rows.codes(KEYS[:2])[kept] * (int(np.max(member, initial=0)) + 1) + member[kept]
    _, place, n = np.unique(who, return_inverse=True, return_counts=True)
    rule[kept[n[place] > 1]] = [one.reason for one in intake.rules].index(REPEATED)
    return rule


def _of_rows(rows: Rows, used: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Measured:
    """What each row adds by itself; rows that are refused add no more than their number."""
    event, non_event = rows.label == EVENT, rows.label == NON_EVENT
    found: Measured = {name: (rows.label == code).astype(np.int64) for code, name in enumerate(MEASURES)}
    if rows.score is not None:
        score = np.where(used, rows.score, 0.0)
        sums = np.rint(score * BILLION).astype(np.int64)
        squares = np.rint(score * score * BILLION).astype(np.int64)
        found |= dict(zip(SCORE_MEASURES, (sums * event, sums * non_event, squares), strict=True))
    if rows.weight is not None:
        weight = weights.fixed(np.where(kept, rows.weight, 0.0))
        squares = weights.squares(weight)
        columns = (weight * event, weight * non_event, squares * event, squares * non_event)
        found |= dict(zip(weights.MEASURES, columns, strict=True))
    return found


def _of_members(rows: Rows, member: NDArray[np.int64], cell: NDArray[np.int64], used: NDArray[np.bool_]) -> Measured:
    """What each row adds to the sums over pairs of its member's rows within its cell."""
    at = np.flatnonzero(used)
    terms = clusters.terms(member[at], cell[at], rows.bucket[at], rows.label[at] == EVENT)
    found: Measured = {}
    for name, term in terms.items():
        found[name] = np.zeros(len(used), dtype=np.int64)
        found[name][at] = term
    return found


def _summed(keys: NDArray[np.int64], columns: Measured) -> tuple[NDArray[np.int64], Measured]:
    """One row of each key, and the sums over its rows."""
    if int(np.max(keys, initial=0)) < MOST_PLACES:
        first = np.full(int(np.max(keys, initial=-1)) + 1, -1, dtype=np.int64)
        first[keys] = np.arange(len(keys))
        present = np.flatnonzero(first >= 0)
        place, first = (np.cumsum(first >= 0) - 1)[keys], first[present]
    else:
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    sums = {}
    for name, column in columns.items():
        sums[name] = np.zeros(len(first), dtype=np.int64)
        np.add.at(sums[name], place, column)
    return first, sums


def _table(
    texts: Mapping[str, pa.Array | None], rule: NDArray[np.int64], bucket: NDArray[np.int64], sums: Measured
) -> pa.Table:
    nothing = pa.DictionaryArray.from_arrays(pa.nulls(len(rule), pa.int32()), pa.array([], pa.string()))
    named = {name: nothing if column is None else column for name, column in texts.items()}
    return pa.table(named | {"rule": rule, "bucket": np.where(rule == USED, bucket, UNSCORED_BUCKET)} | sums)
