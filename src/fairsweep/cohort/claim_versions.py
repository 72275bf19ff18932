"""Which event lines are valid: not those that others replace or reverse, nor those that were not known yet.

The lines of claims are read once more for this, and only those of claims with an event are joined.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from fairsweep.cohort.input_frames import first_reason

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from fairsweep.cohort.input_sections import ClaimsSpec

# Lines are excluded in this order; a copy changes nothing, and is only counted.
LINE_REASONS = ("duplicate_line", "not_known_yet", "superseded", "reversed")
_KEY = ("member_id", "claim_id", "line_number")
# So many keys are sent to every task; of more lines most are among those that were met.
MOST_BROADCAST = 4_000_000


def judged_lines(met: DataFrame, claims: DataFrame, spec: ClaimsSpec, as_of: date | None) -> DataFrame:
    """The lines with the reason against each.

    Args:
        met: lines as `met_lines` gives them, kept where they can be read again.
        claims: all usable lines.
        spec: how lines replace others and take them back.
        as_of: what becomes known later is not known.
    """
    later = F.lit(False) if as_of is None else F.coalesce(F.col("known_on") > F.lit(as_of), F.lit(False))
    if not spec.can_be_adjusted:
        return met.withColumn("reason", first_reason(not_known_yet=later))
    version = F.coalesce("version", F.lit(float("-inf")))
    keys = met.select(*_KEY).distinct()
    if met.count() <= MOST_BROADCAST:
        keys = F.broadcast(keys)
    same = claims.where(~later).join(keys, [*_KEY], "left_semi").groupBy(*_KEY).agg(
        F.max(F.struct(version.alias("version"), "reversal")).alias("last"),
        F.coalesce(F.max("reversal"), F.lit(False)).alias("taken_back"),
        F.max(F.when(F.col("reversal"), F.col("known_on"))).alias("taken_back_on"),
    )  # fmt: skip
    if spec.columns.version is not None:
        superseded, reversed_ = version < F.col("last.version"), F.col("last.reversal")
    else:
        before = F.coalesce(F.col("known_on") <= F.col("taken_back_on"), F.lit(True))
        superseded, reversed_ = F.lit(False), F.col("taken_back") & before
    reason = first_reason(not_known_yet=later, superseded=superseded, reversed=reversed_)
    return met.join(same, [*_KEY], "left").withColumn("reason", reason).drop("last", "taken_back", "taken_back_on")
