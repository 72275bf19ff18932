"""Sources of rows: each source has columns and a version of its content, and returns one DataFrame."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Protocol

import pyspark.sql.functions as F
import pyspark.sql.types as T

from fairsweep.config.sections import InputSpec
from fairsweep.engines.protocol import Inspection
from fairsweep.engines.spark.columns import MALFORMED_COLUMN, field_name
from fairsweep.errors import (
    SPARK_ENDED,
    DataRefusedError,
    FairsweepError,
    Problem,
    StorageError,
    UsageError,
    has_spark_ended,
    quoted,
)
from fairsweep.input import files as inputs
from fairsweep.input.source_columns import ColumnType, SourceColumn
from fairsweep.tables.schema import sql_text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameReader, SparkSession

    from fairsweep.engines.arrow.reading import Piece

# One text field per column and no inference: only the intake interprets fields.
CSV_OPTIONS = {
    "header": "true", "sep": ",", "quote": '"', "escape": '"', "encoding": "UTF-8", "multiLine": "false",
    "mode": "PERMISSIVE", "columnNameOfCorruptRecord": MALFORMED_COLUMN, "columnPruning": "false",
    "enforceSchema": "true", "maxCharsPerColumn": str(inputs.LONGEST_LINE), "maxColumns": "1000000",
}  # fmt: skip


# Spark's message for a field that is longer than `maxCharsPerColumn`.
_TOO_LONG = re.compile(r"exceeds the maximum number of characters")
# Spark's error conditions for an unreadable file; Delta has separate conditions for a missing one.
_UNREAD = re.compile(
    r"\b(?:FAILED_READ_FILE|DELTA_FILE_NOT_FOUND_DETAILED|DELTA_LOG_FILE_NOT_FOUND|DELTA_TRUNCATED_TRANSACTION_LOG)\b"
    r"(?:\.([A-Z_]+))?"
)
_TYPES_DIFFER = "PARQUET_COLUMN_DATA_TYPE_MISMATCH"
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class Source(Protocol):
    """Rows for the Spark engine."""

    malformed: bool

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of the session under which it has to be read."""
        ...

    def inspect(self) -> Inspection:
        """Columns, name and pinned version; reads no row."""
        ...

    def rows(self, read: Sequence[int]) -> DataFrame:
        """The rows, with columns `c0, c1, ...` in the order of the inspection, and `malformed` where it can be.

        Args:
            read: the positions of the columns that will be read.
        """
        ...

    def pieces(self) -> list[Piece] | str:
        """The same rows as files for the Arrow kernel, or why it cannot read them as Spark does."""
        ...


@dataclass
class FrameSource:
    """A DataFrame passed in Python; its version is derived from its counted rows."""

    frame: DataFrame
    name: str = "dataframe"
    malformed = False
    settings = NO_SETTINGS

    def inspect(self) -> Inspection:
        """The schema of the frame."""
        return Inspection(columns_of(self.frame.schema), self.name, None)

    def rows(self, read: Sequence[int]) -> DataFrame:
        """The frame, its columns renamed by position."""
        return renamed(self.frame)

    def pieces(self) -> str:
        """A frame is a plan, not files."""
        return "a DataFrame"


@dataclass
class CsvSource:
    """Text files, every field as text."""

    spark: SparkSession
    path: str
    malformed = True
    settings = NO_SETTINGS
    _lines_are_known: bool = False

    def inspect(self) -> Inspection:
        """The names of the header line; the version of the files."""
        columns = tuple(SourceColumn(name, "text") for name in self._names())
        return Inspection(columns, self.path, _version(self.spark, self.path))

    def _names(self) -> tuple[str, ...]:
        local = inputs.local_path(self.path)
        return inputs.common_header(inputs.local_files(local)) if local is not None else self._remote_header()

    def _remote_header(self) -> tuple[str, ...]:
        first = self.spark.read.text(self.path).head()
        if first is None:
            raise UsageError(Problem("input.path", quoted(self.path), "a file with a header line", "name another file"))
        return inputs.distinct_names(next(csv.reader([first[0]])))

    def rows(self, read: Sequence[int]) -> DataFrame:
        """All fields as text; `malformed` is set in a row with too few or too many, or with bytes that are no UTF-8."""
        width = len(self._names())
        self._refuse_long_lines()
        fields = [T.StructField(field_name(i), T.StringType()) for i in range(width)]
        schema = T.StructType([*fields, T.StructField(MALFORMED_COLUMN, T.StringType())])
        rows = self.spark.read.options(**CSV_OPTIONS).schema(schema).csv(located(self.path))
        fields_read = F.concat_ws("", *(field_name(i) for i in read))
        broken = F.when(fields_read.contains(inputs.REPLACEMENT), F.lit(inputs.REPLACEMENT))
        return rows.withColumn(MALFORMED_COLUMN, F.coalesce(MALFORMED_COLUMN, broken))

    def _refuse_long_lines(self) -> None:
        """Spark holds each line whole, so that one of gigabytes would end its process."""
        local = inputs.local_path(self.path)
        if local is not None and not self._lines_are_known:
            inputs.refuse_long_lines(inputs.local_files(local))
            self._lines_are_known = True

    def pieces(self) -> str:
        """Spark splits text files among its tasks, packed ones too where it can."""
        return "text files"


