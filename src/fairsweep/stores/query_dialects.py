"""The SQL that queries may use, in each engine's dialect: how it is parsed, what it may contain, how it is written.

All functions are parsed as names with arguments, and written unchanged: nothing is translated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from sqlglot import TokenType, exp, generator
from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.spark import Spark
from sqlglot.generators.duckdb import DuckDBGenerator
from sqlglot.generators.spark import SparkGenerator
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.parsers.spark import SparkParser

from fairsweep.stores.query_functions import Dialect
from fairsweep.tables.schema import sql_text

Key = TypeVar("Key")
Value = TypeVar("Value")


def _only(parsers: Mapping[Key, Value], *names: Key) -> dict[Key, Value]:
    return {name: parsers[name] for name in names}


def _without(parsers: Mapping[Key, Value], *names: Key) -> dict[Key, Value]:
    return {name: parser for name, parser in parsers.items() if name not in names}


def _between(sign: str) -> Callable[[generator.Generator, Any], str]:
    return lambda self, expression: self.binary(expression, sign)


class QueryDuckDB(DuckDB):
    """DuckDB's SQL."""

    # An index and a path are written as they were read.
    INDEX_OFFSET = 0

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """The path as it is."""
        return path

    class Parser(DuckDBParser):
        """Names that are not listed here are ordinary functions, or cannot be parsed."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS = _only(DuckDBParser.FUNCTION_PARSERS, "CAST", "TRY_CAST", "EXTRACT")
        NO_PAREN_FUNCTION_PARSERS = _only(DuckDBParser.NO_PAREN_FUNCTION_PARSERS, "CASE", "ANY")
        # Operators that versions of DuckDB understand differently; there is a function for each.
        RANGE_PARSERS = _without(DuckDBParser.RANGE_PARSERS, TokenType.TILDE, TokenType.GLOB)
        EXPONENT = _without(DuckDBParser.EXPONENT, TokenType.CARET, TokenType.DSTAR)

    class Generator(generator.Generator):
        """Writes a checked query for DuckDB."""

        TYPE_MAPPING = DuckDBGenerator.TYPE_MAPPING
        STAR_EXCEPT = "EXCLUDE"
        TRANSFORMS = {  # noqa: RUF012  (sqlglot's own way)
            **generator.Generator.TRANSFORMS,
            exp.Array: lambda self, e: f"[{self.expressions(e, flat=True)}]",
            exp.CurrentTimestamp: lambda *_: "CURRENT_TIMESTAMP",
            exp.IntDiv: _between("//"),
            exp.JSONExtract: _between("->"),
            exp.JSONExtractScalar: _between("->>"),
        }

        def literal_sql(self, expression: exp.Literal) -> str:
            """A number as it is, a text in quotes in which only the quote is special."""
            text = str(expression.this)
            return "'{}'".format(text.replace("'", "''")) if expression.is_string else text

        def lambda_sql(self, expression: exp.Lambda, arrow_sep: str = "->", wrap: bool = True) -> str:
            """DuckDB's own way, because it takes the arrow for an operator on JSON."""
            names = self.expressions(expression, flat=True)
            return f"LAMBDA {names} : {self.sql(expression, 'this')}"


