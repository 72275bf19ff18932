"""Which form a count has, and why; the reason is `runs.counting_reason`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairsweep.engines.arrow.cells import TooManyCellsError
from fairsweep.engines.spark.counting_forms import (
    CatalystAside,
    CatalystHeld,
    CatalystMeasured,
    CountingForm,
    KernelAside,
    KernelHeld,
    KernelMeasured,
)
from fairsweep.engines.spark.counting_job import Job, TooManyForDriverError
from fairsweep.errors import Problem, UsageError

# Below it, starting Python beside Spark costs more than the kernel saves.
WORTHWHILE_ROWS = 4_000_000
TOO_MANY_CELLS = "more combinations of groups than the kernel tells apart"
COUNTED_TWICE = "; counted twice, because the counts were too many for the driver"


@dataclass(frozen=True)
class Met:
    """What counts that failed have shown of the rows; their first rows did not tell.

    Attributes:
        too_many_cells: whether there are more combinations of groups than the kernel tells apart.
        too_many_counts: whether there are more counts than the driver may hold.
    """

    too_many_cells: bool = False
    too_many_counts: bool = False

    def after(self, error: Exception) -> Met | None:
        """What is known after a count that failed; None where no other form can count either."""
        if isinstance(error, TooManyForDriverError):
            return replace(self, too_many_counts=True)
        # It is raised in a task, so that only its name comes here.
        if TooManyCellsError.__name__ in str(error) and not self.too_many_cells:
            return Met(too_many_cells=True)
        return None


def choose(job: Job, asked: str, met: Met) -> tuple[CountingForm, str]:
    """The form of a count, and why.

    Args:
        job: what is counted.
        asked: `auto`, `catalyst` or `arrow`.
        met: what counts that failed have shown.

    Raises:
        UsageError: where the Arrow kernel is asked for and cannot count.
        DataRefusedError: where the state or the results will be larger than they may be.
    """
    # 1. Who reads: tasks, which count faster, unless something is against it; otherwise Spark, which reads anything.
    against = TOO_MANY_CELLS if met.too_many_cells else against_kernel(job, asked)
    # Where there is nothing to read, it does not matter who does.
    if against is not None and asked == "arrow" and job.pieces:
        step = f"{against}; write counting: auto"
        raise UsageError(Problem("spark.counting", "arrow", "auto or catalyst for this input", step))
    why = against or ("asked for" if asked == "arrow" else "plain files that tasks can read")
    first = job.by_catalyst.first if against else job.by_kernel.first
    # 2. What is summed: of scores, weights and members more than rows. Such sums are always held by the driver.
    if job.intake.measured:
        return (CatalystMeasured(job.by_catalyst) if against else KernelMeasured(job.by_kernel)), why
    # 3. Where the counts stay: on the driver, unless the first rows say, or a first count has shown, that it is full.
    sets = job.sets(first)
    fits = job.fits(first, sets)
    if fits and not met.too_many_counts:
        return (CatalystHeld(job.by_catalyst, sets) if against else KernelHeld(job.by_kernel, sets)), why
    why += COUNTED_TWICE if fits else ""
    return (CatalystAside(job.by_catalyst, sets) if against else KernelAside(job.by_kernel, sets)), why


def against_kernel(job: Job, asked: str) -> str | None:
    """Why the Arrow kernel does not count, or None where it does."""
    if asked == "catalyst":
        return "asked for"
    if isinstance(job.pieces, str):
        return job.pieces
    if asked == "auto" and sum(piece.rows for piece in job.pieces) < WORTHWHILE_ROWS:
        return f"fewer than {WORTHWHILE_ROWS:,} rows, which it counts no slower"
    if not job.pieces:
        return "no rows"
    return job.by_kernel.unreadable
