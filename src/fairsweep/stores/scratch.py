"""Rows that must not be computed twice, kept until the run has ended."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from fairsweep.stores.access import SCRATCH_FOLDER, create_private, is_ours, keep_to_owner
from fairsweep.stores.failpoints import SCRATCH_KEPT, failpoint
from fairsweep.stores.places import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLE = "_fairsweep_scratch_"
_LOCK = ".lock"
# A lock of another machine may not be visible here; no run takes longer than this.
_SECONDS_OF_A_RUN = 7 * 24 * 3600


def remove_leftovers(place: Place) -> None:
    """Remove the files that killed processes have left in a local folder; files in use are locked, and stay."""
    warehouse = place.local_folder
    if warehouse is None:
        return
    with suppress(OSError):
        for path in (warehouse / SCRATCH_FOLDER).iterdir():
            if path.is_dir():
                with suppress(OSError):
                    _remove_unless_in_use(path)


def _remove_unless_in_use(folder: Path) -> None:
    lock = folder.with_name(folder.name + _LOCK)
    if not folder.name.startswith(_host()) and time.time() - folder.stat().st_mtime < _SECONDS_OF_A_RUN:
        return
    held = _locked(lock)
    if held is not None:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(held)


def _locked(path: Path) -> int | None:
    """A file, locked for this process until it ends; None where another has it."""
    while True:
        held = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            return None
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(held).st_ino:
                return held
        os.close(held)  # the process that held it has removed it


def _host() -> str:
    """This machine, as names of folders have it."""
    return re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:40] + "-"


class ScratchFolder:
    """A folder of one process for its rows, which only its owner can enter, locked while the process runs."""

    def __init__(self, warehouse: Path) -> None:
        """Take the folder of the result tables; nothing is created yet."""
        self.path = warehouse / SCRATCH_FOLDER / f"{_host()}{os.getpid()}-{uuid4().hex[:12]}"
        self._held: int | None = None
        self._creating = threading.Lock()

    def create(self) -> None:
        """Create it, unless it is there.

        Raises:
            OSError: where it cannot be created.
        """
        with self._creating:
            if self._held is None:
                create_private(self.path.parent)
                keep_to_owner(self.path.parent)
                self._held = _locked(self._lock)
                create_private(self.path)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            self._lock.unlink(missing_ok=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def remove_if_unused(self) -> None:
        """Remove it where the rows went elsewhere: a plain path can be one of another file system of Spark's."""
        if self._held is not None and not any(self.path.iterdir()):
            self.remove()
            with suppress(OSError):
                self.path.parent.rmdir()
                self.path.parent.parent.rmdir()

    @property
    def _lock(self) -> Path:
        return self.path.with_name(self.path.name + _LOCK)


class Scratch:
    """Temporary rows next to the result tables: in files of the same folder, or in tables of the same schema.

    Spark's own cache is not available on every kind of compute, and is lost with the worker that held it. The next run
    removes the files of a killed process from a local folder; in object stores and catalogs they stay, and are not
    read.
    """

    def __init__(self, spark: SparkSession, place: Place) -> None:
        """Take where the result tables are."""
        self._spark, self._place = spark, place
        self._kept: list[str] = []
        warehouse = place.local_folder
        self._folder = None if warehouse is None else ScratchFolder(warehouse)

    def keep(self, frame: DataFrame) -> DataFrame:
        """Write rows, and read them from there."""
        name = uuid4().hex
        table, folder = self._place.name(TABLE + name), SCRATCH_FOLDER
        if self._folder is not None:
            folder = f"{SCRATCH_FOLDER}/{self._folder.path.name}"
        location = self._place.location(f"{folder}/{name}")
        self._kept.append(name)
        if location is None:
            frame.writeTo(table).using("delta").create()
        else:
            self._create_folder()
            # As a table, because some characters are special in a path.
            self._spark.sql(self._place.create_schema)
            frame.write.format("parquet").option("path", location).saveAsTable(table)
            if self._folder is not None:
                keep_to_owner(self._folder.path.parent)
                self._folder.remove_if_unused()
        failpoint(SCRATCH_KEPT)
        return self._spark.read.table(table)

    def clear(self) -> None:
        """Remove what was kept."""
        while self._kept:
            name = self._kept.pop()
            table = self._place.name(TABLE + name)
            remote = self._place.folder is not None and self._folder is None
            if remote and self._spark.catalog.tableExists(table):
                # Dropping it would leave its files in an object store, and to write no rows removes them.
                nothing = self._spark.createDataFrame([], self._spark.read.table(table).schema)
                nothing.write.insertInto(table, overwrite=True)
            self._spark.sql(f"DROP TABLE IF EXISTS {table}")
        if self._folder is not None:
            self._folder.remove()

    def _create_folder(self) -> None:
        """Create the folder before Spark does, whose folders all may enter."""
        warehouse = self._place.local_folder
        if self._folder is None or warehouse is None:
            return
        remote = type(self._spark).__module__.startswith("pyspark.sql.connect")
        with suppress(OSError):
            if is_ours(warehouse, remote=remote):
                self._folder.create()
