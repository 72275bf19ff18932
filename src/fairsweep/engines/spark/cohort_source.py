"""The published cohorts of a warehouse as the input of an audit: the current runs, a column for each attribute."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyspark.sql.functions as F

from fairsweep.engines.protocol import Inspection
from fairsweep.engines.spark.sources import NO_SETTINGS, columns_of, located, name_parts, readable, renamed
from fairsweep.errors import DataRefusedError, Problem, StorageError, UsageError, quoted
from fairsweep.input.source_columns import SourceColumn
from fairsweep.tables.catalogue import RUNS, TABLES
from fairsweep.tables.integrity import Found, again, check_digests, check_found
from fairsweep.tables.schema import conform

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_TABLE = "cohort"
_FIXED = ("member_id", "model_id", "model_version", "scored_on", "score", "label", "age", "mature")
_ABSENT = ("PATH_NOT_FOUND", "DELTA_TABLE_NOT_FOUND", "DELTA_PATH_DOES_NOT_EXIST", "TABLE_OR_VIEW_NOT_FOUND")


class CohortSource:
    """The cohorts that `runs` marks as current, pinned by their run ids and checksums."""

    malformed = False
    settings: Mapping[str, str] = NO_SETTINGS

    def __init__(self, spark: SparkSession, folder: str | None, table: str | None) -> None:
        """Take the folder of a warehouse, or the name of its table `cohort`."""
        self._spark, self._folder, self._table = spark, folder, table

    def inspect(self) -> Inspection:
        """The columns of every cohort, and the attributes that any of them has.

        Raises:
            UsageError: if no cohort is published.
            StorageError: if the stored rows of one differ from its record.
        """
        self._check_counts()
        facts = sorted((run["run_id"], json.loads(run["checksums"])[_TABLE]) for run in self._runs)
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
        fixed = columns_of(self._members().select(*_FIXED).schema)
        groups = (SourceColumn(name, "text") for name in self._attributes)
        return Inspection((*fixed, *groups), self._name, f"cohort:{digest}")

    def rows(self, read: Sequence[int]) -> DataFrame:
        """The rows of the current cohorts, their columns renamed by position."""
        groups = [_group(name).alias(f"g{i}") for i, name in enumerate(self._attributes)]
        return renamed(self._members().select(*_FIXED, *groups))

    def pieces(self) -> str:
        """Groups are stored in lists, which the kernel does not read."""
        return "a cohort"

    @property
    def _name(self) -> str:
        return self._folder or self._table or ""

    @cached_property
    def _runs(self) -> list[dict[str, Any]]:
        """The records of the current cohorts."""
        found: list[dict[str, Any]] = []
        records = TABLES[RUNS].arrow_schema.empty_table()
        try:
            with readable(self._name):
                current = self._read(RUNS).where((F.col("verb") == "cohort") & F.col("is_current"))
                records = conform(TABLES[RUNS], current.select(*TABLES[RUNS].column_names).toArrow())
                found = records.to_pylist()
        except Exception as error:
            if not any(code in str(error) for code in _ABSENT):
                raise
        if not found:
            step = "publish one with `fairsweep cohort`, or name its warehouse"
            raise UsageError(Problem(f"input {quoted(self._name)}", "without a published cohort", "a warehouse", step))
        check_digests(records)
        return found

    def _check_counts(self) -> None:
        """Compare the number of rows with the records: otherwise lost members would not be noticed."""
        try:
            with readable(self._name):
                counts = self._members().groupBy("run_id").agg(F.count("*").alias("n")).collect()
        except (UsageError, DataRefusedError) as error:  # of a table of our own it is the storage's
            raise StorageError(Problem(f"table {_TABLE}", "not readable", "", again(self._runs[0]))) from error
        problems = check_found(_TABLE, self._runs, {row["run_id"]: Found(row["n"]) for row in counts})
        if problems:
            raise StorageError(problems)

    @cached_property
    def _attributes(self) -> list[str]:
        """The attributes of the cohorts, in their order; they are the same in every row of a run."""
        lists = self._members().select("attributes").distinct().collect()
        return list(dict.fromkeys(name for row in sorted(lists) for name in row[0]))

    def _members(self) -> DataFrame:
        return self._read(_TABLE).where(F.col("run_id").isin([run["run_id"] for run in self._runs]))

    def _read(self, table: str) -> DataFrame:
        if self._folder is not None:
            return self._spark.read.format("delta").load(f"{located(self._folder)}/{table}")
        return self._spark.read.table(".".join((*name_parts(self._table or "")[:-1], table)))


def _group(name: str) -> Column:
    """The value of an attribute; NULL where the cohort does not have it."""
    return F.get("group_values", (F.array_position("attributes", name) - 1).cast("int"))
