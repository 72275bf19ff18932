"""The counting kernel: batches in, sparse counts by model, cell, rule and bucket out; one function for both engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fairsweep.core.buckets import MOST_COMPARISONS, GuessTable
from fairsweep.engines.arrow.cells import CellCounts, Names
from fairsweep.engines.arrow.set_counts import SetCounts
from fairsweep.engines.mixed_radix import Keys
from fairsweep.engines.probing import Sample
from fairsweep.engines.states import EVENT, KEYS, LABEL_CLASSES, NON_EVENT, NOT_KNOWN, USED, Places, group_columns

if TYPE_CHECKING:
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.arrow.conditions import Batch
    from fairsweep.engines.arrow.reading import Piece
    from fairsweep.input.expressions import Expression
    from fairsweep.input.intake import Intake

# A block of keys stays in the processor's cache while it is made and counted.
BLOCK_ROWS = 1 << 15
# Enough rows to distinguish a thousand groups from a hundred thousand.
SAMPLED_ROWS = 10_000
MODEL_COLUMNS = 2


class Buckets:
    """Finds the bucket of scores: the number of cutoffs that a score reaches, exact for every double."""

    def __init__(self, grid: CutoffGrid) -> None:
        self._cutoffs = grid.values
        self._table = GuessTable.of(grid.values)
        self._ends = np.append(grid.values, np.full(self._table.same, np.inf))
        self._low = self._table.low.astype(np.int64)
        self._direct = bool(np.array_equal(self._low, np.arange(len(self._low))))

    def of(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """The buckets of finite scores."""
        table = self._table
        if not table.factor or table.same > MOST_COMPARISONS:
            return np.searchsorted(self._cutoffs, scores, side="right").astype(np.int64)
        with np.errstate(over="ignore"):  # infinite values are clipped like the others
            guess = np.subtract(scores, table.first)
            guess *= table.factor
        np.clip(guess, 0, len(self._low) - 1, out=guess)
        bucket = guess.astype(np.int64)
        if not self._direct:
            bucket = self._low.take(bucket)
        start = bucket if table.same == 1 else bucket.copy()
        reached = [np.take(self._ends, start + j if j else start, mode="clip") <= scores for j in range(table.same)]
        for one in reached:
            bucket += one
        return bucket


class _Part(NamedTuple):
    """The contribution of one column to the keys: `steps[levels[row]]`, or one step for all rows without levels."""

    levels: NDArray[Any] | None
    codes: NDArray[np.int64]


class Counter:
    """Counts batches of rows; each thread or task has a separate one.

    Args:
        intake: the rules for every row.
        grid: the cutoffs.
        sets: for each grouping set the positions of its single attributes.
        most: how many counts of one set may be held; None for no limit.
    """

    def __init__(
        self, intake: Intake, grid: CutoffGrid, sets: Sequence[tuple[int, ...]], most: int | None = None
    ) -> None:
        self._intake, self._sets = intake, [_columns(positions) for positions in sets]
        self._buckets, self._places = Buckets(grid), Places(len(grid) + 1, len(intake.rules))
        self._names = [Names() for _ in range(MODEL_COLUMNS + len(intake.groups))]
        self._counts = SetCounts(self._sets, self._places.size, most)

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        inside = batch.holds(self._intake.inside)
        if inside is False or not batch.rows:
            return
        rule = first_rules(batch, self._intake)
        parts = self._parts(batch)
        event = batch.holds(self._intake.is_event)
        rows: NDArray[np.int64] | None = None
        if rule is not None or inside is not True:
            kept = np.broadcast_to(inside, batch.rows)
            rule = np.full(batch.rows, USED) if rule is None else rule
            rows = np.flatnonzero(kept & (rule == USED))
            self._add_others(batch, parts, rule, np.flatnonzero(kept & (rule != USED)))
        self._add_used(batch, parts, event, rows)

    @property
    def groups(self) -> dict[tuple[str, ...], int]:
        """How many groups of each single attribute have been met so far."""
        names = self._names[MODEL_COLUMNS:]
        return {(name,): len(met) for (name, _), met in zip(self._intake.groups, names, strict=True)}

    def table(self) -> pa.Table:
        """All that was counted, in the form that `states` takes."""
        return pa.concat_tables([self._entries(columns, self._counts.of(columns)) for columns in self._sets])

    def _parts(self, batch: Batch) -> list[_Part]:
        """For each column the codes of its names, by level where it has levels."""
        intake = self._intake
        wanted = [intake.model_id, intake.model_version, *(group for _, group in intake.groups)]
        parts = []
        for names, expression in zip(self._names, wanted, strict=True):
            groups = batch.groups(expression)
            # Names without rows would only add cells.
            met = np.flatnonzero(np.bincount(groups.codes, minlength=len(groups.names)))
            codes = np.zeros(len(groups.names), dtype=np.int64)
            codes[met] = names.codes(groups.names.take(pa.array(met)))
            levels = batch.levels_of_rows(groups.field)
            if groups.field is None:
                parts.append(_Part(None, codes.take(groups.codes)))
            elif levels is None:
                parts.append(_Part(groups.codes, codes))
            else:
                parts.append(_Part(levels, codes.take(groups.codes)))
        self._counts.fit([len(names) for names in self._names])
        return parts

    def _add_used(
        self, batch: Batch, parts: Sequence[_Part], event: NDArray[np.bool_] | bool, rows: NDArray[np.int64] | None
    ) -> None:
        scores = batch.score(self._intake.score)
        size = batch.rows if rows is None else len(rows)
        steps = [self._steps(parts, columns, counts) for columns, counts in self._counts]
        for first in range(0, size, BLOCK_ROWS):
            block: slice | NDArray[np.int64] = slice(first, min(first + BLOCK_ROWS, size))
            if rows is not None:
                block = rows[block]
            place = self._buckets.of(scores[block])
            non_event = ~event[block] if isinstance(event, np.ndarray) else np.bool_(not event)
            place += non_event * np.int64(self._places.non_event)
            for (_, counts), (base, found) in zip(self._counts, steps, strict=True):
                counts.add(_keys(place, base, found, block))

    def _add_others(
        self,
        batch: Batch,
        parts: Sequence[_Part],
        rule: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> None:
        """Count the rows that are refused or unscored, by rule and label."""
        if not len(rows):
            return
        place = self._places.first_other + rule[rows] * len(LABEL_CLASSES) + labels(batch, self._intake)[rows]
        for columns, counts in self._counts:
            counts.add(_keys(place, *self._steps(parts, columns, counts), rows))

    @staticmethod
    def _steps(parts: Sequence[_Part], columns: tuple[int, ...], counts: CellCounts) -> tuple[int, list[_Part]]:
        """The constant part of every key, and the contribution of each column's levels."""
        base, found = 0, []
        for i, stride in zip(columns, counts.strides, strict=True):
            levels, codes = parts[i]
            if levels is None:
                base += int(codes[0]) * stride
            elif len(codes) > 1 or codes[0]:
                found.append(_Part(levels, codes * stride))
        return base, found

    def _entries(self, columns: tuple[int, ...], counts: CellCounts) -> pa.Table:
        """The counts of one grouping set."""
        keys, n = counts.entries()
        codes, place = counts.decoded(keys) if len(keys) else ([], keys)
        found = self._places.table(place, n)
        named = dict(zip(columns, codes, strict=False))
        texts = [self._text(i, named.get(i), len(n)) for i in range(len(self._names))]
        names = [*KEYS[:MODEL_COLUMNS], *group_columns(self._intake)]
        return pa.table(dict(zip(names, texts, strict=True)) | found)

    def _text(self, column: int, codes: NDArray[np.int64] | None, size: int) -> pa.Array:
        indices = pa.nulls(size, pa.int32()) if codes is None else pa.array(codes, pa.int32())
        return pa.DictionaryArray.from_arrays(indices, self._names[column].array)


