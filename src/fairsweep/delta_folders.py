"""Rows of Delta tables in local folders as Arrow reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    from deltalake import DeltaTable


def dataset(table: DeltaTable, folder: Path) -> ds.Dataset:
    """A table's files as they are at its version, read by Arrow's own file system.

    delta-rs would lend its own, through Python: Arrow's threads then still give back objects of Python after the rows
    have been read, and the process is aborted where Python ends meanwhile.
    """
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    return table.to_pyarrow_dataset(filesystem=SubTreeFileSystem(str(folder), LocalFileSystem()))
