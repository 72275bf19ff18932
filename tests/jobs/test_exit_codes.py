"""The job under plain python: what each end of it tells a scheduler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import REPOSITORY
from tests.spark.small_audits import config_of, people, written

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Job(NamedTuple):
    """A folder with an input and a config, and a warehouse to come."""

    folder: Path
    config: Path

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            str(REPOSITORY / "jobs" / "audit.py"),
            "--engine",
            "spark",
            f"--config={self.config}",
        ]
        given = [] if {"--warehouse", "--schema"} & set(flags) else ["--warehouse", str(self.folder / "wh")]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
        return subprocess.run(
            [*command, "--config", str(self.config), *given, *flags],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Females are flagged far too little."""
    rows = people(600)
    rows["score"] = rows["score"].mask(rows["sex"] == "female", rows["score"] / 4)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    return Job(tmp_path, _config(tmp_path))


def _config(folder: Path, **changes: object) -> Path:
    return written(config_of(input={"format": "csv", "path": "rows.csv"}, **changes), folder / "audit.yaml")


def test_done_is_0_and_a_breach_is_4_also_when_it_was_done_before(job: Job) -> None:
    done = job.run("--json")
    assert done.returncode == 0, done.stderr
    tables: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    verdicts = {
        row["group_value"]: row["verdict"]
        for row in tables["group_metrics"]
        if row["attribute"] == "sex" and row["verdict"]
    }
    assert verdicts["female"] == "breach"
    assert "log level" not in done.stderr
    gated = job.run("--fail-on", "breach")
    assert gated.returncode == 4, gated.stderr
    assert "Traceback" not in gated.stderr


@pytest.mark.parametrize(
    ("changes", "flags", "said"),
    [
        ({"flag_is": "halp"}, [], "help"),
        ({"columns": {"score": "scor", "label": "label"}}, [], "did you mean `score`"),
        ({}, ["--set", "input.path=nowhere.csv"], "nowhere.csv"),
        ({}, ["--no-such-flag"], "no-such-flag"),
        ({}, ["--window-start", "2026-01-01"], "scored_on"),
    ],
)
def test_usage_and_config_are_2_before_spark_starts(
    job: Job, changes: dict[str, object], flags: list[str], said: str
) -> None:
    if changes:
        _config(job.folder, **changes)
    ended = job.run(*flags)
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Starting Spark" not in ended.stderr
    assert not (job.folder / "wh").exists()


@pytest.mark.parametrize(
    ("catalog", "said"),
    [(["--catalog", "spark_catalog"], "--warehouse DIR"), ([], "--warehouse DIR"), (["--catalog", "nope"], "`nope`")],
)
def test_a_catalog_that_is_not_there_or_ends_with_the_process_is_2_at_the_first_run(
    job: Job, catalog: list[str], said: str
) -> None:
    ended = job.run(*catalog, "--schema", "fair")
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr.splitlines()[-1]
    assert not (job.folder / "spark-warehouse" / "fair.db").exists()


def test_rows_that_are_too_bad_are_3(job: Job) -> None:
    rows = people(600)
    rows["label"] = rows["label"].astype("Int64").mask(rows.index % 3 == 0)
    rows.to_csv(job.folder / "rows.csv", index=False)
    ended = job.run("--fail-on", "breach")
    assert ended.returncode == 3, ended.stderr
    assert "label_missing" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("place", "code"), [("file", 2), ("file/wh", 5), ("/proc/wh", 5)])
def test_a_warehouse_that_cannot_be_written_is_told_before_counting(job: Job, place: str, code: int) -> None:
    (job.folder / "file").write_text("no folder\n")
    ended = job.run("--warehouse", str(job.folder / place))
    assert ended.returncode == code, ended.stderr
    assert "Counting" not in ended.stderr
    assert "Traceback" not in ended.stderr
