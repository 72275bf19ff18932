"""The one scan where more is summed than rows: members' rows, put together by one shuffle, to the kernel in tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyspark.sql.functions as F

from fairsweep.engines import row_sums as measuring
from fairsweep.engines.arrow.accumulating import MEMBER, Judge, finished, who_of
from fairsweep.engines.arrow.packing import cell_columns, plain
from fairsweep.engines.spark.tasks import Batches, parallelism, rows_of, shares, task_count, task_numbers
from fairsweep.engines.states import KEYS, MEASURES, Places, group_columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.arrow.reading import Piece
    from fairsweep.engines.spark.columns import Compiler
    from fairsweep.engines.spark.counting import Scan
    from fairsweep.input.intake import Intake

_WORD = (1 << 32) - 1
Task = Callable[[Batches], Batches]
Given = Sequence[Sequence["Piece"]]
Sets = Sequence[tuple[int, ...]]
# What one task holds in memory at once.
MOST_TASK_ROWS = 4_000_000
_PARTS_PER_CORE = 2


def counted_by_kernel(
    spark: SparkSession, pieces: Sequence[Piece], intake: Intake, grid: CutoffGrid, most_states: int
) -> tuple[DataFrame, bool]:
    """Counts and measures, in the form that `states` takes, and whether each key stands only once.

    Tasks read the input themselves. What rows add alone is summed where they are read; of members the used rows are
    shuffled, many in one row of bytes.

    Args:
        spark: the session.
        pieces: what the tasks read.
        intake: what they ask of every row.
        grid: the cutoffs.
        most_states: how many states like the whole one the driver can hold; Spark sums those of more tasks.
    """
    cores = parallelism(spark)
    tasks = task_count(pieces, cores)
    given, sets = shares(pieces, tasks), measuring.grouping_sets(intake)
    numbers = spark.range(0, tasks, 1, tasks)
    if intake.member is None:
        found, parts = numbers.mapInArrow(_summing(given, intake, grid, sets), _declared(intake)), tasks
    else:
        parts = max(_PARTS_PER_CORE * cores, -(-sum(piece.rows for piece in pieces) // MOST_TASK_ROWS))
        work = _sending(given, intake, grid, sets, _keys(parts))
        sent = numbers.mapInArrow(work, "part int, counts boolean, rows binary")
        together = sent.repartition(parts, "part")
        found = together.mapInArrow(_finishing(intake, len(grid) + 1, sets), _declared(intake))
    few = parts <= most_states
    return (found if few else summed(found, intake)), not few


def counted_by_catalyst(
    scan: Scan, rows: DataFrame, intake: Intake, grid: CutoffGrid, compiler: Compiler, rows_input: int | None
) -> DataFrame:
    """The same where only Spark can read the input: every row goes to a task, members' rows together.

    Args:
        scan: of one grouping set that has all single attributes.
        rows: the input.
        intake: what to ask of every row.
        grid: the cutoffs.
        compiler: of the input's columns.
        rows_input: how many rows there are; None where nobody knows before they are read.
    """
    further = _further(intake, compiler)
    judged = scan.judged(rows, [column.alias(name) for name, column in further.items()])
    members = [name for name in further if name.startswith(MEMBER)]
    if members:
        parts = () if rows_input is None else (max(-(-rows_input // MOST_TASK_ROWS), 2),)
        judged = judged.repartition(*parts, *members)
    places = Places(len(grid) + 1, len(intake.rules))
    found = judged.mapInArrow(_measuring(scan, intake, places, whole=bool(members)), _declared(intake))
    return summed(found, intake)


def summed(counts: DataFrame, intake: Intake) -> DataFrame:
    """Counts and measures of which every key stands once."""
    keys = (*KEYS, *group_columns(intake))
    return counts.groupBy(*keys).agg(
        *(F.sum(name).alias(name) for name in (*MEASURES, *measuring.measure_names(intake)))
    )


def _declared(intake: Intake) -> str:
    numbers = (*KEYS[2:], *MEASURES, *measuring.measure_names(intake))
    return ", ".join([*(f"{name} string" for name in cell_columns(intake)), *(f"{name} bigint" for name in numbers)])


def _further(intake: Intake, compiler: Compiler) -> dict[str, Column]:
    found = {}
    if intake.score_sums:
        found["score"] = compiler.value(intake.score).cast("double")
    if intake.weight is not None:
        found["weight"] = compiler.value(intake.weight).cast("double")
    if intake.member is not None:
        found |= {f"{MEMBER}{i}": number for i, number in enumerate(compiler.who(intake.member))}
    return found


# --- in tasks


def _summing(given: Given, intake: Intake, grid: CutoffGrid, sets: Sets) -> Task:
    """For the numbers of tasks, the sums of the pieces that are theirs."""

    def work(batches: Batches) -> Batches:
        for task in task_numbers(batches):
            judge = Judge(intake, grid, sets)
            for batch in rows_of(given[task], intake):
                judge.add(batch)
            yield from plain(finished(intake, len(grid) + 1, sets, judge.sums(), [])).to_batches()

    return work


def _keys(parts: int) -> list[int]:
    """A number for each part that Spark, which shuffles by hash, sends to a partition of its own."""
    found: dict[int, int] = {}
    number = 0
    while len(found) < parts:
        found.setdefault(_hashed(number) % parts, number)
        number += 1
    return list(found.values())


def _hashed(number: int) -> int:
    """Spark's hash of an INT: MurmurHash3 of four bytes with the seed 42. Were it not, parts would only share tasks."""

    def rotated(word: int, by: int) -> int:
        return (word << by | word >> 32 - by) & _WORD

    mixed = rotated(number * 0xCC9E2D51 & _WORD, 15) * 0x1B873593 & _WORD
    word = (rotated(42 ^ mixed, 13) * 5 + 0xE6546B64 & _WORD) ^ 4
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        word = (word ^ word >> shift) * factor & _WORD
    return word - (1 << 32) if word >> 31 else word


