"""From command-line options to an engine and a store."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol

from fairsweep import stopping
from fairsweep.errors import Problem, UsageError, install_step, quoted
from fairsweep.input import files as inputs
from fairsweep.stores.places import Place
from fairsweep.stores.protocol import Store
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS, TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from pyspark.sql import SparkSession

    from fairsweep.config.sections import InputSpec, LimitsSpec, SparkSpec
    from fairsweep.engines.protocol import Engine
    from fairsweep.runs.options import RunOptions

DEFAULT_WAREHOUSE = "./fairsweep-warehouse"
LOCAL_PACKAGES = ("deltalake", "duckdb")
# Set by spark-submit, by Databricks and for Spark Connect.
SPARK_VARIABLES = ("PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION", "SPARK_REMOTE")
SESSION_CATALOG = "spark_catalog"
_BY_SPARK = "use --engine spark"
# Spark counts so many bytes of an input within seconds.
SMALL_INPUT_BYTES = 16 << 20
# Up to this size, to interpret a query takes less time than to compile it.
FEW_ROWS_BYTES = 1 << 20


class CountingConfig(Protocol):
    """The part of a checked config that decides how its input is counted."""

    @property
    def source(self) -> InputSpec:
        """The input."""
        ...

    @property
    def limits(self) -> LimitsSpec:
        """How much state may be held."""
        ...

    @property
    def spark(self) -> SparkSpec:
        """How Spark counts."""
        ...


class Warehouse(Store, Protocol):
    """A store that the command line can create and query."""

    def create_tables(self) -> None:
        """Create tables and views where they do not exist."""
        ...

    def query(self, sql: str) -> pa.Table:
        """Rows of a query over the current runs; the plain table names mean their rows."""
        ...


def place_of(options: RunOptions) -> Place:
    """Where results go: `catalog.schema`, or a folder.

    Raises:
        UsageError: where a name or the folder cannot be used.
    """
    if options.schema is not None:
        return Place.catalog(options.schema, options.catalog)
    return Place.warehouse(options.warehouse or DEFAULT_WAREHOUSE)


def engine_of(options: RunOptions, source: InputSpec | None = None) -> Literal["spark", "local"]:
    """The engine that the options select, for an input or only for the result tables; nothing is started.

    `auto` is `local` if `local` is possible, unless there is a Spark environment: a running session, spark-submit,
    or Databricks.

    Raises:
        UsageError: if `local` is requested and not possible, with every reason.
    """
    if options.engine == "spark" or (options.engine == "auto" and spark_is_around()):
        return "spark"
    problems = [*_against_flags(options), *_against_input(source)]
    if options.engine == "local" and problems:
        raise UsageError(problems)
    return "spark" if problems else "local"


def reading_engine_of(options: RunOptions) -> Literal["spark", "local"]:
    """The engine that reads the result tables: this process if possible, also inside Spark, unless Spark is requested.

    Raises:
        UsageError: if `local` is requested and not possible, with every reason.
    """
    if options.engine == "auto" and not _against_flags(options):
        return "local"
    return engine_of(options)


def spark_is_around() -> bool:
    """Whether this process runs inside Spark, or has a session."""
    if any(name in os.environ for name in SPARK_VARIABLES):
        return True
    # If pyspark is not imported, there is no session; importing it would take a while.
    sql = sys.modules.get("pyspark.sql")
    return sql is not None and sql.SparkSession.getActiveSession() is not None


def _against_flags(options: RunOptions) -> list[Problem]:
    """Why the local engine is not possible with these options."""
    problems = [
        Problem(f"--{name}", "given together with --engine local", "one or the other", "leave one of them out")
        for name, value in (("master", options.master), ("remote", options.remote))
        if value is not None
    ]
    missing = [name for name in LOCAL_PACKAGES if find_spec(name) is None]
    if missing:
        found = f"not installed ({', '.join(missing)} missing)"
        problems.append(Problem("--engine local", found, "", install_step("local")))
    from fairsweep.stores.delta_rs import refusal

    refused = refusal(place_of(options))
    return problems if refused is None else [*problems, refused]


def _against_input(source: InputSpec | None) -> list[Problem]:
    if source is None:
        return []
    from fairsweep.engines.arrow.sources import why_not

    reason = why_not(source)
    if reason is None:
        return []
    place = f"input {quoted(source.path or source.table or '')}"
    return [Problem(place, reason, "local files of CSV, Parquet or plain Delta with --engine local", _BY_SPARK)]


def session_of(options: RunOptions, *sources: InputSpec) -> SparkSession:
    """The Spark session of the options, to read inputs or only the result tables.

    Raises:
        UsageError: if Spark cannot be started, or the tables would be lost with the session.
        StorageError: if a server does not answer.
    """
    from fairsweep.engines.spark.session import FEW_ROWS_SETTINGS, is_running, start

    options.progress("Starting Spark")
    ours = options.remote is None and "SPARK_REMOTE" not in os.environ and not is_running()
    quick = ours and all(_is_small(source, SMALL_INPUT_BYTES) for source in sources)
    spark = start(options.master, options.remote, quick=quick)
    stopping.again()
    if quick and sources and all(_is_small(source, FEW_ROWS_BYTES) for source in sources):
        for key, value in FEW_ROWS_SETTINGS.items():
            spark.conf.set(key, value)
    if ours:
        _refuse_a_catalog_that_forgets(spark, options)
    return spark


def _is_small(source: InputSpec, limit: int) -> bool:
    """Whether this process can determine that an input has at most so many bytes."""
    folder = inputs.local_path(source.path) if source.path is not None else None
    if folder is None:
        return False
    try:
        files = inputs.local_files(folder)
    except UsageError:  # nothing to read: the reader reports it
        return True
    return sum(file.stat().st_size for file in files) <= limit


def _refuse_a_catalog_that_forgets(spark: SparkSession, options: RunOptions) -> None:
    """Refuse tables of a catalog in the memory of a session that ends with this process.

    Their files would stay, and the tables could not be created or found again. If the caller passes a session, tables
    in its memory are allowed.
    """
    if options.schema is None or options.catalog not in {None, SESSION_CATALOG}:
        return
    if spark.conf.get("spark.sql.catalogImplementation", "in-memory") == "in-memory":
        place = "--schema" if options.catalog is None else "--catalog"
        found = f"{quoted(place_of(options).text)}, in a catalog that is lost when this process ends"
        step = "use --warehouse DIR, or set spark.sql.catalogImplementation=hive in Spark's configuration"
        raise UsageError(Problem(place, found, "a persistent catalog, such as a Hive metastore", step))


def store_of(options: RunOptions) -> Warehouse:
    """The store of the options, to query or to create the tables with the engine that they name."""
    place = place_of(options)
    if engine_of(options) == "local":
        from fairsweep.stores.delta_rs import DeltaRsStore

        return DeltaRsStore(place)
    from fairsweep.stores.spark_delta import SparkDeltaStore

    return SparkDeltaStore(session_of(options), place)


def store_for_results(options: RunOptions, spark: SparkSession | None) -> Warehouse:
    """The store for results that are counted: on the session that has counted them, or without one."""
    return store_of(options) if spark is None else store_beside(spark, place_of(options), tuple(TABLES))


def store_beside(spark: SparkSession, place: Place, tables: Sequence[str]) -> Warehouse:
    """The store of a location for results of Spark: writing a folder of this machine needs no Spark."""
    from fairsweep.stores.spark_delta import SparkDeltaStore

    by_spark = SparkDeltaStore(spark, place, tables)
    if not _needs_no_spark(spark, place):
        return by_spark
    from fairsweep.stores.delta_rs import DeltaRsStore

    return DeltaRsStore(place, tables, by_spark)


def _needs_no_spark(spark: SparkSession, place: Place) -> bool:
    """Whether what Spark takes for a folder is one of this process too, and it has what writes there."""
    if any(find_spec(name) is None for name in LOCAL_PACKAGES):
        return False
    from fairsweep.engines.spark.session import is_of_this_machine
    from fairsweep.stores.delta_rs import refusal

    return refusal(place) is None and is_of_this_machine(spark)


def connect(spec: CountingConfig, options: RunOptions) -> tuple[Engine, Warehouse]:
    """The engine over a config's input, and the store.

    Raises:
        UsageError: if the engine does not support the options and the config.
    """
    from fairsweep.stores.scratch import Scratch, remove_leftovers

    place, tables = place_of(options), (RUNS, *AUDIT_TABLES)
    remove_leftovers(place)
    if engine_of(options, spec.source) == "local":
        from fairsweep.engines.arrow import sources
        from fairsweep.engines.local import LocalEngine
        from fairsweep.stores.delta_rs import DeltaRsStore

        return LocalEngine(sources.source_of(spec.source), spec.limits), DeltaRsStore(place, tables)
    from fairsweep.engines.spark.engine import SparkEngine
    from fairsweep.engines.spark.opening import source_of

    spark = session_of(options, spec.source)
    source, scratch = source_of(spark, spec.source), Scratch(spark, place)
    engine = SparkEngine(spark, source, spec.limits, spec.spark.counting, scratch)
    return engine, store_beside(spark, place, tables)
