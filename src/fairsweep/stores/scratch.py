"""A place for rows that must not be computed twice, until the run has ended."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from uuid import uuid4

from fairsweep.stores.places import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FOLDER = "_scratch"
TABLE = "_fairsweep_scratch_"


class Scratch:
    """Rows beside the result tables: in files of the same folder, or in tables of the same schema.

    Spark's own cache is not for every kind of compute, and is gone with the worker that held it. What a killed
    process leaves here, nobody reads.
    """

    def __init__(self, spark: SparkSession, place: Place) -> None:
        """Take where the result tables are."""
        self._spark, self._place = spark, place
        self._kept: list[str] = []

    def keep(self, frame: DataFrame) -> DataFrame:
        """Write rows, and read them from there."""
        name = uuid4().hex
        table, location = self._place.name(TABLE + name), self._place.location(f"{FOLDER}/{name}")
        self._kept.append(name)
        if location is None:
            frame.writeTo(table).using("delta").create()
        else:
            # As a table, because in a path some characters would stand for others.
            self._spark.sql(self._place.create_schema)
            frame.write.format("parquet").option("path", location).saveAsTable(table)
        return self._spark.read.table(table)

    def clear(self) -> None:
        """Remove what was kept."""
        local = self._place.local_folder
        while self._kept:
            name = self._kept.pop()
            table = self._place.name(TABLE + name)
            if self._place.folder is not None and local is None and self._spark.catalog.tableExists(table):
                # Dropping it would leave its files in an object store, and to write no rows removes them.
                nothing = self._spark.createDataFrame([], self._spark.read.table(table).schema)
                nothing.write.insertInto(table, overwrite=True)
            self._spark.sql(f"DROP TABLE IF EXISTS {table}")
            if local is not None:
                shutil.rmtree(local / FOLDER / name, ignore_errors=True)
