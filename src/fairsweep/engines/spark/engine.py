"""The Spark engine: one source, counted in one scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.groups import LONGEST_GROUP
from fairsweep.engines.protocol import MOST_LABELS_SEEN, Counted, Inspection
from fairsweep.engines.spark.choosing import Met, choose
from fairsweep.engines.spark.columns import Compiler
from fairsweep.engines.spark.counting_job import Job, Scratch
from fairsweep.engines.spark.session import settings
from fairsweep.engines.spark.sources import readable
from fairsweep.input.expressions import Malformed, fields_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fairsweep.config.sections import LimitsSpec
    from fairsweep.engines.spark.sources import Source
    from fairsweep.input.intake import Intake

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
        """The one scan, in the form that is chosen for it; in another where that one meets a limit.

        Raises:
            UsageError: when the Arrow kernel is asked for and cannot read the input, or Spark cannot.
            DataRefusedError: when the state is larger than it may be, or files differ in their types.
        """
        job = Job(self._spark, self._source, self._compiler(), intake, grid, self._limits, self._scratch)
        met = Met()
        with self._reading():
            while True:
                try:
                    form, reason = choose(job, self._counting, met)
                    return Counted(form.count(), form.counting, reason)
                except Exception as error:
                    known = met.after(error)
                    if known is None:
                        raise
                    met = known

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
