"""Audits by provider: as many groups as there are, of twenty rows each, from a cold process to published tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from fairsweep.errors import ExitCode
from scripts.benchmarks.answers import Answer
from scripts.benchmarks.audits import command_of
from scripts.benchmarks.contestants import Command, Work
from scripts.benchmarks.data import ROW_GROUP_ROWS, ROWS_EACH
from scripts.benchmarks.forms import config_of

# Part of the files' names: raise it when rows change, so that older files are not taken for new ones.
GENERATION = 1
_SHAPE = (1.2, 6.0)  # of the Beta of scores, which are the risks


def ensure(folder: Path, rows: int, seed: int, say: Callable[[str], None] = print) -> Path:
    """The file of a number of rows, made if it does not exist.

    Args:
        folder: the folder of the files.
        rows: how many rows; there is a provider for every twenty.
        seed: another seed gives other scores and labels.
        say: reports that a file is being made.
    """
    path = folder / f"providers-{rows}-seed{seed}-v{GENERATION}.parquet"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    say(f"making {path}")
    rng, providers = np.random.default_rng(seed), max(rows // ROWS_EACH, 1)
    provider = rng.permutation(np.arange(rows, dtype=np.int32) % providers)
    names = pa.array([f"P{i:07d}" for i in range(providers)])
    schema = pa.schema([("score", pa.float64()), ("label", pa.int32()), ("provider", pa.string())])
    unfinished = path.with_suffix(".unfinished")
    with pq.ParquetWriter(unfinished, schema, compression="snappy", store_schema=False) as writer:
        for start in range(0, rows, ROW_GROUP_ROWS):
            some = pa.array(provider[start : start + ROW_GROUP_ROWS])
            score = rng.beta(*_SHAPE, len(some))
            label = (rng.random(len(some)) < score).astype(np.int32)
            writer.write_table(pa.table([pa.array(score), pa.array(label), names.take(some)], schema=schema))
    unfinished.rename(path)
    return path


def audit(work: Work) -> Command:
    """A whole local audit."""
    return _command(work)


def refused(work: Work) -> Command:
    """The same where results would not fit: refused with an estimate."""
    return _command(work)._replace(answers=list, exit_code=ExitCode.DATA_REFUSED)


def _command(work: Work) -> Command:
    config, warehouse = work.scratch / "audit.yaml", work.scratch / "warehouse"
    config.write_text(yaml.safe_dump(config_of(work, work.path)), encoding="utf-8")

    def answers() -> Sequence[Answer]:
        from deltalake import DeltaTable

        table: Any = DeltaTable(warehouse / "threshold_sweep")
        rows = table.to_pyarrow_table().to_pandas()
        mine = rows[(rows["attribute"] == "provider") & (rows["operating_points"].str.len() > 0)]
        counts = mine[["tp", "fp", "fn", "tn"]].to_numpy(np.int64)[:, np.newaxis]
        return [Answer(("provider",), tuple((group,) for group in mine["group_value"]), work.values[:1], counts)]

    return Command(command_of("local", config, warehouse), answers, warehouse)
