"""Fixtures of the Spark tests: one Connect server for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.spark.connect import serving


@pytest.fixture(scope="session")
def connect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The `sc://` URL of a live Spark Connect server with Delta.

    A process is either a Connect client or has a Spark of its own, so clients of it are child processes.
    """
    with serving(tmp_path_factory.mktemp("connect")) as url:
        yield url
