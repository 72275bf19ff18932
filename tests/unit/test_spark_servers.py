"""Servers and masters that nobody answers for: a known error within seconds, and patience with slow ones."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc  # type: ignore[import-untyped]
import pytest

from fairsweep.engines.spark import session
from fairsweep.errors import StorageError, UsageError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def _without_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "is_running", lambda: False)


@pytest.mark.parametrize(
    ("flag", "start", "shown"),
    [
        ("--remote", lambda port: session.start(remote=f"sc://127.0.0.1:{port}/;token=secret"), "sc://127.0.0.1:{}/"),
        ("--master", lambda port: session.start(master=f"spark://127.0.0.1:{port}"), "spark://127.0.0.1:{}"),
    ],
)
def test_where_nobody_answers_the_error_says_so_and_keeps_tokens(
    monkeypatch: pytest.MonkeyPatch, flag: str, start: Callable[[int], object], shown: str
) -> None:
    monkeypatch.setattr(session, "REACHED_WITHIN", 1.0)
    port = free_port()
    began = time.monotonic()
    with pytest.raises(StorageError) as caught:
        start(port)
    assert time.monotonic() - began < 10
    assert str(caught.value).startswith(f"{flag} is `{shown.format(port)}`, which did not answer within 1 seconds; ch")
    assert "secret" not in str(caught.value)


def test_the_time_to_wait_is_one_that_people_wait() -> None:
    assert 10 <= session.REACHED_WITHIN <= 18


def test_a_connect_server_that_comes_up_late_is_waited_for() -> None:
    port, server = free_port(), grpc.server(ThreadPoolExecutor(1))
    server.add_insecure_port(f"127.0.0.1:{port}")
    late = threading.Timer(1.0, server.start)
    began = time.monotonic()
    late.start()
    try:
        session._reach_server(f"sc://127.0.0.1:{port}")
        assert time.monotonic() - began >= 1.0
    finally:
        late.join()
        server.stop(None)


def test_a_master_that_comes_up_late_or_stands_by_is_enough() -> None:
    dead, port = free_port(), free_port()
    with socket.socket() as master:
        master.bind(("127.0.0.1", port))
        late = threading.Timer(1.0, master.listen)
        began = time.monotonic()
        late.start()
        session._reach_master(f"spark://127.0.0.1:{dead},127.0.0.1:{port}")
        assert time.monotonic() - began >= 1.0
        late.join()


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (
            lambda: session.start(remote="http://host"),
            "--remote is `http://host`; allowed: sc://HOST:PORT; for example",
        ),
        (lambda: session.start(remote="sc://"), "--remote is `sc://`; allowed: sc://HOST:PORT"),
        (lambda: session.start(remote="sc://h:nine"), "--remote is `sc://h:nine`; allowed: sc://HOST:PORT"),
        (
            lambda: session.start(master="spark://host"),
            "--master is `spark://host`; allowed: spark://HOST:PORT; for ex",
        ),
        (lambda: session.start(master="spark://h:7077,"), "--master is `spark://h:7077,`; allowed: spark://HOST:PORT"),
    ],
)
def test_addresses_that_are_none_are_refused(start: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        start()
    assert str(caught.value).startswith(message)
