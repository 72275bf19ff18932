"""One figure: prepare both sides, check their answers, time them in turns."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from scripts.benchmarks import cohorts, data, providers
from scripts.benchmarks.answers import Answer, difference
from scripts.benchmarks.children import SHOWN_ERROR, ContestantFailedError
from scripts.benchmarks.contestants import NotBuiltError, Work
from scripts.benchmarks.forms import REPOSITORY
from scripts.benchmarks.running import Measured, Runner, runners

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts.benchmarks.figures import Figure, Side

# A cluster's worker has room for one executor of 2 GB.
WORKER_MEMORY = "3g"
WARM_UP_ROWS = 1_000_000


@dataclass(frozen=True)
class Request:
    """The options of the benchmark.

    Attributes:
        folder: the folder of the data.
        quick: whether the smaller sizes are used.
        rows: replaces the sizes that scale.
        seed: the seed of the data.
        rounds: how often each side is timed at most.
        patience: seconds after which a figure gets no further round.
    """

    folder: Path
    quick: bool = False
    rows: int | None = None
    seed: int = 0
    rounds: int = 5
    patience: float = 900.0

    def rows_of(self, side: Side) -> int:
        """How many rows a side counts."""
        return side.rows.chosen(quick=self.quick, rows=self.rows)


@dataclass(frozen=True)
class Sample:
    """One side of a figure, measured."""

    side: Side
    rows: int
    cells: int | None
    measured: Measured


@dataclass(frozen=True)
class Outcome:
    """The result of a figure.

    Attributes:
        name: the name of the figure.
        figure: its declaration.
        samples: both sides, if both were measured.
        not_built: the component that does not exist yet.
        wrong: the first difference between the answers, or the error.
    """

    name: str
    figure: Figure
    samples: tuple[Sample, ...] = ()
    not_built: str | None = None
    wrong: str | None = None

    def values(self, sample: Sample) -> list[float]:
        """The measure of the ratio, by round."""
        match self.figure.measure:
            case "seconds" | "microseconds a row more":
                return sample.measured.seconds
            case "seconds a group":
                return [seconds / max(sample.rows // data.ROWS_EACH, 1) for seconds in sample.measured.seconds]
            case "peak memory":
                return [float(sample.measured.peak)]
            case _:
                return [float(value) for value in sample.measured.shuffled]

    @property
    def ratio(self) -> float | None:
        """Numerator's median by denominator's, or their difference for each row more."""
        if not self.samples:
            return None
        above, below = (median(self.values(sample)) for sample in self.samples)
        if self.figure.measure == "microseconds a row more":
            more, fewer = (sample.cells * sample.side.steps for sample in self.samples if sample.cells)
            return (above - below) / (more - fewer) * 1e6
        if above == below:  # nothing on either side, too
            return 1.0
        return above / below if below else None

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None where there is none, or nothing was measured."""
        if self.ratio is None:
            return None
        return self.figure.reached(self.ratio, median(self.values(self.samples[0])))


def compare(name: str, figure: Figure, request: Request, say: Callable[[str], None]) -> Outcome:
    """Measure one figure; errors are part of the outcome."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairsweep-bench-")))
        try:
            if any(side.workers for side in figure.sides):
                _start_cluster(stack)
            works = [
                (side.contestant, _work(side, request, scratch / f"side-{place}", say))
                for place, side in enumerate(figure.sides)
            ]
            found = runners(works, stack, together=figure.together, exclusive=figure.exclusive)
            return _measured(name, figure, request, found)
        except NotBuiltError as error:
            return Outcome(name, figure, not_built=str(error))
        except ContestantFailedError as error:
            return Outcome(name, figure, wrong=str(error))


def _work(side: Side, request: Request, scratch: Path, say: Callable[[str], None]) -> Work:
    scratch.mkdir()
    rows = request.rows_of(side)
    if side.claims:
        members = None if side.members is None else side.members.chosen(quick=request.quick, rows=request.rows)
        path = cohorts.ensure(request.folder, rows, request.seed, members, say=say)
        return Work(path, path, scratch, side.cutoffs, side.groupings)
    if side.providers:
        path = providers.ensure(request.folder, rows, request.seed, say=say)
        return Work(path, path, scratch, side.cutoffs, side.groupings)
    path, small = (
        data.ensure(request.folder, wanted, request.seed, say=say) for wanted in (rows, min(rows, WARM_UP_ROWS))
    )
    return Work(path, small, scratch, side.cutoffs, side.groupings, side.workers)


def _measured(name: str, figure: Figure, request: Request, found: Sequence[Runner]) -> Outcome:
    answers = [runner.answers() for runner in found]
    different = difference(answers[0], answers[1]) if figure.compared else None
    if different is not None:
        return Outcome(name, figure, wrong=f"the answers differ: {different}")
    start = time.monotonic()
    for _ in range(request.rounds):
        for runner in found:
            runner.round()
        if time.monotonic() - start > request.patience:
            break
    samples = tuple(
        Sample(side, request.rows_of(side), _cells(answer), runner.measured)
        for side, answer, runner in zip(figure.sides, answers, found, strict=True)
    )
    return Outcome(name, figure, samples)


def _cells(answers: Sequence[Answer]) -> int | None:
    """How many groups a side counted; None where it counts none."""
    return sum(len(answer.cells) for answer in answers if answer.attributes) or None


def _start_cluster(stack: ExitStack) -> None:
    """Start `scripts/cluster`, to be stopped with the stack."""
    command = str(REPOSITORY / "scripts" / "cluster")

    def called(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([command, *arguments], capture_output=True, text=True, check=False)

    if called("status").returncode == 0:
        raise ContestantFailedError("a cluster runs already, perhaps for others: scripts/cluster stop")
    stack.callback(called, "stop")
    started = called("start", WORKER_MEMORY)
    if started.returncode:
        raise ContestantFailedError(f"scripts/cluster start: {started.stderr[-SHOWN_ERROR:]}")
