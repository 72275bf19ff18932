"""Damage of the log of a Delta table in a local folder; Delta itself treats an empty commit as no change."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\b.*\.(?:parquet|json)")
# Spark writes checksums after a commit.
_VERSION = re.compile(r"(\d{20})\.json|(?:\.?(\d{20})\.(?:json\.|crc\.)?crc)")
_LAST_CHECKPOINT = "_last_checkpoint"
_MAGIC = b"PAR1"
_ACTIONS = {
    "add", "remove", "metaData", "protocol", "commitInfo", "txn", "cdc", "domainMetadata", "checkpointMetadata",
    "sidecar",
}  # fmt: skip
# How many files a commit has added, as delta-rs and Spark say of merges and other writes.
_FILES_ADDED = ("num_target_files_added", "numTargetFilesAdded", "num_added_files")


def log_faults(table: Path) -> list[str]:
    """Which files of a table's log are damaged or missing, and how; empty if no damage is found.

    Only the files that readers need are checked: the newest checkpoint and the commits after it. Missing newest
    commits cannot be detected.
    """
    found = _faults(table / LOG)
    # A listing may miss a file that appears meanwhile, and include a later one.
    return _faults(table / LOG) if found else []


def _faults(log: Path) -> list[str]:
    sizes: dict[str, int] = {}
    with suppress(OSError):
        for path in log.iterdir():
            with suppress(OSError):
                sizes[path.name] = path.stat().st_size
    commits = {int(match[1]) for name in sizes if (match := _COMMIT.fullmatch(name))}
    checkpoints = {int(match[1]) for name in sizes if (match := _CHECKPOINT.fullmatch(name))}
    if not commits and not checkpoints:
        # A writer creates the folder of the log before the log. Without access, no fault is reported.
        if not os.access(log.parent, os.R_OK | os.X_OK):
            return []
        has_rows = any(log.parent.glob("run_id=*")) or (log.is_dir() and any(log.parent.glob("*.parquet")))
        return [f"`{LOG}` has no commit"] if has_rows else []
    versions = (_VERSION.fullmatch(name) for name in sizes)
    latest = max((int(match[1] or match[2]) for match in versions if match), default=0)
    base = max(checkpoints, default=-1)
    faults = []
    for name, size in sorted(sizes.items()):
        checkpoint = _CHECKPOINT.fullmatch(name)
        if checkpoint and int(checkpoint[1]) == base:
            faults += _of_checkpoint(log / name, size)
    hinted = _hinted(log / _LAST_CHECKPOINT)
    if hinted is not None and hinted not in checkpoints and not any(version > hinted for version in checkpoints):
        faults.append(f"{_named(log / f'{hinted:020}.checkpoint.parquet')} is missing")
    for version in range(base + 1, latest + 1):
        path = log / f"{version:020}.json"
        faults += _of_commit(path) if version in commits else [f"{_named(path)} is missing"]
    return faults


def _named(path: Path) -> str:
    return f"`{LOG}/{path.name}`"


def _of_checkpoint(path: Path, size: int) -> list[str]:
    if not size:
        return [f"{_named(path)} is empty"]
    if path.suffix != ".parquet":
        return []
    with suppress(OSError), path.open("rb") as file:
        start = file.read(len(_MAGIC))
        file.seek(-min(size, len(_MAGIC)), 2)
        if not start == file.read() == _MAGIC:
            return [f"{_named(path)} is cut off"]
    return []


def _hinted(path: Path) -> int | None:
    """The version of the checkpoint that readers are sent to."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads(path.read_bytes())["version"])
    return None


def _of_commit(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError:
        return []
    if not content.strip():
        return [f"{_named(path)} is empty"]
    actions = []
    for line in content.splitlines():
        try:
            action = json.loads(line)
        except ValueError:
            return [f"{_named(path)} is cut off, or not JSON"]
        if not isinstance(action, dict) or len(action) != 1 or not action.keys() <= _ACTIONS:
            return [f"{_named(path)} has a line that is no action of Delta"]
        actions.append(action)
    return _of_metrics(path, actions)


def _of_metrics(path: Path, actions: list[dict[str, dict[str, object]]]) -> list[str]:
    """A commit that was cut at the end of a line adds fewer files than it says."""
    metrics: object = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    metrics = metrics.get("operationMetrics") if isinstance(metrics, dict) else None
    if not isinstance(metrics, dict):
        return []
    said = next((metrics[name] for name in _FILES_ADDED if name in metrics), None)
    added = sum("add" in action for action in actions)
    if said is None or not str(said).isdigit() or int(str(said)) == added:
        return []
    return [f"{_named(path)} adds {added} of {said} files"]
