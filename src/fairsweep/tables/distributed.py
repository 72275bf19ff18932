"""Rows that never come to this process: an engine makes them where its own store writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from fairsweep.tables.checksums import Checksum


class DistributedRows(Protocol):
    """Some rows of a result table."""

    @property
    def frame(self) -> DataFrame:
        """The rows that the store writes."""
        ...

    def checksum(self) -> Checksum:
        """Their checksum."""
        ...
