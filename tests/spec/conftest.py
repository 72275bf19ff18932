"""The Connect server of the Spark tests serves the spec tables too."""

from tests.spark.conftest import connect_server

__all__ = ["connect_server"]
