"""A table: columns, checks and properties, rendered to an Arrow schema, to DDL and to docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa

SCHEMA_VERSION = 3
SCHEMA_VERSION_PROPERTY = "fairsweep.schema_version"
ACCESS_PROPERTY = "fairsweep.access"

_ARROW_TYPES: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "ARRAY<STRING>": pa.list_(pa.string()),
}
SQL_TYPES: dict[pa.DataType, str] = {arrow: sql for sql, arrow in _ARROW_TYPES.items()}


class Column(NamedTuple):
    """A column: its SQL type, whether it may be NULL, and its meaning."""

    name: str
    type: str
    nullable: bool
    comment: str


class Check(NamedTuple):
    """A named condition that every row satisfies; a condition that is NULL is violated."""

    name: str
    sql: str


def sql_text(value: str) -> str:
    r"""A SQL string literal in which nothing is expanded, with any settings of the session.

    >>> print(sql_text("a 'b' ${c}"))
    'a \'b\' \u0024{c}'
    """
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{escaped}'"


def sql_name(*parts: str) -> str:
    """A SQL name of one or more parts, each quoted.

    >>> print(sql_name("a", "b`c"))
    `a`.`b``c`
    """
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


@dataclass(frozen=True)
class Table:
    """A result table.

    Attributes:
        name: its name in every warehouse.
        comment: the meaning of one row.
        key: the columns that identify a row; first `run_id`.
        columns: in their order: the keys first.
        checks: conditions on every row.
        partitioned: by `run_id`, so that a write replaces exactly its own runs and never conflicts with another's.
        properties: further table properties.
        of_members: rows are members and there may be millions: they are not collected in one process for comparison.
        restricted: it holds small cells or members, and needs access rights of its own.
    """

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    checks: tuple[Check, ...]
    partitioned: bool = True
    properties: tuple[tuple[str, str], ...] = ()
    of_members: bool = False
    restricted: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns in their order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema that rows have on their way in and out; times are UTC, in microseconds."""
        return pa.schema([pa.field(c.name, _ARROW_TYPES[c.type], c.nullable) for c in self.columns])

    def rows(self, values: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Rows given as mappings, as Arrow; a missing column is NULL.

        Raises:
            ValueError: when a column that may not be NULL is.
        """
        return conform(self, pa.Table.from_pylist(list(values), schema=self.arrow_schema))

    @property
    def table_properties(self) -> dict[str, str]:
        """All table properties: what every Delta reader can read, the checks, and the schema version."""
        fixed = {
            "delta.columnMapping.mode": "none",
            # A run has one file, so that smallest and largest values prune nothing; in the log they would leak.
            "delta.dataSkippingNumIndexedCols": "0",
            "delta.enableDeletionVectors": "false",
            "delta.enableInCommitTimestamps": "false",
            SCHEMA_VERSION_PROPERTY: str(SCHEMA_VERSION),
            ACCESS_PROPERTY: "restricted" if self.restricted else "published",
        }
        checks = {f"delta.constraints.{check.name}": check.sql for check in self.checks}
        return fixed | dict(self.properties) | checks

    def ddl(self, name: str, location: str | None = None) -> str:
        """The statement that creates the table unless it exists.

        Args:
            name: its quoted name.
            location: the folder of an external table; None for one that the catalog manages.
        """
        columns = ",\n  ".join(
            f"{sql_name(c.name)} {c.type}{'' if c.nullable else ' NOT NULL'} COMMENT {sql_text(c.comment)}"
            for c in self.columns
        )
        properties = ",\n  ".join(
            f"{sql_text(key)} = {sql_text(value)}" for key, value in self.table_properties.items()
        )
        clauses = [
            f"CREATE TABLE IF NOT EXISTS {name} (\n  {columns}\n)\nUSING delta",
            *(["PARTITIONED BY (`run_id`)"] if self.partitioned else []),
            *([f"LOCATION {sql_text(location)}"] if location is not None else []),
            f"COMMENT {sql_text(self.comment)}",
            f"TBLPROPERTIES (\n  {properties}\n)",
        ]
        return "\n".join(clauses)

    @property
    def markdown(self) -> str:
        """The table's page in the docs."""
        lines = [
            f"## `{self.name}`",
            "",
            f"{self.comment}. Key: {', '.join(f'`{name}`' for name in self.key)}.",
            "",
            "| column | type | NULL | meaning |",
            "|---|---|---|---|",
            *(f"| `{c.name}` | {c.type} | {'yes' if c.nullable else 'no'} | {c.comment} |" for c in self.columns),
            "",
            "Checked on every row:",
            "",
            *(f"- `{check.name}`: `{check.sql}`" for check in self.checks),
        ]
        return "\n".join(lines) + "\n"


def conform(table: Table, rows: pa.Table) -> pa.Table:
    """The same rows in the table's own schema: order of columns, types, NULL only where allowed.

    Raises:
        ValueError: when a column is missing or NULL where it may not be.
    """
    missing = [name for name in table.column_names if name not in rows.column_names]
    if missing:
        raise ValueError(f"{table.name}: the rows lack the columns {missing}")
    rows = rows.select(list(table.column_names))
    nulls = [c.name for c in table.columns if not c.nullable and rows.column(c.name).null_count]
    if nulls:
        raise ValueError(f"{table.name}: the columns {nulls} may not be NULL")
    return rows.cast(table.arrow_schema)
