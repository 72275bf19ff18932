"""An input whose columns are asked for by name, each read as what it is used for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairsweep.engines.spark.columns import Compiler
from fairsweep.errors import Problem, did_you_mean, quoted
from fairsweep.expressions import AsDate, AsNumber, AsText, Field, Malformed

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


class NamedColumns:
    """An opened input, whose columns are asked for by the names that users gave.

    Attributes:
        frame: its rows.
        version: what pins its content.
    """

    def __init__(
        self, section: str, name: str, version: str | None, names: Sequence[str], compiler: Compiler, frame: DataFrame
    ) -> None:
        self._section, self._name, self.version = section, name, version
        self._names, self._compiler, self.frame = list(names), compiler, frame

    def problems(self, wanted: Sequence[tuple[str, str]]) -> list[Problem]:
        """The wanted columns that it does not have.

        Args:
            wanted: key of the config and column.
        """
        shown = ", ".join(map(quoted, self._names[:20]))
        return [
            Problem(
                f"{self._section}.{key}",
                f"{quoted(column)}, which {self._name} does not have",
                f"one of {shown}",
                did_you_mean(column, self._names),
            )
            for key, column in wanted
            if column not in self._names
        ]

    @property
    def malformed(self) -> Column:
        """Whether a line of text has too few or too many fields."""
        return self._compiler.condition(Malformed())

    def text(self, column: str | None) -> Column:
        """A column as text, without spaces around it."""
        return self._compiler.value(AsText(self._field(column)))

    def day(self, column: str | None) -> Column:
        """A column as a day."""
        return self._compiler.value(AsDate(self._field(column)))

    def unreadable(self, column: str | None) -> Column:
        """Whether there is something in a column of days that is no day."""
        return self.text(column).isNotNull() & self.day(column).isNull()

    def number(self, column: str | None) -> Column:
        """A column as a number."""
        return self._compiler.value(AsNumber(self._field(column)))

    def _field(self, column: str | None) -> Field:
        return Field(self._names.index(column or ""))
