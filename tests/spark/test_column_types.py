"""A column of any type means the same in every engine: as score, label, group, age and day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.verb import AuditOutcome, audit
from fairsweep.engines.arrow import sources as files
from fairsweep.engines.local import LocalEngine
from fairsweep.engines.protocol import Engine
from fairsweep.engines.spark.engine import SparkEngine
from fairsweep.engines.spark.opening import source_of
from fairsweep.errors import DataRefusedError, UsageError
from fairsweep.input.intake import Window
from fairsweep.runs.options import RunOptions
from fairsweep.stores.memory import MemoryStore
from fairsweep.tables.catalogue import RUNS
from tests.spark.small_audits import bare, config_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fairsweep.auditing.spec import AuditSpec

ROWS = 120
JANUARY = Window(date(2026, 1, 1), date(2026, 2, 1))
DAYS = [
    date(2026, 1, 1),
    date(2026, 1, 31),
    date(2026, 2, 1),
    date(1969, 12, 31),
    date(1, 1, 1),
    date(1500, 3, 1),
    None,
]
TIMES = [
    datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC), None,
    datetime(2026, 2, 1, 3, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 1_000, tzinfo=UTC),
]  # fmt: skip
WHOLE, PARTS = [0, 1, 18, 65, None, 7], [Decimal("0.29"), Decimal("0.50"), None, Decimal("1.00"), Decimal("-0.10")]
WORDS = ["A", " A", "", None, '["A"]', "1", "é", "0.5", "\ttab"]


def repeated(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind) and kind.tz is None:
        values = [value and value.replace(tzinfo=None) for value in values]
    return pa.array([values[i % len(values)] for i in range(ROWS)], kind)


GROUPS = {
    **{f"u{bits}": repeated(WHOLE, kind) for bits, kind in ((8, pa.uint8()), (16, pa.uint16()), (32, pa.uint32()))},
    **{f"i{bits}": repeated(WHOLE, kind) for bits, kind in ((8, pa.int8()), (16, pa.int16()), (64, pa.int64()))},
    "u64": repeated([0, 1, 2**64 - 1, 2**53 + 1], pa.uint64()),
    "whole": repeated([Decimal(5), None, Decimal(-7)], pa.decimal128(20, 0)),
    "truth": repeated([True, None, False], pa.bool_()),
    "nothing": pa.nulls(ROWS),
    "text": repeated(WORDS, pa.string()), "large": repeated(WORDS, pa.large_string()),
    "view": repeated(WORDS, pa.string_view()), "coded": repeated(WORDS, pa.string()).dictionary_encode(),
    "coded whole": repeated(WHOLE, pa.int64()).dictionary_encode(),
    "day": repeated(DAYS, pa.date32()), "day64": repeated(DAYS, pa.date64()),
    "far": repeated([2_932_897, 0, -719_529], pa.int32()).cast(pa.date32()),
}  # fmt: skip
NUMBERS = {
    "share": repeated(PARTS, pa.decimal128(9, 2)), "wide": repeated(PARTS, pa.decimal128(38, 20)),
    "wider": repeated(PARTS, pa.decimal256(20, 4)), "float": repeated([0.29, 0.7, float("nan"), -0.0], pa.float32()),
    "double": repeated([0.29, 1e308, -1e308, 5e-324, float("inf"), None], pa.float64()),
}  # fmt: skip
MOMENTS = {
    f"{unit} {zone}": repeated(TIMES, pa.timestamp(unit, zone))
    for unit, zone in (("s", None), ("ms", "UTC"), ("us", "America/New_York"), ("us", None))
}
SCORES = ["share", "wide", "wider", "float", "double", "u64", "nothing", "text"]
LABELS = ["truth", "float", "share", "us None", "day", "coded whole"]
ON = [*MOMENTS, "day", "day64", "text"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    rows = {
        "score": pa.array([i * 37 % 101 / 100 for i in range(ROWS)]),
        "label": pa.array([i * 7 % 5 % 2 for i in range(ROWS)]),
        "list": pa.array([[i] for i in range(ROWS)]), **GROUPS, **NUMBERS, **MOMENTS,
    }  # fmt: skip
    file = tmp_path_factory.mktemp("types") / "types.parquet"
    pq.write_table(pa.table(rows), file, row_group_size=50)
    return str(file)


def configs() -> Iterator[tuple[str, dict[str, Any], Window]]:
    bands = [{"name": f"{name} band", "from": name, "breaks": [0, 18]} for name in (*GROUPS, *NUMBERS)]
    bands = [one for one in bands if one["from"] not in {"truth", "day", "day64", "far"}]
    yield "groups", {"attributes": [*GROUPS, ["text", "day"]], "limits": {"joint_state_rows": 1}}, Window()
    yield "bands", {"attributes": bands}, Window()
    for name in SCORES:
        yield f"score {name}", {"columns": {"score": name, "label": "label"}, "attributes": ["u8"]}, Window()
    for name in LABELS:
        events = ["1970-01-01 00:00:00"] if name in MOMENTS else ["2026-01-01"] if name == "day" else [1]
        columns = {"score": "score", "label": name}
        yield f"label {name}", {"columns": columns, "event_labels": events, "attributes": ["u8"]}, Window()
    for name in ON:
        columns = {"score": "score", "label": "label", "scored_on": name}
        yield f"on {name}", {"columns": columns, "attributes": ["u8"]}, JANUARY


def outcome_of(spec: AuditSpec, engine: Engine, window: Window) -> AuditOutcome | str:
    try:
        return audit(spec, window, engine, MemoryStore(), RunOptions())
    except (DataRefusedError, UsageError) as error:
        return str(error)


def spec_of(source: str | Path, **changes: Any) -> AuditSpec:
    limits = {"maximum_refused_share": 1, "maximum_refused_share_per_group": 1} | changes.pop("limits", {})
    return load_mapping(config_of(input={"format": "parquet", "path": str(source)}, limits=limits, **changes))


def spark_engine(spark: SparkSession, spec: AuditSpec, form: str) -> SparkEngine:
    return SparkEngine(spark, source_of(spark, spec.source), spec.limits, form)


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "window"), [pytest.param(c, w, id=name) for name, c, w in configs()])
def test_a_column_of_any_type_means_the_same_everywhere(
    changes: dict[str, Any], window: Window, path: str, spark: SparkSession
) -> None:
    spec = spec_of(path, **changes)
    engines: list[Engine] = [LocalEngine(files.source_of(spec.source), spec.limits)]
    forms = ["catalyst", "arrow"] if len(spec.groupings) > 1 else ["catalyst"]
    engines += [spark_engine(spark, spec, form) for form in forms]
    first, *others = (outcome_of(spec, engine, window) for engine in engines)
    for other in others:
        assert isinstance(first, AuditOutcome)
        assert isinstance(other, AuditOutcome)
        assert bare(first.tables) == bare(other.tables)


PLAIN = pa.table(
    {"score": [0.1, 0.9, 0.3, 0.8], "label": [0, 1, 1, 0], "race": ["A", "B", "A", "B"], "age": [1, 2, 3, 4]}
)


def in_files(folder: Path, *tables: pa.Table, **options: Any) -> Path:
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet", **options)
    return folder


def test_files_may_lack_columns_or_have_them_in_another_order(spark: SparkSession, tmp_path: Path) -> None:
    lacking = PLAIN.drop_columns(["race"])
    turned = PLAIN.select(["age", "race", "label", "score"])
    spec = spec_of(in_files(tmp_path, PLAIN, lacking, turned), attributes=["race"])
    local = outcome_of(spec, LocalEngine(files.source_of(spec.source), spec.limits), Window())
    for form in ("catalyst", "arrow"):
        other = outcome_of(spec, spark_engine(spark, spec, form), Window())
        assert isinstance(local, AuditOutcome)
        assert isinstance(other, AuditOutcome)
        assert bare(local.tables) == bare(other.tables)
        assert other.tables[RUNS]["rows_used"].to_pylist() == [12]


def test_other_types_in_some_files_are_left_to_catalyst(spark: SparkSession, tmp_path: Path) -> None:
    floats = PLAIN.set_column(0, "score", PLAIN["score"].cast(pa.float32()))
    spec = spec_of(in_files(tmp_path, PLAIN, floats), attributes=["race"])
    local = outcome_of(spec, LocalEngine(files.source_of(spec.source), spec.limits), Window())
    assert "of type float, and double in another file" in str(local)
    assert "columns of other types" in str(outcome_of(spec, spark_engine(spark, spec, "arrow"), Window()))
    assert isinstance(outcome_of(spec, spark_engine(spark, spec, "catalyst"), Window()), AuditOutcome)


def test_moments_of_the_old_form_are_counted_by_the_kernel_too(spark: SparkSession, tmp_path: Path) -> None:
    rows = PLAIN.append_column("day", repeated(TIMES, pa.timestamp("us")).slice(0, 4))
    folder = in_files(tmp_path, rows, use_deprecated_int96_timestamps=True)
    columns = {"score": "score", "label": "label", "scored_on": "day"}
    spec = spec_of(folder, columns=columns, attributes=["race"])
    local = outcome_of(spec, LocalEngine(files.source_of(spec.source), spec.limits), JANUARY)
    for form in ("catalyst", "arrow"):
        other = outcome_of(spec, spark_engine(spark, spec, form), JANUARY)
        assert isinstance(local, AuditOutcome)
        assert isinstance(other, AuditOutcome)
        assert bare(local.tables) == bare(other.tables)
        assert other.tables[RUNS]["rows_input"].to_pylist() == [3]


def test_a_type_that_spark_does_not_know_is_a_known_error(spark: SparkSession, tmp_path: Path) -> None:
    rows = PLAIN.append_column("noted", pa.array([1, 2, 3, 4], pa.timestamp("ns")))
    spec = spec_of(in_files(tmp_path, rows) / "0.parquet", attributes=["race"])
    with pytest.raises(UsageError, match=r"not readable by Spark.*PARQUET_TYPE_ILLEGAL"):
        spark_engine(spark, spec, "catalyst").inspect()
    assert isinstance(outcome_of(spec, LocalEngine(files.source_of(spec.source), spec.limits), Window()), AuditOutcome)
