"""Fixtures that several kinds of tests share: one Spark session, the optional folder of real inputs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Generators share the machine with Spark: how long an example takes says nothing of the code.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local Delta session for the whole run."""
    from fairsweep.engines.spark.session import start

    session = start(master="local[2]")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real inputs; tests that need it are skipped, and say so, where it is absent."""
    folder = Path(os.environ.get("FAIRSWEEP_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real inputs are absent: no folder {folder}; set FAIRSWEEP_DATA to run this test")
    return folder


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's own; only root can then become another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
