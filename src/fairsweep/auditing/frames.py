"""Data that a Python program holds, and the engine that counts it where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsweep.auditing import refusals as refusing
from fairsweep.auditing.column_checks import check_columns
from fairsweep.engines.protocol import Inspection
from fairsweep.errors import DataRefusedError, Problem, UsageError, quoted
from fairsweep.input.files import column_type
from fairsweep.input.source_columns import SourceColumn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.auditing.spec import AuditSpec
    from fairsweep.engines.protocol import Engine

# Of the first objects; where half of them differ, most of the others do too.
MOST_OBJECTS = 1 << 12


def engine_over(data: Any, spec: AuditSpec, spark: SparkSession | None) -> tuple[Engine, SparkSession | None]:  # noqa: ANN401
    """The engine over a frame, and its session: Spark for a Spark DataFrame or if a session is given.

    Args:
        data: a Spark DataFrame (plain or Connect), a pandas DataFrame or a pyarrow Table.
        spec: the checked config.
        spark: a session that counts the data; without it, pandas and pyarrow data are counted in this process.

    Raises:
        UsageError: if the data has another type, or its columns do not match the config.
        DataRefusedError: if it has no rows.
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
        objects = values.to_numpy()
        different, place = _different_objects(objects)
        codes, levels = pd.factorize(different, use_na_sentinel=True)
        names = pa.array(levels, from_pandas=True)
        if pa.types.is_string(names.type):
            short = codes.astype(np.int32)
            each = short if place is None else short.take(place)
            absent = each < 0 if short.min(initial=0) < 0 else None
            return pa.DictionaryArray.from_arrays(pa.array(each, mask=absent), names)
    return pa.array(values, from_pandas=True)


def _different_objects(objects: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int32] | None]:
    """The distinct objects, and the index of each object among them; all objects, if few of them repeat.

    A column that was read from a file usually has one object for each distinct text. Comparing the identity of
    objects takes a tenth of the time of comparing their values.
    """
    import pyarrow as pa

    addresses = np.asarray(_Addresses(objects))
    if len(np.unique(addresses[:MOST_OBJECTS])) > MOST_OBJECTS // 2:
        return objects, None
    encoded = pa.array(addresses).dictionary_encode()
    place = encoded.indices.to_numpy()
    # They are numbered in the order in which they occur.
    first = np.searchsorted(np.maximum.accumulate(place), np.arange(len(encoded.dictionary)))
    return objects[first], place


class _Addresses:
    """The addresses that an array of objects consists of, as an array of numbers."""

    def __init__(self, objects: NDArray[np.object_]) -> None:
        # The array that is made of this keeps it alive, and with it the objects.
        self._objects = objects
        kind = np.dtype(np.intp).str
        self.__array_interface__ = objects.__array_interface__ | {"typestr": kind, "descr": [("", kind)]}
