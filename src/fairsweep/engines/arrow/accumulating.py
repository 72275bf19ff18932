"""Batches of an input as sums, and as the rows of members, which can only be summed when all are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fairsweep.engines import row_sums as measuring
from fairsweep.engines.arrow.kernel import Buckets, Counter, first_rules, labels
from fairsweep.engines.arrow.member_keys import joined, parts_of, taken_apart
from fairsweep.engines.arrow.packing import cell_columns
from fairsweep.engines.states import USED, one_dictionary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.arrow.conditions import Batch
    from fairsweep.input.expressions import AsText, Expression
    from fairsweep.input.intake import Intake

# The columns of the numbers that identify members, each with its index.
MEMBER = "member_"


class Judge:
    """Takes batches, sums the contributions of single rows, and keeps the rows of members.

    Each thread or task has a separate one. If members must be unique, all rows are kept, and none is summed before.

    Args:
        intake: the rules for every row.
        grid: the cutoffs.
        sets: for each grouping set the positions of its single attributes.
        parts: the number of parts in which rows are kept; all rows of a member are in the same part.
    """

    def __init__(self, intake: Intake, grid: CutoffGrid, sets: Sequence[tuple[int, ...]], parts: int = 1) -> None:
        self._intake, self._sets = intake, sets
        self._buckets, self._count = Buckets(grid), len(grid) + 1
        plain = not intake.score_sums and intake.weight is None
        self._counter = Counter(intake, grid, sets) if plain and not intake.once else None
        self._sums: list[pa.Table] = []
        self._parts: list[list[pa.Table]] = [[] for _ in range(parts)]

    def add(self, batch: Batch) -> None:
        """Judge a batch."""
        inside = batch.holds(self._intake.inside)
        if inside is False or not batch.rows:
            return
        if self._counter is not None:
            self._counter.add(batch)
        rule = first_rules(batch, self._intake)
        if self._counter is None and not self._intake.once:
            every = rows_of(pa.table(self._columns(batch, rule, _places(inside, batch.rows))), self._intake)
            self._sums.append(measuring.summed(every, self._intake, self._count, self._sets))
        if self._intake.member is not None:
            kept = inside if rule is None or self._intake.once else inside & (rule == USED)
            self._keep(batch, rule, _places(kept, batch.rows), self._intake.member)

    def sums(self) -> list[pa.Table]:
        """The sums of single rows, in the form that `states` takes."""
        return self._sums if self._counter is None else [self._counter.table()]

    def taken(self) -> list[list[pa.Table]]:
        """The rows kept of each part since the last call, as `finished` takes them."""
        taken, self._parts = self._parts, [[] for _ in self._parts]
        return taken

    def _keep(self, batch: Batch, rule: NDArray[np.int64] | None, chosen: NDArray[np.int64], member: AsText) -> None:
        """Keep some rows, each part's together."""
        who, parts = batch.who(member), len(self._parts)
        whole = len(chosen) == batch.rows
        part = parts_of(who if whole else [number[chosen] for number in who], parts)
        order = np.argsort(part, kind="stable")
        chosen = order if whole else chosen[order]
        numbers = {f"{MEMBER}{i}": _narrow(number[chosen]) for i, number in enumerate(who)}
        rows = pa.table(self._columns(batch, rule, chosen) | numbers)
        ends = np.cumsum(np.bincount(part, minlength=parts))
        for mine, end, size in zip(self._parts, ends, np.diff(ends, prepend=0), strict=True):
            if size:
                mine.append(rows.slice(end - size, size))

    def _columns(self, batch: Batch, rule: NDArray[np.int64] | None, chosen: NDArray[np.int64]) -> dict[str, Any]:
        """Some rows in the columns that `rows_of` takes, whole numbers in few bytes."""
        intake = self._intake
        columns: dict[str, Any] = {"cell": self._cells(batch, chosen)}
        columns["label"] = labels(batch, intake)[chosen]
        score, used = batch.score(intake.score)[chosen], np.ones(len(chosen), dtype=bool)
        if rule is not None:
            columns["rule"] = rule.astype(np.int8)[chosen]
            used = columns["rule"] == USED
        columns["bucket"] = np.zeros(len(chosen), dtype=_smallest(self._count))
        columns["bucket"][used] = self._buckets.of(score[used])
        if intake.score_sums:
            columns["score"] = score
        if intake.weight is not None:
            columns["weight"] = batch.score(intake.weight)[chosen]
        return columns

    def _cells(self, batch: Batch, chosen: NDArray[np.int64]) -> pa.DictionaryArray:
        """The cell of some rows, by a name that says all of its texts."""
        intake = self._intake
        wanted = (intake.model_id, intake.model_version, *(group for _, group in intake.groups))
        cells, cell = measuring.cells_of({str(i): _texts(batch, expression) for i, expression in enumerate(wanted)})
        names = joined([texts.cast(pa.string()) for texts in cells.values()])
        return pa.DictionaryArray.from_arrays(pa.array(cell.astype(_smallest(len(names)))[chosen]), names)


