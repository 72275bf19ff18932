"""Sums over rows in addition to their number: of scores, weights and pairs of a member's rows; one for all engines.

It takes the judged rows themselves, because terms of a member need all rows of the member at once. Workers have only
Spark's own packages: only the standard library, numpy and pyarrow may be imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from fairsweep.core.histogram import SCORE_MEASURES, UNSCORED_BUCKET
from fairsweep.core.inference import cluster_ranks as standing
from fairsweep.core.inference import clusters, weights
from fairsweep.engines.states import EVENT, KEYS, MEASURES, NON_EVENT, USED, group_columns, renumbered
from fairsweep.input.intake import REPEATED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.input.intake import Intake

BILLION = 1_000_000_000
# A sum over fewer keys than this uses an array with a slot for each key.
MOST_PLACES = 1 << 24
Measured = dict[str, "NDArray[np.int64]"]


def measure_names(intake: Intake) -> tuple[str, ...]:
    """The measures that an audit keeps in addition to the number of rows."""
    return (
        *(SCORE_MEASURES if intake.score_sums else ()),
        *(weights.MEASURES if intake.weight is not None else ()),
        *(clusters.MEASURES if intake.member is not None else ()),
    )


def grouping_sets(intake: Intake) -> list[tuple[int, ...]]:
    """The sets with measures: reported ones and the overall population, because members' sums do not add up."""
    position = {name: i for i, (name, _) in enumerate(intake.groups)}
    return list(dict.fromkeys([(), *(tuple(sorted(position[n] for n in names)) for names in intake.groupings)]))


Texts = Mapping[str, pa.DictionaryArray]


@dataclass(frozen=True)
class Rows:
    """Judged rows inside the window, as columns of one length, and their cells.

    Attributes:
        cells: for each cell its model, version and the group of each single attribute, by their names in counts.
        cell: the cell of each row.
        rule: the first rule that holds, or `USED`.
        bucket: the bucket of a used row; arbitrary for others.
        label: `EVENT`, `NON_EVENT` or `NOT_KNOWN`.
        score: a finite number for used rows; None if scores are not summed.
        weight: a number within bounds for used and unscored rows; None without weights.
        who: the numbers that together identify members; empty if rows are people.
    """

    cells: Texts
    cell: NDArray[np.int64]
    rule: NDArray[np.int64]
    bucket: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float64] | None = None
    weight: NDArray[np.float64] | None = None
    who: Sequence[NDArray[np.int64]] = ()

    def used(self) -> Rows:
        """The used rows, with the columns that `of_pairs` needs."""
        those = self.rule == USED
        who = [number[those] for number in self.who]
        return Rows(
            self.cells, self.cell[those], self.rule[those], self.bucket[those], self.label[those], None, None, who
        )


def cells_of(texts: Texts) -> tuple[Texts, NDArray[np.int64]]:
    """The different cells of rows that have these texts, and the cell of each row."""
    cell, example = distinct(codes(texts.values()))
    return {name: column.take(pa.array(example)) for name, column in texts.items()}, cell


def codes(columns: Iterable[pa.DictionaryArray]) -> NDArray[np.int64]:
    """A number for each combination of texts."""
    found: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    volume = 1
    for place, column in enumerate(columns):
        levels = max(len(column.dictionary), 1)
        if not place:
            found = np.zeros(len(column), dtype=np.int64)
        if volume * levels >= MOST_PLACES:
            found = renumbered(found)
            volume = int(np.max(found, initial=0)) + 1
        volume *= levels
        if levels > 1:
            found *= levels
            found += column.indices.to_numpy()
    return found


