"""An input whose columns are read by name, each with the type of its use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from fairsweep.config.faults import ConfigPath
from fairsweep.config.input_columns import absent_columns
from fairsweep.engines.protocol import Inspection
from fairsweep.engines.spark.columns import Compiler
from fairsweep.errors import Problem
from fairsweep.input.expressions import AsDate, AsNumber, AsText, Expression, Field, Malformed

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


class NamedColumns:
    """An opened input, whose columns are read by the names that users gave.

    Attributes:
        frame: its rows.
        version: the version of its content.
    """

    def __init__(self, section: str, inspection: Inspection, compiler: Compiler, frame: DataFrame) -> None:
        self._section, self._inspection, self._compiler, self.frame = section, inspection, compiler, frame
        self._names = [column.name for column in inspection.columns]
        self.version = inspection.input_version

    def problems(self, wanted: Sequence[tuple[ConfigPath, str]]) -> list[Problem]:
        """The wanted columns that it does not have.

        Args:
            wanted: path within the section, and column.
        """
        return absent_columns(self._section, wanted, self._inspection)

    @property
    def malformed(self) -> Column:
        """Whether a line of text has too few or too many fields."""
        return self._compiler.condition(Malformed())

    def text(self, column: str | None) -> Column:
        """A column as text, without spaces around it; without a column NULL, as with the others."""
        return self._read(AsText, column, "string")

    def day(self, column: str | None) -> Column:
        """A column as a day."""
        return self._read(AsDate, column, "date")

    def number(self, column: str | None) -> Column:
        """A column as a number."""
        return self._read(AsNumber, column, "double")

    def unreadable(self, column: str | None) -> Column:
        """Whether there is something in a column of days that is no day."""
        return self.text(column).isNotNull() & self.day(column).isNull()

    def _read(self, kind: Callable[[Field], Expression], column: str | None, sql_type: str) -> Column:
        if column is None:
            return F.lit(None).cast(sql_type)
        return self._compiler.value(kind(Field(self._names.index(column))))