@dataclass
class ParquetSource:
    """Parquet files."""

    spark: SparkSession
    path: str
    malformed = False
    # Names that differ in case only are different columns.
    settings: ClassVar[Mapping[str, str]] = MappingProxyType({"spark.sql.caseSensitive": "true"})

    def inspect(self) -> Inspection:
        """The schema of the files, and their version."""
        try:
            schema = self._frame.schema
        except Exception as error:
            # One column of a type that Spark does not know is enough, even if it is not used.
            raise _unreadable(self.path, error) from error
        return Inspection(columns_of(schema), self.path, _version(self.spark, self.path))

    @cached_property
    def _frame(self) -> DataFrame:
        """The files; to look at their schema is a job of its own, so it is done once."""
        return self.spark.read.parquet(located(self.path))

    def pieces(self) -> list[Piece] | str:
        """The row groups of the files, if this process can read them."""
        return _pieces(InputSpec(format="parquet", path=self.path), self.inspect())

    def rows(self, read: Sequence[int]) -> DataFrame:
        """The rows, their columns renamed by position."""
        return renamed(self._frame)


class DeltaSource:
    """A Delta table by path or name, pinned to a version; a view or other table by name, not pinned."""

    malformed = False
    settings = NO_SETTINGS

    def __init__(self, spark: SparkSession, path: str | None, table: str | None, version: int | None) -> None:
        """Take either a path or a table name, and a version where the config pins one."""
        self._spark, self._path, self._table = spark, path, table
        self._version = version

    def inspect(self) -> Inspection:
        """The schema at the pinned version; without one in the config, the latest is pinned now."""
        name = self._path or self._table or ""
        with readable(name):
            if self._version is None:
                self._version = self._latest_version()
            columns = columns_of(self._frame().schema)
            version = None if self._version is None else f"delta:{self._identity()}:{self._version}"
        return Inspection(columns, name, version)

    def _identity(self) -> str:
        """The id that a table got when it was made: its version number alone could be any table's."""
        told = self._name if self._path is None else sql_text(located(self._path))
        return str(self._spark.sql(f"DESCRIBE DETAIL {told}").select("id").collect()[0][0])

    @property
    def _name(self) -> str:
        """The table's name with every part quoted."""
        return ".".join(name_parts(self._table or ""))

    def _latest_version(self) -> int | None:
        if self._path is not None:
            local = inputs.local_path(self._path)
            names = (
                [file.name for file in (local / "_delta_log").glob("*")]
                if local is not None
                else _names(_listed(self._spark, f"{self._path.rstrip('/')}/_delta_log"))
            )
            versions = [
                int(name[:20]) for name in names if name[:20].isdigit() and name.endswith((".json", ".parquet"))
            ]
            return max(versions, default=None)
        try:
            return int(self._spark.sql(f"DESCRIBE HISTORY {self._name} LIMIT 1").collect()[0]["version"])
        except Exception as error:
            if "TABLE_OR_VIEW_NOT_FOUND" in str(error):
                raise _not_found(self._table or "") from error
            return None

    def _frame(self) -> DataFrame:
        reader: DataFrameReader = self._spark.read
        if self._version is not None:
            reader = reader.option("versionAsOf", self._version)
        if self._path is not None:
            return reader.format("delta").load(located(self._path))
        return reader.table(self._name)

    def rows(self, read: Sequence[int]) -> DataFrame:
        """The rows of the pinned version, their columns renamed by position."""
        return renamed(self._frame())

    def pieces(self) -> list[Piece] | str:
        """The row groups of the pinned version's files, if this process can read them."""
        if self._path is None:
            return "a table of a catalog"
        seen = self.inspect()
        return _pieces(InputSpec(format="delta", path=self._path, version=self._version), seen)


def _pieces(spec: InputSpec, seen: Inspection) -> list[Piece] | str:
    """The pieces that the kernel reads if it sees the input as Spark does, or why it does not."""
    from fairsweep.engines.arrow.sources import opened, why_not

    reason = why_not(spec)
    if reason is not None:
        return reason
    try:
        source = opened(spec)
        # Spark knows columns that files do not show.
        if source.inspect() != seen:
            return "other columns or files than Spark sees"
        pieces = source.pieces()
        # It can read some types as others, and does not know all.
        return pieces if all(piece.alike for piece in pieces) else "columns of other types in some files"
    except UsageError as error:
        return f"not readable without Spark: {error.problems[0].value}"