def first_rules(batch: Batch, intake: Intake) -> NDArray[np.int64] | None:
    """The first rule that holds for each row, or `USED`; None where none holds for any."""
    rule: NDArray[np.int64] | None = None
    for place, (_, condition) in reversed(list(enumerate(intake.rules))):
        holds = batch.holds(condition)
        if holds is False:
            continue
        if rule is None:
            rule = np.full(batch.rows, USED)
        rule[holds] = place
    return rule


def labels(batch: Batch, intake: Intake) -> NDArray[np.int8]:
    """`EVENT`, `NON_EVENT` or `NOT_KNOWN` for each row."""
    known = batch.holds(intake.label_known)
    event = np.broadcast_to(batch.holds(intake.is_event), batch.rows)
    found = np.where(event, np.int8(EVENT), np.int8(NON_EVENT))
    return found if known is True else np.where(known, found, np.int8(NOT_KNOWN))


def sample(pieces: Sequence[Piece], intake: Intake, grid: CutoffGrid) -> Sample:
    """The first rows of some pieces, at most one batch."""
    first = next((batch for piece in pieces for batch in piece.batches(intake.fields)), None)
    known = [piece.rows for piece in pieces]
    rows_input = sum(known) if all(known) else None
    if first is None:
        return Sample([np.zeros(0, np.int64) for _ in intake.groups], np.zeros(0, np.int64), rows_input)
    scores = np.nan_to_num(first.score(intake.score)[:SAMPLED_ROWS])

    def codes(size: int) -> list[NDArray[np.int64]]:
        return [_codes(first, expression, size) for _, expression in intake.groups]

    return Sample(codes(len(scores)), Buckets(grid).of(scores), rows_input, lambda: codes(first.rows))


def _codes(batch: Batch, expression: Expression, size: int) -> NDArray[np.int64]:
    """The code of the group of each of the first rows."""
    groups = batch.groups(expression)
    names = groups.names.take(pa.array(groups.codes)).dictionary_encode()
    codes, rows = names.indices.to_numpy(), batch.levels_of_rows(groups.field)
    first = codes[:size] if rows is None else codes.take(rows[:size])
    found: NDArray[np.int64] = np.broadcast_to(first, size).astype(np.int64)
    return found


def _columns(positions: Sequence[int]) -> tuple[int, ...]:
    """The columns of a grouping set's key: the model's two, then those of its attributes."""
    return (*range(MODEL_COLUMNS), *(MODEL_COLUMNS + i for i in positions))


def _keys(place: NDArray[np.int64], base: int, parts: Sequence[_Part], block: slice | NDArray[np.int64]) -> Keys:
    keys = place + base
    for levels, steps in parts:
        keys += steps.take(levels[block], mode="clip")  # type: ignore[index]
    return keys