def _sending(given: Given, intake: Intake, grid: CutoffGrid, sets: Sets, keys: Sequence[int]) -> Task:
    """For the numbers of tasks, sums and the rows of members, each as the bytes of a table.

    `keys` are the numbers by which the parts are shuffled.
    """

    def work(batches: Batches) -> Batches:
        for task in task_numbers(batches):
            judge = Judge(intake, grid, sets, len(keys))
            for batch in rows_of(given[task], intake):
                judge.add(batch)
                kept = zip(keys, judge.taken(), strict=True)
                yield _sent([(key, table) for key, tables in kept for table in tables], counts=False)
            yield _sent([(keys[task % len(keys)], table) for table in judge.sums()], counts=True)

    return work


def _finishing(intake: Intake, buckets: int, sets: Sets) -> Task:
    """For what `_sending` sent of some parts, counts and measures."""

    def work(batches: Batches) -> Batches:
        kept: list[pa.Table] = []
        sums: list[pa.Table] = []
        for batch in batches:
            for counts, rows in zip(batch.column("counts").to_pylist(), batch.column("rows"), strict=True):
                (sums if counts else kept).append(pa.ipc.open_stream(rows.as_buffer()).read_all())
        if kept or sums:
            yield from plain(finished(intake, buckets, sets, sums, kept)).to_batches()

    return work


def _measuring(scan: Scan, intake: Intake, places: Places, *, whole: bool) -> Task:
    """For judged rows, counts and measures; `whole` where all rows of members are summed together."""

    def work(batches: Batches) -> Batches:
        tables = ([batch] for batch in batches) if not whole else [list(batches)]
        for table in (pa.Table.from_batches(found) for found in tables if found):
            if table.num_rows:
                rows = _rows(scan, table.combine_chunks(), places)
                found = measuring.measured(rows, intake, places.buckets, measuring.grouping_sets(intake))
                yield from plain(found).to_batches()

    return work


def _sent(tables: Sequence[tuple[int, pa.Table]], *, counts: bool) -> pa.RecordBatch:
    """Tables and their parts, as bytes, which are written next to each other."""
    sink, ends = pa.BufferOutputStream(), [0]
    for _, table in tables:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        ends.append(sink.tell())
    places = pa.array(ends, pa.int32()).buffers()[1]
    written = pa.Array.from_buffers(pa.binary(), len(tables), [None, places, sink.getvalue()])
    columns = [pa.array([part for part, _ in tables], pa.int32()), pa.array([counts] * len(tables), pa.bool_())]
    return pa.record_batch([*columns, written], names=["part", "counts", "rows"])


def _rows(scan: Scan, judged: pa.Table, places: Places) -> measuring.Rows:
    texts, place = scan.told(judged)
    cells, cell = measuring.cells_of(texts)
    further = {n: judged[n].fill_null(np.nan).to_numpy() for n in ("score", "weight") if n in judged.column_names}
    score, weight = (further.get(name) for name in ("score", "weight"))
    return measuring.Rows(cells, cell, *places.told(place), score, weight, who_of(judged))
