"""The forms of counting: who reads the rows, what is summed of them, and where the sums stay.

`choosing.choose` says which form a count has. Each form is an object whose `count` gives the state of every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from fairsweep.engines.spark import member_scan, tasks
from fairsweep.engines.spark.counting_job import CatalystReader, KernelReader
from fairsweep.engines.spark.session import settings
from fairsweep.engines.spark.spilling import Sets

if TYPE_CHECKING:
    from fairsweep.engines.protocol import ModelKey, ModelState

# What Spark takes unless told otherwise, and a map that still fits a page of memory.
FEWEST_HASH_MAP_BITS, MOST_HASH_MAP_BITS = 16, 20


class CountingForm(Protocol):
    """One way to make the scan."""

    @property
    def counting(self) -> str:
        """The word for it in `runs.counting`: `arrow` or `catalyst`."""
        ...

    def count(self) -> Mapping[ModelKey, ModelState]:
        """The one scan: the state of every model."""
        ...


@dataclass(frozen=True)
class KernelHeld:
    """Tasks count rows, and the driver holds the counts."""

    counting: ClassVar[str] = "arrow"
    reader: KernelReader
    sets: Sets

    def count(self) -> Mapping[ModelKey, ModelState]:
        """The one scan."""
        job, found = self.reader.job, self.reader.counts(self.sets)
        # A limit on the few rows of packs would only shuffle them.
        counts = job.held(found, limited=not tasks.are_packs(found))
        return job.states(tasks.collected(counts, job.intake), self.sets)


@dataclass(frozen=True)
class KernelAside:
    """Tasks count rows, and the counts stay in Spark."""

    counting: ClassVar[str] = "arrow"
    reader: KernelReader
    sets: Sets

    def count(self) -> Mapping[ModelKey, ModelState]:
        """The one scan."""
        return self.reader.job.states_aside(self.reader.counts(self.sets, summed=True), self.sets)


@dataclass(frozen=True)
class KernelMeasured:
    """Tasks sum scores, weights or members' rows; the driver holds the sums."""

    counting: ClassVar[str] = "arrow"
    reader: KernelReader

    def count(self) -> Mapping[ModelKey, ModelState]:
        """The one scan."""
        job, reader = self.reader.job, self.reader
        most = job.limits.driver_state_rows // max(job.expected(reader.first, job.measured_sets), 1)
        counts, summed = member_scan.counted_by_kernel(job.spark, reader.pieces, job.intake, job.grid, most)
        return job.states_measured(counts, limited=summed)


@dataclass(frozen=True)
class CatalystHeld:
    """Spark counts rows, and the driver holds the counts."""

    counting: ClassVar[str] = "catalyst"
    reader: CatalystReader
    sets: Sets

    def count(self) -> Mapping[ModelKey, ModelState]:
        """The one scan."""
        job, scan = self.reader.job, self.reader.scan(self.sets)
        with settings(job.spark, hash_map_settings(scan.expected)):
            return job.states(scan.table(job.held(scan.counts(self.reader.rows))), self.sets)


@dataclass(frozen=True)
class CatalystAside:
    """Spark counts rows, and the counts stay there."""

    counting: ClassVar[str] = "catalyst"
    reader: CatalystReader
    sets: Sets

    def count(self) -> Mapping[ModelKey, ModelState]:
        """The one scan."""
        job, scan = self.reader.job, self.reader.scan(self.sets)
        with settings(job.spark, hash_map_settings(scan.expected)):
            return job.states_aside(scan.rows(scan.counts(self.reader.rows)), self.sets)


@dataclass(frozen=True)
class CatalystMeasured:
    """Spark reads, and tasks sum scores, weights or members' rows; the driver holds the sums."""

    counting: ClassVar[str] = "catalyst"
    reader: CatalystReader

    def count(self) -> Mapping[ModelKey, ModelState]:
        """The one scan."""
        job, reader = self.reader.job, self.reader
        job.expected(reader.first, job.measured_sets)
        scan = reader.scan([tuple(range(len(job.intake.groups)))])
        counts = member_scan.counted_by_catalyst(
            scan, reader.rows, job.intake, job.grid, job.compiler, reader.rows_input
        )
        return job.states_measured(counts)


def hash_map_settings(keys: int) -> dict[str, str]:
    """Settings under which a fast hash map holds so many keys; beyond the largest the ordinary one does."""
    bits = min(max(keys - 1, 1).bit_length() + 1, MOST_HASH_MAP_BITS)
    return {"spark.sql.codegen.aggregate.fastHashMap.capacityBit": str(max(bits, FEWEST_HASH_MAP_BITS))}
