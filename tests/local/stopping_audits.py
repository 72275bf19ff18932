"""Real audits in processes of their own, which are stopped, starved or raced, and what readers see afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.failpoints import VARIABLE
from fairsweep.stores.places import Place
from tests.conftest import REPOSITORY

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
SHOWN = (
    "SELECT run_id, attribute, group_value, tp, fp, fn, tn FROM threshold_sweep "
    "WHERE cutoff_index = 30 AND attribute <> 'overall'"
)
Counts = dict[tuple[str, str], tuple[int, ...]]


def made_up(seed: int) -> pd.DataFrame:
    """Members of six groups; every seed has other counts."""
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


def recounted(frame: pd.DataFrame) -> Counts:
    """tp, fp, fn and tn at 0.3, by a loop over groups."""
    found: Counts = {}
    for attribute in ("race", "sex"):
        for group, part in frame.groupby(attribute):
            flagged, event = part.score >= 0.3, part.event == 1
            cells = (flagged & event, flagged & ~event, ~flagged & event, ~flagged & ~event)
            found[attribute, str(group)] = tuple(int(cell.sum()) for cell in cells)
    return found


class Laboratory:
    """One folder with inputs and a warehouse, and processes that audit the first into the second."""

    def __init__(self, folder: Path, engine: str = "local") -> None:
        self.folder, self.engine, self.warehouse = folder, engine, folder / "warehouse"
        (folder / "audit.yaml").write_text(CONFIG)

    def put(self, seed: int) -> Counts:
        """Write an input, and tell what an audit of it must count."""
        rows = made_up(seed)
        rows.to_parquet(self.folder / f"{seed}.parquet")
        return recounted(rows)

    def begin(self, seed: int, *, failpoint: str = "", before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start an audit of an input by the job that schedulers call."""
        flags = ["--config", "audit.yaml", "--set", f"input.path={seed}.parquet", "--engine", self.engine]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), VARIABLE: failpoint}
        job = str(REPOSITORY / "jobs" / "audit.py")
        return subprocess.Popen(
            [*before, sys.executable, job, *flags, "--warehouse", str(self.warehouse)],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def audit(self, seed: int, *, failpoint: str = "", before: tuple[str, ...] = ()) -> tuple[int, list[str]]:
        """Run an audit to its end: its exit code, and the lines of its standard error."""
        process = self.begin(seed, failpoint=failpoint, before=before)
        return ended(process)

    def seen(self) -> Counts:
        """What readers see; more than one run would show as other counts."""
        if not self.warehouse.exists():
            return {}
        rows = DeltaRsStore(Place.warehouse(self.warehouse)).query(SHOWN).to_pylist()
        assert len({row["run_id"] for row in rows}) <= 1
        return {(r["attribute"], r["group_value"]): (r["tp"], r["fp"], r["fn"], r["tn"]) for r in rows}


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The exit code of a process, and the lines of its standard error, which are always words of our own."""
    _, errors = process.communicate(timeout=300)
    for foreign in ("Traceback", "panicked", "backtrace", "WARN", "Exception in thread"):
        assert foreign not in errors, errors
    return process.returncode, errors.splitlines()
