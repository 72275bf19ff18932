"""Publishing processes killed at every named place: clients of one live Connect server, and of delta-rs alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairsweep.stores.failpoints import EXIT_CODE, FAILPOINTS, VARIABLE
from fairsweep.tables.catalogue import AUDIT_TABLES

pytestmark = [pytest.mark.timeout(600)]
REPOSITORY = Path(__file__).resolve().parents[2]
# Every kill through a server takes a session of its own, and one table is written like another.
THROUGH_A_SERVER = {
    "tables_ensured", "threshold_sweep_written", "cohort_flow_written", "before_commit", "committed",
}  # fmt: skip
QUICK = {"threshold_sweep_written", "before_commit", "committed"}
CLIENT = Path(__file__).with_name("publishing_client.py")


class Client:
    """A child process that publishes and looks."""

    def __init__(self, server: str, warehouse: Path, failpoint: str = "") -> None:
        path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SPARK_")}
        self.process = subprocess.Popen(
            [sys.executable, str(CLIENT), server, str(warehouse)],
            env=environment | {"PYTHONPATH": path, VARIABLE: failpoint},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, verb: str = "audit", **command: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"verb": verb, **command}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else None

    def end(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module", params=[pytest.param("connect", marks=pytest.mark.slow), "local"])
def server(request: pytest.FixtureRequest) -> str:
    """What a client writes through."""
    url: str = "local" if request.param == "local" else request.getfixturevalue("connect_server")
    return url


@pytest.fixture(scope="module")
def warehouse(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("o'brien ${HOME}") / "results"


@pytest.fixture(scope="module")
def client(server: str, warehouse: Path) -> Iterator[Client]:
    client = Client(server, warehouse)
    yield client
    assert client.end() == 0


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize(
    "failpoint", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in FAILPOINTS]
)
def test_readers_see_one_run_whole_wherever_the_next_one_is_killed(
    failpoint: str, client: Client, server: str, warehouse: Path
) -> None:
    if server != "local" and failpoint not in THROUGH_A_SERVER:
        pytest.skip("killed there by delta-rs alone: publishing is the same for both")
    model = f"killed_at_{failpoint}"
    # Cohorts have the fewest tables, and all else is the same.
    verb = "audit" if failpoint.startswith(AUDIT_TABLES) else "cohort"
    assert client.ask(verb, publish=["A"], model=model) == ["published"]

    killed = Client(server, warehouse, failpoint)
    assert killed.ask(verb, publish=["B"], model=model) is None
    assert killed.end() == EXIT_CODE
    survivor = "B" if failpoint == "committed" else "A"
    assert client.ask(verb, show=["A", "B"], model=model) == [survivor]

    outcome = "already_done" if failpoint == "committed" else "published"
    assert client.ask(verb, publish=["B"], model=model) == [outcome]
    assert client.ask(verb, show=["A", "B"], model=model) == ["B"]
    assert client.ask(verb, publish=["A"], model=model) == ["already_done"]
    assert client.ask(verb, show=["A", "B"], model=model) == ["A"]


def test_eight_threads_of_a_client_publish_a_run_once(client: Client) -> None:
    outcomes = client.ask("cohort", publish=["A"] * 8, model="threads")
    assert Counter(outcomes) == {"published": 1, "already_done": 7}
    assert client.ask("cohort", show=["A"], model="threads") == ["A"]


def test_processes_that_publish_the_same_run_at_once_leave_one_output(
    client: Client, server: str, warehouse: Path
) -> None:
    others = [Client(server, warehouse) for _ in range(3)]
    for other in others:
        assert other.process.stdin
        other.process.stdin.write(json.dumps({"publish": ["A"], "model": "processes", "verb": "cohort"}) + "\n")
        other.process.stdin.flush()
    for other in others:
        assert other.process.stdout
        assert json.loads(other.process.stdout.readline()) in (["published"], ["already_done"])
        assert other.end() == 0
    assert client.ask("cohort", show=["A"], model="processes") == ["A"]
    assert client.ask("cohort", publish=["A"], model="processes") == ["already_done"]
