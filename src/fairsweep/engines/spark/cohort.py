"""A labelled cohort from members, enrolment, claims and predictions; every row that is left out says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Window as Rows
from pyspark.sql import functions as F

from fairsweep.engines.spark.adjustments import LINE_REASONS, judged_lines
from fairsweep.engines.spark.blending import blended, factors, with_blends
from fairsweep.engines.spark.cohort_inputs import MODEL, CohortInputs, first_reason, usable
from fairsweep.engines.spark.outcomes import horizon, met_lines, with_labels
from fairsweep.groups import ALL, OVERALL
from fairsweep.intake import Window
from fairsweep.specs.attributes import UNKNOWN, AttributeSpec
from fairsweep.specs.cohort import AGE_BAND

if TYPE_CHECKING:
    from types import TracebackType

    from pyspark.sql import Column, DataFrame, Row, SparkSession

    from fairsweep.specs.cohort import CohortSpec

IN_COHORT = "in_cohort"
USED = "used"
# What is told of every input but the predictions, and of the lines of claims that were met.
OUTCOME_LINES = "outcome_lines"
# Why a prediction is left out, in the order in which it is asked.
REASONS = (
    "malformed_row", "member_id_missing", "scored_on_missing", "conflicting_predictions", "duplicate_prediction",
    "not_the_prediction_kept", "unknown_member", "conflicting_members", "unreadable_member", "born_after_score",
    "died_before_score", "not_enrolled", "prior_enrollment_too_short", "horizon_not_over", "run_out_not_over", "died",
    "disenrolled", "component_missing",
)  # fmt: skip
# Why a row of another input cannot be used.
INPUT_REASONS = (
    "malformed_row", "member_id_missing", "start_date_missing", "end_date_unreadable", "end_before_start",
    "known_on_unreadable",
)  # fmt: skip


class FlowRow(NamedTuple):
    """How many rows of an input came to a step, and how many were left out there for its reason.

    Of the predictions that count, `events` tells how many had the outcome.
    """

    model_id: str
    model_version: str
    input: str
    step: int
    reason: str
    attribute: str
    group_value: str
    rows_in: int
    rows_out: int
    events: int | None = None

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Whose it is: model, version, attribute and group."""
        return self.model_id, self.model_version, self.attribute, self.group_value


class Cohort(NamedTuple):
    """What was built.

    Attributes:
        rows: those who count: member, model, day, score, label with its provenance, age, whether the claims have run
            out, and `group_values` in the order of the attributes.
        flow: for each model, step and group how many came and went.
        refused: rows of the members, the enrolment and the claims that could not be used, by section and reason;
            those that could are under `used`.
        versions: what pins each input, by its section.
        factors: what scores were scaled by, by the position of the blend.
    """

    rows: DataFrame
    flow: tuple[FlowRow, ...]
    refused: dict[str, dict[str, int]]
    versions: dict[str, str | None]
    factors: dict[int, float]


