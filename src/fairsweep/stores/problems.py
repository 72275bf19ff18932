"""What Delta stores tell of tables that cannot be used: codes and versions, never values of rows."""

from __future__ import annotations

from collections.abc import Mapping

from fairsweep.errors import Problem, StorageError
from fairsweep.schema import SCHEMA_VERSION, SCHEMA_VERSION_PROPERTY


def check_version(place: str, table: str, properties: Mapping[str, str | None]) -> None:
    """Refuse a table of another program or of a newer schema.

    Raises:
        StorageError: unless the table's properties name a schema version that this program writes.
    """
    version = properties.get(SCHEMA_VERSION_PROPERTY) or ""
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        found = f"of schema version {version}" if version else "not a table of Fairsweep"
        raise StorageError(
            Problem(
                f"{place}: table {table}",
                found,
                f"schema version {SCHEMA_VERSION}",
                "use another warehouse, or a newer Fairsweep",
            )
        )


def unusable(place: str, code: str, error: Exception, next_step: str) -> Problem:
    """A folder or table that cannot be read or written; a full disk is told as what it is."""
    full = "No space left on device" in str(error)
    return Problem(
        place,
        f"no space left ({code})" if full else f"not readable or writable ({code})",
        "",
        "make room and run again" if full else next_step,
    )
