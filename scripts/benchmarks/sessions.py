"""The Spark session that every Spark contestant of a process shares: the settings, jars and flags that an audit has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL_MASTER = "local[2]"


def session(master: str = LOCAL_MASTER) -> SparkSession:
    """The session of this process, started where there is none."""
    from pyspark.sql import SparkSession as Session

    from fairsweep.engines.spark.session import start

    return Session.getActiveSession() or start(master)
