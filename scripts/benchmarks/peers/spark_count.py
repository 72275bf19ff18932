"""A bare Spark session that counts the rows of a file and writes nothing: what a cold Spark run cannot do without."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scripts.benchmarks.contestants import Command, Work

if TYPE_CHECKING:
    from scripts.benchmarks.answers import Answer


def command(work: Work) -> Command:
    """A cold process, as the audit's."""
    output = work.scratch / "rows.txt"

    def answers() -> list[Answer]:
        """Nothing to compare but the number of rows."""
        import pyarrow.parquet as pq

        if int(output.read_text()) != pq.read_metadata(work.path).num_rows:
            raise ValueError("the bare session did not count the rows")
        return []

    return Command([sys.executable, "-m", __name__, str(work.path), str(output)], answers, output)


def main(path: str, output: str) -> None:
    """Count the rows in the session that an audit would start."""
    from pathlib import Path

    from fairsweep.engines.spark.session import start

    spark = start(quick=True)
    Path(output).write_text(str(spark.read.parquet(path).count()), encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
