"""Members, enrolment, claims and predictions of a synthetic population, in Spark, of any size.

Everything about a member is a hash of the seed and the member's number, so that the same seed gives the same rows
with any partitioning of Spark. Risks and scores are those of `risks`. The claims have the usual irregularities: gaps in
enrolment, people who leave or die, unrelated claims, duplicate lines, lines that are reversed or replaced, and lines
that become known late. None of these depends on the outcome, so that the figures of the population hold for the cohort.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from fairsweep.synthetic import risks

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

CONFIGS = ("cohort.yaml", "audit.yaml")
# The outcome happens within so many days; less than its horizon, so that no line falls on the edge by chance.
_DAYS_UNTIL = 85
_LISTED = ("J189", "J1000", "J209", "J159")
_UNLISTED = ("I10", "E119", "M545", "Z0000", "I509", "N179", "J449", "R05")
_PRECISION = 1 << 53


@dataclass(frozen=True)
class Claims:
    """A population.

    Attributes:
        spark: the session that makes it.
        size: how many members.
        lines: lines of claims for each member, in addition to those of the outcome.
        seed: another seed gives other members of the same population.
        scored_on: the day of every score.
        samples: the number of populations of that size, with this seed and the following ones.
    """

    spark: SparkSession
    size: int
    lines: int = 20
    seed: int = 0
    scored_on: date = date(2024, 1, 1)
    samples: int = 1

    def members(self) -> DataFrame:
        """One row each: id, day of birth, sex, race, dual status, disability and day of death."""
        rows = self._people()
        day = F.lit(self.scored_on)
        birth = F.date_sub(F.add_months(day, -12 * F.col("age")), _up_to("birthday", 360))
        death = F.when(_uniform("death") < 0.004, F.date_add(day, _up_to("death day", 80) + 1))
        return rows.select(
            "member_id", birth.alias("birth_date"), "sex", "race", "dual_status", "disabled", death.alias("death_date")
        )

    def enrollment(self) -> DataFrame:
        """Spans: most have one, some a gap that is passed over, a few one that is not, or leave after the score."""
        day, kind = F.lit(self.scored_on), _uniform("enrollment")
        begin, end = F.date_sub(day, 700), F.date_add(day, 400)
        gap = F.when(kind < 0.10, 20).when(kind < 0.12, 90)
        left = F.date_add(day, _up_to("leaves", 70) + 1)
        back = F.date_sub(day, 60)
        two = F.array(_span(begin, F.date_sub(back, gap + 1)), _span(back, end))
        spans = F.when(kind < 0.12, two).when(kind < 0.15, F.array(_span(begin, left))).otherwise(
            F.array(_span(begin, end))
        )  # fmt: skip
        rows = self._people().select("member_id", F.explode(spans).alias("span"))
        return rows.select(
            "member_id",
            F.col("span.start").alias("enrollment_start_date"),
            F.col("span.end").alias("enrollment_end_date"),
        )

    def predictions(self) -> DataFrame:
        """A score by each model for every member."""
        people = self._people()
        older, younger = F.greatest(F.col("age") - 65, F.lit(0)), F.greatest(F.lit(65) - F.col("age"), F.lit(0))
        per_year = F.lit(-risks.SEES_LESS_PER_YEAR)
        biases = {
            "medicare": F.exp(per_year * younger),
            "medicaid": F.exp(per_year * older) * risks.MEDICAID_SEES_MORE,
            "planted": _looked_up("race", risks.PLANTED),
        }
        scores = [
            F.struct(F.lit(name).alias("model_id"), F.least(F.lit(1.0), F.col("risk") * bias).alias("score"))
            for name, bias in biases.items()
        ]
        rows = people.withColumn("each", F.explode(F.array(*scores)))
        version, day = F.lit(risks.VERSION).alias("model_version"), F.lit(self.scored_on).alias("scored_on")
        return rows.select("member_id", "each.model_id", version, day, "each.score")

    def medical_claims(self) -> DataFrame:
        """Lines: those of the outcome, those that look like it and are not, and those of other things."""
        rows = self._people().withColumn("line", F.explode(F.sequence(F.lit(-3), F.lit(self.lines - 1))))
        kinds = [
            F.when(F.col("line") >= 0, self._of_other_things()),
            F.when((F.col("line") == -1) & F.col("event"), self._of_the_outcome()),
            F.when((F.col("line") == -2) & (_uniform("alike") < 0.05), self._taken_back()),
            F.when((F.col("line") == -3) & (_uniform("elsewhere") < 0.10), self._elsewhere()),
        ]
        lines = rows.select("member_id", "line", F.explode(F.coalesce(*kinds)).alias("of"))
        claim = F.concat(F.col("member_id"), F.lit("c"), F.col("line") + 3)
        return lines.select("member_id", claim.alias("claim_id"), "of.*")

    def _of_other_things(self) -> Column:
        """One line from 500 days before the score to 200 after, in any setting, with codes on no code list."""
        start = F.date_add(F.lit(self.scored_on), (_uniform("other day", "line") * 700).cast("int") - 500)
        setting = _drawn(_uniform("setting", "line"), {"professional": 0.6, "outpatient": 0.3, "emergency": 0.06,
                                                       "inpatient": 0.04})  # fmt: skip
        one = _line(start, setting, _one_of(_UNLISTED, "code", "line"), _one_of(_UNLISTED, "code 2", "line"))
        return F.when(_uniform("twice", "line") < 0.01, F.array(one, one)).otherwise(F.array(one))

    def _of_the_outcome(self) -> Column:
        """A stay with a listed code: once, twice, or first reversed and then billed again."""
        how = _uniform("billing")
        lines = [_line(self._soon("event"), F.lit("inpatient"), F.lit("I10"), _one_of(_LISTED, "listed"), version,
                       lag=version * 10, status=status)
                 for version, status in ((1, "paid"), (2, "reversed"), (3, "paid"))]  # fmt: skip
        twice, anew = F.array(lines[0], lines[0]), F.array(*lines)
        return F.when(how < 0.03, twice).when(how < 0.08, anew).otherwise(F.array(lines[0]))

    def _taken_back(self) -> Column:
        """A stay with a listed code that is not valid: reversed, or replaced by one without the code."""
        start, code = self._soon("alike"), _one_of(_LISTED, "listed alike")
        paid = _line(start, F.lit("inpatient"), code, F.lit("I10"), 1, lag=10)
        back = _line(start, F.lit("inpatient"), code, F.lit("I10"), 2, lag=20, status="reversed")
        other = _line(start, F.lit("inpatient"), F.lit("R05"), F.lit("I10"), 2, lag=20)
        return F.when(_uniform("how alike") < 0.5, F.array(paid, back)).otherwise(F.array(paid, other))

    def _elsewhere(self) -> Column:
        """A listed code in another setting, or before the score, or long after."""
        day, how = F.lit(self.scored_on), _uniform("how elsewhere")
        before, after = F.date_sub(day, _up_to("before", 200)), F.date_add(day, 100 + _up_to("after", 90))
        start = F.when(how < 0.4, before).when(how < 0.7, after).otherwise(self._soon("elsewhere"))
        setting = F.when(how < 0.7, "inpatient").otherwise("outpatient")
        return F.array(_line(start, setting, _one_of(_LISTED, "listed elsewhere"), F.lit("I10")))

    def _soon(self, stream: str) -> Column:
        return F.date_add(F.lit(self.scored_on), _up_to(f"{stream} day", _DAYS_UNTIL) + 1)

    def _people(self) -> DataFrame:
        """Every member with the random values that all tables share."""
        number = F.col("id")
        rows = self.spark.range(self.size * self.samples).select(
            (number % self.size).alias("id"), (F.floor(number / self.size) + self.seed).alias("seed")
        )
        band = _drawn(_uniform("band"), {name: share for name, (share, _, _) in risks.BANDS.items()})
        rows = rows.withColumn("band", band)
        first = _looked_up("band", {name: low for name, (_, low, _) in risks.BANDS.items()})
        years = _looked_up("band", {name: high - low + 1 for name, (_, low, high) in risks.BANDS.items()})
        rows = rows.withColumn("age", (first + F.floor(_uniform("age") * years)).cast("int"))
        rows = rows.withColumn("race", _drawn_by("band", "race", risks.RACES))
        rows = rows.withColumn("dual_status", _drawn_by("race", "dual", risks.DUAL))
        rows = rows.withColumn("disabled", _uniform("disabled") < _looked_up("band", risks.DISABLED))
        rows = rows.withColumn(
            "sex", F.when(_uniform("sex") < _looked_up("band", risks.FEMALE), "female").otherwise("male")
        )
        frail = F.lit(risks.FRAIL_AT_65) * F.exp(F.lit(risks.FRAILER_PER_YEAR) * (F.col("age") - 65))
        frail = frail * _looked_up("dual_status", risks.RISK_OF_DUAL)
        frail = frail * F.when(F.col("disabled"), risks.RISK_OF_DISABLED).otherwise(1.0)
        bounds = [
            F.when(_uniform("frail") < frail, a).otherwise(b) for a, b in zip(risks.FRAIL, risks.OTHERS, strict=True)
        ]
        rows = rows.withColumn("risk", bounds[0] + _uniform("risk") * (bounds[1] - bounds[0]))
        member = F.concat(F.lit("m"), F.col("seed"), F.lit("-"), F.col("id"))
        return rows.withColumns({"event": _uniform("event") < F.col("risk"), "member_id": member})


def write(claims: Claims, folder: Path, file_format: str = "parquet") -> list[Path]:
    """Write the four tables and the configs of the case study to a folder.

    Args:
        claims: the population.
        folder: the folder to write to; files of the same names are replaced.
        file_format: csv, parquet or delta.

    Returns:
        The configs: of the cohort, and of its audit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "members": claims.members(), "enrollment": claims.enrollment(), "medical_claims": claims.medical_claims(),
        "predictions": claims.predictions(),
    }  # fmt: skip
    for name, rows in tables.items():
        options = {"header": "true"} if file_format == "csv" else {}
        rows.write.format(file_format).mode("overwrite").options(**options).save(f"file://{(folder / name).resolve()}")
    written = []
    for name in CONFIGS:
        text = resources.files("fairsweep.synthetic").joinpath(f"case_study_{name}").read_text(encoding="utf-8")
        written.append(folder / name)
        written[-1].write_text(text.replace("format: parquet", f"format: {file_format}"), encoding="utf-8")
    return written


