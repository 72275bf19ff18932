"""Audits of small inputs: through config, source and judging as the command runs them, results kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from fairsweep.auditing.check import check
from fairsweep.auditing.verb import AuditOutcome, audit
from fairsweep.engines.arrow import sources as files
from fairsweep.engines.local import LocalEngine
from fairsweep.engines.protocol import Engine
from fairsweep.engines.spark.engine import SparkEngine
from fairsweep.engines.spark.opening import source_of
from fairsweep.runs.options import RunOptions
from fairsweep.stores.memory import MemoryStore
from fairsweep.tables.catalogue import RUNS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CUTOFFS = tuple(k / 10 for k in range(11))


def people(rows: int = 2_000, seed: int = 7) -> pd.DataFrame:
    """Scores that often lie on a cutoff, a few that are missing, and groups of very different sizes."""
    random = np.random.default_rng(seed)
    score = pd.Series(np.round(random.beta(2, 5, rows), 3)).mask(random.random(rows) < 0.03)
    race = pd.Series(random.choice(["Black", "White", 'Öther, "quoted"', "two words"], rows, p=[0.3, 0.6, 0.02, 0.08]))
    return pd.DataFrame(
        {
            "score": score,
            "label": (random.random(rows) < score.fillna(0.3)).astype("int64"),
            "race": race.mask(random.random(rows) < 0.05),
            "sex": random.choice(["female", "male"], rows),
            "age": random.integers(18, 100, rows),
        }
    )


def config_of(**changes: object) -> dict[str, Any]:
    """A config for `people`; a change of None leaves the key out."""
    config: dict[str, Any] = {
        "model": {"id": "small", "version": "1"},
        "flag_is": "help",
        "columns": {"score": "score", "label": "label"},
        "attributes": ["race", "sex", {"name": "age_band", "from": "age", "breaks": [18, 65, 75, 85]}, ["race", "sex"]],
        "cutoffs": {"values": list(CUTOFFS)},
        "operating_points": [
            {"name": "population", "rule": "population_gbe", "target": 1.0},
            {"name": "given", "rule": "fixed", "at": 0.3},
        ],
        "privacy": {"minimum_cell_size": 0},
        **changes,
    }
    return {key: value for key, value in config.items() if value is not None}


def stored(rows: pd.DataFrame, folder: Path, form: str) -> dict[str, Any]:
    """The rows as a file of that format in a folder, or as a Delta table, and the `input` that names it."""
    place = folder / f"rows.{form}"
    if form == "csv":
        rows.to_csv(place, index=False)
    elif form == "parquet":
        rows.to_parquet(place)
    else:
        from deltalake import write_deltalake

        write_deltalake(place, rows)
    return {"format": form, "path": str(place)}


def written(config: Mapping[str, Any], file: Path) -> Path:
    """The config as a file."""
    file.write_text(yaml.safe_dump(dict(config), allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def audited(spark: SparkSession | None, config: Path, *overrides: str) -> AuditOutcome:
    """The audit of a config file, by Spark or without a session by the local engine, published in memory only."""
    checked = check(config, overrides)
    spec = checked.spec
    engine: Engine = (
        LocalEngine(files.source_of(spec.source), spec.limits)
        if spark is None
        else SparkEngine(spark, source_of(spark, spec.source), spec.limits, spec.spark.counting)
    )
    return audit(spec, checked.window, engine, MemoryStore(), RunOptions())


def bare(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Every table but `runs`, without `run_id`."""
    return {name: table.drop_columns("run_id") for name, table in tables.items() if name != RUNS}


def confusion(
    tables: Mapping[str, pa.Table], attribute: str | None = None
) -> dict[tuple[str, str, float], tuple[int, ...]]:
    """Rows, tp, fp, fn and tn by attribute, group and cutoff, as `threshold_sweep` has them."""
    rows = tables["threshold_sweep"].select(["attribute", "group_value", "cutoff", "n", "tp", "fp", "fn", "tn"])
    return {
        (str(name), str(group), float(cutoff)): tuple(map(int, counts))
        for name, group, cutoff, *counts in zip(*rows.to_pydict().values(), strict=True)
        if attribute in {None, name}
    }


def recounted(
    score: pd.Series[float], event: pd.Series[bool], groups: Mapping[str, pd.Series[str]], cutoffs: tuple[float, ...]
) -> dict[tuple[str, str, float], tuple[int, ...]]:
    """The same from the rows, by a loop over groups and cutoffs; rows without a score count nowhere."""
    result = {}
    everybody = pd.Series("all", index=score.index)
    for attribute, group in {"overall": everybody, **groups}.items():
        for value in sorted(group.unique()):
            inside = (group == value) & score.notna()
            for cutoff in cutoffs:
                flagged = score >= cutoff
                each = (flagged & event, flagged & ~event, ~flagged & event, ~flagged & ~event)
                counts = (int(inside.sum()), *(int((inside & cell).sum()) for cell in each))
                result[attribute, str(value), cutoff] = counts
    return result


def recounted_people(rows: pd.DataFrame) -> dict[tuple[str, str, float], tuple[int, ...]]:
    """What an audit of `people` by `config_of` must find."""
    race = rows["race"].fillna("unknown")
    bands = pd.cut(
        rows["age"], [0, 18, 65, 75, 85, 999], right=False, labels=["under 18", "18-64", "65-74", "75-84", "85+"]
    )
    groups = {"race": race, "sex": rows["sex"], "age_band": bands.astype(str), "race x sex": race + " x " + rows["sex"]}
    return recounted(rows["score"], rows["label"] == 1, groups, CUTOFFS)
