"""Checks that a warehouse on this machine can be written, before anything is counted."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fairsweep.errors import Problem, StorageError, UsageError, quoted
from fairsweep.file_kinds import FOLDER, kind_of
from fairsweep.runs.connecting import SPARK_VARIABLES, engine_of, place_of
from fairsweep.tables.catalogue import RUNS, TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fairsweep.runs.options import RunOptions
    from fairsweep.stores.places import Place

# Where one of these is set, Spark can take a path for one of other file systems than this machine's.
_ELSEWHERE = (*SPARK_VARIABLES, "HADOOP_CONF_DIR")
_STEP = "use another --warehouse"


def refuse_unusable(options: RunOptions) -> None:
    """Refuse a warehouse that is not a folder, or that does not exist and cannot be created; nothing is started.

    A warehouse with runs can be useful even if it cannot be written: published runs are only verified.

    Raises:
        UsageError: if it is a file or something else.
        StorageError: if it is below a file, if access is denied, or if it cannot be created.
    """
    folder = _folder(place_of(options), options)
    if folder is None:
        return
    try:
        kind = kind_of(folder)
        there, what = _nearest(folder)
    except OSError as error:
        raise StorageError(_unwritable(folder, str(error.strerror))) from None
    if kind not in {None, FOLDER}:
        raise UsageError(Problem("--warehouse", f"{quoted(folder)}, {kind}", "a folder", _STEP))
    if what != FOLDER:
        raise StorageError(_unwritable(folder, f"{quoted(there)} is {what}"))
    if not (folder / RUNS / "_delta_log").exists():
        _try(folder)


def refuse_unwritable(options: RunOptions, place: str, spark: SparkSession | None = None) -> None:
    """Refuse a warehouse that cannot be created or written, before rows are counted for it.

    Args:
        options: the options that name the warehouse.
        place: the location of the store; if it is another one, nothing is checked.
        spark: the session that writes, if one is given.

    Raises:
        UsageError: if it is a file or something else.
        StorageError: if it cannot be written.
    """
    if place != place_of(options).text or (spark is not None and not _is_on_this_machine(spark)):
        return
    refuse_unusable(options)
    folder = _folder(place_of(options), options)
    if folder is None:
        return
    _try(folder)
    for table in TABLES:
        for inside in (folder / table, folder / table / "_delta_log"):
            if inside.is_dir() and not os.access(inside, os.W_OK | os.X_OK):
                raise StorageError(_unwritable(inside, "permission denied"))


def _try(folder: Path) -> None:
    """Make a folder and remove it: that it can be made is only known when it is."""
    try:
        Path(tempfile.mkdtemp(prefix=".fairsweep-", dir=_nearest(folder)[0])).rmdir()
    except OSError as error:
        raise StorageError(_unwritable(folder, error.strerror or type(error).__name__)) from None


def _folder(place: Place, options: RunOptions) -> Path | None:
    """The folder, if it is on this machine and visible to this process."""
    if engine_of(options) == "local":
        return place.local_folder
    near = options.remote is None and (options.master is None or options.master.startswith("local"))
    return place.local_folder if near and not any(name in os.environ for name in _ELSEWHERE) else None


def _is_on_this_machine(spark: SparkSession) -> bool:
    connect = "connect" in type(spark).__module__
    return not connect and str(spark.conf.get("spark.master", "")).startswith("local")


def _nearest(folder: Path) -> tuple[Path, str]:
    """The folder, or of those above it the first that is there, and its kind."""
    for path in (folder, *folder.parents):
        kind = kind_of(path)
        if kind is not None:
            return path, kind
    return folder, FOLDER


def _unwritable(folder: Path, why: str) -> Problem:
    return Problem(f"warehouse {quoted(folder)}", f"not writable ({why})", "", f"{_STEP}, or change its permissions")
