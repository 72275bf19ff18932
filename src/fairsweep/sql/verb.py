"""The result tables themselves: create them, print their DDL, query them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fairsweep.runs.connecting import place_of, reading_engine_of, store_of
from fairsweep.runs.warehouse import refuse_unusable, refuse_unwritable

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.runs.options import RunOptions


def create(options: RunOptions) -> str:
    """Create tables and views where they do not exist; returns where."""
    refuse_unusable(options)
    store = store_of(options)
    refuse_unwritable(options, store.place)
    store.create_tables()
    return store.place


def ddl(options: RunOptions) -> str:
    """The statements that create tables and views, as text; needs no Spark."""
    return place_of(options).ddl


def query(sql: str, options: RunOptions) -> pa.Table:
    """Rows of a query over the current runs; the plain table names mean their rows. Nothing is written.

    Raises:
        UsageError: where the query may not or cannot be run, or there are no result tables.
        StorageError: where a table cannot be read.
    """
    from fairsweep.stores import query_gate

    engine = reading_engine_of(options)
    query_gate.checked(sql, "duckdb" if engine == "local" else "spark")  # before Spark is started for it
    return store_of(replace(options, engine=engine)).query(sql)
