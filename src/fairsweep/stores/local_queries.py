"""Queries of the user's own over result tables in Arrow, in a DuckDB that reaches nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from fairsweep.errors import Problem, UsageError, quoted
from fairsweep.stores.problems import ONE_QUERY, QUERY_HELP, failed_query, refused_query
from fairsweep.stores.query_gate import Query
from fairsweep.tables.views import VIEWS

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    from duckdb import DuckDBPyConnection

# No files, no network, no extensions, and no variables of this program as tables.
_CONFINED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_READS = {"SELECT", "MULTI"}  # PIVOT is several statements in one


def answer(query: Query, tables: Mapping[str, ds.Dataset | pa.Table]) -> pa.Table:
    """Run one query over the tables and the views on them.

    Args:
        query: what `query_gate` has checked.
        tables: the result tables behind it by their plain names: the rows of current runs, of `runs` all.

    Raises:
        UsageError: when the query cannot be resolved, or fails on the values that it meets.
    """
    views = [name for name in query.relations if name in VIEWS]
    with closing(_connection(tables, views)) as connection, _translated_errors():
        # DuckDB's own check of queries that the gate has accepted.
        kinds = [statement.type.name for statement in connection.extract_statements(query.text)]
        if len(kinds) != 1 or kinds[0] not in _READS:
            raise UsageError(Problem("query", quoted(", ".join(kinds)), ONE_QUERY, QUERY_HELP))
        return pa.table(connection.sql(query.text).to_arrow_table())


def _connection(tables: Mapping[str, ds.Dataset | pa.Table], views: Sequence[str]) -> DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:", config=_CONFINED)
    connection.execute("SET TimeZone = 'UTC'")
    for name, rows in tables.items():
        connection.register(name, rows)
    for name in views:
        connection.execute(f"CREATE TEMP VIEW {name} AS {VIEWS[name].sql}")
    connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Report DuckDB's messages about names, but not those about values."""
    import duckdb

    named = (
        duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.PermissionException,
        duckdb.NotImplementedException,
    )  # fmt: skip
    try:
        yield
    except named as error:
        raise UsageError(refused_query(str(error).split("\n\nLINE", 1)[0])) from error
    except duckdb.Error as error:
        raise failed_query(type(error).__name__) from error
