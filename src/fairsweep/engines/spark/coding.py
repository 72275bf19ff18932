"""Cells as whole numbers: levels come from the first rows, with a safe path for levels that were not among them.

Grouping by text costs most of a scan. So a row's whole key, its cell, rule, label and bucket, is one BIGINT: a number
whose digits are the codes of its columns' levels. A row with a level that the probe did not find has its texts beside
the key, as JSON; a column with very many levels stays a separate key.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyspark.sql.functions as F

from fairsweep.engines.mixed_radix import LARGEST_KEY, digits, strides, volume
from fairsweep.engines.spark.columns import MALFORMED_COLUMN, Compiler
from fairsweep.input.expressions import Case, Constant, Expression, fields_of

if TYPE_CHECKING:
    from pyspark.sql import Column

# A longer chain of comparisons costs more than hashing the text.
MOST_LEVELS = 48


@dataclass(frozen=True)
class CodedColumn:
    """A text of every row as a code.

    Attributes:
        name: the column of the counts.
        expression: the text; None where it is empty in every row.
        levels: the texts that have a code, in its order.
        raw: input values and the code of their text, the most frequent first; empty if the expression is compiled.
        empty: the text if the input has no value.
    """

    name: str
    expression: Expression | None
    levels: tuple[str, ...]
    raw: tuple[tuple[Any, int], ...] = ()
    empty: str = ""

    def code(self, compiler: Compiler, stride: int) -> Column:
        """`stride` times the code; NULL where the level was not met."""
        if self.expression is None:
            return F.lit(0)
        if isinstance(self.expression, Case) and not self.raw:
            return _bands(self.expression, self.levels, compiler, stride)
        (position,) = fields_of(self.expression)
        column = compiler.raw(position)
        empty = F.lit(self.levels.index(self.empty) * stride)
        chain = F.when(F.col(MALFORMED_COLUMN).isNotNull(), empty) if compiler.malformed else None
        for value, code in self.raw:
            chosen = F.lit(code * stride)
            chain = F.when(column == F.lit(value), chosen) if chain is None else chain.when(column == value, chosen)
        return F.when(column.isNull(), empty) if chain is None else chain.when(column.isNull(), empty)


def _bands(expression: Case, levels: Sequence[str], compiler: Compiler, stride: int) -> Column:
    def code(text: Expression) -> Column:
        return F.lit(levels.index(text.value) * stride) if isinstance(text, Constant) else F.lit(None)

    result = code(expression.otherwise)
    for condition, text in reversed(expression.branches):
        result = F.when(compiler.condition(condition), code(text)).otherwise(result)
    return result


def coded(name: str, expression: Expression | None, met: Sequence[tuple[Any, str]]) -> CodedColumn | None:
    """A column's codes, or None where its levels are too many.

    Args:
        name: the column of the counts.
        expression: its text.
        met: input value and text of the first rows.
    """
    if expression is None:
        return CodedColumn(name, None, ("",))
    if isinstance(expression, Case) and isinstance(expression.otherwise, Constant):
        texts = [text.value for _, text in expression.branches if isinstance(text, Constant)]
        return CodedColumn(name, expression, tuple(dict.fromkeys([*texts, expression.otherwise.value])))
    # The text of a blank input is that of the first branch: `unknown` of a group, and nothing of a model.
    blank = expression.branches[0][1] if isinstance(expression, Case) else None
    empty = blank.value if isinstance(blank, Constant) else ""
    seen = Counter(pair for pair in met if pair[0] is not None)
    if len(seen) > MOST_LEVELS:
        return None
    levels = tuple(dict.fromkeys([empty, *(text for _, text in seen)]))
    raw = tuple((value, levels.index(text)) for (value, text), _ in seen.most_common())
    return CodedColumn(name, expression, levels, raw, empty)


@dataclass(frozen=True)
class Layout:
    """The keys of the rows of one grouping set.

    Attributes:
        place: the index of the set.
        coded: its columns that are part of the key.
        plain: names and texts of its columns that are separate keys.
        places: how many slots a cell has: one for each label and bucket, and for each rule and label.
    """

    place: int
    coded: tuple[CodedColumn, ...]
    plain: Mapping[str, Expression]
    places: int

    @classmethod
    def of(
        cls, place: int, columns: Mapping[str, Expression | None], met: Mapping[str, CodedColumn | None], places: int
    ) -> Layout:
        """Code what can be coded while keys stay within 62 bits."""
        found: list[CodedColumn] = []
        plain: dict[str, Expression] = {}
        for name, expression in columns.items():
            column = met[name]
            if column is not None and volume([len(one.levels) for one in (*found, column)], places) < LARGEST_KEY:
                found.append(column)
            elif expression is not None:
                plain[name] = expression
        return cls(place, tuple(found), plain, places)

    @property
    def radices(self) -> list[int]:
        """How many codes each coded column has."""
        return [len(column.levels) for column in self.coded]

    def cell(self, compiler: Compiler) -> Column:
        """The key of a row's cell; NULL where a level was not met."""
        parts = [
            column.code(compiler, stride).cast("long")
            for column, stride in zip(self.coded, strides(self.radices, self.places), strict=True)
            if column.expression is not None
        ]
        result = F.lit(0).cast("long")
        for part in parts:
            result = result + part
        return result

    def unmet(self, compiler: Compiler) -> Column:
        """The texts of a row's coded columns, as JSON."""
        texts = [
            F.lit("") if column.expression is None else F.coalesce(compiler.value(column.expression), F.lit(""))
            for column in self.coded
        ]
        return F.to_json(F.array(*texts)) if texts else F.lit("[]")

    def texts(self, cells: np.ndarray[Any, np.dtype[np.int64]], unmet: pa.Array) -> dict[str, pa.Array]:
        """The texts of the coded columns of some counts, by name.

        Args:
            cells: the keys of cells, divided by `places`; arbitrary where `unmet` has the texts.
            unmet: JSON if a level was not found by the probe, otherwise the empty text.
        """
        told = {value: json.loads(value) for value in unmet.unique().to_pylist() if value}
        index = _places_of(unmet, list(told))
        result = {}
        for at, (column, met) in enumerate(zip(self.coded, digits(cells, self.radices), strict=True)):
            # A text can be a level and also occur as JSON.
            names = pa.array([*column.levels, *(texts[at] for texts in told.values())], pa.string()).dictionary_encode()
            code = np.where(index >= 0, len(column.levels) + index, met)
            result[column.name] = pa.DictionaryArray.from_arrays(names.indices.take(pa.array(code)), names.dictionary)
        return result


def _places_of(values: pa.Array, among: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    found = pc.index_in(values, value_set=pa.array(among, pa.string())).fill_null(-1)
    places: np.ndarray[Any, np.dtype[np.int64]] = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return places
