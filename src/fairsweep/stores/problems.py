"""Problems of tables and queries that cannot be used: they hold codes, versions and names, never values of rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from fairsweep.errors import Problem, StorageError, UsageError, quoted
from fairsweep.tables.schema import SCHEMA_VERSION, SCHEMA_VERSION_PROPERTY

# A disk, a quota, or the largest file that a process may write.
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
ONE_QUERY = "one SELECT, with or without WITH before it; the result tables are only read here"
QUERY_HELP = "see the tables, views and columns with `fairsweep tables ddl`"


def check_version(place: str, table: str, properties: Mapping[str, str | None]) -> None:
    """Refuse a table of another program or of another schema.

    Raises:
        StorageError: unless the table's properties name a schema version that this program writes.
    """
    version = properties.get(SCHEMA_VERSION_PROPERTY) or ""
    if not version.isdigit() or int(version) != SCHEMA_VERSION:
        found = f"of schema version {version}" if version else "not a table of Fairsweep"
        raise StorageError(
            Problem(
                f"{place}: table {table}",
                found,
                f"schema version {SCHEMA_VERSION}",
                "use another warehouse, or the Fairsweep that made it",
            )
        )


def no_warehouse(place: str, found: str) -> Problem:
    """A location to read from, where no run was ever published and no table created."""
    step = "check --warehouse, or --catalog and --schema; `fairsweep audit` publishes there first"
    shown = quoted(place if "://" in place else PurePath(place))
    return Problem(f"no Fairsweep warehouse at {shown}, {found}", "", "", step)


def runs_missing(place: str) -> Problem:
    """A warehouse without its run records, so that it is unknown which rows are current."""
    return Problem(
        f"{place}: table runs", "missing beside other result tables", "", "restore it, or use another --warehouse"
    )


def unusable(place: str, code: str, error: BaseException, next_step: str) -> Problem:
    """A folder or table that cannot be read or written; a full disk is reported as such."""
    full = any(words in str(error) for words in _FULL)
    return Problem(
        place,
        f"no space left ({code})" if full else f"not readable or writable ({code})",
        "",
        "make room and run again" if full else next_step,
    )


def refused_query(said: str) -> Problem:
    """A query that cannot be resolved; the message has names and the query's own text, never values of rows."""
    return Problem("query", f"refused: {' '.join(said.split())}", "", QUERY_HELP)


class FailedQueryError(UsageError):
    """A query that fails on the values that it meets; damaged ones can be the reason."""


def failed_query(kind: str) -> FailedQueryError:
    """A query that fails on values of rows, which are not reported."""
    return FailedQueryError(_failed(kind))


def _failed(kind: str) -> Problem:
    return Problem("query", f"stopped by {kind}", "", "check the values that it computes with")
