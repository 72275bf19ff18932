"""Sums over rows beside their number, of scores, of weights, of pairs of a member's rows: one kernel for all engines.

It takes the judged rows themselves, because terms of a member need all rows of the member at once. Workers have no more
than Spark's own packages: only the standard library, numpy and pyarrow may be imported here.
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


Texts = Mapping[str, pa.DictionaryArray]


@dataclass(frozen=True)
class Rows:
    """Judged rows inside the window, as columns of one length, and the cells that they are of.

    Attributes:
        cells: for each cell its model, version and the group of each single attribute, by their names in counts.
        cell: the cell of each row.
        rule: the first rule that holds, or `USED`.
        bucket: the bucket of a used row; anything for others.
        label: `EVENT`, `NON_EVENT` or `NOT_KNOWN`.
        score: a finite number for used rows; None where scores are not summed.
        weight: a number within bounds for used and unscored rows; None where there are no weights.
        who: the numbers that together tell members apart; none where rows are people.
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
        """The used rows, as far as `of_pairs` asks for them."""
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
    """Equal codes as equal numbers from 0 on, and a place of each number."""
    if int(np.max(codes, initial=0)) >= MOST_PLACES:
        codes = renumbered(codes)
    place = np.full(int(np.max(codes, initial=-1)) + 1, -1, dtype=np.int64)
    place[codes] = np.arange(len(codes))
    return (np.cumsum(place >= 0) - 1)[codes], place[place >= 0]


def measured(rows: Rows, intake: Intake, buckets: int, sets: Sequence[tuple[int, ...]]) -> pa.Table:
    """Counts and measures by model, cell, rule and bucket, in the form that `states` takes.

    Args:
        rows: all rows of every member that there is a row of.
        intake: what was asked of every row.
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
    """Counts, and what each row adds to measures by itself; no row is asked who its member is.

    Args:
        rows: any rows.
        intake: what was asked of every row.
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
    """What members with several rows add to the measures that `with_members` gives; nothing is counted again.

    Args:
        rows: all used rows of every member that there is a row of.
        intake: what was asked of every row.
        buckets: how many buckets there are.
        sets: for each grouping set the positions of its single attributes.
    """
    places, member = standing.several(rows.who, rows.bucket)
    cell, bucket, event = rows.cell[places], rows.bucket[places], rows.label[places] == EVENT
    moves = (member[1:] == member[:-1]) & (cell[1:] != cell[:-1])
    moved = np.zeros(len(member), dtype=bool)
    moved[member[1:][moves]] = True
    # A member whose rows are all of one cell stands alike in every set.
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
    """What rows of clusters add to the measures beyond rows that are alone.

    Attributes:
        measures: what each kind of row adds, `[kinds, measures]`.
        cell: the cell of everything of each row.
        spot: the bucket of each row, times the number of kinds, and its kind.
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
        """Sums by place, which is a code times `buckets` and a bucket.

        Args:
            code: the code of each cell, from 0 on.
            buckets: how many buckets there are.

        Returns:
            The places that occur, and the sums of their rows, `[places, measures]`.
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
    """The texts that tell the cells of each set apart."""
    return [[*KEYS[:2], *(group_columns(intake)[i] for i in positions)] for positions in sets]


def _once(rows: Rows, intake: Intake) -> NDArray[np.int64]:
    """The rules, where a member of a model who is there again is refused each time: nobody can say which row holds."""
    rule = rows.rule.copy()
    kept = np.flatnonzero((rule == USED) | (rule >= intake.refusals))
    model, _ = distinct(codes(rows.cells[name] for name in KEYS[:2]))
    who = [model[rows.cell[kept]], *(number[kept] for number in rows.who)]
    repeated, _ = standing.several(who, np.zeros(len(kept), dtype=np.int64))
    rule[kept[repeated]] = [one.reason for one in intake.rules].index(REPEATED)
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
        names: those that the sums are told apart by.
        cell: for each sum, one of its cells.
        rule: for each sum, its rule.
        bucket: for each sum, its bucket, if its rows were used.
        sums: the sums.
    """
    kind, taken = pa.dictionary(pa.int32(), pa.string()), pa.array(cell)
    none = pa.DictionaryArray.from_arrays(pa.nulls(len(cell), pa.int32()), pa.array([], pa.string()))
    texts = {name: column.take(taken).cast(kind) if name in names else none for name, column in cells.items()}
    return pa.table(texts | {"rule": rule, "bucket": np.where(rule == USED, bucket, UNSCORED_BUCKET)} | sums)