class CohortBuilder:
    """Builds one cohort on a session; a context, because some inputs need settings while they are read."""

    def __init__(
        self,
        spark: SparkSession,
        spec: CohortSpec,
        window: Window | None = None,
        keep: Callable[[DataFrame], DataFrame] = lambda rows: rows,
    ) -> None:
        """Take the session and the checked config; nothing is read yet.

        Args:
            spark: the session.
            spec: the config.
            window: the days of the predictions; by default all.
            keep: lays rows aside that are used more than once, so that they are not computed again.
        """
        self._spec, self._keep = spec, keep
        self._inputs = CohortInputs(spark, spec, window or Window())

    def __enter__(self) -> CohortBuilder:
        """Open the inputs.

        Raises:
            UsageError: with every column that an input does not have.
        """
        self._inputs.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the session."""
        self._inputs.__exit__(kind, error, trace)

    @property
    def versions(self) -> dict[str, str | None]:
        """What pins each input, by its section."""
        return self._inputs.versions

    def build(self, progress: Callable[[str], None] = lambda _: None) -> Cohort:
        """Who counts, and what came of each.

        Raises:
            DataRefusedError: where the scale of a blend cannot be found.
        """
        spec = self._spec
        progress("Judging who counts")
        judged = self._keep(self._judged())
        scales = factors(judged, spec.blends, spec.attributes)
        judged = blended(judged, spec.blends, scales, spec.attributes)
        counting = usable(judged)
        progress("Looking for the outcome in the claims")
        claims = usable(self._inputs.claims())
        met = self._keep(met_lines(counting, claims, spec.outcome))
        lines = judged_lines(met, claims, spec.claims, spec.as_of)
        rows = self._keep(with_labels(counting, usable(lines), spec.outcome))
        progress("Counting what was left out")
        events = self._told(rows).groupBy(*MODEL, "place").agg(F.sum("label").alias("n")).collect()
        met_by = {_place_of(row): row["n"] for row in events}
        left_out = _flow(self._told(judged).withColumn("n", F.lit(1)), "predictions", REASONS, IN_COHORT)
        flow = [
            *(row._replace(events=met_by.get(row.place, 0)) if row.reason == IN_COHORT else row for row in left_out),
            *_flow(self._lines(counting, lines), OUTCOME_LINES, LINE_REASONS, USED),
        ]
        others = {"members": self._inputs.member_rows, "enrollment": self._inputs.spans, "claims": self._inputs.claims}
        return Cohort(
            rows,
            tuple(flow),
            {name: _refused(rows()) for name, rows in others.items() if name in spec.inputs},
            self.versions,
            scales,
        )

    def _told(self, rows: DataFrame) -> DataFrame:
        """The rows by model, and a row for everybody and for every attribute."""
        places = [F.struct(F.lit(OVERALL).alias("attribute"), F.lit(ALL).alias("group_value"))]
        places += [
            F.struct(
                F.lit(name).alias("attribute"),
                F.coalesce(F.col("group_values")[i], F.lit(UNKNOWN)).alias("group_value"),
            )
            for i, name in enumerate(self._spec.attributes)
        ]
        return rows.withColumn("place", F.explode(F.array(*places)))

    def _lines(self, counting: DataFrame, lines: DataFrame) -> DataFrame:
        """The lines that were met, for each prediction that they are near; copies beside them."""
        near = lines.select("member_id", "scored_on", "reason", "copies")
        copies = F.when(
            F.col("copies") > 1, F.struct((F.col("copies") - 1).alias("n"), F.lit(LINE_REASONS[0]).alias("reason"))
        )
        once = F.struct(F.lit(1).alias("n"), F.col("reason"))
        each = near.withColumn("each", F.explode(F.array_compact(F.array(once, copies))))
        of = self._told(counting.select("member_id", "scored_on", *MODEL, "group_values"))
        return of.join(each.select("member_id", "scored_on", "each.n", "each.reason"), ["member_id", "scored_on"])

    def _islands(self) -> DataFrame:
        """The spans in which a member was enrolled; no two of a member are nearer than the gap that is passed over."""
        spans = usable(self._inputs.spans())
        by_start = Rows.partitionBy("member_id").orderBy("start", "end")
        before = F.max("end").over(by_start.rowsBetween(Rows.unboundedPreceding, -1))
        # One day after the other is no gap.
        begins = F.coalesce(F.date_diff(F.col("start"), before) > self._spec.rules.gap_days + 1, F.lit(True))
        numbered = spans.withColumn("begins", begins.cast("int")).withColumn("island", F.sum("begins").over(by_start))
        ends = (F.min("start").alias("enrolled_from"), F.max("end").alias("enrolled_to"))
        return numbered.groupBy("member_id", "island").agg(*ends).drop("island")

    def _judged(self) -> DataFrame:
        """Every prediction, those of blends too, with the first reason against it, with age and groups."""
        rows = with_blends(self._inputs.predictions(), self._spec.blends)
        rows = rows.join(self._inputs.members(), "member_id", "left")
        enrolled = self._spec.enrollment is not None
        if enrolled:
            inside = F.col("scored_on").between(F.col("enrolled_from"), F.col("enrolled_to"))
            islands = self._islands().withColumnRenamed("member_id", "enrolled_id")
            rows = rows.join(islands, (F.col("member_id") == F.col("enrolled_id")) & inside, "left")
        rules, facts = self._spec.rules, F.col("facts")
        last = horizon(F.col("scored_on"), self._spec.outcome.horizon)[1]
        known = F.lit(self._spec.as_of).cast("date")
        mature = F.date_add(last, rules.run_out_days) <= known
        died = facts["death_date"].isNotNull() & (facts["death_date"] <= last)
        left = (F.col("enrolled_to") < last) & ~died if enrolled else F.lit(False)
        since = F.date_diff(F.col("scored_on"), F.col("enrolled_from")) if enrolled else F.lit(0)
        reason = first_reason(
            unknown_member=F.col("conflicting").isNull(),
            conflicting_members=F.col("conflicting"),
            unreadable_member=facts["unreadable"],
            born_after_score=facts["birth_date"] > F.col("scored_on"),
            died_before_score=facts["death_date"] < F.col("scored_on"),
            not_enrolled=F.col("enrolled_to").isNull() if enrolled else F.lit(False),
            prior_enrollment_too_short=since < rules.prior_enrollment_days if enrolled else F.lit(False),
            horizon_not_over=last > known,
            run_out_not_over=~mature if rules.immature == "exclude" else F.lit(False),
            died=died if rules.deaths == "exclude" else F.lit(False),
            disenrolled=left if rules.disenrolled == "exclude" else F.lit(False),
        )
        age = F.coalesce(_age(facts["birth_date"], F.col("scored_on")), F.floor(facts["given_age"]).cast("int"))
        members = self._spec.members
        pooled = age if members.pool_ages_from is None else F.least(age, F.lit(members.pool_ages_from))
        of_member = [facts["groups"][i] for i in range(len(members.attributes))]
        of_score = [F.col("carried")[i] for i in range(len(self._spec.predictions.attributes))]
        band = [self._band(age)] if members.has_age else []
        return rows.select(
            "member_id", *MODEL, "scored_on", "score", "components",
            F.coalesce("reason", reason).alias("reason"),
            pooled.alias("age"),
            mature.alias("mature"),
            F.array(*band, *of_member, *of_score).cast("array<string>").alias("group_values"),
        )  # fmt: skip

    def _band(self, age: Column) -> Column:
        bands = AttributeSpec.model_validate({"name": AGE_BAND, "breaks": self._spec.members.age_breaks})
        breaks, labels = bands.breaks or (), bands.labels()
        first = F.when(age < breaks[0], labels[0])
        between = zip(breaks[1:], labels[1:-1], strict=True)
        banded = reduce(lambda when, one: when.when(age < one[0], one[1]), between, first)
        return banded.when(age.isNotNull(), labels[-1])


def named(rows: DataFrame, attributes: Sequence[str]) -> DataFrame:
    """The rows of a cohort with a column for each attribute."""
    groups = [F.col("group_values")[i].alias(name) for i, name in enumerate(attributes)]
    return rows.select(*(name for name in rows.columns if name != "group_values"), *groups)


def _flow(rows: DataFrame, source: str, reasons: Sequence[str], rest: str) -> list[FlowRow]:
    """Rows in and out at every step, for everybody and every group."""
    counted = rows.groupBy(*MODEL, "place", "reason").agg(F.sum("n").alias("n")).collect()
    out: dict[tuple[str, str, str, str], dict[str | None, int]] = {}
    for row in counted:
        out.setdefault(_place_of(row), {})[row["reason"]] = row["n"]
    found = []
    for (model_id, version, attribute, group), by_reason in sorted(out.items()):
        steps = steps_of(by_reason, reasons, rest)
        found += [FlowRow(model_id, version, source, *step[:2], attribute, group, *step[2:]) for step in steps]
    return found


def _place_of(row: Row) -> tuple[str, str, str, str]:
    return row["model_id"], row["model_version"], row["place"]["attribute"], row["place"]["group_value"]


def steps_of(by_reason: Mapping[str | None, int], reasons: Sequence[str], rest: str) -> list[tuple[int, str, int, int]]:
    """Step, reason, rows in and rows out, from the rows of each reason; those of none are left at the end."""
    left, steps = sum(by_reason.values()), []
    for step, reason in enumerate((*reasons, rest), 1):
        gone = by_reason.get(reason, 0)
        steps.append((step, reason, left, gone))
        left -= gone
    return steps


def _refused(rows: DataFrame) -> dict[str, int]:
    counted = rows.groupBy(F.coalesce("reason", F.lit(USED)).alias("reason")).count().collect()
    return {row["reason"]: row["count"] for row in counted}


def _age(birth: Column, day: Column) -> Column:
    """Whole years; someone born on February 29 is a year older on March 1."""
    before_birthday = (F.month(day) * 100 + F.day(day)) < (F.month(birth) * 100 + F.day(birth))
    return F.year(day) - F.year(birth) - before_birthday.cast("int")
