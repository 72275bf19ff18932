"""A Spark Connect client that publishes made-up runs on demand: a line of JSON in, a line of JSON out.

    python publishing_client.py sc://host:port WAREHOUSE

Commands: {"publish": ["A", ...], "model": m} publishes each in a thread of its own;
{"show": ["A", ...], "model": m} tells which of these runs the tables and the views show.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyspark.sql import SparkSession

from fairsweep.checksums import checksum
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables import RESULT_TABLES
from tests.spark.made_up_runs import made_up_run

VIEWS_WITH_EVERY_RUN = ("v_group_benefit_equality", "v_group_metrics", "v_disparities", "v_run_health")


def publish(store: SparkDeltaStore, names: list[str], model: str) -> list[str]:
    runs = [made_up_run(name, model=model) for name in names]
    with ThreadPoolExecutor(len(runs)) as pool:
        outcomes = list(pool.map(lambda run: store.publish([run]), runs))
    return [outcome[run.id] for run, outcome in zip(runs, outcomes, strict=True)]


def show(store: SparkDeltaStore, names: list[str], model: str) -> list[str]:
    """The runs that readers see; anything else than exactly one run everywhere is told in full."""
    runs = {made_up_run(name, model=model).id: name for name in names}
    seen: dict[str, Any] = {}
    for table in RESULT_TABLES:
        rows = store.sql(f"SELECT * FROM {table} WHERE model_id = '{model}'").toArrow()
        same = [
            name for name in names
            if checksum(rows) == checksum(made_up_run(name, model=model).results[table])
        ]  # fmt: skip
        seen[table] = same or f"{rows.num_rows} rows of no one run"
    for view in VIEWS_WITH_EVERY_RUN:
        ids = store.sql(f"SELECT DISTINCT run_id FROM {view} WHERE model_id = '{model}'").collect()
        seen[view] = [runs.get(row[0], row[0]) for row in ids]
    shown = [value for i, value in enumerate(seen.values()) if value not in list(seen.values())[:i]]
    return shown[0] if len(shown) == 1 else [json.dumps(seen)]


def main(remote: str, warehouse: str) -> None:
    store = SparkDeltaStore(SparkSession.builder.remote(remote).getOrCreate(), Place.warehouse(warehouse))
    for line in sys.stdin:
        command = json.loads(line)
        if "publish" in command:
            answer = publish(store, command["publish"], command["model"])
        else:
            store.register_sql_views()
            answer = show(store, command["show"], command["model"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
