"""The one scan where more is summed than rows: judged rows, members' together, to the kernel in tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyspark.sql.functions as F

from fairsweep.engines import measuring
from fairsweep.engines.arrow.packing import plain
from fairsweep.engines.states import KEYS, MEASURES, Places, group_columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.spark.columns import Compiler
    from fairsweep.engines.spark.counting import Scan
    from fairsweep.intake import Intake

Batches = Iterator[pa.RecordBatch]
# Two hashes of 64 bits tell members apart as surely as their text, and no text leaves the scan.
HASHES = ("member_high", "member_low")
# What one task holds in memory at once.
MOST_TASK_ROWS = 4_000_000


def counted(
    scan: Scan,
    rows: DataFrame,
    intake: Intake,
    grid: CutoffGrid,
    compiler: Compiler,
    rows_input: int | None,
) -> DataFrame:
    """Counts and measures, in the form that `states` takes.

    Args:
        scan: of one grouping set that has all single attributes.
        rows: the input.
        intake: what to ask of every row.
        grid: the cutoffs.
        compiler: of the input's columns.
        rows_input: how many rows there are; None where nobody knows before they are read.
    """
    judged = scan.judged(rows, _further(intake, compiler))
    if intake.member is not None:
        parts = () if rows_input is None else (max(-(-rows_input // MOST_TASK_ROWS), 2),)
        judged = judged.repartition(*parts, F.col(HASHES[0]))
    names = measuring.measure_names(intake)
    numbers = (*KEYS[2:], *MEASURES, *names)
    texts = (*KEYS[:2], *group_columns(intake))
    declared = ", ".join([*(f"{name} string" for name in texts), *(f"{name} bigint" for name in numbers)])
    sets = measuring.grouping_sets(intake)
    found = judged.mapInArrow(_summing(scan, intake, Places(len(grid) + 1, len(intake.rules)), sets), declared)
    keys = [*texts, *KEYS[2:]]
    return found.groupBy(*keys).agg(*(F.sum(name).alias(name) for name in (*MEASURES, *names)))


def _further(intake: Intake, compiler: Compiler) -> list[Column]:
    found = []
    if intake.score_sums:
        found.append(compiler.value(intake.score).cast("double").alias("score"))
    if intake.weight is not None:
        found.append(compiler.value(intake.weight).cast("double").alias("weight"))
    if intake.member is not None:
        text = compiler.value(intake.member)
        found += [F.xxhash64(text).alias(HASHES[0]), F.xxhash64(F.lit(HASHES[1]), text).alias(HASHES[1])]
    return found


def _summing(
    scan: Scan, intake: Intake, places: Places, sets: Sequence[tuple[int, ...]]
) -> Callable[[Batches], Batches]:
    def work(batches: Batches) -> Batches:
        if intake.member is not None:
            whole = list(batches)
            tables = [pa.Table.from_batches(whole)] if whole else []
        else:
            tables = (pa.Table.from_batches([batch]) for batch in batches)  # type: ignore[assignment]
        for table in tables:
            if table.num_rows:
                rows = _rows(scan, table, places)
                yield from plain(measuring.measured(rows, intake, places.buckets, sets)).to_batches()

    return work


def _rows(scan: Scan, judged: pa.Table, places: Places) -> measuring.Rows:
    judged = judged.combine_chunks()
    texts, place = scan.told(judged)
    rule, bucket, label = places.told(place)
    columns = judged.column_names
    score, weight = (judged[n].fill_null(np.nan).to_numpy() if n in columns else None for n in ("score", "weight"))
    return measuring.Rows(texts, rule, bucket, label, score, weight, _members(judged))


def _members(judged: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """A small number for each member."""
    if HASHES[0] not in judged.column_names:
        return None
    high, low = (judged[name].to_numpy() for name in HASHES)
    first = pa.array(high).dictionary_encode()
    codes: np.ndarray[tuple[int], np.dtype[np.int64]] = first.indices.to_numpy().astype(np.int64)
    mates = low[_first_of_each(codes, len(first.dictionary))][codes]
    if np.array_equal(mates, low):
        return codes
    _, both = np.unique(np.stack([high, low], axis=1), axis=0, return_inverse=True)
    return both.reshape(-1).astype(np.int64)


def _first_of_each(
    codes: np.ndarray[tuple[int], np.dtype[np.int64]], size: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where each code occurs, once."""
    place = np.zeros(size, dtype=np.int64)
    place[codes] = np.arange(len(codes))
    return place
