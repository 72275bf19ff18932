"""The Spark engine: one source, counted in one scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.engines import states
from fairsweep.engines.protocol import Counted, Inspection
from fairsweep.engines.spark import counting
from fairsweep.engines.spark.columns import Compiler
from fairsweep.engines.spark.session import settings
from fairsweep.errors import DataRefusedError, Problem

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.engines.spark.sources import Source
    from fairsweep.intake import Intake
    from fairsweep.specs.sections import LimitsSpec

PROBED_ROWS = states.FEWEST_PROBED
MOST_LABELS_SEEN = 21

SCAN_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Spark would evaluate a small frame in its optimizer, row by row and without folding constants first.
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation",
}


class SparkEngine:
    """Counts one source on a Spark session."""

    name = "spark"

    def __init__(self, spark: SparkSession, source: Source, limits: LimitsSpec) -> None:
        """Take the session, the source and how much state may be held."""
        self._spark, self._source, self._limits = spark, source, limits
        self._inspection: Inspection | None = None

    def inspect(self) -> Inspection:
        """Schema and pinned version; the source is asked once."""
        if self._inspection is None:
            self._inspection = self._source.inspect()
        return self._inspection

    def count(self, intake: Intake, grid: CutoffGrid) -> Counted:
        """The one scan, collected.

        Raises:
            DataRefusedError: when the state is larger than the driver may hold.
        """
        with settings(self._spark, SCAN_SETTINGS):
            rows = counting.prepared(self._source.rows(), intake, self._compiler(), grid)
            sets = states.grouping_sets(intake, joint=self._joint(rows, intake, grid))
            limit = self._limits.driver_state_rows
            counts = counting.counted(rows, intake, sets).limit(limit + 1).toArrow()
        if counts.num_rows > limit:
            raise DataRefusedError(_too_large(limit))
        return Counted(
            states.states(counts, intake, grid, sets), "catalyst", "the only form of counting in this version"
        )

    def labels_seen(self, intake: Intake) -> Sequence[str]:
        """Distinct labels, sorted, at most 21."""
        label = self._compiler().value(intake.label)
        with settings(self._spark, SCAN_SETTINGS):
            found = self._source.rows().select(label.alias("label")).distinct().limit(MOST_LABELS_SEEN).collect()
        return sorted(row["label"] for row in found if row["label"] is not None)

    def _compiler(self) -> Compiler:
        return Compiler([column.type for column in self.inspect().columns], malformed=self._source.malformed)

    def _joint(self, rows: DataFrame, intake: Intake, grid: CutoffGrid) -> bool:
        """Whether one set of all attributes is likely to stay small, by the groups of the first rows.

        A guess: results never depend on it.
        """
        names = states.group_columns(intake)
        probe = rows.select(*names).limit(PROBED_ROWS).collect() if len(names) > 1 else []
        levels = [len({row[name] for row in probe}) for name in names]
        return states.joint_is_small(levels, len(set(probe)), len(probe), len(grid), self._limits)


def _too_large(limit: int) -> Problem:
    return Problem(
        "limits.driver_state_rows", f"exceeded: more than {limit:,} cells and buckets", "at most that many",
        "use fewer cutoffs, fewer attributes or coarser groups, or raise the limit where the driver has the memory",
    )  # fmt: skip
