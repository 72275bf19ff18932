"""A process that publishes made-up runs on demand, by Spark Connect or delta-rs: JSON in, JSON out, by lines.

    python publishing_client.py sc://host:port|local WAREHOUSE

Commands: {"publish": ["A", ...], "model": m, "verb": v} publishes each in a thread of its own;
{"show": ["A", ...], "model": m, "verb": v} tells which of these runs the tables and the views show.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.stores.protocol import Store
from fairsweep.tables.catalogue import TABLES, TABLES_OF
from fairsweep.tables.checksums import checksum
from tests.spark.connect import interpret
from tests.spark.made_up_runs import made_up_run

Ask = Callable[[str], pa.Table]
VIEWS_WITH_EVERY_RUN = {
    "audit": ("v_group_benefit_equality", "v_group_metrics", "v_disparities", "v_run_health"),
    "cohort": ("v_run_health",),
}


def publish(store: Store, names: list[str], model: str, verb: str) -> list[str]:
    runs = [made_up_run(name, model=model, verb=verb) for name in names]
    with ThreadPoolExecutor(len(runs)) as pool:
        outcomes = list(pool.map(lambda run: store.publish([run]), runs))
    return [outcome[run.id] for run, outcome in zip(runs, outcomes, strict=True)]


def show(store: Store, ask: Ask, names: list[str], model: str, verb: str) -> list[str]:
    """The runs that readers see; anything else than exactly one run everywhere is told in full."""
    runs = {made_up_run(name, model=model, verb=verb).id: name for name in names}
    seen: dict[str, Any] = {}
    for table in TABLES_OF[verb]:
        if TABLES[table].restricted:
            rows = store.current(table)
            rows = rows.filter(pc.equal(rows.column("model_id"), model))
        else:
            rows = ask(f"SELECT * FROM {table} WHERE model_id = '{model}'")
        same = [
            name for name in names
            if checksum(rows) == checksum(made_up_run(name, model=model, verb=verb).results[table])
        ]  # fmt: skip
        seen[table] = same or f"{rows.num_rows} rows of no one run"
    for view in VIEWS_WITH_EVERY_RUN[verb]:
        found = ask(f"SELECT DISTINCT run_id FROM {view} WHERE model_id = '{model}'")
        seen[view] = [runs.get(run_id, run_id) for run_id in found.column("run_id").to_pylist()]
    shown = [value for i, value in enumerate(seen.values()) if value not in list(seen.values())[:i]]
    return shown[0] if len(shown) == 1 else [json.dumps(seen)]


def opened(kind: str, warehouse: str) -> tuple[Store, Callable[[], Ask]]:
    """The store, and what looks at it as it is then."""
    place = Place.warehouse(warehouse)
    if kind == "local":
        local = DeltaRsStore(place)
        return local, lambda: local.query
    from pyspark.sql import SparkSession

    from fairsweep.stores.spark_delta import SparkDeltaStore

    spark = SparkSession.builder.remote(kind).getOrCreate()
    interpret(spark)
    store = SparkDeltaStore(spark, place)

    def ask() -> Ask:
        store.register_sql_views()
        return lambda sql: spark.sql(sql).toArrow()

    return store, ask


def main(kind: str, warehouse: str) -> None:
    store, look = opened(kind, warehouse)
    for line in sys.stdin:
        command = json.loads(line)
        if "publish" in command:
            answer = publish(store, command["publish"], command["model"], command["verb"])
        else:
            answer = show(store, look(), command["show"], command["model"], command["verb"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
