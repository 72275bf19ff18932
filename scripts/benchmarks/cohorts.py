"""Whole cohorts: a cold process from members, enrolment, claims and predictions to a published cohort."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scripts.benchmarks.answers import Answer
from scripts.benchmarks.contestants import Command, Work

# Part of the folders' names: raise it when rows change, so that older ones are not taken for new ones.
GENERATION = 1
LINES_PER_MEMBER = 20
MODEL, CUTOFF = "planted", 0.5
BANDS = ("18-64", "65-74", "75-84", "85+")


def ensure(folder: Path, lines: int, seed: int, members: int | None, say: Callable[[str], None] = print) -> Path:
    """The folder of a number of lines of claims, and their members, made if it does not exist.

    Args:
        folder: the folder of the data.
        lines: the number of lines of claims.
        seed: another seed gives other members.
        members: how many; by default one for every `LINES_PER_MEMBER` lines.
        say: reports that data are being made, which takes a while.
    """
    people = members or max(1, lines // LINES_PER_MEMBER)
    path = folder / f"claims-{lines}-{people}-seed{seed}-v{GENERATION}"
    if (path / "cohort.yaml").is_file():
        return path
    say(f"making {path}")
    arguments = ["--members", str(people), "--lines", str(max(1, lines // people)), "--seed", str(seed)]
    making = [sys.executable, "-m", "fairsweep.synthetic.claims", str(path), *arguments]
    subprocess.run(making, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def spark(work: Work) -> Command:
    """`fairsweep cohort`, on a Spark session of its own."""
    config = yaml.safe_load((work.path / "cohort.yaml").read_text(encoding="utf-8"))
    for section in ("members", "enrollment", "claims", "predictions"):
        config[section]["input"]["path"] = str(work.path / config[section]["input"]["path"])
    config.pop("blends")  # a blend is another model; the peer has none
    file, warehouse = work.scratch / "cohort.yaml", work.scratch / "warehouse"
    file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    arguments = [sys.executable, "-m", "fairsweep", "cohort", "--config", str(file), "--warehouse", str(warehouse)]

    def answers() -> Sequence[Answer]:
        import duckdb
        from deltalake import DeltaTable

        cohort: Any = DeltaTable(warehouse / "cohort").to_pyarrow_dataset()
        connection = duckdb.connect()
        connection.register("cohort", cohort)
        return [answer(connection, "cohort", "group_values[list_position(attributes, 'age_band')]")]

    return Command(arguments, answers, warehouse)


def answer(connection: Any, rows: str, band: str) -> Answer:  # noqa: ANN401  (DuckDB's connection)
    """The confusion counts of one model by age band, of the rows of a cohort."""
    found = connection.sql(
        f"""select {band} as band,
            count(*) filter (score >= {CUTOFF} and label = 1), count(*) filter (score >= {CUTOFF} and label = 0),
            count(*) filter (score < {CUTOFF} and label = 1), count(*) filter (score < {CUTOFF} and label = 0)
        from {rows} where model_id = '{MODEL}' group by all order by band"""  # noqa: S608  (our own texts)
    ).fetchall()
    counts = np.array([[row[1:]] for row in found], dtype=np.int64)
    return Answer(("age_band",), tuple((row[0],) for row in found), np.array([CUTOFF]), counts)
