"""Progress of a command: a moving line on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.status import Status


class Progress(Protocol):
    """Takes the name of the step that begins."""

    def __call__(self, step: str) -> None:
        """A step begins, and the one before it is done."""
        ...


class _Lines:
    """One line per step; with the seconds since the start if verbose."""

    def __init__(self, stream: TextIO, *, verbose: bool) -> None:
        self._stream, self._verbose, self._started = stream, verbose, monotonic()

    def __call__(self, step: str) -> None:
        seconds = f"{monotonic() - self._started:6.1f} s  " if self._verbose else ""
        self._stream.write(f"{seconds}{step}\n")
        self._stream.flush()


class _Moving:
    """The current step next to a spinner; completed steps stay visible, with their seconds."""

    def __init__(self, status: Status) -> None:
        self._status, self._step, self._since = status, "", monotonic()

    def __call__(self, step: str) -> None:
        self.finish()
        self._step, self._since = step, monotonic()
        self._status.update(f"{step} ...")

    def finish(self) -> None:
        """Leave a line of the step that was under way."""
        if self._step:
            self._status.console.print(f"{monotonic() - self._since:6.1f} s  {self._step}", style="dim")
        self._step = ""


@contextmanager
def shown(*, verbose: bool = False, stream: TextIO | None = None) -> Iterator[Progress]:
    """Show the steps of a run on the standard error, or on another stream.

    Args:
        verbose: add the seconds since the start to the lines of a log.
        stream: where to, by default the standard error as it is now.
    """
    from rich.console import Console

    file = stream or sys.stderr
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        yield _Lines(file, verbose=verbose)
        return
    with console.status("starting ...") as status:
        moving = _Moving(status)
        yield moving
        moving.finish()
