"""Fixtures that several kinds of tests share: one Spark session, the optional folder of real inputs."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from _pytest.nodeid import coerce_node_id

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Generators share the machine with Spark: how long an example takes says nothing of the code.
_SHARED = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("full", _SHARED)
hypothesis.settings.register_profile("quick", _SHARED, max_examples=25)
hypothesis.settings.load_profile("full")

REPOSITORY = Path(__file__).resolve().parents[1]


# Tests of a few rows ask which rows come out: plans are made once, and a shuffle has one partition.
_FEW_ROWS = {"spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "1"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say which tests run in the same process, and put what takes longest first.

    Tests of a Spark session in the process are one group, the slow ones of them another, so that few sessions start;
    any other file is a group of its own.
    """
    _leave_cases_to_the_full_suite(items)
    groups = {item: _group(item) for item in items}
    slow = {groups[item] for item in items if item.get_closest_marker("slow")}
    if hasattr(config, "workerinput"):
        for item in items:
            # What pytest-xdist 3.8 does for marks `xdist_group`, in an attribute that pytest 9.2 no longer reads.
            item._id = coerce_node_id(f"{item.nodeid}@{groups[item]}")
    items.sort(key=lambda item: (groups[item] not in _OF_SPARK, groups[item] not in slow))


_OF_SPARK = ("Spark, slow", "Spark")


def _group(item: pytest.Item) -> str:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    # The engine of a spec table asks for its session itself.
    if "spark" in getattr(item, "fixturenames", ()) or parameters.get("said") == "spark":
        return _OF_SPARK[0 if item.get_closest_marker("slow") else 1]
    return str(item.path.relative_to(REPOSITORY))


def _leave_cases_to_the_full_suite(items: list[pytest.Item]) -> None:
    """Mark all but the first cases of a test as slow, where a mark `quick_cases` says how many are quick."""
    seen: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("quick_cases")
        if mark is not None:
            name = item.nodeid.partition("[")[0]
            seen[name] += 1
            if seen[name] > mark.args[0]:
                item.add_marker("slow")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local Delta session for all tests of a process."""
    from fairsweep.engines.spark.session import start

    session = start(master="local[1]")
    for key, value in _FEW_ROWS.items():
        session.conf.set(key, value)
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
