"""One scan is a promise: Spark's own event log says how many records were read from the input's files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tests.spark.small_audits import config_of, written

deltalake = pytest.importorskip("deltalake", reason="deltalake writes the Delta table that is audited")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROWS = 200_000
ROW_GROUP = 50_000
FIVE = ["race", "sex", "plan", "state", {"name": "age_band", "from": "age", "breaks": [18, 65, 75, 85]}]
TEN = {"start": 0, "stop": 0.9, "count": 10}
THOUSAND = {"start": 0, "stop": 1, "count": 1001}

PROGRAM = """
import json, sys
from fairsweep.engines.spark.session import start
from fairsweep.auditing.verb import RunOptions, audit_config

start(master="local[2]")
for config, warehouse in json.loads(sys.argv[1]):
    outcome = audit_config(config, RunOptions(engine="spark", warehouse=warehouse))
    assert outcome.state == "published", outcome.state
    print(json.dumps([config, outcome.tables["runs"]["rows_input"].to_pylist()]))
"""


class Case(NamedTuple):
    """An audit whose reading is counted."""

    format: str
    attributes: int
    cutoffs: int

    @property
    def name(self) -> str:
        return "-".join(map(str, self))


CASES = [
    Case(form, attributes, cutoffs) for form in ("parquet", "delta") for attributes in (1, 5) for cutoffs in (10, 1001)
]


class Read(NamedTuple):
    """What a run read: by its own count, by the scans' rows, and by the tasks' records."""

    rows_input: int
    scanned: int
    records: int


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Read]:
    """All cases in one process of its own; each has its own copy of the input, so that the log tells them apart."""
    folder = tmp_path_factory.mktemp("one-scan")
    configs = {case: _prepared(case, folder) for case in CASES}
    jobs = [(str(config), str(folder / "warehouse")) for config in configs.values()]
    output = _run_logged(jobs, folder / "events")
    rows = {config: sum(counts) for config, counts in map(json.loads, output.splitlines())}
    events = [event for log in sorted((folder / "events").iterdir()) for event in _events(log)]
    return {
        case: Read(rows[str(config)], *_read_from(events, str(folder / case.name / "input")))
        for case, config in configs.items()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_records_read_are_the_input_s_rows_and_at_most_one_probed_row_group(
    reads: dict[Case, Read], case: Case
) -> None:
    read = reads[case]
    assert read.rows_input == ROWS
    assert ROWS <= read.scanned <= ROWS + ROW_GROUP
    assert ROWS <= read.records <= ROWS + ROW_GROUP


def _prepared(case: Case, folder: Path) -> Path:
    place = folder / case.name
    place.mkdir()
    _write_input(place / "input", case.format)
    attributes = FIVE[: case.attributes]
    config = config_of(
        input={"format": case.format, "path": str(place / "input")},
        attributes=attributes,
        cutoffs=TEN if case.cutoffs == 10 else THOUSAND,
        model={"id": case.name, "version": "1"},
    )
    return written(config, place / "audit.yaml")


def _write_input(place: Path, form: str) -> None:
    random = np.random.default_rng(3)
    score = random.beta(2, 5, ROWS)
    rows = pa.Table.from_pandas(
        pd.DataFrame(
            {
                "score": score,
                "label": (random.random(ROWS) < score).astype("int64"),
                **{name: random.choice(["a", "b", "c"], ROWS) for name in ("race", "sex", "plan", "state")},
                "age": random.integers(18, 100, ROWS),
            }
        )
    )
    if form == "parquet":
        place.mkdir()
        pq.write_table(rows, place / "part.parquet", row_group_size=ROW_GROUP)
    else:
        properties = deltalake.WriterProperties(max_row_group_size=ROW_GROUP)
        deltalake.write_deltalake(place, rows, writer_properties=properties)


def _run_logged(jobs: list[tuple[str, str]], log: Path) -> str:
    log.mkdir()
    settings = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": log.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        # Else the log would cut off the places that are scanned.
        "spark.sql.maxMetadataStringLength": "10000",
        "spark.sql.maxPlanStringLength": "1000",
    }
    arguments = " ".join(f"--conf {key}={value}" for key, value in settings.items())
    environment = os.environ | {
        "PYSPARK_SUBMIT_ARGS": f"{arguments} pyspark-shell",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)]),
    }
    command = [sys.executable, "-c", PROGRAM, json.dumps(jobs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def _events(log: Path) -> Iterator[dict[str, Any]]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _read_from(events: list[dict[str, Any]], place: str) -> tuple[int, int]:
    """Rows that scans of the files at a place gave, and records that the tasks of those scans' stages read.

    A scan of a Delta log is none of the input's rows.
    """
    scans: set[int] = set()
    for event in events:
        for node in _nodes(event.get("sparkPlanInfo", {})):
            location = node.get("metadata", {}).get("Location", "")
            if place in location and "_delta_log" not in location:
                scans |= {m["accumulatorId"] for m in node["metrics"] if m["name"] == "number of output rows"}
    assert scans, f"the log has no scan of {place}"
    scanned = records = 0
    for event in events:
        if event["Event"] == "SparkListenerTaskEnd":
            found = [int(a["Update"]) for a in event["Task Info"]["Accumulables"] if a["ID"] in scans and "Update" in a]
            scanned += sum(found)
            if found:
                records += event["Task Metrics"]["Input Metrics"]["Records Read"]
    return scanned, records


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if plan:
        yield plan
        for child in plan["children"]:
            yield from _nodes(child)