def _uniform(stream: str, *also: str) -> Column:
    """A number from 0 up to but not 1, of its own for each member, stream and value of further columns."""
    digest = F.xxhash64("seed", F.lit(stream), "id", *also)
    return F.pmod(digest, F.lit(_PRECISION)).cast("double") / float(_PRECISION)


def _up_to(stream: str, days: int) -> Column:
    """A whole number from 0 up to but not `days`."""
    return (_uniform(stream) * days).cast("int")


def _drawn(uniform: Column, shares: Mapping[str, float]) -> Column:
    """A name, each with its share."""
    below, name, cases = 0.0, "", None
    for name, share in shares.items():
        below += share
        case = uniform < below
        cases = F.when(case, name) if cases is None else cases.when(case, name)
    return F.lit(name) if cases is None else cases.otherwise(name)


def _drawn_by(column: str, stream: str, shares: Mapping[str, Mapping[str, float]]) -> Column:
    """A name, with shares that depend on a column."""
    return F.coalesce(*(F.when(F.col(column) == value, _drawn(_uniform(stream), of)) for value, of in shares.items()))


def _looked_up(column: str, values: Mapping[str, float]) -> Column:
    return F.coalesce(*(F.when(F.col(column) == key, F.lit(value)) for key, value in values.items()))


