"""The local engine: the Arrow kernel in threads of this process, without Java."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from fairsweep.core.groups import LONGEST_GROUP
from fairsweep.cores import available_cores
from fairsweep.engines import row_sums as measuring
from fairsweep.engines import states
from fairsweep.engines.arrow.accumulating import Judge, finished
from fairsweep.engines.arrow.cells import TooManyCellsError
from fairsweep.engines.arrow.kernel import Counter, sample
from fairsweep.engines.probing import refuse_above, refuse_results, too_large_for_one_process
from fairsweep.engines.protocol import MOST_LABELS_SEEN, Counted, Inspection
from fairsweep.errors import DataRefusedError
from fairsweep.input.expressions import AsText, fields_of

if TYPE_CHECKING:
    from fairsweep.config.sections import LimitsSpec
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.arrow.conditions import Batch
    from fairsweep.engines.arrow.reading import Piece
    from fairsweep.engines.arrow.sources import Source
    from fairsweep.input.intake import Intake

Taker = TypeVar("Taker", Counter, Judge)

# The usual 5 ms are as long as it takes to count a hundred thousand rows.
SWITCH_SECONDS = 0.0005
# Members' rows are put together in parts that are small enough for a processor's cache.
PARTS_PER_WORKER = 8


class LocalEngine:
    """Counts one source in this process."""

    name = "local"

    def __init__(self, source: Source, limits: LimitsSpec) -> None:
        """Take the source, and how much state may be held."""
        self._source, self._limits = source, limits
        self._inspection: Inspection | None = None

    def inspect(self) -> Inspection:
        """Schema and pinned version; the source is inspected once."""
        if self._inspection is None:
            self._inspection = self._source.inspect()
        return self._inspection

    def count(self, intake: Intake, grid: CutoffGrid) -> Counted:
        """The one scan: every thread counts the pieces that it takes, and their counts are summed."""
        pieces = sorted(self._source.pieces(), key=lambda piece: -piece.size)
        if intake.measured:
            return self._measured(pieces, intake, grid)
        first = sample(pieces, intake, grid)
        joint = first.joint_is_small(len(grid), self._limits)
        # The first rows may meet few combinations, and the others many.
        choices = [states.grouping_sets(intake, joint=choice) for choice in ((True, False) if joint else (False,))]
        refuse_above(self._limits.maximum_state_rows, first.state_rows(choices[0], len(grid)), first)
        refuse_results(intake, first, len(grid))
        for sets in choices:
            with suppress(TooManyCellsError):
                counts = self._counts(pieces, intake, grid, sets)
                break
        else:
            raise self._too_large()
        models = states.states(counts, intake, grid, sets)
        if states.rows(models) > self._most:
            raise self._too_large()
        return Counted(models, "arrow", "the local engine has no other")

    def _measured(self, pieces: Sequence[Piece], intake: Intake, grid: CutoffGrid) -> Counted:
        """The one scan where more is summed than rows."""
        sets = measuring.grouping_sets(intake)
        first = sample(pieces, intake, grid)
        refuse_above(self._limits.maximum_state_rows, first.state_rows(sets, len(grid)), first)
        # Rows that are kept take much memory; a plain count of as many groups stops at its own limit.
        refuse_results(intake, first, len(grid), lambda sets: self._groups_of(pieces, intake, sets))
        workers = self._workers(pieces)
        judges = [Judge(intake, grid, sets, workers * PARTS_PER_WORKER) for _ in range(workers)]
        try:
            self._at_once(pieces, intake, judges)
        except TooManyCellsError:
            raise self._too_large() from None
        parts = [list(chain.from_iterable(taken)) for taken in zip(*(judge.taken() for judge in judges), strict=True)]
        sums = [table for judge in judges for table in judge.sums()]
        with _threads(workers) as pool:
            found = pool.map(lambda kept: finished(intake, len(grid) + 1, sets, [], kept), parts)
            counts = pa.concat_tables([finished(intake, len(grid) + 1, sets, sums, []), *found])
        models = states.states(counts, intake, grid, sets)
        if states.rows(models) > self._most:
            raise self._too_large()
        return Counted(models, "arrow", "the local engine has no other")

    def close(self) -> None:
        """Nothing is spilled."""

    def _counts(
        self, pieces: Sequence[Piece], intake: Intake, grid: CutoffGrid, sets: Sequence[tuple[int, ...]]
    ) -> pa.Table:
        """The counts of all threads.

        Raises:
            TooManyCellsError: where they are more than this process may hold.
        """
        # Events and non-events of a bucket are two counts.
        counters = [Counter(intake, grid, sets, 2 * self._most) for _ in range(self._workers(pieces))]
        self._at_once(pieces, intake, counters, lambda counter: _refuse_met(counter, intake, len(grid)))
        return pa.concat_tables([counter.table() for counter in counters])

    @staticmethod
    def _groups_of(pieces: Sequence[Piece], intake: Intake, sets: Sequence[Sequence[int]]) -> list[int]:
        """How many groups each set of attributes has for sure: those of single attributes, of rows in any window."""
        if fields_of((intake.inside,)):
            return [0 for _ in sets]
        expressions = [group for _, group in intake.groups]
        met: list[set[str]] = [set() for _ in expressions]
        for piece in pieces:
            for batch in piece.batches(fields_of(tuple(expressions))):
                for names, expression in zip(met, expressions, strict=True):
                    names.update(batch.groups(expression).names.to_pylist())
        return [len(met[positions[0]]) if len(positions) == 1 else 0 for positions in sets]

    @staticmethod
    def _workers(pieces: Sequence[Piece]) -> int:
        return min(available_cores(), max(len(pieces), 1))

    @staticmethod
    def _at_once(
        pieces: Sequence[Piece], intake: Intake, takers: Sequence[Taker], look: Callable[[Taker], None] | None = None
    ) -> None:
        """Give each of some takers the batches that its thread gets, and look at it after each."""
        waiting = _Waiting(pieces)

        def work(taker: Taker) -> None:
            for batch in waiting.batches(intake.fields):
                taker.add(batch)
                if look is not None:
                    look(taker)

        with _threads(len(takers)) as pool:
            try:
                list(pool.map(work, takers))
            finally:
                waiting.stop()  # on interruption, do not wait for results that are no longer needed

    @property
    def _most(self) -> int:
        """How many cells and buckets this process may hold."""
        return min(self._limits.driver_state_rows, self._limits.maximum_state_rows)

    def _too_large(self) -> DataRefusedError:
        step = "raise the limit if there is enough memory, or use --engine spark"
        return DataRefusedError(too_large_for_one_process(self._limits, step))

    def labels_seen(self, intake: Intake) -> Sequence[str]:
        """Distinct labels, sorted, at most 21."""
        if not isinstance(intake.label, AsText):
            raise TypeError("a label is read as text")
        seen: set[str] = set()
        for piece in self._source.pieces():
            for batch in piece.batches(fields_of(intake.label)):
                if batch.malformed:
                    continue
                seen.update(name[:LONGEST_GROUP] for name in batch.groups(intake.label).names.to_pylist() if name)
                if len(seen) >= MOST_LABELS_SEEN:
                    return sorted(seen)[:MOST_LABELS_SEEN]
        return sorted(seen)


def _refuse_met(counter: Counter, intake: Intake, cutoffs: int) -> None:
    """End a count whose groups so far already make more results than this process may hold.

    Raises:
        DataRefusedError: with the number of rows of the result tables.
    """
    # Of rows outside a window the groups are met as well, though they are none of the audit's.
    if intake.results is None or fields_of((intake.inside,)):
        return
    met = {name: n for name, n in counter.groups.items() if name in intake.results.reported}
    rows = sum(intake.results.rows(name, n, cutoffs) for name, n in met.items())
    intake.results.refuse_above(rows, f", by the {max(met.values(), default=0):,} groups of the rows counted so far")


class _Waiting:
    """Pieces that no thread has taken yet."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces, self._lock, self._stopped = iter(pieces), threading.Lock(), False

    def stop(self) -> None:
        """Give no further batch to any thread."""
        self._stopped = True

    def batches(self, wanted: Sequence[int]) -> Iterator[Batch]:
        """The batches of every piece that this thread gets."""
        while True:
            with self._lock:
                piece = next(self._pieces, None)
            if piece is None:
                return
            for batch in piece.batches(wanted):
                if self._stopped:
                    return
                yield batch


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that continue at once after a call of numpy, even if other threads run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="fairsweep-count") as pool:
            yield pool
    finally:
        sys.setswitchinterval(before)
