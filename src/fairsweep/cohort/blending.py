"""Blends: rows of models that are made of others, and their scores once age and attributes are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from fairsweep.cohort.input_frames import MODEL, first_reason
from fairsweep.errors import DataRefusedError, Problem

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from fairsweep.cohort.blends import BlendSpec, TestSpec

# Of a row of a blend: the scores of its two models on that day, and how many each of them gave.
COMPONENTS = "struct<use: double, otherwise: double, uses: bigint, otherwises: bigint>"
# Decimals of a score that enter the factor: sums of decimals are exact in any order.
_SUMMED = "decimal(38,12)"


def with_blends(predictions: DataFrame, blends: Sequence[BlendSpec]) -> DataFrame:
    """The predictions, followed by a row for every member and day that a model of a blend has scored.

    Args:
        predictions: with `reason`; blends do not use rows with a reason.
        blends: the blends to compute.

    Returns:
        The same columns, and `components`, which is NULL for predictions that do not belong to a blend.
    """
    given = predictions.withColumn("components", F.lit(None).cast(COMPONENTS))
    return reduce(lambda rows, blend: rows.unionByName(_rows(predictions, blend)), blends, given)


def _rows(predictions: DataFrame, blend: BlendSpec) -> DataFrame:
    model = F.col("model_id")
    of_two = predictions.where(F.col("reason").isNull() & model.isin(blend.use, blend.otherwise))
    parts = [
        agg
        for name, one in (("use", blend.use), ("otherwise", blend.otherwise))
        for agg in (F.max(F.when(model == one, F.col("score"))).alias(name), F.count_if(model == one).alias(f"{name}s"))
    ]
    carried = F.max(F.struct(model == blend.use, "carried"))["carried"].alias("carried")
    rows = of_two.groupBy("member_id", "scored_on").agg(*parts, carried)
    components = F.struct("use", "otherwise", "uses", "otherwises").cast(COMPONENTS)
    several = (F.col("uses") > 1) | (F.col("otherwises") > 1)
    return rows.select(
        "member_id",
        F.lit(blend.model.id).alias(MODEL[0]),
        F.lit(blend.model.version).alias(MODEL[1]),
        "scored_on",
        F.lit(None).cast("double").alias("score"),
        "carried",
        first_reason(conflicting_predictions=several).alias("reason"),
        components.alias("components"),
    )


def factors(judged: DataFrame, blends: Sequence[BlendSpec], attributes: Sequence[str]) -> dict[int, float]:
    """By position of a blend, the factor by which the scores of its other model are multiplied.

    Raises:
        DataRefusedError: if no member at the seam has both scores, or one of the sums is 0.
    """
    found, problems = {}, []
    for i, blend in enumerate(blends):
        if blend.scale is None:
            found[i] = 1.0
        elif blend.scale.factor is not None:
            found[i] = blend.scale.factor
        else:
            at_seam = F.col("reason").isNull() & _is(blend) & _holds(blend.scale.seam or {}, attributes)
            both = [F.col(f"components.{name}") for name in ("use", "otherwise")]
            usable = reduce(lambda a, b: a & b, (one.isNotNull() & ~F.isnan(one) & (F.abs(one) < 1e20) for one in both))
            sums = judged.where(at_seam & usable).select(*(F.sum(one.cast(_SUMMED)) for one in both)).head()
            use, otherwise = (float(one or 0) for one in sums or (0, 0))
            if use <= 0 or otherwise <= 0 or not math.isfinite(use / otherwise):
                place = f"blends[{i}].scale.seam"
                step = "widen the seam, or write `scale: {factor: ...}`"
                empty = "no included prediction with both scores, or only scores of 0"
                problems.append(Problem(place, empty, "some", step))
            else:
                found[i] = use / otherwise
    if problems:
        raise DataRefusedError(problems)
    return found


def blended(
    judged: DataFrame, blends: Sequence[BlendSpec], scales: Mapping[int, float], attributes: Sequence[str]
) -> DataFrame:
    """The judged predictions, those of blends with their scores; a score that is missing is a reason."""
    if not blends:
        return judged.drop("components")
    scores, missing = [], []
    for i, blend in enumerate(blends):
        used = F.coalesce(_holds(blend.when, attributes), F.lit(False))
        score = F.when(used, F.col("components.use")).otherwise(F.col("components.otherwise") * scales[i])
        count = F.when(used, F.col("components.uses")).otherwise(F.col("components.otherwises"))
        scores.append(F.when(_is(blend), score))
        missing.append(F.when(_is(blend), count == 0))
    made = F.col("components").isNotNull()
    reason = first_reason(component_missing=made & F.coalesce(*missing))
    score = F.when(made, F.coalesce(*scores)).otherwise(F.col("score"))
    return judged.withColumns({"reason": F.coalesce("reason", reason), "score": score}).drop("components")


def _is(blend: BlendSpec) -> Column:
    """Whether a row is the blend's; a model that was given may have the same name."""
    named = (F.col(MODEL[0]) == blend.model.id) & (F.col(MODEL[1]) == blend.model.version)
    return named & F.col("components").isNotNull()


def _holds(condition: Mapping[str, TestSpec], attributes: Sequence[str]) -> Column:
    tests = [_test(name, test, attributes) for name, test in condition.items()]
    return reduce(lambda a, b: a & b, tests)


def _test(name: str, test: TestSpec, attributes: Sequence[str]) -> Column:
    if test.is_in is not None:
        return F.col("group_values")[list(attributes).index(name)].isin(list(test.is_in))
    bounds = [
        *([F.col("age") >= test.at_least] if test.at_least is not None else []),
        *([F.col("age") < test.below] if test.below is not None else []),
    ]
    return reduce(lambda a, b: a & b, bounds)
