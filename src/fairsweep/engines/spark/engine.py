"""The Spark engine: one source, counted in one scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.engines import states
from fairsweep.engines.arrow.kernel import joint_is_small
from fairsweep.engines.protocol import MOST_LABELS_SEEN, Counted, Inspection
from fairsweep.engines.spark import counting, tasks
from fairsweep.engines.spark.columns import Compiler
from fairsweep.engines.spark.session import settings
from fairsweep.errors import DataRefusedError, Problem, UsageError
from fairsweep.expressions import Malformed, fields_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.engines.arrow.reading import Piece
    from fairsweep.engines.spark.sources import Source
    from fairsweep.intake import Intake
    from fairsweep.specs.sections import LimitsSpec

# What Spark takes unless told otherwise, and a map that still fits a page of memory.
FEWEST_HASH_MAP_BITS, MOST_HASH_MAP_BITS = 16, 20
# Below it, starting Python beside Spark costs more than the kernel saves.
WORTHWHILE_ROWS = 4_000_000

SCAN_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Spark would evaluate a small frame in its optimizer, row by row and without folding constants first.
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation",
}


class SparkEngine:
    """Counts one source on a Spark session."""

    name = "spark"

    def __init__(self, spark: SparkSession, source: Source, limits: LimitsSpec, counting: str = "auto") -> None:
        """Take the session, the source, how much state may be held, and how to count: auto, catalyst or arrow."""
        self._spark, self._source, self._limits, self._counting = spark, source, limits, counting
        self._inspection: Inspection | None = None

    def inspect(self) -> Inspection:
        """Schema and pinned version; the source is asked once."""
        if self._inspection is None:
            with settings(self._spark, self._source.settings):
                self._inspection = self._source.inspect()
        return self._inspection

    def count(self, intake: Intake, grid: CutoffGrid) -> Counted:
        """The one scan, collected.

        Raises:
            UsageError: when the Arrow kernel is asked for and cannot read the input.
            DataRefusedError: when the state is larger than the driver may hold.
        """
        self.inspect()
        with settings(self._spark, {**SCAN_SETTINGS, **self._source.settings}):
            pieces, reason = self._pieces(intake)
            if pieces is None and self._counting == "arrow":
                raise UsageError(_no_kernel(reason))
            if pieces is not None:
                sets = states.grouping_sets(intake, joint=joint_is_small(pieces, intake, len(grid), self._limits))
                counts = tasks.collected(self._held(tasks.counted(self._spark, pieces, intake, grid, sets)), intake)
            else:
                rows, compiler = self._source.rows(intake.fields), self._compiler()
                first = counting.FirstRows.of(rows, intake, compiler)
                joint = states.joint_is_small(*first.cells(intake), len(grid), self._limits)
                sets = states.grouping_sets(intake, joint=joint)
                scan = counting.Scan(intake, grid, sets, compiler, first)
                with settings(self._spark, hash_map_settings(scan.expected)):
                    counts = scan.table(self._held(scan.counts(rows)))
        form = "catalyst" if pieces is None else "arrow"
        return Counted(states.states(counts, intake, grid, sets), form, reason)

    def _held(self, counts: DataFrame) -> pa.Table:
        """The counts on the driver."""
        limit = self._limits.driver_state_rows
        collected = counts.limit(limit + 1).toArrow()
        if collected.num_rows > limit:
            raise DataRefusedError(_too_large(limit))
        return collected

    def _pieces(self, intake: Intake) -> tuple[list[Piece] | None, str]:
        """The pieces that the Arrow kernel would read, and why it does; or None, and why it does not."""
        if self._counting == "catalyst":
            return None, "asked for"
        found = self._source.pieces()
        if isinstance(found, str):
            return None, found
        if self._counting == "auto" and sum(piece.rows for piece in found) < WORTHWHILE_ROWS:
            return None, f"fewer than {WORTHWHILE_ROWS:,} rows, which it counts no slower"
        if not found:
            return None, "no rows"
        reason = tasks.why_tasks_cannot_read(self._spark, found[0], intake)
        if reason is not None:
            return None, reason
        return found, "asked for" if self._counting == "arrow" else "plain files that tasks can read"

    def labels_seen(self, intake: Intake) -> Sequence[str]:
        """Distinct labels, sorted, at most 21."""
        compiler = self._compiler()
        with settings(self._spark, {**SCAN_SETTINGS, **self._source.settings}):
            rows = self._source.rows(sorted(fields_of(intake.label))).where(~compiler.condition(Malformed()))
            found = (
                rows.select(compiler.value(intake.label).alias("label")).distinct().limit(MOST_LABELS_SEEN).collect()
            )
        return sorted(row["label"] for row in found if row["label"] is not None)

    def _compiler(self) -> Compiler:
        return Compiler([column.type for column in self.inspect().columns], malformed=self._source.malformed)


def hash_map_settings(keys: int) -> dict[str, str]:
    """Settings under which a fast hash map holds so many keys; beyond the largest the ordinary one does."""
    bits = min(max(keys - 1, 1).bit_length() + 1, MOST_HASH_MAP_BITS)
    return {"spark.sql.codegen.aggregate.fastHashMap.capacityBit": str(max(bits, FEWEST_HASH_MAP_BITS))}


def _too_large(limit: int) -> Problem:
    return Problem(
        "limits.driver_state_rows", f"exceeded: more than {limit:,} cells and buckets", "at most that many",
        "use fewer cutoffs, fewer attributes or coarser groups, or raise the limit where the driver has the memory",
    )  # fmt: skip


def _no_kernel(reason: str) -> Problem:
    return Problem("spark.counting", "arrow", "auto or catalyst for this input", f"{reason}; write counting: auto")