def distinct(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Equal codes as equal numbers from 0 on, and the index of one row for each number."""
    if int(np.max(codes, initial=0)) >= MOST_PLACES:
        codes = renumbered(codes)
    place = np.full(int(np.max(codes, initial=-1)) + 1, -1, dtype=np.int64)
    place[codes] = np.arange(len(codes))
    return (np.cumsum(place >= 0) - 1)[codes], place[place >= 0]


def measured(rows: Rows, intake: Intake, buckets: int, sets: Sequence[tuple[int, ...]]) -> pa.Table:
    """Counts and measures by model, cell, rule and bucket, in the form that `states` takes.

    Args:
        rows: rows; for every member in them, all rows of the member.
        intake: the rules that were applied to every row.
        buckets: how many buckets used rows have.
        sets: for each grouping set the positions of its single attributes.
    """
    if intake.once:
        rows = replace(rows, rule=_once(rows, intake))
    counts = summed(rows, intake, buckets, sets)
    if intake.member is None:
        return counts
    return pa.concat_tables([with_members(counts), of_pairs(rows.used(), intake, buckets, sets)])


def summed(rows: Rows, intake: Intake, buckets: int, sets: Sequence[tuple[int, ...]]) -> pa.Table:
    """Counts, and the contributions of single rows to measures; members are not used.

    Args:
        rows: any rows.
        intake: the rules that were applied to every row.
        buckets: how many buckets used rows have.
        sets: for each grouping set the positions of its single attributes.
    """
    used = rows.rule == USED
    place = np.where(used, rows.bucket, buckets + rows.rule)
    columns = _of_rows(rows, used, used | (rows.rule >= intake.refusals))
    places, parts = buckets + len(intake.rules), []
    for names in _names(intake, sets):
        code, example = distinct(codes(rows.cells[name] for name in names))
        keys, sums = _summed(code[rows.cell] * places + place, columns)
        cell, there = example[keys // places], keys % places
        rule = np.where(there < buckets, USED, there - buckets)
        parts.append(_table(rows.cells, names, cell, rule, there, sums))
    return pa.concat_tables(parts)


def with_members(counts: pa.Table) -> pa.Table:
    """Counts with the measures that members have while each used row is of another member."""
    used = counts["rule"].to_numpy() == USED
    events, non_events = (np.where(used, counts[name].to_numpy(), 0) for name in MEASURES[:2])
    event, non_event = (standing.Standing.alone(np.array([y])).measures() for y in (1, 0))
    for name in clusters.MEASURES:
        counts = counts.append_column(name, pa.array(events * event[name] + non_events * non_event[name]))
    return counts


def of_pairs(rows: Rows, intake: Intake, buckets: int, sets: Sequence[tuple[int, ...]]) -> pa.Table:
    """The contributions of members with several rows to the measures of `with_members`; nothing is counted again.

    Args:
        rows: used rows; for every member in them, all used rows of the member.
        intake: the rules that were applied to every row.
        buckets: how many buckets there are.
        sets: for each grouping set the positions of its single attributes.
    """
    places, member = standing.several(rows.who, rows.bucket)
    cell, bucket, event = rows.cell[places], rows.bucket[places], rows.label[places] == EVENT
    moves = (member[1:] == member[:-1]) & (cell[1:] != cell[:-1])
    moved = np.zeros(len(member), dtype=bool)
    moved[member[1:][moves]] = True
    # A member whose rows are all in one cell has the same ranks in every set.
    move = np.flatnonzero(moved[member]) if moves.any() else member[:0]
    stay = np.flatnonzero(~moved[member]) if moves.any() else slice(None)
    stayed = _Added.of(member[stay], cell[stay], bucket[stay], event[stay])
    parts = []
    for names in _names(intake, sets):
        code, example = distinct(codes(rows.cells[name] for name in names))
        found = [stayed.sums(code, buckets)]
        if len(move):
            several, cluster = standing.several([member[move], code[cell[move]]], bucket[move])
            those = move[several]
            found.append(_Added.of(cluster, cell[those], bucket[those], event[those]).sums(code, buckets))
        for place, sums in found:
            columns = {name: np.zeros(len(place), dtype=np.int64) for name in (*MEASURES, *measure_names(intake))}
            columns |= dict(zip(clusters.MEASURES, sums.T, strict=True))
            rule = np.full(len(place), USED)
            parts.append(_table(rows.cells, names, example[place // buckets], rule, place % buckets, columns))
    return pa.concat_tables(parts)


class _Added(NamedTuple):
    """The contributions of rows in clusters to the measures, beyond those of single rows.

    Attributes:
        measures: the contribution of each kind of row, `[kinds, measures]`.
        cell: the cell of all attributes of each row.
        spot: the bucket of each row, times the number of kinds, plus its kind.
    """

    measures: NDArray[np.int64]
    cell: NDArray[np.int64]
    spot: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        cluster: NDArray[np.int64],
        cell: NDArray[np.int64],
        bucket: NDArray[np.int64],
        event: NDArray[np.bool_],
    ) -> _Added:
        """Rows as `several` puts them, and the clusters that they are of."""
        kinds, kind = standing.kinds(cluster, event)
        alone = standing.Standing.alone(kinds.event).measures()
        more = np.stack([term - alone[name] for name, term in kinds.measures().items()], axis=1)
        return cls(more, cell, bucket * len(more) + kind)

    def sums(self, code: NDArray[np.int64], buckets: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sums by slot, which is a code times `buckets` plus a bucket.

        Args:
            code: the code of each cell, from 0 on.
            buckets: how many buckets there are.

        Returns:
            The slots that occur, and the sums of their rows, `[slots, measures]`.
        """
        kinds, size = len(self.measures), (int(np.max(code, initial=-1)) + 1) * buckets
        key = (code * (buckets * kinds))[self.cell] + self.spot
        if size * kinds <= MOST_PLACES:
            n = np.bincount(key, minlength=size * kinds).reshape(size, kinds)
            places = np.flatnonzero(n.any(axis=1))
            return places, n[places] @ self.measures
        keys, n = np.unique(key, return_counts=True)
        places, of_place = np.unique(keys // kinds, return_inverse=True)
        sums = np.zeros((len(places), self.measures.shape[1]), dtype=np.int64)
        np.add.at(sums, of_place, self.measures[keys % kinds] * n[:, None])
        return places, sums


def nothing(intake: Intake) -> pa.Table:
    """The form that `states` takes, without a row."""
    empty = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
    texts = dict.fromkeys([*KEYS[:2], *group_columns(intake)], empty)
    numbers = (*KEYS[2:], *MEASURES, *measure_names(intake))
    return pa.table(texts | {name: np.zeros(0, np.int64) for name in numbers})


def _names(intake: Intake, sets: Sequence[tuple[int, ...]]) -> list[list[str]]:
    """The texts that identify the cells of each set."""
    return [[*KEYS[:2], *(group_columns(intake)[i] for i in positions)] for positions in sets]


def _once(rows: Rows, intake: Intake) -> NDArray[np.int64]:
    """The rules, with all rows of a model's repeated members refused: it is unknown which row is right."""
    rule = rows.rule.copy()
    kept = np.flatnonzero((rule == USED) | (rule >= intake.refusals))
    model, _ = distinct(codes(rows.cells[name] for name in KEYS[:2]))
    who = [model[rows.cell[kept]], *(number[kept] for number in rows.who)]
    repeated, _ = standing.several(who, np.zeros(len(kept), dtype=np.int64))
    rule[kept[repeated]] = [one.reason for one in intake.rules].index(REPEATED)
    return rule


def _of_rows(rows: Rows, used: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Measured:
    """The contribution of each row on its own; refused rows contribute only their number."""
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


def _summed(keys: NDArray[np.int64], columns: Measured) -> tuple[NDArray[np.int64], Measured]:
    """The keys that occur, and the sums over the rows of each."""
    place, example = distinct(keys)
    sums = {}
    for name, column in columns.items():
        sums[name] = np.zeros(len(example), dtype=np.int64)
        np.add.at(sums[name], place, column)
    return keys[example], sums


def _table(
    cells: Texts,
    names: Sequence[str],
    cell: NDArray[np.int64],
    rule: NDArray[np.int64],
    bucket: NDArray[np.int64],
    sums: Measured,
) -> pa.Table:
    """Sums in the form that `states` takes.

    Args:
        cells: the texts of each cell.
        names: the attributes by which the sums are grouped.
        cell: for each sum, one of its cells.
        rule: for each sum, its rule.
        bucket: for each sum, its bucket, if its rows were used.
        sums: the sums.
    """
    kind, taken = pa.dictionary(pa.int32(), pa.string()), pa.array(cell)
    none = pa.DictionaryArray.from_arrays(pa.nulls(len(cell), pa.int32()), pa.array([], pa.string()))
    texts = {name: column.take(taken).cast(kind) if name in names else none for name, column in cells.items()}
    return pa.table(texts | {"rule": rule, "bucket": np.where(rule == USED, bucket, UNSCORED_BUCKET)} | sums)
