"""Data that a Python program holds, and the engine that counts it where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsweep.engines.protocol import Inspection, SourceColumn
from fairsweep.errors import DataRefusedError, Problem, UsageError, quoted
from fairsweep.inputs import column_type
from fairsweep.specs.checking import check_columns
from fairsweep.verbs import refusing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.engines.protocol import Engine
    from fairsweep.specs.audit import AuditSpec


def engine_over(data: Any, spec: AuditSpec, spark: SparkSession | None) -> tuple[Engine, SparkSession | None]:  # noqa: ANN401
    """The engine over a frame, and its session: Spark's over a Spark DataFrame or where a session is given.

    Args:
        data: a Spark DataFrame (plain or Connect), a pandas DataFrame or a pyarrow Table.
        spec: the checked config.
        spark: a session that takes the data; without it data that is not Spark's is counted in this process.

    Raises:
        UsageError: where the data is something else, or its columns are not what the config says.
        DataRefusedError: where it has no rows.
    """
    if hasattr(data, "groupingSets"):
        return _on_spark(data, spec)
    table = _table(data, spec)
    if spark is not None:
        from fairsweep.engines.arrow.packing import plain

        return _on_spark(spark.createDataFrame(plain(table)), spec)
    from fairsweep.engines.arrow.sources import FrameSource
    from fairsweep.engines.local import LocalEngine

    return LocalEngine(FrameSource(table), spec.limits), None


def _on_spark(frame: DataFrame, spec: AuditSpec) -> tuple[Engine, SparkSession]:
    from fairsweep.engines.spark.engine import SparkEngine
    from fairsweep.engines.spark.sources import FrameSource

    return SparkEngine(frame.sparkSession, FrameSource(frame), spec.limits, spec.spark.counting), frame.sparkSession


def _table(data: Any, spec: AuditSpec) -> pa.Table:  # noqa: ANN401
    """Only the columns that the audit reads."""
    import pandas as pd
    import pyarrow as pa

    if not isinstance(data, pd.DataFrame | pa.Table):
        allowed = "a Spark DataFrame, a pandas DataFrame or a pyarrow Table"
        raise UsageError(Problem("data", f"a {type(data).__name__}", allowed, "convert it to one of these"))
    present = [str(name) for name in (data.columns if isinstance(data, pd.DataFrame) else data.column_names)]
    read = [name for name in spec.columns_read if name in present]
    twice = [name for name in read if present.count(name) > 1]
    if twice:
        step = "rename all but one"
        raise UsageError(
            Problem("data", f"several columns called {quoted(name)}", "names that differ", step) for name in twice
        )
    if isinstance(data, pd.DataFrame):
        # Column by column: a selection of a frame would copy it first.
        table = pa.table({name: _encoded(data.iloc[:, present.index(name)]) for name in read})
    else:
        table = data.select(read)
    kinds = {field.name: column_type(field.type) for field in table.schema}
    columns = tuple(SourceColumn(name, kinds.get(name, "other")) for name in present)
    check_columns(spec, Inspection(columns, "the data", None))
    if not table.num_rows:
        raise DataRefusedError(refusing.NO_ROWS)
    return table


def _encoded(values: pd.Series[Any]) -> pa.Array:
    """A column in Arrow; objects that are text as a dictionary, since every other way reads them twice."""
    import pandas as pd
    import pyarrow as pa

    if values.dtype == object:
        codes, levels = pd.factorize(values.to_numpy(), use_na_sentinel=True)
        names = pa.array(levels, from_pandas=True)
        if pa.types.is_string(names.type):
            return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes < 0), names)
    return pa.array(values, from_pandas=True)
