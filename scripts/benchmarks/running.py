"""Rounds: each contestant in a child process, its answer checked first, then timed in turns."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.benchmarks.answers import Answer
from scripts.benchmarks.children import SHOWN_ERROR, Child, ContestantFailedError
from scripts.benchmarks.contestants import CONTESTANTS, Command, Work
from scripts.benchmarks.memory import PeakMemory


@dataclass
class Measured:
    """The measurements of one contestant.

    Attributes:
        seconds: the time of each round.
        peak: peak resident bytes, from the start of its process.
        shuffled: bytes shuffled in each round, if they are counted.
    """

    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    shuffled: list[int] = field(default_factory=list)


class Runner:
    """One contestant of a figure: gives its answers once, then runs rounds."""

    def answers(self) -> Sequence[Answer]:
        """Its answers; the first call of all, which warms it up."""
        raise NotImplementedError

    def round(self) -> None:
        """One timed call."""
        raise NotImplementedError

    @property
    def measured(self) -> Measured:
        """The measurements of the rounds."""
        raise NotImplementedError


class Warm(Runner):
    """A contestant in a child that stays."""

    def __init__(self, name: str, child: Child) -> None:
        """Take the child that holds it."""
        self._name, self._child = name, child
        self._measured = Measured()

    def answers(self) -> Sequence[Answer]:
        """Its answers."""
        found: Sequence[Answer] = self._child.ask("answers", self._name)
        return found

    def round(self) -> None:
        """One timed call in the warm process."""
        _record(self._measured, self._child.ask("round", self._name))

    @property
    def measured(self) -> Measured:
        """The measurements of the rounds."""
        self._measured.peak = self._child.peak
        return self._measured


class Exclusive(Runner):
    """A contestant that cannot stay alive with the other, because both need the same resource: a new child per call."""

    def __init__(self, name: str, work: Work) -> None:
        """Take its work."""
        self._name, self._work = name, work
        self.measured_so_far = Measured()

    def answers(self) -> Sequence[Answer]:
        """Its answers, in a child of their own."""
        found: Sequence[Answer] = self._asked("answers")
        return found

    def round(self) -> None:
        """One timed call in a new child, which has warmed up."""
        _record(self.measured_so_far, self._asked("round"))

    def _asked(self, question: str) -> Any:  # noqa: ANN401
        child = Child({self._name: self._work})
        try:
            return child.ask(question, self._name)
        finally:
            child.stop()
            self.measured_so_far.peak = max(self.measured_so_far.peak, child.peak)

    @property
    def measured(self) -> Measured:
        """The measurements of the rounds."""
        return self.measured_so_far


def _record(measured: Measured, reply: tuple[float, int | None]) -> None:
    seconds, shuffled = reply
    measured.seconds.append(seconds)
    if shuffled is not None:
        measured.shuffled.append(shuffled)


class Cold(Runner):
    """A contestant that is a whole process each time."""

    def __init__(self, name: str, command: Command) -> None:
        """Take its command."""
        self._name, self._command = name, command
        self._measured = Measured()

    def answers(self) -> Sequence[Answer]:
        """The output of its first run."""
        self._run()
        return self._command.answers()

    def round(self) -> None:
        """One timed process."""
        seconds, peak = self._run()
        self._measured.seconds.append(seconds)
        self._measured.peak = max(self._measured.peak, peak)

    @property
    def measured(self) -> Measured:
        """The measurements of the rounds."""
        return self._measured

    def _run(self) -> tuple[float, int]:
        _remove(self._command.output)
        start = time.perf_counter()
        process = subprocess.Popen(self._command.arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        memory = PeakMemory(process.pid)
        memory.start()
        output, _ = process.communicate()
        seconds = time.perf_counter() - start
        peak = memory.stop()
        if process.returncode != self._command.exit_code:
            shown = output.decode(errors="replace")[-SHOWN_ERROR:]
            raise ContestantFailedError(f"{self._name}: exit {process.returncode}: {shown}")
        return seconds, peak


def _remove(output: Path) -> None:
    if output.is_dir():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)


def runners(works: Sequence[tuple[str, Work]], stack: ExitStack, *, together: bool, exclusive: bool) -> list[Runner]:
    """A runner for each contestant; warm ones end with the stack.

    Args:
        works: the contestants' names and works.
        stack: ends the children.
        together: both in one process.
        exclusive: never both alive.

    Raises:
        NotBuiltError: where one does not exist yet.
        ContestantFailedError: where one cannot be prepared.
    """

    def child(wanted: Mapping[str, Work]) -> Child:
        started = Child(wanted)
        stack.callback(started.stop)
        return started

    if together:
        shared = child(dict(works))
        return [Warm(name, shared) for name, _ in works]
    found: list[Runner] = []
    for name, work in works:
        if CONTESTANTS[name].cold:
            command = CONTESTANTS[name].prepared(work)
            assert isinstance(command, Command), f"{name} is not cold"
            found.append(Cold(name, command))
        elif exclusive:
            found.append(Exclusive(name, work))
        else:
            found.append(Warm(name, child({name: work})))
    return found
