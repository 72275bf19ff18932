"""The Spark engine: one source, counted in one scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from pyspark.sql import functions as F

from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.groups import LONGEST_GROUP
from fairsweep.engines import row_sums as kernel
from fairsweep.engines import states
from fairsweep.engines.arrow.cells import TooManyCellsError
from fairsweep.engines.arrow.kernel import sample
from fairsweep.engines.probing import Sample, refuse_above, refuse_results, too_large_for_one_process
from fairsweep.engines.protocol import MOST_LABELS_SEEN, Counted, Inspection, ModelKey, ModelState
from fairsweep.engines.spark import counting, tasks
from fairsweep.engines.spark import member_scan as measuring
from fairsweep.engines.spark import spilling as laying_aside
from fairsweep.engines.spark.columns import Compiler
from fairsweep.engines.spark.session import settings
from fairsweep.engines.spark.sources import readable
from fairsweep.engines.spark.spilling import Sets
from fairsweep.errors import DataRefusedError, Problem, UsageError
from fairsweep.input.expressions import Malformed, fields_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.config.sections import LimitsSpec
    from fairsweep.engines.arrow.reading import Piece
    from fairsweep.engines.spark.sources import Source
    from fairsweep.input.intake import Intake

# What Spark takes unless told otherwise, and a map that still fits a page of memory.
FEWEST_HASH_MAP_BITS, MOST_HASH_MAP_BITS = 16, 20
# Below it, starting Python beside Spark costs more than the kernel saves.
WORTHWHILE_ROWS = 4_000_000

SCAN_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Spark would evaluate a small frame in its optimizer, row by row and without folding constants first.
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation",
    # Spark gives each core an equal share up to here: every task shuffles a state of its own, so few are better.
    "spark.sql.files.maxPartitionBytes": str(1 << 30),
    # No task gives other rows when it is run again, so that Spark need not hash every byte that it shuffles.
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "false",
    "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch": "false",
    # Python works on one batch while the next is made, and no batch is copied each time that it grows.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(2 << 20),
}


COUNTED_TWICE = "; counted twice, because the counts were too many for the driver"


class Scratch(Protocol):
    """A place for rows that must not be computed twice."""

    def keep(self, frame: DataFrame) -> DataFrame:
        """Write rows, and read them from there."""
        ...

    def clear(self) -> None:
        """Remove what was kept."""
        ...


class SparkEngine:
    """Counts one source on a Spark session."""

    name = "spark"

    def __init__(
        self,
        spark: SparkSession,
        source: Source,
        limits: LimitsSpec,
        counting: str = "auto",
        scratch: Scratch | None = None,
    ) -> None:
        """Take the session, the source, how much state may be held, and how to count: auto, catalyst or arrow.

        A state that is too large for the driver needs a `scratch`; without one it is refused.
        """
        self._spark, self._source, self._limits, self._counting = spark, source, limits, counting
        self._scratch = scratch
        self._inspection: Inspection | None = None

    def inspect(self) -> Inspection:
        """Schema and pinned version; the source is asked once."""
        if self._inspection is None:
            with settings(self._spark, self._source.settings):
                self._inspection = self._source.inspect()
        return self._inspection

    def count(self, intake: Intake, grid: CutoffGrid) -> Counted:
        """The one scan; collected, or laid aside where it is too large for the driver.

        Raises:
            UsageError: when the Arrow kernel is asked for and cannot read the input, or Spark cannot.
            DataRefusedError: when the state is larger than it may be, or files differ in their types.
        """
        with self._reading():
            found = self._source.pieces()
            reason = self._against_kernel(found, intake)
            by_kernel, by_catalyst = self._by_kernel, self._by_catalyst
            if intake.measured:
                by_kernel, by_catalyst = self._measured_by_kernel, self._measured_by_catalyst
            if reason is None and not isinstance(found, str):
                why = "asked for" if self._counting == "arrow" else "plain files that tasks can read"
                try:
                    return by_kernel(found, intake, grid, why)
                except Exception as error:
                    if TooManyCellsError.__name__ not in str(error):
                        raise
                    reason = "more combinations of groups than the kernel tells apart"
            # Where there is nothing to read, it does not matter how.
            if self._counting == "arrow" and found:
                raise UsageError(_no_kernel(reason or ""))
            rows_input = None if isinstance(found, str) else sum(piece.rows for piece in found)
            return by_catalyst(rows_input, intake, grid, reason or "")

    def close(self) -> None:
        """Remove what was laid aside."""
        if self._scratch is not None:
            self._scratch.clear()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Settings and errors of everything that reads rows."""
        name = self.inspect().input_name
        with settings(self._spark, {**SCAN_SETTINGS, **self._source.settings}), readable(name):
            yield

    def _by_kernel(self, pieces: list[Piece], intake: Intake, grid: CutoffGrid, reason: str) -> Counted:
        first = sample(pieces, intake, grid)
        self._refuse_results(intake, first, grid)
        sets = states.grouping_sets(intake, joint=first.joint_is_small(len(grid), self._limits))
        if self._fits(first, sets, grid):
            found = tasks.counted(self._spark, pieces, intake, grid, sets)
            # A limit on the few rows of packs would only shuffle them.
            counts = self._held(found, limited=not tasks.are_packs(found))
            if counts is not None:
                counts = tasks.collected(counts, intake)
                return Counted(states.states(counts, intake, grid, sets), "arrow", reason)
            reason += COUNTED_TWICE
        summed = tasks.counted(self._spark, pieces, intake, grid, sets, summed=True)
        return Counted(self._laid_aside(summed, intake, grid, sets), "arrow", reason)

    def _by_catalyst(self, rows_input: int | None, intake: Intake, grid: CutoffGrid, reason: str) -> Counted:
        rows, compiler = self._source.rows(intake.fields), self._compiler()
        met = counting.FirstRows.of(rows, intake, compiler)
        first = met.sample(intake, grid, rows_input)
        self._refuse_results(intake, first, grid)
        sets = states.grouping_sets(intake, joint=first.joint_is_small(len(grid), self._limits))
        scan = counting.Scan(intake, grid, sets, compiler, met)
        with settings(self._spark, hash_map_settings(scan.expected)):
            if self._fits(first, sets, grid):
                counts = self._held(scan.counts(rows))
                if counts is not None:
                    return Counted(states.states(scan.table(counts), intake, grid, sets), "catalyst", reason)
                reason += COUNTED_TWICE
            return Counted(self._laid_aside(scan.rows(scan.counts(rows)), intake, grid, sets), "catalyst", reason)

    def _measured_by_kernel(self, pieces: list[Piece], intake: Intake, grid: CutoffGrid, reason: str) -> Counted:
        """The one scan where more is summed than rows, by tasks that read the input."""
        first, sets = sample(pieces, intake, grid), kernel.grouping_sets(intake)
        self._refuse_results(intake, first, grid)
        states_held = self._limits.driver_state_rows // max(self._expected(first, sets, grid), 1)
        counts, summed = measuring.counted_by_kernel(self._spark, pieces, intake, grid, states_held)
        return self._measured(counts, intake, grid, "arrow", reason, limited=summed)

    def _measured_by_catalyst(self, rows_input: int | None, intake: Intake, grid: CutoffGrid, reason: str) -> Counted:
        """The same where only Spark can read the input."""
        rows, compiler = self._source.rows(intake.fields), self._compiler()
        met = counting.FirstRows.of(rows, intake, compiler)
        first, sets = met.sample(intake, grid, rows_input), kernel.grouping_sets(intake)
        self._refuse_results(intake, first, grid)
        self._expected(first, sets, grid)
        scan = counting.Scan(intake, grid, [tuple(range(len(intake.groups)))], compiler, met)
        counts = measuring.counted_by_catalyst(scan, rows, intake, grid, compiler, rows_input)
        return self._measured(counts, intake, grid, "catalyst", reason)

    def _measured(
        self, counts: DataFrame, intake: Intake, grid: CutoffGrid, counted_by: str, reason: str, *, limited: bool = True
    ) -> Counted:
        try:
            held = self._held(counts, limited=limited)
        except Exception as error:
            if "ModuleNotFoundError" not in str(error):
                raise
            step = "ship the wheel with the job, `--py-files fairsweep.zip`, or name neither a member nor a weight"
            raise UsageError(Problem("tasks", "without this package", "the package on every worker", step)) from error
        if held is None:
            step = "raise the limit where the driver has the memory"
            raise DataRefusedError(too_large_for_one_process(self._limits, step))
        return Counted(states.states(held, intake, grid, kernel.grouping_sets(intake)), counted_by, reason)

    def _refuse_results(self, intake: Intake, first: Sample, grid: CutoffGrid) -> None:
        refuse_results(intake, first, len(grid), lambda sets: self._groups_of(intake, sets))

    def _groups_of(self, intake: Intake, sets: Sequence[Sequence[int]]) -> list[int]:
        """About how many groups each set of attributes has."""
        compiler = self._compiler()
        texts = [F.coalesce(compiler.value(group), F.lit("")) for _, group in intake.groups]
        rows = self._source.rows(intake.fields).where(compiler.condition(intake.inside))
        counted = [F.approx_count_distinct(F.xxhash64(*(texts[i] for i in positions)), 0.01) for positions in sets]
        return list(rows.agg(*(column.alias(str(i)) for i, column in enumerate(counted))).first() or ())

    def _expected(self, first: Sample, sets: Sets, grid: CutoffGrid) -> int:
        """About how many cells and buckets there will be.

        Raises:
            DataRefusedError: where nobody can hold them.
        """
        expected = first.state_rows(sets, len(grid))
        refuse_above(self._limits.maximum_state_rows, expected, first)
        return expected

    def _fits(self, first: Sample, sets: Sets, grid: CutoffGrid) -> bool:
        """Whether the driver can probably hold the counts.

        Raises:
            DataRefusedError: where nobody can.
        """
        # Events and non-events of a bucket are two counts.
        return 2 * self._expected(first, sets, grid) <= self._limits.driver_state_rows

    def _held(self, counts: DataFrame, *, limited: bool = True) -> pa.Table | None:
        """The counts on the driver; None where they are too many.

        Args:
            counts: what a scan gives.
            limited: whether no more than may be held are sent.
        """
        limit = self._limits.driver_state_rows
        try:
            collected = (counts.limit(limit + 1) if limited else counts).toArrow()
        except Exception as error:
            if "maxResultSize" not in str(error):
                raise
            return None
        return collected if collected.num_rows <= limit else None

    def _laid_aside(
        self, counts: DataFrame, intake: Intake, grid: CutoffGrid, sets: Sets
    ) -> Mapping[ModelKey, ModelState]:
        if self._scratch is None:
            step = "raise the limit where the driver has the memory, or run `fairsweep audit` with a warehouse"
            raise DataRefusedError(too_large_for_one_process(self._limits, step))
        return laying_aside.counted(self._scratch.keep(counts), intake, grid, sets, self._limits)

    def _against_kernel(self, found: list[Piece] | str, intake: Intake) -> str | None:
        """Why the Arrow kernel does not count, or None where it does.

        Args:
            found: the pieces that it would read, or why it cannot read any.
            intake: what it would ask of every row.
        """
        if self._counting == "catalyst":
            return "asked for"
        if isinstance(found, str):
            return found
        if self._counting == "auto" and sum(piece.rows for piece in found) < WORTHWHILE_ROWS:
            return f"fewer than {WORTHWHILE_ROWS:,} rows, which it counts no slower"
        if not found:
            return "no rows"
        return tasks.why_tasks_cannot_read(self._spark, found[0], intake)

    def labels_seen(self, intake: Intake) -> Sequence[str]:
        """Distinct labels, sorted, at most 21."""
        compiler = self._compiler()
        with self._reading():
            rows = self._source.rows(sorted(fields_of(intake.label))).where(~compiler.condition(Malformed()))
            # A column of long texts is no label, and must not come here whole.
            label = compiler.value(intake.label).substr(1, LONGEST_GROUP).alias("label")
            found = rows.select(label).distinct().limit(MOST_LABELS_SEEN).collect()
        return sorted(row["label"] for row in found if row["label"] is not None)

    def _compiler(self) -> Compiler:
        return Compiler([column.type for column in self.inspect().columns], malformed=self._source.malformed)


def hash_map_settings(keys: int) -> dict[str, str]:
    """Settings under which a fast hash map holds so many keys; beyond the largest the ordinary one does."""
    bits = min(max(keys - 1, 1).bit_length() + 1, MOST_HASH_MAP_BITS)
    return {"spark.sql.codegen.aggregate.fastHashMap.capacityBit": str(max(bits, FEWEST_HASH_MAP_BITS))}


def _no_kernel(reason: str) -> Problem:
    return Problem("spark.counting", "arrow", "auto or catalyst for this input", f"{reason}; write counting: auto")