def name_parts(name: str) -> list[str]:
    """The parts of a table's name, each quoted; odd parts are quoted already."""
    parts = re.findall(r"`(?:[^`]|``)+`|[^.`]+", name)
    return [part if part.startswith("`") else f"`{part}`" for part in parts]


def renamed(frame: DataFrame) -> DataFrame:
    """Columns by position, so that no name of a user's is ever resolved."""
    return frame.toDF(*(field_name(i) for i in range(len(frame.columns))))


def columns_of(schema: T.StructType) -> tuple[SourceColumn, ...]:
    """Names and kinds of a schema's columns."""
    return tuple(SourceColumn(field.name, _kind(field.dataType)) for field in schema.fields)


def _kind(data_type: T.DataType) -> ColumnType:  # noqa: PLR0911  (a table)
    match data_type:
        case T.StringType() | T.CharType() | T.VarcharType():
            return "text"
        case T.BooleanType():
            return "boolean"
        case T.ByteType() | T.ShortType() | T.IntegerType() | T.LongType():
            return "integer"
        case T.DecimalType():
            return "decimal" if data_type.scale else "integer"
        case T.FloatType():
            return "float"
        case T.DoubleType():
            return "double"
        case T.DateType():
            return "date"
        case T.TimestampType():
            return "timestamp"
        case T.TimestampNTZType():
            return "timestamp_ntz"
        case _:
            return "other"


def located(path: str) -> str:
    """A path in Spark's form: a local path names its file system, because a cluster's default may be another.

    It is not a URI: Spark reads every character literally.
    """
    local = inputs.local_path(path)
    return path if local is None else f"file://{local.resolve()}"


def _listed(spark: SparkSession, path: str) -> DataFrame:
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    return reader.load(path).select("path", "modificationTime", "length")


def _names(files: DataFrame) -> list[str]:
    return [row["path"].rsplit("/", 1)[-1] for row in files.select("path").collect()]


def _version(spark: SparkSession, path: str) -> str:
    """The version of files: a hash of sorted relative paths, sizes and modification times in milliseconds."""
    local = inputs.local_path(path)
    if local is not None:
        return inputs.files_version(local)
    millis = F.unix_millis("modificationTime").alias("millis")
    files = [(row[0], row[1], row[2]) for row in _listed(spark, path).select("path", "length", millis).collect()]
    root = path.rstrip("/").rsplit("/", 1)[0]
    lines = sorted(f"{name.split(root, 1)[-1]}\t{size}\t{when}\n" for name, size, when in files)
    return f"files:{hashlib.sha256(''.join(lines).encode()).hexdigest()[:32]}"


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what Spark raises while it reads an input into our own errors, in words that quote no row.

    Args:
        name: what people call the input.

    Raises:
        DataRefusedError: where its files differ in the type of a column.
        UsageError: where a file is gone or broken.
        StorageError: where Spark has ended.
    """
    try:
        yield
    except Exception as error:
        if has_spark_ended(error):
            raise StorageError(SPARK_ENDED) from error
        if _TOO_LONG.search(str(error)) and not isinstance(error, FairsweepError):
            found = f"with a field of more than {inputs.LONGEST_LINE:,} characters"
            step = "check the program that wrote it: a quote or a line end may be missing"
            # Not from the error, which quotes the field.
            raise DataRefusedError(Problem(f"input {quoted(name)}", found, "shorter fields", step)) from None
        unread = _UNREAD.search(str(error))
        if unread is None or isinstance(error, FairsweepError):
            raise
        place = f"input {quoted(name)}"
        if unread[1] == _TYPES_DIFFER:
            found, step = "a column of other types in some files", "write the files again with one schema"
            raise DataRefusedError(
                Problem(place, found, "one type in all files", f"{step}, or use --engine local")
            ) from error
        found = f"not readable by Spark ({unread[0]})"
        step = "check that all files exist and are complete; those of an old version may have been vacuumed"
        raise UsageError(Problem(place, found, "readable files", step)) from error


def _unreadable(path: str, error: Exception) -> UsageError:
    condition = re.search(r"\[([A-Z_.0-9]+)\]", str(error))
    found = f"not readable by Spark ({condition[1] if condition else type(error).__name__})"
    step = "write its columns in other types, or use --engine local"
    return UsageError(Problem(f"input.path {quoted(path)}", found, "Parquet of types that Spark knows", step))


def _not_found(name: str) -> UsageError:
    return UsageError(
        Problem("input.table", quoted(name), "a table or view of this session", "check its catalog and schema")
    )
