"""A warehouse that cannot take results is named before a row is counted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import fairsweep as fs
from fairsweep.cli.main import run
from fairsweep.errors import FairsweepError, StorageError, UsageError
from fairsweep.runs.options import RunOptions
from fairsweep.runs.warehouse import refuse_unwritable
from tests.spark.small_audits import config_of, people, written


@pytest.fixture
def config(tmp_path: Path) -> Path:
    people(300).to_csv(tmp_path / "rows.csv", index=False)
    return written(config_of(input={"format": "csv", "path": "rows.csv"}), tmp_path / "audit.yaml")


# What stands at the path | the warehouse | the error and its words
UNUSABLE: tuple[tuple[str, str, type[FairsweepError], str], ...] = (
    ("file", "it", UsageError, "a file; allowed: a folder"),
    ("fifo", "it", UsageError, "a FIFO (named pipe); allowed: a folder"),
    ("file", "it/below", StorageError, "not writable"),
    ("file", "it/far/below", StorageError, "is a file"),
    ("link", "it/below", StorageError, "is a device"),
    ("nothing", "/proc/fairsweep", StorageError, "not writable"),
    ("nothing", "/sys/fairsweep/wh", StorageError, "not writable"),
    ("nothing", "n" * 300, StorageError, "File name too long"),
    ("nothing", "a\udcffb", UsageError, "the path of a folder"),
)


@pytest.mark.parametrize(("there", "warehouse", "error", "words"), UNUSABLE)
def test_an_unusable_warehouse_is_named_before_counting(
    there: str,
    warehouse: str,
    error: type[FairsweepError],
    words: str,
    config: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    it = config.parent / "it"
    if there == "file":
        it.write_text("no folder\n")
    elif there == "fifo":
        os.mkfifo(it)
    elif there == "link":
        it.symlink_to("/dev/null")
    place = str(config.parent / warehouse)
    code = run(["audit", "--config", str(config), "--engine", "local", "--warehouse", place])
    said = capsys.readouterr().err
    assert code == error.exit_code
    assert words in said
    assert "Counting" not in said
    assert run(["tables", "create", "--engine", "local", "--warehouse", place]) == error.exit_code
    assert not list(config.parent.glob(".fairsweep*"))


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A file system that nobody can write to, where this machine lets us mount one."""
    place = tmp_path / "mounted"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_read_only_file_system_is_named_before_counting(
    read_only: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (read_only, read_only / "warehouse"):
        assert run(["audit", "--config", str(config), "--engine", "local", "--warehouse", str(place)]) == 5
        said = capsys.readouterr().err
        assert "Read-only file system" in said
        assert "Counting" not in said


def test_a_result_is_not_written_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder\n")
    result = fs.audit(people(300), score="score", label="label", attributes=["race"], flag_is="help")
    with pytest.raises(UsageError, match="a file; allowed: a folder"):
        result.write(tmp_path / "file")
    with pytest.raises(StorageError, match="not writable"):
        result.write(tmp_path / "file" / "below")


def test_a_folder_of_another_user_is_named_before_counting(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs to be root, to become another user")
    own = tmp_path / "own"
    (own / "runs" / "_delta_log").mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    child = os.fork()
    if not child:
        os.setresuid(65_534, 65_534, 65_534)
        try:
            refuse_unwritable(RunOptions(engine="local", warehouse=str(own)), str(own))
        except StorageError as error:
            os._exit(7 if "Permission denied" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    new = tmp_path / "new" / "warehouse"
    refuse_unwritable(RunOptions(engine="local", warehouse=str(new)), str(new))
    assert list(tmp_path.iterdir()) == []
    for elsewhere in (
        RunOptions(warehouse=str(new), engine="spark", remote="sc://host:15002"),
        RunOptions(warehouse=str(new), engine="spark", master="spark://host:7077"),
        RunOptions(warehouse="s3a://bucket/x"),
        RunOptions(schema="s"),
    ):
        refuse_unwritable(elsewhere, str(new))
