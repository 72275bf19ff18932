"""Batches of an input as judged rows: what `measuring` takes, where counting alone is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fairsweep.engines import measuring
from fairsweep.engines.arrow.kernel import Buckets, first_rules, labels
from fairsweep.engines.states import KEYS, USED, group_columns, one_dictionary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.arrow.conditions import Batch
    from fairsweep.expressions import Expression
    from fairsweep.intake import Intake

MEMBER = "member"


class Judge:
    """Takes batches, and keeps of them what is to be summed; each thread has one of its own.

    Without members a batch is summed at once; terms of a member wait for all rows.
    """

    def __init__(self, intake: Intake, grid: CutoffGrid, sets: Sequence[tuple[int, ...]]) -> None:
        """Take the questions, the cutoffs, and for each grouping set the positions of its single attributes."""
        self._intake, self._sets = intake, sets
        self._buckets, self._count = Buckets(grid), len(grid) + 1
        self._kept: list[pa.Table] = []

    def add(self, batch: Batch) -> None:
        """Judge a batch."""
        inside = batch.holds(self._intake.inside)
        if inside is False or not batch.rows:
            return
        rows = self._rows(batch)
        if inside is not True:
            rows = rows.filter(pa.array(inside))
        self._kept.append(rows if self._intake.member is not None else self._summed(rows))

    def table(self) -> pa.Table | None:
        """Judged rows where there are members, otherwise sums in the form that `states` takes; None without a row."""
        return pa.concat_tables(self._kept) if self._kept else None

    def finished(self, tables: Sequence[pa.Table | None]) -> pa.Table:
        """The sums of what all judges kept, in the form that `states` takes."""
        kept = [table for table in tables if table is not None and table.num_rows]
        if self._intake.member is None and kept:
            return pa.concat_tables(kept)
        return self._summed(pa.concat_tables(kept) if kept else self._nothing())

    def _rows(self, batch: Batch) -> pa.Table:
        intake = self._intake
        rule = first_rules(batch, intake)
        rule = np.full(batch.rows, USED) if rule is None else rule
        columns: dict[str, Any] = {name: _texts(batch, expression) for name, expression in self._named()}
        columns["rule"] = rule
        score = batch.score(intake.score)
        bucket = np.zeros(batch.rows, dtype=np.int64)
        used = rule == USED
        bucket[used] = self._buckets.of(score[used])
        columns["bucket"] = bucket
        columns["label"] = labels(batch, intake)
        if intake.score_sums:
            columns["score"] = np.asarray(score, dtype=np.float64)
        if intake.weight is not None:
            columns["weight"] = np.asarray(batch.score(intake.weight), dtype=np.float64)
        return pa.table(columns)

    def _named(self) -> list[tuple[str, Expression | None]]:
        intake = self._intake
        groups = zip(group_columns(intake), (group for _, group in intake.groups), strict=True)
        named = [(KEYS[0], intake.model_id), (KEYS[1], intake.model_version), *groups]
        return named if intake.member is None else [*named, (MEMBER, intake.member)]

    def _nothing(self) -> pa.Table:
        empty = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
        numbers = {name: np.zeros(0, np.int64) for name in ("rule", "bucket", "label")}
        return pa.table({name: empty for name, _ in self._named()} | numbers)

    def _summed(self, table: pa.Table) -> pa.Table:
        return measuring.measured(rows_of(table), self._intake, self._count, self._sets)


def rows_of(table: pa.Table) -> measuring.Rows:
    """Judged rows out of their columns: texts, `rule`, `bucket`, `label` and what else there is."""
    numbers = ("rule", "bucket", "label", "score", "weight")
    texts = {name: one_dictionary(table[name]) for name in table.column_names if name not in numbers}
    member = texts.pop(MEMBER, None)
    found = {name: table[name].to_numpy() for name in numbers if name in table.column_names}
    for name in ("rule", "bucket", "label"):
        found[name] = found[name].astype(np.int64)
    who = None if member is None else member.indices.to_numpy().astype(np.int64)
    return measuring.Rows(texts, found["rule"], found["bucket"], found["label"], *_optional(found), who)


def _optional(found: dict[str, NDArray[Any]]) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    return found.get("score"), found.get("weight")


def _texts(batch: Batch, expression: Expression | None) -> pa.DictionaryArray:
    """A text of every row, the empty one where there is none."""
    groups = batch.groups(expression)
    levels = batch.levels_of_rows(groups.field)
    codes = groups.codes if levels is None else groups.codes.take(levels)
    return pa.DictionaryArray.from_arrays(
        pa.array(np.ascontiguousarray(np.broadcast_to(codes, batch.rows)), pa.int32()), groups.names
    )
