"""A bare Spark session that makes as many small Delta commits as an audit, one after the other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scripts.benchmarks.contestants import Command, Work

if TYPE_CHECKING:
    from scripts.benchmarks.answers import Answer

ROWS = 1_000


def command(work: Work) -> Command:
    """A cold process, as the audit's."""
    from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS

    output = work.scratch / "bare"

    def answers() -> list[Answer]:
        """Nothing to compare but that every table has its rows."""
        from deltalake import DeltaTable

        for name in (RUNS, *AUDIT_TABLES):
            table = DeltaTable(output / name)
            if table.version() != 1 or table.to_pyarrow_table().num_rows != ROWS:
                raise ValueError(f"the bare session did not write {name}")
        return []

    return Command([sys.executable, "-m", __name__, str(output)], answers, output)


def main(folder: str) -> None:
    """Create every table and append to it, in the session that an audit would start."""
    import pyspark.sql.functions as F

    from fairsweep.engines.spark.session import start
    from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS

    spark = start()
    for name in (RUNS, *AUDIT_TABLES):
        partitioned = "" if name == RUNS else "PARTITIONED BY (run_id)"
        columns = "run_id STRING, place BIGINT, value DOUBLE"
        spark.sql(f"CREATE TABLE bare_{name} ({columns}) USING delta {partitioned} LOCATION '{folder}/{name}'")
    for name in (RUNS, *AUDIT_TABLES):
        rows = spark.range(ROWS).coalesce(1)
        rows = rows.select(F.lit("0").alias("run_id"), F.col("id").alias("place"), F.rand(1).alias("value"))
        rows.writeTo(f"bare_{name}").append()
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
