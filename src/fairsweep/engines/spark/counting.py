"""The one scan, as expressions that run on any DataFrame: rows in, counts per cell and bucket out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyspark.sql.functions as F

from fairsweep.core.histogram import UNSCORED_BUCKET
from fairsweep.engines.spark.buckets import bucket
from fairsweep.engines.states import KEYS, MEASURES, USED, group_columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.engines.spark.columns import Compiler
    from fairsweep.intake import Intake


def prepared(rows: DataFrame, intake: Intake, compiler: Compiler, grid: CutoffGrid) -> DataFrame:
    """One row of small columns per input row: its model, group, rule, bucket and label."""
    rule: Column = F.lit(USED)
    for place, (_, condition) in reversed(list(enumerate(intake.rules))):
        rule = F.when(compiler.condition(condition), F.lit(place)).otherwise(rule)
    known = compiler.condition(intake.label_known)
    event = compiler.condition(intake.is_event)
    first = rows.where(compiler.condition(intake.inside)).select(
        _model_text(intake.model_id, compiler).alias("model_id"),
        _model_text(intake.model_version, compiler).alias("model_version"),
        rule.alias("rule"),
        compiler.value(intake.score).alias("score"),
        F.when(~known, F.lit(2)).when(event, F.lit(0)).otherwise(F.lit(1)).alias("label"),
        *(
            compiler.value(group).alias(name)
            for name, (_, group) in zip(group_columns(intake), intake.groups, strict=True)
        ),
    )
    usable = F.col("rule") == USED
    return first.withColumn("bucket", F.when(usable, bucket(F.col("score"), grid)).otherwise(F.lit(UNSCORED_BUCKET)))


def _model_text(expression: object, compiler: Compiler) -> Column:
    if expression is None:
        return F.lit("")
    return F.coalesce(compiler.value(expression), F.lit(""))  # type: ignore[arg-type]


def counted(rows: DataFrame, intake: Intake, sets: Sequence[tuple[int, ...]]) -> DataFrame:
    """Counts per grouping set, cell, rule and bucket, in one aggregation.

    Args:
        rows: what `prepared` gave.
        intake: the intake, for the names of its groups.
        sets: the positions of the single attributes that make up each grouping set. The columns outside a row's own
            set are NULL in the result; inside it they never are.
    """
    names = group_columns(intake)
    measures = [
        F.sum(F.when(F.col("label") == code, F.lit(1)).otherwise(F.lit(0))).cast("long").alias(measure)
        for code, measure in enumerate(MEASURES)
    ]
    keys = [F.col(name) for name in (*KEYS, *names)]
    if len(sets) == 1:
        return rows.groupBy(*keys).agg(*measures)
    wanted = [[F.col(key) for key in KEYS] + [F.col(names[i]) for i in positions] for positions in sets]
    return rows.groupingSets(wanted, *keys).agg(*measures)
