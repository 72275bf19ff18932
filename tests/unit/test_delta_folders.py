"""Delta tables in local folders are read by Arrow alone: what Python lends aborts a process that ends meanwhile."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.fs import PyFileSystem

from fairsweep.delta_folders import dataset
from tests.conftest import REPOSITORY

deltalake = pytest.importorskip("deltalake", reason="deltalake writes the tables")


def test_no_object_of_python_lies_behind_the_rows(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, pa.table({"x": [1, 2]}))
    rows = dataset(deltalake.DeltaTable(tmp_path), tmp_path)
    assert rows.to_table().column("x").to_pylist() == [1, 2]
    assert not isinstance(rows.filesystem.base_fs, PyFileSystem)
    assert isinstance(deltalake.DeltaTable(tmp_path).to_pyarrow_dataset().filesystem, PyFileSystem), "not needed"


@pytest.mark.parametrize("folder", ["a b", "ä", "x#y"])
def test_every_name_of_a_partition_and_of_a_folder(tmp_path: Path, folder: str) -> None:
    values = ["a b", "c%d", "e/f", "ä", "a%20b", None]
    place = tmp_path / folder
    deltalake.write_deltalake(place, pa.table({"part": values, "x": range(6)}), partition_by=["part"])
    rows = dataset(deltalake.DeltaTable(place), place).to_table().sort_by("x")
    assert rows.column("part").to_pylist() == values


def test_it_is_the_only_reader() -> None:
    others = [
        str(path)
        for path in (REPOSITORY / "src").rglob("*.py")
        if "to_pyarrow" in path.read_text(encoding="utf-8") and path.name != "delta_folders.py"
    ]
    assert others == []
