"""From a config's input to the source that Spark reads it with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsweep.config.sections import InputSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

from fairsweep.engines.spark.sources import CsvSource, DeltaSource, ParquetSource, Source


def source_of(spark: SparkSession, spec: InputSpec) -> Source:
    """The source that a config names."""
    if spec.format == "csv":
        return CsvSource(spark, spec.path or "")
    if spec.format == "parquet":
        return ParquetSource(spark, spec.path or "")
    if spec.format == "cohort":
        from fairsweep.engines.spark.cohort_source import CohortSource

        return CohortSource(spark, spec.path, spec.table)
    return DeltaSource(spark, spec.path, spec.table, spec.version)
