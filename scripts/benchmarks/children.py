"""A child process that holds warm contestants and answers requests."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from scripts.benchmarks.answers import Answer
from scripts.benchmarks.contestants import CONTESTANTS, Contestant, Job, NotBuiltError, Work
from scripts.benchmarks.memory import PeakMemory

_NOT_BUILT, _FAILED, _DONE = "not built", "failed", "done"
# How many characters of a contestant's error are shown.
SHOWN_ERROR = 2_000


class ContestantFailedError(Exception):
    """A contestant broke."""


class Child:
    """A process that holds one or several warm contestants."""

    def __init__(self, works: Mapping[str, Work]) -> None:
        """Start it and prepare the contestants, by name.

        Raises:
            NotBuiltError: where one does not exist yet.
            ContestantFailedError: where one cannot be prepared.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        wanted = {name: (CONTESTANTS[name], work) for name, work in works.items()}
        environment = {key: v for contestant, _ in wanted.values() for key, v in contestant.environment.items()}
        with _environment(environment):
            self._process = context.Process(target=_serve, args=(theirs, wanted), name="-".join(works))
            self._process.start()
        theirs.close()
        self._memory = PeakMemory(self._process.pid or 0)
        self._memory.start()
        try:
            self._reply()
        except BaseException:
            self.stop()
            raise

    def ask(self, question: str, name: str) -> Any:  # noqa: ANN401  (what the question gives)
        """One question about one contestant: `answers`, or `round`."""
        self._connection.send((question, name))
        return self._reply()

    @property
    def peak(self) -> int:
        """Bytes resident at most until now."""
        return self._memory.peak

    def stop(self) -> None:
        """End it."""
        if self._process.is_alive():
            try:
                self._connection.send(None)
                self._process.join(60)
            except OSError:
                self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()
        self._memory.stop()

    def _reply(self) -> Any:  # noqa: ANN401
        try:
            kind, value = self._connection.recv()
        except EOFError:
            raise ContestantFailedError(f"{self._process.name}: the process ended") from None
        if kind == _NOT_BUILT:
            raise NotBuiltError(value)
        if kind == _FAILED:
            raise ContestantFailedError(f"{self._process.name}: {value}")
        return value


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Variables that a child inherits."""
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for key, earlier in before.items():
            if earlier is None:
                del os.environ[key]
            else:
                os.environ[key] = earlier


def _serve(connection: Connection[Any, Any], wanted: Mapping[str, tuple[Contestant, Work]]) -> None:
    """The child's side: prepare, then answer requests until there are none."""
    try:
        jobs: dict[str, Job] = {}
        for name, (contestant, work) in wanted.items():
            prepared = contestant.prepared(work)
            assert isinstance(prepared, Job), f"{name} is not warm"
            jobs[name] = prepared
        connection.send((_DONE, None))
        while (asked := connection.recv()) is not None:
            question, name = asked
            connection.send((_DONE, _answers(jobs[name]) if question == "answers" else _round(jobs[name])))
    except NotBuiltError as error:
        connection.send((_NOT_BUILT, str(error)))
    except Exception:  # noqa: BLE001  (any error of a peer is reported, and the next figure is measured)
        connection.send((_FAILED, traceback.format_exc()[-SHOWN_ERROR:]))


def _answers(job: Job) -> Sequence[Answer]:
    return job.answers(job.run())


def _round(job: Job) -> tuple[float, int | None]:
    gc.collect()
    if job.shuffled is not None:
        job.shuffled()
    start = time.perf_counter()
    result = job.run()
    seconds = time.perf_counter() - start
    del result
    return seconds, None if job.shuffled is None else job.shuffled()
