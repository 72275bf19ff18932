"""Queries of the user's own in a Spark session, where a statement that is no query would change the result tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairsweep.errors import FairsweepError, Problem, StorageError, UsageError
from fairsweep.stores.problems import ONE_QUERY, QUERY_HELP, failed_query, refused_query, unusable
from fairsweep.stores.query_gate import Query

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

# Only a query can be a common table expression: no other statement, and no lone name as in `(runs)`.
_AS_A_PART = "WITH fairsweep_query AS (\n{}\n)\nSELECT 1 FROM fairsweep_query"
# The name of an error in what Spark says of it.
CODE = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]")
_STATE = re.compile(r"SQLSTATE: ([0-9A-Z]{5})")
# Classes of SQL states that the text of a query or the values that it meets bring about; the others are the storage's.
_RESOLVING = ("42", "0A")
# Some errors of tables and files have the states of such.
_OF_STORAGE = ("DELTA_", "FAILED_READ_FILE", "PARQUET_", "PATH_NOT_FOUND")
_COMPUTING = ("21", "22", "54", "P0")


def answer(spark: SparkSession, query: Query, place: str) -> pa.Table:
    """Run one query.

    Args:
        spark: a session in which the query's tables and views are bound.
        query: a query that `query_gate` has checked.
        place: the location of the tables, as text for people.

    Raises:
        UsageError: if the query cannot be resolved, or fails on values of rows.
        StorageError: if a table cannot be read.
    """
    try:
        # Spark's own check of a query that the gate has accepted, inside another query: analysed and never run. A
        # Connect client requests the analysis only when it needs the columns.
        _ = spark.sql(_AS_A_PART.format(query.text)).schema
        return spark.sql(query.text).toArrow()
    except Exception as error:
        raise _translated(error, place) from error


def _translated(error: Exception, place: str) -> FairsweepError:
    """Report Spark's messages about names; of errors on values report only the kind."""
    from pyspark.errors import AnalysisException

    text = str(error).strip()
    code, state = CODE.search(text), _STATE.search(text)
    kind = code.group(1) if code else type(error).__name__
    group = state.group(1)[:2] if state else ""
    if kind == "PARSE_SYNTAX_ERROR":
        # The position is one in our own text.
        said = text.split(" SQLSTATE", 1)[0].rstrip(".")
        return UsageError(Problem("query", f"refused: {' '.join(said.split())}", ONE_QUERY, QUERY_HELP))
    if kind.startswith(_OF_STORAGE):
        return StorageError(unusable(place, kind, error, "run again; if the error stays, the audits with --force"))
    # While a query runs, errors of these classes quote values.
    if group in _RESOLVING and isinstance(error, AnalysisException):
        return UsageError(refused_query(text.split(" SQLSTATE", 1)[0]))
    if group in (*_RESOLVING, *_COMPUTING):
        return failed_query(kind)
    return StorageError(unusable(place, kind, error, "run again; if the error stays, check the storage"))
