"""Whole audits: a cold process from a config to published tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.benchmarks.answers import Answer
from scripts.benchmarks.contestants import Command, NotBuiltError, Work
from scripts.benchmarks.forms import answers_of_sweep, config_of


def local(work: Work) -> Command:
    """Without Spark."""
    return _audit(work, "local")


def spark(work: Work) -> Command:
    """On a local Spark session of the audit's own."""
    return _audit(work, "spark")


def _audit(work: Work, engine: str) -> Command:
    from fairsweep.runs.flags import ENGINES

    if engine not in ENGINES:
        raise NotBuiltError(f"--engine {engine}")
    config, warehouse = work.scratch / "audit.yaml", work.scratch / "warehouse"
    config.write_text(yaml.safe_dump(config_of(work, work.path)), encoding="utf-8")

    def answers() -> Sequence[Answer]:
        from deltalake import DeltaTable

        table: Any = DeltaTable(warehouse / "threshold_sweep")
        return answers_of_sweep(table.to_pyarrow_table(), work)

    return Command(command_of(engine, config, warehouse), answers, warehouse)


def command_of(engine: str, config: Path, warehouse: Path) -> list[str]:
    """The command line of an audit."""
    arguments = [sys.executable, "-m", "fairsweep", "audit", "--engine", engine]
    return [*arguments, "--config", str(config), "--warehouse", str(warehouse)]