def _one_of(codes: Sequence[str], *stream: str) -> Column:
    return _drawn(_uniform(*stream), dict.fromkeys(codes, 1 / len(codes)))


def _span(start: Column, end: Column) -> Column:
    return F.struct(start.alias("start"), end.alias("end"))


def _line(
    start: Column,
    setting: Column,
    first: Column,
    second: Column,
    version: int = 1,
    *,
    lag: int = 15,
    status: str = "paid",
) -> Column:
    """A line of a claim; most become known within `lag` days, some a month later."""
    late = F.when(_uniform("late", "line") < 0.1, 30).otherwise(0)
    columns = {
        "claim_line_number": F.lit(1), "claim_start_date": start, "claim_end_date": F.date_add(start, 3),
        "setting": setting, "dx1": first, "dx2": second, "version": F.lit(version), "claim_status": F.lit(status),
        "paid_date": F.date_add(start, F.lit(3 + lag) + late),
    }  # fmt: skip
    return F.struct(*(column.alias(name) for name, column in columns.items()))


def main(argv: Sequence[str]) -> None:
    """`scripts/make-claims`: write a population."""
    from fairsweep.engines.spark.session import start

    parser = argparse.ArgumentParser(prog="scripts/make-claims", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="folder for the four tables and two configs")
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=20, help="of claims for each member")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=("csv", "parquet", "delta"), default="parquet")
    parser.add_argument("--master", help="Spark master")
    given = parser.parse_args(argv)
    if given.members < 1 or given.lines < 1:
        parser.error("--members and --lines are at least 1")
    cohort, audit = write(
        Claims(start(given.master), given.members, given.lines, given.seed), given.folder, given.format
    )
    print(f"Next: fairsweep cohort --config {cohort}, then fairsweep audit --config {audit}")


if __name__ == "__main__":
    main(sys.argv[1:])
