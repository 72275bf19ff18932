"""The one scan, as expressions that run on any DataFrame: rows in, counts per cell and place out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyspark.sql.functions as F

from fairsweep.core.groups import LONGEST_GROUP
from fairsweep.engines.arrow.packing import plain
from fairsweep.engines.mixed_radix import volume
from fairsweep.engines.probing import Sample
from fairsweep.engines.spark.buckets import bucket
from fairsweep.engines.spark.coding import Layout, coded
from fairsweep.engines.states import EVENT, KEYS, LABEL_CLASSES, MEASURES, NON_EVENT, NOT_KNOWN, Places, group_columns
from fairsweep.input.expressions import Expression, fields_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.spark.columns import Compiler
    from fairsweep.input.intake import Intake

# Enough to meet nearly every level, and few enough to lie in one row group.
PROBED_ROWS = 1_000


def columns_of(intake: Intake) -> dict[str, Expression | None]:
    """The texts that tell cells apart, by their names inside the scan."""
    groups = dict(zip(group_columns(intake), (group for _, group in intake.groups), strict=True))
    return {KEYS[0]: intake.model_id, KEYS[1]: intake.model_version, **groups}


@dataclass(frozen=True)
class FirstRows:
    """What the first rows of an input hold: for each column, input value and text; and the scores."""

    pairs: Mapping[str, list[tuple[Any, str]]]
    scores: np.ndarray[Any, np.dtype[np.float64]]

    @classmethod
    def of(cls, rows: DataFrame, intake: Intake, compiler: Compiler) -> FirstRows:
        """Read them; at most one row group of a file."""
        columns = {name: expression for name, expression in columns_of(intake).items() if expression is not None}
        texts = [F.coalesce(compiler.value(e), F.lit("")).alias(name) for name, e in columns.items()]
        raw = [compiler.short(min(fields_of(e)), LONGEST_GROUP).alias(f"raw_{name}") for name, e in columns.items()]
        score = compiler.value(intake.score).cast("double").alias("score")
        table = rows.limit(PROBED_ROWS).select(*texts, *raw, score).toArrow()
        pairs = {n: list(zip(table[f"raw_{n}"].to_pylist(), table[n].to_pylist(), strict=True)) for n in columns}
        return cls(pairs, table["score"].fill_null(np.nan).to_numpy())

    def sample(self, intake: Intake, grid: CutoffGrid, rows_input: int | None) -> Sample:
        """The rows as codes and buckets."""
        texts = [
            pa.array([text for _, text in self.pairs.get(name, ())], pa.string()) for name in group_columns(intake)
        ]
        codes = [column.dictionary_encode().indices.to_numpy().astype(np.int64) for column in texts]
        buckets = np.searchsorted(grid.values, np.nan_to_num(self.scores), side="right").astype(np.int64)
        # Fewer than were asked for are all that there are.
        every = len(buckets) if rows_input is None and len(buckets) < PROBED_ROWS else rows_input
        return Sample(codes, buckets, every)


class Scan:
    """One aggregation of all grouping sets, and how to read its result.

    Args:
        intake: what to ask of every row.
        grid: the cutoffs.
        sets: the positions of the single attributes that make up each grouping set.
        compiler: of the source's columns.
        first: what the first rows hold.
    """

    def __init__(
        self,
        intake: Intake,
        grid: CutoffGrid,
        sets: Sequence[tuple[int, ...]],
        compiler: Compiler,
        first: FirstRows,
    ) -> None:
        self._intake, self._grid, self._compiler = intake, grid, compiler
        self._places = Places(len(grid) + 1, len(intake.rules))
        columns = columns_of(intake)
        names = group_columns(intake)
        met = {name: coded(name, expression, first.pairs.get(name, [])) for name, expression in columns.items()}
        wanted = [[*KEYS[:2], *(names[i] for i in positions)] for positions in sets]
        self._layouts = [
            Layout.of(place, {name: columns[name] for name in chosen}, met, self._places.size)
            for place, chosen in enumerate(wanted)
        ]
        self._plain = sorted({name for layout in self._layouts for name in layout.plain})

    @property
    def expected(self) -> int:
        """About how many rows the result may have, as far as the levels that were met tell."""
        return sum(volume(layout.radices, layout.places) for layout in self._layouts)

    def counts(self, rows: DataFrame) -> DataFrame:
        """Rows of the set, key, texts that were not met, plain columns, and `n`."""
        inside = self._placed(rows)
        keyed = [self._keyed(layout) for layout in self._layouts]
        if len(keyed) == 1:
            found = inside.select(*keyed[0])
        else:
            one = F.explode(F.array(*(F.struct(*columns) for columns in keyed))).alias("one")
            found = inside.select(one).select("one.*")
        return found.groupBy(*found.columns).agg(F.count(F.lit(1)).alias("n"))

    def judged(self, rows: DataFrame, further: Sequence[Column]) -> DataFrame:
        """Every row by itself, keyed for the one grouping set that there is, with further columns."""
        return self._placed(rows).select(*self._keyed(self._layouts[0]), *further)

    def told(self, judged: pa.Table) -> tuple[dict[str, pa.DictionaryArray], np.ndarray[Any, np.dtype[np.int64]]]:
        """The texts of what `judged` gave, and the place of each row within its cell."""
        cell, place = np.divmod(judged["key"].to_numpy(), self._places.size)
        return self._texts(judged, self._layouts[0], cell), place

    def _placed(self, rows: DataFrame) -> DataFrame:
        return rows.where(self._compiler.condition(self._intake.inside)).withColumn("place", self._place())

    def table(self, counts: pa.Table) -> pa.Table:
        """What `counts` gave, collected, in the form that `states` takes."""
        parts = [
            self._decoded(counts.filter(pc.equal(counts["set"], layout.place)), layout) for layout in self._layouts
        ]
        return pa.concat_tables(parts)

    def rows(self, counts: DataFrame) -> DataFrame:
        """What `counts` gave, not collected, in the form that `states` takes."""
        declared = ", ".join(f"{name} string" for name in columns_of(self._intake))
        measured = ", ".join(f"{name} bigint" for name in (*KEYS[2:], *MEASURES))
        return counts.mapInArrow(_decoding(self), f"{declared}, {measured}")

    def _place(self) -> Column:
        """Where a row stands within its cell; the rule is only asked for where one holds."""
        condition = self._compiler.condition
        rules = [condition(rule.condition) for rule in self._intake.rules]
        event = condition(self._intake.is_event)
        known = condition(self._intake.label_known)
        label = F.when(~known, F.lit(NOT_KNOWN)).when(event, F.lit(EVENT)).otherwise(F.lit(NON_EVENT))
        rule = F.lit(0)
        for number, holds in reversed(list(enumerate(rules))):
            rule = F.when(holds, F.lit(number)).otherwise(rule)
        other = F.lit(self._places.first_other) + rule * F.lit(len(LABEL_CLASSES)) + label
        used = bucket(self._compiler.value(self._intake.score), self._grid)
        used = used + F.when(event, F.lit(0)).otherwise(F.lit(self._places.non_event))
        return F.when(reduce(lambda a, b: a | b, rules), other).otherwise(used).cast("long")

    def _keyed(self, layout: Layout) -> list[Column]:
        """The columns that one set is grouped by; those of other sets are NULL."""
        cell = layout.cell(self._compiler)
        key = F.coalesce(cell, F.lit(0).cast("long")) + F.col("place")
        unmet = F.when(cell.isNull(), layout.unmet(self._compiler)).otherwise(F.lit(""))
        plain = [
            F.coalesce(self._compiler.value(layout.plain[name]), F.lit("")).alias(name)
            if name in layout.plain
            else F.lit(None).cast("string").alias(name)
            for name in self._plain
        ]
        return [F.lit(layout.place).alias("set"), key.alias("key"), unmet.alias("unmet"), *plain]

    def _decoded(self, counts: pa.Table, layout: Layout) -> pa.Table:
        cell, place = np.divmod(counts["key"].to_numpy(), self._places.size)
        return pa.table(self._texts(counts, layout, cell) | self._places.table(place, counts["n"].to_numpy()))

    def _texts(
        self, rows: pa.Table, layout: Layout, cell: np.ndarray[Any, np.dtype[np.int64]]
    ) -> dict[str, pa.DictionaryArray]:
        """The model and groups of some keyed rows; NULL outside their grouping set."""
        texts = layout.texts(cell, rows["unmet"].combine_chunks())
        texts |= {name: rows[name].combine_chunks().dictionary_encode() for name in layout.plain}
        nothing = pa.DictionaryArray.from_arrays(pa.nulls(rows.num_rows, pa.int32()), pa.array([], pa.string()))
        return {name: texts.get(name, nothing) for name in columns_of(self._intake)}


def _decoding(scan: Scan) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def decoded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from plain(scan.table(pa.Table.from_batches([batch]))).to_batches()

    return decoded