def finished(
    intake: Intake, buckets: int, sets: Sequence[tuple[int, ...]], sums: Sequence[pa.Table], kept: Sequence[pa.Table]
) -> pa.Table:
    """Counts and measures in the form that `states` takes.

    Args:
        intake: the rules that were applied to every row.
        buckets: how many buckets used rows have.
        sets: for each grouping set the positions of its single attributes.
        sums: the sums of several accumulators.
        kept: the rows that they kept, of one part or of several.
    """
    parts = [measuring.nothing(intake)]
    if kept:
        rows = rows_of(pa.concat_tables(map(_alike, kept), promote_options="default"), intake)
        work = measuring.measured if intake.once else measuring.of_pairs
        parts.append(work(rows, intake, buckets, sets))
    parts += sums if intake.member is None else map(measuring.with_members, sums)
    return pa.concat_tables([part.select(parts[0].column_names) for part in parts])


def _alike(table: pa.Table) -> pa.Table:
    """The same with whole numbers in eight bytes, and codes in four, however few each table needs."""
    code = pa.dictionary(pa.int32(), pa.string())

    def wide(kind: pa.DataType) -> pa.DataType:
        return code if pa.types.is_dictionary(kind) else pa.int64() if pa.types.is_integer(kind) else kind

    return table.cast(pa.schema([(field.name, wide(field.type)) for field in table.schema]))


def rows_of(table: pa.Table, intake: Intake) -> measuring.Rows:
    """Judged rows out of their columns: `cell`, `bucket`, `label` and what else there is."""
    present = [name for name in ("rule", "bucket", "label", "score", "weight") if name in table.column_names]
    # Batches of nothing but used rows have no rule.
    found = {name: (table[name].fill_null(USED) if name == "rule" else table[name]).to_numpy() for name in present}
    bucket, label = (found[name].astype(np.int64, copy=False) for name in ("bucket", "label"))
    rule = found["rule"].astype(np.int64, copy=False) if "rule" in found else np.full(len(label), USED)
    encoded = one_dictionary(table["cell"])
    cell = encoded.indices.to_numpy().astype(np.int64)
    names = cell_columns(intake)
    texts = (column.dictionary_encode() for column in taken_apart(encoded.dictionary, len(names)))
    cells = dict(zip(names, texts, strict=True))
    return measuring.Rows(cells, cell, rule, bucket, label, found.get("score"), found.get("weight"), who_of(table))


def who_of(table: pa.Table) -> list[NDArray[np.int64]]:
    """The numbers that together identify the members of kept rows."""
    names = sorted(name for name in table.column_names if name.startswith(MEMBER))
    # Where other rows need more numbers, a further one is 0.
    return [table[name].fill_null(0).to_numpy().astype(np.int64, copy=False) for name in names]


def _texts(batch: Batch, expression: Expression | None) -> pa.DictionaryArray:
    """A text of every row; the empty one where there is none."""
    groups = batch.groups(expression)
    levels = batch.levels_of_rows(groups.field)
    codes = groups.codes.astype(_smallest(len(groups.names)))
    codes = np.broadcast_to(codes if levels is None else codes.take(levels), batch.rows)
    return pa.DictionaryArray.from_arrays(pa.array(np.ascontiguousarray(codes)), groups.names)


def _places(holds: NDArray[np.bool_] | bool, rows: int) -> NDArray[np.int64]:
    """The indices of the rows for which a condition holds."""
    return np.arange(rows) if np.all(holds) else np.flatnonzero(np.broadcast_to(holds, rows))


def _smallest(numbers: int) -> type[np.signedinteger[Any]]:
    """The type of fewest bytes for so many whole numbers from 0 on."""
    return next(kind for kind in (np.int8, np.int16, np.int32) if numbers - 1 <= np.iinfo(kind).max)


def _narrow(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """In four bytes where they fit."""
    ends = np.iinfo(np.int32)
    fit = len(numbers) and ends.min <= int(numbers.min()) and int(numbers.max()) <= ends.max
    return numbers.astype(np.int32) if fit else numbers
