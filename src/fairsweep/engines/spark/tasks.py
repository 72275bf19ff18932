"""The Arrow kernel in Spark's tasks: each takes some pieces of the input, and gives its counts with a row per cell."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyspark.sql.functions as F
import pyspark.sql.types as T
from pyspark.sql.utils import is_remote

from fairsweep.engines.arrow.kernel import Counter
from fairsweep.engines.arrow.packing import LISTED, cell_columns, packed, unpacked
from fairsweep.engines.states import KEYS, MEASURES, group_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.arrow.conditions import Batch
    from fairsweep.engines.arrow.reading import Piece
    from fairsweep.input.intake import Intake

# A task of fewer bytes waits longer to be started than it counts; one of more takes too long to be done again.
FEWEST_TASK_BYTES, MOST_TASK_BYTES = 128 << 20, 4 << 30
# The counts of more tasks than these are summed in Spark before they come to the driver.
MOST_SUMMED_HERE = 16
_MORE_THAN_CORES = 1 << 20

Batches = Iterator[pa.RecordBatch]


def shares(pieces: Sequence[Piece], tasks: int) -> list[list[Piece]]:
    """Pieces for each task, about equal in bytes: the largest first, each to the task with the fewest so far."""
    waiting: list[tuple[int, int]] = [(0, task) for task in range(tasks)]
    given: list[list[Piece]] = [[] for _ in range(tasks)]
    for piece in sorted(pieces, key=lambda piece: -piece.size):
        taken, task = heapq.heappop(waiting)
        given[task].append(piece)
        heapq.heappush(waiting, (taken + piece.size, task))
    return given


def task_count(pieces: Sequence[Piece], parallelism: int) -> int:
    """How many tasks read some pieces: one at a time on each core, since every task sends a state of its own."""
    size = sum(piece.size for piece in pieces)
    share = min(max(-(-size // parallelism), FEWEST_TASK_BYTES), MOST_TASK_BYTES)
    return max(1, min(len(pieces), -(-size // share)))


def parallelism(spark: SparkSession) -> int:
    """How many tasks the session's cores run at a time, in a way that also works on Spark Connect."""
    numbers = spark.range(_MORE_THAN_CORES).select(F.spark_partition_id().alias("number"))
    row = numbers.agg(F.max("number").alias("last")).collect()[0]
    return int(row["last"]) + 1


def counted(
    spark: SparkSession,
    pieces: Sequence[Piece],
    intake: Intake,
    grid: CutoffGrid,
    sets: Sequence[tuple[int, ...]],
    *,
    summed: bool = False,
) -> DataFrame:
    """The counts of all tasks, with a row per task and cell, or per cell and bucket where Spark has summed them.

    Args:
        spark: the session.
        pieces: the pieces that the tasks read.
        intake: the rules for every row.
        grid: the cutoffs.
        sets: for each grouping set the positions of its single attributes.
        summed: whether Spark sums them even if there are few tasks.
    """
    tasks = task_count(pieces, parallelism(spark))
    work = _counting(shares(pieces, tasks), intake, grid, sets)
    cells = [f"{name} string" for name in cell_columns(intake)]
    lists = [f"{name} array<{kind}>" for name, kind in LISTED.items()]
    packs = spark.range(0, tasks, 1, tasks).mapInArrow(work, ", ".join((*cells, *lists)))
    if tasks <= MOST_SUMMED_HERE and not summed:
        return packs
    rows = packs.select(*cell_columns(intake), F.inline(F.arrays_zip(*LISTED)))
    keys = [*KEYS, *group_columns(intake)]
    return rows.groupBy(*keys).agg(*(F.sum(name).alias(name) for name in MEASURES))


def are_packs(counts: DataFrame) -> bool:
    """Whether `counted` gave a row per task and cell: few rows, of lists."""
    return isinstance(counts.schema["bucket"].dataType, T.ArrayType)


def collected(counts: pa.Table, intake: Intake) -> pa.Table:
    """The collected result of `counted`, in the form that `states` takes."""
    packs = pa.types.is_list(counts.schema.field("bucket").type)
    return unpacked(counts, intake) if packs else counts


def _counting(
    given: Sequence[Sequence[Piece]], intake: Intake, grid: CutoffGrid, sets: Sequence[tuple[int, ...]]
) -> Callable[[Batches], Batches]:
    def work(batches: Batches) -> Batches:
        for task in task_numbers(batches):
            counter = Counter(intake, grid, sets)
            for batch in rows_of(given[task], intake):
                counter.add(batch)
            yield from packed(counter.table(), intake).to_batches()

    return work


def task_numbers(batches: Batches) -> Iterator[int]:
    """The numbers of the tasks in a partition."""
    for numbers in batches:
        yield from numbers.column(0).to_pylist()


def rows_of(pieces: Sequence[Piece], intake: Intake) -> Iterator[Batch]:
    """The counts of some pieces."""
    for piece in pieces:
        yield from piece.batches(intake.fields)


def why_tasks_cannot_read(spark: SparkSession, piece: Piece, intake: Intake) -> str | None:
    """Why a task cannot read a piece, or None: one task tries, and reads at most one batch.

    Tasks in the driver's own process tree can read what the driver reads, and need not try.
    """
    if not is_remote() and str(spark.conf.get("spark.master", "")).startswith("local"):
        return None

    def attempt(batches: Batches) -> Batches:
        for _ in batches:
            next(piece.batches(intake.fields), None)
        yield pa.record_batch({"done": pa.array([True])})

    try:
        spark.range(0, 1, 1, 1).mapInArrow(attempt, "done boolean").collect()
    except Exception as error:  # noqa: BLE001  (after any error, Spark's own reader may still succeed)
        missing = "ModuleNotFoundError" in str(error)
        return "tasks do not have this package" if missing else "tasks cannot read the files"
    return None
