"""What every form of counting needs: the rows and who reads them, and what may be held of their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pyspark.sql import functions as F

from fairsweep.engines import row_sums, states
from fairsweep.engines.arrow.kernel import sample
from fairsweep.engines.probing import FEW_ROWS, Sample, refuse_above, refuse_results, too_large_for_one_process
from fairsweep.engines.spark import spilling, tasks
from fairsweep.engines.spark.counting import FirstRows, Scan
from fairsweep.engines.spark.spilling import Sets
from fairsweep.errors import DataRefusedError, Problem, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.config.sections import LimitsSpec
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.arrow.reading import Piece
    from fairsweep.engines.protocol import ModelKey, ModelState
    from fairsweep.engines.spark.columns import Compiler
    from fairsweep.engines.spark.sources import Source
    from fairsweep.input.intake import Intake


class TooManyForDriverError(Exception):
    """The counts are more than the driver may hold; they have to stay in Spark."""


class Scratch(Protocol):
    """A place for rows that must not be computed twice."""

    def keep(self, frame: DataFrame) -> DataFrame:
        """Write rows, and read them from there."""
        ...

    def clear(self) -> None:
        """Remove what was kept."""
        ...


@dataclass(frozen=True)
class Job:
    """What every form needs: the rows, what is asked of them, and how much may be held.

    Attributes:
        spark: the session.
        source: where the rows are.
        compiler: of the source's columns.
        intake: what is asked of every row.
        grid: the cutoffs.
        limits: how many cells and buckets the driver may hold, and how many there may be at all.
        scratch: where counts are kept that are too many for the driver; without one they are refused.
    """

    spark: SparkSession
    source: Source
    compiler: Compiler
    intake: Intake
    grid: CutoffGrid
    limits: LimitsSpec
    scratch: Scratch | None

    @cached_property
    def pieces(self) -> list[Piece] | str:
        """The pieces of the input that tasks can read, or why they cannot read any."""
        return self.source.pieces()

    @cached_property
    def by_kernel(self) -> KernelReader:
        """The input as tasks read it; where they can."""
        return KernelReader(self, [] if isinstance(self.pieces, str) else self.pieces)

    @cached_property
    def by_catalyst(self) -> CatalystReader:
        """The input as Spark reads it."""
        known = None if isinstance(self.pieces, str) else sum(piece.rows for piece in self.pieces)
        return CatalystReader(self, known)

    def refuse_results(self, first: Sample) -> None:
        """Refuse result tables that will not fit this process.

        Raises:
            DataRefusedError: with their number of rows.
        """
        refuse_results(self.intake, first, len(self.grid), self._groups_of)

    def _groups_of(self, sets: Sequence[Sequence[int]]) -> list[int]:
        """About how many groups each set of attributes has."""
        texts = [F.coalesce(self.compiler.value(group), F.lit("")) for _, group in self.intake.groups]
        rows = self.source.rows(self.intake.fields).where(self.compiler.condition(self.intake.inside))
        counted = [F.approx_count_distinct(F.xxhash64(*(texts[i] for i in positions)), 0.01) for positions in sets]
        return list(rows.agg(*(column.alias(str(i)) for i, column in enumerate(counted))).first() or ())

    def sets(self, first: Sample) -> list[tuple[int, ...]]:
        """The grouping sets that rows are counted by."""
        return states.grouping_sets(self.intake, joint=first.joint_is_small(len(self.grid), self.limits))

    @property
    def measured_sets(self) -> Sets:
        """The grouping sets that more than rows is summed by."""
        return row_sums.grouping_sets(self.intake)

    def expected(self, first: Sample, sets: Sets) -> int:
        """About how many cells and buckets there will be.

        Raises:
            DataRefusedError: where nobody can hold them.
        """
        expected = first.state_rows(sets, len(self.grid))
        refuse_above(self.limits.maximum_state_rows, expected, first)
        return expected

    def fits(self, first: Sample, sets: Sets) -> bool:
        """Whether the driver can probably hold the counts.

        Raises:
            DataRefusedError: where nobody can.
        """
        # Events and non-events of a bucket are two counts.
        return 2 * self.expected(first, sets) <= self.limits.driver_state_rows

    def held(self, counts: DataFrame, *, limited: bool = True) -> pa.Table:
        """The counts on the driver.

        Args:
            counts: what a scan gives.
            limited: whether no more than may be held are sent.

        Raises:
            TooManyForDriverError: where they are too many.
        """
        limit = self.limits.driver_state_rows
        try:
            collected = (counts.limit(limit + 1) if limited else counts).toArrow()
        except Exception as error:
            if "maxResultSize" not in str(error):
                raise
            raise TooManyForDriverError from error
        if collected.num_rows > limit:
            raise TooManyForDriverError
        return collected

    def states(self, counts: pa.Table, sets: Sets) -> Mapping[ModelKey, ModelState]:
        """The state of every model, of collected counts."""
        return states.states(counts, self.intake, self.grid, sets)

    def states_aside(self, counts: DataFrame, sets: Sets) -> Mapping[ModelKey, ModelState]:
        """The state of every model, whose large grouping sets stay in Spark.

        Raises:
            DataRefusedError: where there is no scratch to keep them in.
        """
        if self.scratch is None:
            step = "raise the limit where the driver has the memory, or run `fairsweep audit` with a warehouse"
            raise DataRefusedError(too_large_for_one_process(self.limits, step))
        return spilling.counted(self.scratch.keep(counts), self.intake, self.grid, sets, self.limits)

    def states_measured(self, counts: DataFrame, *, limited: bool = True) -> Mapping[ModelKey, ModelState]:
        """The state of every model where more is summed than rows.

        Raises:
            UsageError: where the workers do not have this package.
            DataRefusedError: where the sums are too many for the driver.
        """
        try:
            found = self.held(counts, limited=limited)
        except TooManyForDriverError:
            step = "raise the limit where the driver has the memory"
            raise DataRefusedError(too_large_for_one_process(self.limits, step)) from None
        except Exception as error:
            if "ModuleNotFoundError" not in str(error):
                raise
            step = "ship the wheel with the job, `--py-files fairsweep.zip`, or name neither a member nor a weight"
            raise UsageError(Problem("tasks", "without this package", "the package on every worker", step)) from error
        return self.states(found, self.measured_sets)


@dataclass(frozen=True)
class KernelReader:
    """Tasks that read pieces of the input themselves, and count with the Arrow kernel."""

    job: Job
    pieces: list[Piece]

    @cached_property
    def unreadable(self) -> str | None:
        """Why tasks cannot read the pieces after all, or None; asked once, because a task has to try."""
        return tasks.why_tasks_cannot_read(self.job.spark, self.pieces[0], self.job.intake)

    @cached_property
    def first(self) -> Sample:
        """The first rows, whose results fit this process."""
        found = sample(self.pieces, self.job.intake, self.job.grid)
        self.job.refuse_results(found)
        return found

    def counts(self, sets: Sets, *, summed: bool = False) -> DataFrame:
        """The counts of all tasks; `summed` by Spark however few tasks there are."""
        job = self.job
        return tasks.counted(job.spark, self.pieces, job.intake, job.grid, sets, summed=summed)


@dataclass(frozen=True)
class CatalystReader:
    """Spark as the reader of the input, whose expressions count.

    Attributes:
        job: what is counted.
        rows_input: how many rows there are; None where nobody knows before they are read.
    """

    job: Job
    rows_input: int | None

    @cached_property
    def rows(self) -> DataFrame:
        """The rows."""
        return self.job.source.rows(self.job.intake.fields)

    @cached_property
    def met(self) -> FirstRows:
        """What the first rows hold; nothing where there are so few that counting them takes no longer."""
        if self.rows_input is not None and self.rows_input <= FEW_ROWS:
            return FirstRows({}, np.zeros(0))
        return FirstRows.of(self.rows, self.job.intake, self.job.compiler)

    @cached_property
    def first(self) -> Sample:
        """The first rows, whose results fit this process."""
        found = self.met.sample(self.job.intake, self.job.grid, self.rows_input)
        self.job.refuse_results(found)
        return found

    def scan(self, sets: Sets) -> Scan:
        """The expressions that count."""
        return Scan(self.job.intake, self.job.grid, sets, self.job.compiler, self.met)
