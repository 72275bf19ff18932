"""The standard error for our own words alone: libraries write to it what nobody should read, or may."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STANDARD_ERROR = 2


@contextmanager
def kept_to_ourselves() -> Iterator[None]:
    """Keep what libraries and child processes write to the standard error off it.

    Panics of Rust, aborts of C++ and Spark's log go to the file behind the stream and not through Python; they show
    backtraces, and can quote rows. What Python writes goes on to where it went before.
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
    """Whether Python writes to the file that libraries write to; notebooks and tests have another."""
    try:
        return sys.stderr.fileno() == _STANDARD_ERROR
    except (AttributeError, OSError, ValueError):
        return False
