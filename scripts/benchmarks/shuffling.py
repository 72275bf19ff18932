"""Bytes shuffled, from Spark's event log."""

from __future__ import annotations

import json
from pathlib import Path


def settings(folder: Path) -> list[str]:
    """The arguments of spark-submit that make a session write its event log into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {"enabled": "true", "dir": folder.as_uri(), "compress": "false", "rolling.enabled": "false"}
    return [f"--conf spark.eventLog.{key}={value}" for key, value in wanted.items()]


class Shuffled:
    """Counts the bytes that tasks wrote to shuffles since the last call."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the log."""
        self._folder, self._told = folder, 0

    def __call__(self) -> int:
        """The bytes since the last call; the log is complete whenever a job has ended."""
        total = 0
        for log in self._folder.iterdir():
            with log.open(encoding="utf-8") as lines:
                total += sum(_written(line) for line in lines)
        new, self._told = total - self._told, total
        return new


def _written(line: str) -> int:
    if '"SparkListenerTaskEnd"' not in line:
        return 0
    metrics = json.loads(line).get("Task Metrics") or {}
    return int(metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0))
