"""DuckDB: counts per cell and bucket, then a window sum over the buckets of each cell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.benchmarks.contestants import THREADS, Command, Job, Work
from scripts.benchmarks.peers.suffix_sums import answer

if TYPE_CHECKING:
    from scripts.benchmarks.answers import Answer


def query(path: str, attributes: Sequence[str], steps: int) -> str:
    """Flagged events and non-events of each cell at the lower edge of each bucket that has rows.

    The guess `floor(score * steps)` is off by at most one, and k / steps is the cutoff itself, so that one comparison
    on either side makes the bucket exact.
    """
    keys = ", ".join(f'"{name}"' for name in attributes)
    return f"""
        with guessed as (
            select {keys}, label, score, cast(floor(score * {steps}) as integer) as guess
            from read_parquet('{path}')
        ), counted as (
            select {keys},
                guess + 1 + cast((guess + 1)::double / {steps}::double <= score as integer)
                    - cast(guess::double / {steps}::double > score as integer) as bucket,
                count(*) filter (label = 1) as events,
                count(*) filter (label <> 1) as non_events
            from guessed group by all
        )
        select {keys}, bucket,
            cast(sum(events) over suffix as bigint) as events,
            cast(sum(non_events) over suffix as bigint) as non_events
        from counted
        window suffix as (partition by {keys} order by bucket desc rows unbounded preceding)
    """  # noqa: S608  (every part is this benchmark's own)


def _connected() -> Any:  # noqa: ANN401  (DuckDB's connection)
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": "false"})
    connection.execute("set enable_progress_bar = false")
    return connection


def prepare(work: Work) -> Job:
    """From the file to an Arrow table in this process."""
    connection = _connected()
    text = query(str(work.path), work.attributes, work.steps)
    return Job(lambda: connection.sql(text).to_arrow_table(), lambda result: [_answer(result, work)])


def command(work: Work) -> Command:
    """From the start of Python to a Parquet file."""
    output = work.scratch / "duckdb.parquet"
    arguments = [sys.executable, "-m", __name__, str(work.path), str(output), str(work.steps), *work.attributes]

    def answers() -> list[Answer]:
        import pyarrow.parquet as pq

        return [_answer(pq.read_table(output), work)]

    return Command(arguments, answers, output)


def _answer(table: Any, work: Work) -> Answer:  # noqa: ANN401  (an Arrow table)
    columns = {name: table[name].to_numpy().astype(np.int64) for name in ("bucket", "events", "non_events")}
    cells = list(zip(*(table[name].to_pylist() for name in work.attributes), strict=True))
    return answer(work.attributes, cells, columns["bucket"], columns["events"], columns["non_events"], work.values)


def main(path: str, output: str, steps: str, *attributes: str) -> None:
    """Count a file into another."""
    text = query(path, attributes, int(steps))
    _connected().execute(f"copy ({text}) to '{output}' (format parquet)")


if __name__ == "__main__":
    main(*sys.argv[1:])
