"""States too large for the driver: their small grouping sets are collected, and the large ones stay in Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

import pyspark.sql.functions as F

from fairsweep.engines import states
from fairsweep.engines.probing import refuse_above
from fairsweep.engines.protocol import ModelKey, ModelState
from fairsweep.engines.spark.blocks import MEASURED, BlockedHistogram, summed
from fairsweep.engines.states import KEYS, USED, LaidAside, group_columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from fairsweep.config.sections import LimitsSpec
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.input.intake import Intake

# The number of rows that a task makes of a block: it fits a cluster's smallest worker.
BLOCK_ROWS = 1_000_000
Sets = Sequence[tuple[int, ...]]


def counted(
    counts: DataFrame, intake: Intake, grid: CutoffGrid, sets: Sets, limits: LimitsSpec
) -> Mapping[ModelKey, ModelState]:
    """The state of every model.

    Args:
        counts: as `states` takes them, spilled, so that reading them again does not count again.
        intake: the rules that were applied to every row.
        grid: the cutoffs.
        sets: for each grouping set the positions of its single attributes.
        limits: how many rows the driver may hold, and how many there may be in total.

    Raises:
        DataRefusedError: if there are more than allowed.
    """
    kept = (F.col("rule") == USED) | (F.col("rule") >= intake.refusals)
    within = F.lit("") if len(sets) == 1 else F.concat(*(_bit(name) for name in group_columns(intake)))
    counts = counts.withColumn("within", within)
    sizes: dict[tuple[ModelKey, str], tuple[int, int]] = {}
    found = counts.groupBy(*KEYS[:2], "within").agg(
        F.count_if(kept).alias("rows"),
        F.sum(F.when(F.col("rule") == USED, F.col("events") + F.col("non_events")).otherwise(0)).alias("used"),
    )
    for row in found.toArrow().to_pylist():
        key = ModelKey(row["model_id"] or "", row["model_version"] or "")
        sizes[key, row["within"]] = (row["rows"], row["used"])
    refuse_above(limits.maximum_state_rows, sum(rows for rows, _ in sizes.values()))
    large = _large({place: rows for place, (rows, _) in sizes.items()}, limits.driver_state_rows)
    names = {_bits(positions, intake, sets): positions for positions in sets}
    aside: dict[ModelKey, LaidAside] = {}
    for key in {key for key, _ in sizes}:
        mine = counts.where(_is(key))
        histograms = {
            names[bits]: _blocked(mine.where((F.col("within") == bits) & kept), names[bits], intake, grid)
            for model, bits in large
            if model == key
        }
        aside[key] = LaidAside(histograms, sizes.get((key, _bits(sets[0], intake, sets)), (0, 0))[1])
    apart = reduce(or_, (_is(key) & (F.col("within") == bits) for key, bits in large), F.lit(False))
    here = counts.where(~apart | (F.col("rule") != USED)).drop("within")
    return states.states(here.toArrow(), intake, grid, sets, aside)


def _large(sizes: Mapping[tuple[ModelKey, str], int], limit: int) -> list[tuple[ModelKey, str]]:
    """The sets that stay in Spark, so that the smaller sets together fit the driver."""
    held, large = 0, []
    for place, rows in sorted(sizes.items(), key=lambda one: (one[1], one[0])):
        # Refused rows are added to them, and events and non-events of a bucket may be two rows.
        held += 2 * rows
        if held > limit:
            large.append(place)
    return large


def _blocked(entries: DataFrame, positions: tuple[int, ...], intake: Intake, grid: CutoffGrid) -> BlockedHistogram:
    texts = [F.col(f"g{position}").alias(f"g{i}") for i, position in enumerate(positions)]
    rows = summed(entries.select(*texts, "bucket", *MEASURED), len(positions))
    return BlockedHistogram(grid, tuple(intake.groups[i][0] for i in positions), rows, BLOCK_ROWS)


def _is(key: ModelKey) -> Column:
    parts = (F.coalesce(name, F.lit("")) == F.lit(part) for name, part in zip(KEYS[:2], key, strict=True))
    return reduce(and_, parts)


def _bit(column: str) -> Column:
    return F.when(F.col(column).isNull(), "0").otherwise("1")


def _bits(positions: Sequence[int], intake: Intake, sets: Sets) -> str:
    """How a row shows its grouping set: which single attributes have a value."""
    return "" if len(sets) == 1 else "".join("01"[i in positions] for i in range(len(intake.groups)))
