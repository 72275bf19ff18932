"""From command-line options to an engine and a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsweep.stores.places import Place

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fairsweep.engines.protocol import Engine
    from fairsweep.specs.audit import AuditSpec
    from fairsweep.stores.spark_delta import SparkDeltaStore
    from fairsweep.verbs.audit import AuditOptions

DEFAULT_WAREHOUSE = "./fairsweep-warehouse"


def place_of(options: AuditOptions) -> Place:
    """Where results go: `catalog.schema`, or a folder.

    Raises:
        UsageError: where a name or the folder cannot be used.
    """
    if options.schema is not None:
        return Place.catalog(options.schema, options.catalog)
    return Place.warehouse(options.warehouse or DEFAULT_WAREHOUSE)


def session_of(options: AuditOptions) -> SparkSession:
    """The Spark session that the options ask for."""
    from fairsweep.engines.spark.session import start

    return start(options.master, options.remote)


def store_of(options: AuditOptions) -> SparkDeltaStore:
    """The store that the options ask for, without an input."""
    from fairsweep.stores.spark_delta import SparkDeltaStore

    place = place_of(options)
    return SparkDeltaStore(session_of(options), place)


def connect(spec: AuditSpec, place: Place, options: AuditOptions) -> tuple[Engine, SparkDeltaStore]:
    """The engine over a config's input, and the store."""
    from fairsweep.engines.spark.engine import SparkEngine
    from fairsweep.engines.spark.sources import source_of
    from fairsweep.stores.spark_delta import SparkDeltaStore

    spark = session_of(options)
    return SparkEngine(spark, source_of(spark, spec.source), spec.limits), SparkDeltaStore(spark, place)