class QuerySpark(Spark):
    """Spark's SQL."""

    INDEX_OFFSET = 0

    class Tokenizer(Spark.Tokenizer):
        """As Spark 4 reads texts: a quote written twice is one quote."""

        STRING_ESCAPES = ["\\", "'", '"']  # noqa: RUF012

    class Parser(SparkParser):
        """Names that are not listed here are ordinary functions, or cannot be parsed."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS = _only(SparkParser.FUNCTION_PARSERS, "CAST", "TRY_CAST", "EXTRACT")
        NO_PAREN_FUNCTION_PARSERS = _only(SparkParser.NO_PAREN_FUNCTION_PARSERS, "CASE", "ANY", "TRANSFORM")

    class Generator(generator.Generator):
        """Writes a checked query for Spark."""

        TYPE_MAPPING = SparkGenerator.TYPE_MAPPING
        TRANSFORMS = {  # noqa: RUF012
            **generator.Generator.TRANSFORMS,
            exp.CurrentTimestamp: lambda *_: "CURRENT_TIMESTAMP",
            exp.IntDiv: _between("DIV"),
            exp.RegexpLike: _between("RLIKE"),
            # The parser takes CAST for one that gives NULL, as it is without ANSI mode.
            exp.TryCast: lambda self, e: self.cast_sql(e, "TRY_" if e.args.get("safe") else None),
        }

        def literal_sql(self, expression: exp.Literal) -> str:
            """A number as it is, a text in quotes in which nothing is expanded."""
            text = str(expression.this)
            return sql_text(text) if expression.is_string else text

        def lateral_sql(self, expression: exp.Lateral) -> str:
            """As the others do, with the alias of a view in quotes."""
            if not expression.args.get("view"):
                return super().lateral_sql(expression)
            alias = expression.args.get("alias") or exp.TableAlias()
            outer = " OUTER" if expression.args.get("outer") else ""
            columns = self.expressions(alias, key="columns", flat=True)
            name = self.sql(alias, "this")
            return f" LATERAL VIEW{outer} {self.sql(expression, 'this')} {name}{f' AS {columns}' if columns else ''}"


GRAMMARS: dict[Dialect, type[Grammar]] = {"duckdb": QueryDuckDB, "spark": QuerySpark}

_EVERYWHERE = (
    # queries
    exp.Select, exp.Union, exp.Intersect, exp.Except, exp.Subquery, exp.Values, exp.With, exp.CTE, exp.From, exp.Join,
    exp.Where, exp.Group, exp.GroupingSets, exp.Cube, exp.Rollup, exp.Having, exp.Qualify, exp.Distinct, exp.Order,
    exp.Ordered, exp.Limit, exp.Offset, exp.Fetch, exp.Table, exp.TableAlias, exp.Lateral, exp.Unnest, exp.Pivot,
    exp.PivotAlias, exp.Alias, exp.Aliases, exp.Tuple, exp.Paren,
    # names and values
    exp.Column, exp.Identifier, exp.Star, exp.Literal, exp.Boolean, exp.Null, exp.Interval, exp.IntervalSpan, exp.Var,
    exp.DataType, exp.DataTypeParam, exp.CurrentDate, exp.CurrentTimestamp,
    # expressions
    exp.Anonymous, exp.Cast, exp.TryCast, exp.Extract, exp.Case, exp.If, exp.Window, exp.WindowSpec, exp.Filter,
    exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls, exp.Lambda, exp.Bracket, exp.Slice, exp.Dot,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.Escape, exp.Exists, exp.Any, exp.All,
    exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot,
)  # fmt: skip
NODES: dict[Dialect, frozenset[type[exp.Expr]]] = {
    "duckdb": frozenset(
        (*_EVERYWHERE, exp.Array, exp.AtTimeZone, exp.JSONExtract, exp.JSONExtractScalar, exp.SimilarTo)
    ),
    "spark": frozenset((*_EVERYWHERE, exp.RegexpLike, exp.Transform)),
}
"""By dialect, every kind of node that the tree of a query may contain."""

_TYPES = exp.DType
TYPES = frozenset(
    {
        _TYPES.BOOLEAN, _TYPES.TINYINT, _TYPES.SMALLINT, _TYPES.INT, _TYPES.BIGINT, _TYPES.INT128, _TYPES.UTINYINT,
        _TYPES.USMALLINT, _TYPES.UINT, _TYPES.UBIGINT, _TYPES.FLOAT, _TYPES.DOUBLE, _TYPES.DECIMAL, _TYPES.TEXT,
        _TYPES.VARCHAR, _TYPES.CHAR, _TYPES.DATE, _TYPES.TIME, _TYPES.TIMESTAMP, _TYPES.TIMESTAMPTZ,
        _TYPES.TIMESTAMPNTZ, _TYPES.TIMESTAMPLTZ, _TYPES.INTERVAL, _TYPES.ARRAY, _TYPES.LIST, _TYPES.JSON,
    }
)  # fmt: skip
"""The types to which values can be cast."""
