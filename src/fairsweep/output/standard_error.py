"""Standard error only for Fairsweep's own messages: output of libraries can contain values of rows."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile

_STANDARD_ERROR = 2
# The location, one or more lines of text, and the trace with its final note, if there is one.
_PANIC = re.compile(
    rb"\n?thread '[^\n]*' (?:\(\d+\) )?panicked at [^\n]*\n[^\n]*\n?"
    rb"(?:stack backtrace:\n(?:\s+[^\n]*\n)*)?(?:note: [^\n]*\n?)*"
)


@contextmanager
def kept_to_ourselves() -> Iterator[None]:
    """Discard the output of libraries and child processes to standard error.

    Panics of Rust, aborts of C++ and Spark's log are written to the file behind the stream and not through Python; they
    show backtraces, and can quote rows. Output of Python is written as before.
    """
    stream = sys.stderr
    if not _is_the_process_own():
        yield
        return
    stream.flush()
    kept = os.dup(_STANDARD_ERROR)
    with open(  # noqa: PTH123  (a file that is open already)
        kept, "w", buffering=1, encoding=stream.encoding, errors=stream.errors
    ) as ours:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STANDARD_ERROR)
        os.close(nowhere)
        sys.stderr = ours
        try:
            yield
        finally:
            sys.stderr = stream
            ours.flush()
            os.dup2(kept, _STANDARD_ERROR)


def _is_the_process_own() -> bool:
    """Whether Python and libraries write to the same file; notebooks and tests use another one."""
    try:
        return sys.stderr.fileno() == _STANDARD_ERROR
    except (AttributeError, OSError, ValueError):
        return False


class _Held:
    """The state while several threads keep panics off standard error; the last thread restores the stream."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._stack = ExitStack()

    def begin(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1 and _is_the_process_own():
                self._stack.enter_context(_held())

    def end(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._stack.close()


_one = _Held()


@contextmanager
def without_panics() -> Iterator[None]:
    """Remove panics of Rust from the standard error of the calling program; other output is shown a little later."""
    _one.begin()
    try:
        yield
    finally:
        _one.end()


@contextmanager
def _held() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(_STANDARD_ERROR)
    with TemporaryFile() as file:
        os.dup2(file.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)
            file.seek(0)
            with open(_STANDARD_ERROR, "wb", closefd=False) as shown:
                shown.write(_PANIC.sub(b"", file.read()))
