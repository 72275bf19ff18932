"""Conditions mean the same in Spark and in plain Python, and no node is forgotten."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isnan
from typing import TYPE_CHECKING, Any, get_args

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from fairsweep.engines.spark.columns import MALFORMED_COLUMN, Compiler, field_name
from fairsweep.engines.spark.engine import SCAN_SETTINGS
from fairsweep.engines.spark.session import settings as session_settings
from fairsweep.input.expressions import (
    AllOf,
    AnyOf,
    AsDate,
    AsNumber,
    AsText,
    Case,
    Compare,
    Constant,
    Expression,
    Field,
    IsIn,
    IsNaN,
    IsNull,
    LongerThan,
    Malformed,
    Not,
)
from fairsweep.input.source_columns import ColumnType
from tests.laws.strategies import CASES, CONDITIONS
from tests.reference import as_float, day, number, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TYPES: tuple[ColumnType, ...] = (
    "text", "double", "date", "boolean", "integer", "float", "decimal", "timestamp", "text",
)  # fmt: skip
ARROW = (
    pa.string(), pa.float64(), pa.date32(), pa.bool_(), pa.int64(), pa.float32(), pa.decimal128(9, 3),
    pa.timestamp("us", "UTC"), pa.string(),
)  # fmt: skip
NAN, INF = float("nan"), float("inf")
COLUMNS: tuple[list[Any], ...] = (
    [None, "", "  ", " a ", "A", "é", "NULL", "\\", " 1.0 ", "7", "it's", "0",
     "2026-01-01", "2026-01-31T23:30:00-01:00"],
    [None, NAN, INF, -INF, 0.0, -0.0, 1.0, 0.5, 0.29, 7.0, 1e5, -1.0, 5e-324, 1e308],
    [None, date(1969, 12, 31), *[date(2026, 1, d) for d in range(1, 11)], date(2026, 2, 1), date(2026, 2, 2)],
    [None, True, False, False, *[True, False] * 5],
    [None, 0, 1, 7, -1, 100_000, 2**53 + 1, *range(7)],
    [None, NAN, INF, as_float(0.29), as_float(0.7), 0.5, *map(float, range(8))],
    [None, Decimal("0.290"), Decimal("0.500"), Decimal("7.000"), Decimal("-1.000"), *map(Decimal, range(9))],
    [None, *[datetime(2026, 1, 31, h, 59, 59, 999_999, tzinfo=UTC) for h in range(11, 24)]],
    [None, "yes", "Yes", "true", "0", "-0.0", ".5", "5.", "1e5", "inf", "nan", "0x1p3", "1_0", "2026-02-30"],
)  # fmt: skip
MALFORMED_ROWS = ["too,few", *[None] * 13]
ROWS = [[column[i] for column in COLUMNS] for i in range(14)]


def holds(expression: Expression, row: int) -> bool:  # noqa: PLR0911  (one of each kind)
    """A condition in plain Python; a comparison with NULL is false, and NaN is above every number."""
    match expression:
        case Malformed():
            return MALFORMED_ROWS[row] is not None
        case IsNull(inner):
            return value(inner, row) is None
        case IsNaN(inner):
            return isinstance(found := value(inner, row), float) and isnan(found)
        case IsIn(inner, choices):
            return value(inner, row) in choices
        case LongerThan(inner, characters):
            return len(value(inner, row) or "") > characters
        case Compare(inner, operator, bound):
            return _compares(value(inner, row), operator, bound)
        case Not(inner):
            return not holds(inner, row)
        case AllOf(conditions):
            return all(holds(condition, row) for condition in conditions)
        case AnyOf(conditions):
            return any(holds(condition, row) for condition in conditions)
    raise TypeError(type(expression).__name__)


def _compares(found: Any, operator: str, bound: Any) -> bool:
    if found is None:
        return False
    sign = 1 if isinstance(found, float) and isnan(found) else (found > bound) - (found < bound)
    return {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0, "=": sign == 0}[operator]


def value(expression: Expression, row: int) -> Any:
    match expression:
        case Field(position):
            return ROWS[row][position]
        case Constant(word):
            return word
        case AsText(Field(position)):
            return text(ROWS[row][position])
        case AsNumber(Field(position)):
            return number(ROWS[row][position])
        case AsDate(Field(position)):
            return day(ROWS[row][position])
        case Case(branches, otherwise):
            return next(
                (value(result, row) for condition, result in branches if holds(condition, row)), value(otherwise, row)
            )
    return holds(expression, row)


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The rows as a file, because Spark folds small frames in other code than it runs on rows."""
    place = str(tmp_path_factory.mktemp("expressions") / "rows")
    arrays = [pa.array(column, kind) for column, kind in zip(COLUMNS, ARROW, strict=True)]
    names = [field_name(i) for i in range(len(COLUMNS))]
    order = pa.array(range(len(ROWS)), pa.int32())
    table = pa.table([*arrays, pa.array(MALFORMED_ROWS, pa.string()), order], names=[*names, MALFORMED_COLUMN, "place"])
    spark.createDataFrame(table).write.parquet(place)
    return spark.read.parquet(place)


# An example is a Spark job, and its many conditions are independent: shrinking would only take minutes.
ONE_JOB_EACH = settings(
    max_examples=3, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@ONE_JOB_EACH
@given(conditions=st.lists(CONDITIONS, min_size=40, max_size=60), cases=st.lists(CASES, min_size=10, max_size=20))
def test_spark_agrees_with_plain_python(rows: DataFrame, conditions: list[Expression], cases: list[Expression]) -> None:
    compiler = Compiler(TYPES, malformed=True)
    columns = [compiler.condition(c).alias(f"x{i}") for i, c in enumerate(conditions)]
    columns += [compiler.value(c).alias(f"y{i}") for i, c in enumerate(cases)]
    with session_settings(rows.sparkSession, SCAN_SETTINGS):
        found = sorted(rows.select("place", *columns).collect(), key=lambda row: row["place"])
    for place, row in enumerate(found):
        for i, condition in enumerate(conditions):
            assert row[f"x{i}"] is holds(condition, place), (condition, ROWS[place])
        for i, case in enumerate(cases):
            assert row[f"y{i}"] == value(case, place), (case, ROWS[place])


def nodes(expression: Any) -> set[type]:
    """Every kind of node in an expression."""
    found: set[type] = set()
    if is_dataclass(expression):
        found.add(type(expression))
        found = found.union(*(nodes(getattr(expression, f.name)) for f in fields(expression)))
    elif isinstance(expression, tuple):
        found = found.union(*map(nodes, expression))
    return found


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("node", get_args(Expression), ids=lambda node: node.__name__)
def test_every_node_appears_in_the_laws_and_compiles_to_a_column(spark: SparkSession, node: type) -> None:
    from pyspark.sql import Column

    quick = settings(max_examples=2_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    example = find(st.one_of(CONDITIONS, CASES), lambda expression: node in nodes(expression), settings=quick)
    assert isinstance(Compiler(TYPES, malformed=True).value(example), Column)
