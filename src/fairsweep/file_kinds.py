"""The kind of file at a path: only files and folders can be read without waiting for another process."""

from __future__ import annotations

import stat
from pathlib import Path

REGULAR, FOLDER = "a file", "a folder"
_KINDS = (
    (stat.S_ISREG, REGULAR),
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "a FIFO (named pipe)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind_of(path: Path) -> str | None:
    """The name of the kind of file at a path, links followed; None if there is nothing.

    Raises:
        OSError: if access is denied.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return next((name for holds, name in _KINDS if holds(mode)), "a special file")
