"""Audits killed at random times over one live Connect server: readers see the run before or the run after, whole."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.spark.connect import serving

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]
KILLS = int(os.environ.get("FAIRSWEEP_SOAK_KILLS", "20"))
ROWS = 20_000
CONFIG = """
model: {id: falls, version: "1"}
flag_is: help
input: {format: parquet, path: rows.parquet}
columns: {score: score, label: event}
attributes: [race, sex]
cutoffs: {start: 0, stop: 1, count: 101}
operating_points: [{name: fixed, rule: fixed, at: 0.3}]
privacy: {minimum_cell_size: 0}
"""
Counts = dict[tuple[str, str], tuple[int, int, int, int]]


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as url:
        yield url


def rows(seed: int) -> pd.DataFrame:
    stream = np.random.default_rng(seed)
    score = stream.integers(0, 101, ROWS) / 100
    return pd.DataFrame(
        {
            "score": score,
            "event": (stream.random(ROWS) < score * 0.6).astype(int),
            "race": stream.choice(["Asian", "Black", "White"], ROWS),
            "sex": stream.choice(["female", "male"], ROWS),
        }
    )


def recount(frame: pd.DataFrame) -> Counts:
    found: Counts = {}
    for attribute in ("race", "sex"):
        for group, part in frame.groupby(attribute):
            flagged, event = part.score >= 0.3, part.event == 1
            cells = (flagged & event, flagged & ~event, ~flagged & event, ~flagged & ~event)
            found[attribute, str(group)] = tuple(int(cell.sum()) for cell in cells)  # type: ignore[assignment]
    return found


class Laboratory:
    """One warehouse behind one server, and processes that audit into it."""

    def __init__(self, folder: Path, remote: str) -> None:
        self.folder = folder
        self.flags = ["--remote", remote, "--warehouse", str(folder / "warehouse")]
        (folder / "audit.yaml").write_text(CONFIG)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "fairsweep", *words, *self.flags]

    def audit(self, name: str) -> list[str]:
        override = f"input.path={self.folder / name}"
        return self.command("audit", "--config", str(self.folder / "audit.yaml"), "--set", override, "--json")

    def complete(self, name: str) -> None:
        done = subprocess.run(self.audit(name), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def shown(self) -> Counts:
        query = (
            "SELECT attribute, group_value, tp, fp, fn, tn FROM threshold_sweep "
            "WHERE cutoff_index = 30 AND attribute <> 'overall'"
        )
        done = subprocess.run(self.command("sql", query, "--json"), capture_output=True, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)["result"]
        return {(r["attribute"], r["group_value"]): (r["tp"], r["fp"], r["fn"], r["tn"]) for r in found}


def test_an_audit_killed_at_any_time_leaves_one_whole_run(tmp_path: Path, remote: str) -> None:
    laboratory = Laboratory(tmp_path, remote)
    seed = int(os.environ.get("FAIRSWEEP_SOAK_SEED", "20"))
    stream = random.Random(seed)
    before = rows(0)
    before.to_parquet(tmp_path / "a.parquet")
    laboratory.complete("a.parquet")
    longest = 0.0
    for kill in range(1, KILLS + 1):
        after = rows(kill)
        name = f"b{kill}.parquet"
        after.to_parquet(tmp_path / name)
        pause = stream.uniform(0.5, max(longest, 8.0))
        process = subprocess.Popen(
            laboratory.audit(name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(pause)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        seen = laboratory.shown()
        assert seen in (recount(before), recount(after)), f"kill {kill} after {pause:.2f} s, seed {seed}"
        print(f"kill {kill} after {pause:.2f} s: readers see {'before' if seen == recount(before) else 'after'}")
        started = time.monotonic()
        laboratory.complete(name)
        longest = max(longest, time.monotonic() - started)
        assert laboratory.shown() == recount(after)
        laboratory.complete("a.parquet")
        assert laboratory.shown() == recount(before)
