"""The result tables themselves: create them, print their DDL, query them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsweep.verbs.connecting import place_of, store_of
from fairsweep.verbs.warehouse import refuse_unusable, refuse_unwritable

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.verbs.audit import AuditOptions


def create(options: AuditOptions) -> str:
    """Create tables and views where they do not exist; returns where."""
    refuse_unusable(options)
    store = store_of(options)
    refuse_unwritable(options, store.place)
    store.create_tables()
    return store.place


def ddl(options: AuditOptions) -> str:
    """The statements that create tables and views, as text; needs no Spark."""
    return place_of(options).ddl


def query(sql: str, options: AuditOptions) -> pa.Table:
    """Rows of a query over the current runs; the plain table names mean their rows."""
    return store_of(options).query(sql)
