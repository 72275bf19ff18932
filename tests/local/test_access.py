"""Who can enter the folders of restricted tables and of scratch rows, and what is left of a killed run."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from fairsweep.stores.access import SCRATCH_FOLDER
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.stores.scratch import ScratchFolder, remove_leftovers
from fairsweep.tables.catalogue import RESTRICTED_TABLES, TABLES
from tests.local.test_damaged_run_before import CONFIG, audit, write_input
from tests.spark.made_up_runs import made_up_run

# Holds a scratch folder as a run does, and says where; then it ends as a kill would, or waits to be killed.
HOLDER = """
import os, sys
from pathlib import Path
from fairsweep.stores.scratch import ScratchFolder
folder = ScratchFolder(Path(sys.argv[1]))
folder.create()
(folder.path / "member.parquet").write_text("rows of members")
print(folder.path, flush=True)
sys.stdin.read()
os._exit(86)
"""


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """Whatever is not made private can be read by all."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def held(warehouse: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a scratch folder in use, and the folder."""
    command = [sys.executable, "-c", HOLDER, str(warehouse)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_restricted_tables_are_their_owners_before_they_have_a_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, seen = DeltaTable.create, {}

    def noted(folder: str, *given: object, **named: object) -> object:
        path = Path(folder)
        seen[path.name] = mode(path) if path.exists() else None
        return create(folder, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(DeltaTable, "create", noted)
    store = DeltaRsStore(Place.warehouse(tmp_path / "wh"))
    store.publish([made_up_run("A")])
    assert {name: seen[name] for name in RESTRICTED_TABLES} == dict.fromkeys(RESTRICTED_TABLES, 0o700)
    modes = {name: mode(tmp_path / "wh" / name) for name in TABLES}
    assert {name for name, found in modes.items() if found == 0o700} == set(RESTRICTED_TABLES)
    assert store.open_to_others(RESTRICTED_TABLES) == ()


def test_where_rights_cannot_be_set_the_outcome_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As on a file system without modes, where every folder can be entered by all."""
    (tmp_path / "audit.yaml").write_text(CONFIG, encoding="utf-8")
    write_input(tmp_path)
    assert audit(tmp_path) == 0
    warning = "score_histograms, which holds small cells or members, can be read by users other than its owner (its"
    assert "can be read by users other" not in capsys.readouterr().out
    (tmp_path / "wh" / "score_histograms").chmod(0o777)
    for flags in ((), ("--force",)):
        assert audit(tmp_path, *flags) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert warning in told
        assert "cells, which" not in told
    assert audit(tmp_path, "--json") == 0
    assert warning in capsys.readouterr().err
    assert audit(tmp_path, "--set", "privacy.minimum_cell_size=0") == 0
    assert "can be read by users other" not in capsys.readouterr().out


def test_scratch_is_its_owners_and_is_removed(tmp_path: Path) -> None:
    folder = ScratchFolder(tmp_path / "wh")
    assert not (tmp_path / "wh").exists()
    folder.create()
    assert mode(tmp_path / "wh" / SCRATCH_FOLDER) == mode(folder.path) == 0o700
    (folder.path / "rows.parquet").write_text("members")
    remove_leftovers(Place.warehouse(tmp_path / "wh"))
    assert (folder.path / "rows.parquet").exists()
    folder.remove()
    assert list((tmp_path / "wh" / SCRATCH_FOLDER).iterdir()) == []


def test_an_older_scratch_folder_that_all_can_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / SCRATCH_FOLDER).mkdir(mode=0o777)
    folder = ScratchFolder(tmp_path)
    folder.create()
    assert mode(tmp_path / SCRATCH_FOLDER) == 0o700
    folder.remove()


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_of_one_that_goes_on(tmp_path: Path) -> None:
    going, in_use = held(tmp_path / "wh")
    gone, left = held(tmp_path / "wh")
    killed(gone)
    place = Place.warehouse(tmp_path / "wh")
    assert (left / "member.parquet").exists()
    remove_leftovers(place)
    assert not left.exists()
    assert (in_use / "member.parquet").exists()
    killed(going)
    remove_leftovers(place)
    assert list((tmp_path / "wh" / SCRATCH_FOLDER).iterdir()) == []


def test_an_audit_without_spark_removes_leftovers_too(tmp_path: Path) -> None:
    (tmp_path / "audit.yaml").write_text(CONFIG, encoding="utf-8")
    write_input(tmp_path)
    process, left = held(tmp_path / "wh")
    killed(process)
    assert audit(tmp_path) == 0
    assert not left.exists()


def test_what_another_machine_may_still_use_stays_for_a_week(tmp_path: Path) -> None:
    """Locks of other machines are not seen on every shared file system."""
    folder = tmp_path / SCRATCH_FOLDER / "othermachine-1-abc"
    folder.mkdir(parents=True)
    remove_leftovers(Place.warehouse(tmp_path))
    assert folder.exists()
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(folder, (long_ago, long_ago))
    remove_leftovers(Place.warehouse(tmp_path))
    assert not folder.exists()
