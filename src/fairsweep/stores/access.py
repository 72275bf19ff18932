"""Access rights of folders that others than their owner must not enter: restricted tables, and scratch rows."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fairsweep.stores.places import Place

OWNER_ONLY = 0o700
SCRATCH_FOLDER = "_scratch"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create_private(folder: Path) -> bool:
    """Create a folder that only its owner can enter, unless there is one; whether it was created here.

    Raises:
        OSError: where it cannot be created.
    """
    if folder.is_dir():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=OWNER_ONLY)
    except FileExistsError:
        return False
    keep_to_owner(folder)  # even if a mount or a parent folder has changed the mode
    return True


def keep_to_owner(folder: Path) -> None:
    """Allow only the owner to open a folder; if this fails, `open_to_others` reports it."""
    with suppress(OSError):
        if folder.is_dir():
            folder.chmod(OWNER_ONLY)


def is_ours(warehouse: Path, *, remote: bool) -> bool:
    """Whether Spark writes a warehouse as this user: only then may folders be created for it.

    Args:
        warehouse: the folder of the result tables.
        remote: whether Spark is a server, which may be another user's or another machine's.
    """
    if remote:
        return warehouse.is_dir() and warehouse.stat().st_uid == os.geteuid()
    return warehouse.parent.is_dir()


def open_to_others(place: Place, tables: Sequence[str]) -> tuple[str, ...]:
    """A warning for each table, and for the scratch folder, that others than its owner can enter.

    Folders of object stores and catalogs have access rights of their own, which are not looked at.
    """
    warehouse = place.local_folder
    if warehouse is None:
        return ()
    found = []
    for name in (*tables, SCRATCH_FOLDER):
        with suppress(OSError):
            mode = stat.S_IMODE((warehouse / name).stat().st_mode)
            if mode & _OTHERS:
                found.append(
                    f"{name}, which holds small cells or members, can be read by users other than its owner (its "
                    f"folder has mode {mode:04o}): `chmod 700 {warehouse / name}`, or use a warehouse where rights can "
                    "be set"
                )
    return tuple(found)
