"""A run killed while its rows lie aside: nobody else can read them, and the next run removes them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fairsweep.stores.access import SCRATCH_FOLDER
from fairsweep.stores.failpoints import EXIT_CODE, SCRATCH_KEPT, VARIABLE
from tests.conftest import REPOSITORY
from tests.spark.small_audits import config_of, people, stored, written

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_rows_laid_aside_are_the_owners_and_are_removed_by_the_next_run(tmp_path: Path) -> None:
    limits = {"driver_state_rows": 20}
    config = written(config_of(input=stored(people(600), tmp_path, "parquet"), limits=limits), tmp_path / "audit.yaml")
    scratch = tmp_path / "wh" / SCRATCH_FOLDER

    def audit(failpoint: str) -> int:
        command = [sys.executable, "-m", "fairsweep", "audit", "--engine", "spark", "--config", str(config)]
        return subprocess.run(
            [*command, "--warehouse", str(tmp_path / "wh")],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), VARIABLE: failpoint},
            check=False,
            umask=0,
        ).returncode

    assert audit(SCRATCH_KEPT) == EXIT_CODE
    left = [path for path in scratch.iterdir() if path.is_dir()]
    assert any(path.suffix == ".parquet" for path in scratch.rglob("*"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in (scratch, *left)] == [0o700, 0o700]

    assert audit("") == 0
    assert list(scratch.iterdir()) == []
