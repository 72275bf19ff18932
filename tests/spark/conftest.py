"""Fixtures of the Spark tests: one Connect server for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.spark.connect import INTERPRETED, interpret, serving

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def connect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The `sc://` URL of a live Spark Connect server with Delta.

    A process is either a Connect client or has a Spark of its own, so clients of it are child processes.
    """
    with serving(tmp_path_factory.mktemp("connect")) as url:
        yield url


@pytest.fixture(scope="module")
def interpreted(spark: SparkSession) -> Iterator[None]:
    """For tests of storing: see `INTERPRETED`."""
    interpret(spark)
    yield
    for key in INTERPRETED:
        spark.conf.unset(key)
