"""Named points in the code at which tests can end a process or send it a signal."""

from __future__ import annotations

import os
import signal

from fairsweep.tables.catalogue import RESULT_TABLES

VARIABLE = "FAIRSWEEP_FAILPOINT"
EXIT_CODE = 86
FAILPOINTS: tuple[str, ...] = (
    "tables_ensured",
    *(f"{table}_written" for table in RESULT_TABLES),
    "tables_written",
    "read_back",
    "before_commit",
    "committed",
)
# Where rows are spilled, which only large runs in Spark do.
SCRATCH_KEPT = "scratch_kept"


def failpoint(name: str) -> None:
    """End the process at once, like a kill, if the environment variable names this point.

    `name:SIGTERM` sends the process this signal instead.
    """
    place, _, sent = os.environ.get(VARIABLE, "").partition(":")
    if place == name and sent:
        os.kill(os.getpid(), signal.Signals[sent])
    elif place == name:
        os._exit(EXIT_CODE)
