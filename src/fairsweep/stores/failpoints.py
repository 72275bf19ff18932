"""Named places where a process can be made to end or to get a signal, so that tests can stop it exactly there."""

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
# Where rows are laid aside, which only large runs in Spark do.
SCRATCH_KEPT = "scratch_kept"


def failpoint(name: str) -> None:
    """End the process at once, as a kill would, when the environment variable names this place.

    `name:SIGTERM` sends the process this signal instead.
    """
    place, _, sent = os.environ.get(VARIABLE, "").partition(":")
    if place == name and sent:
        os.kill(os.getpid(), signal.Signals[sent])
    elif place == name:
        os._exit(EXIT_CODE)
