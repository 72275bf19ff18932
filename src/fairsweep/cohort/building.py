"""A labelled cohort from members, enrolment, claims and predictions; every excluded row has a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Window as Rows
from pyspark.sql import functions as F

from fairsweep.cohort.blending import blended, factors, with_blends
from fairsweep.cohort.claim_versions import LINE_REASONS, judged_lines
from fairsweep.cohort.input_frames import MODEL, CohortInputs, first_reason, usable
from fairsweep.cohort.labelling import horizon, met_lines, with_labels
from fairsweep.cohort.spec import AGE_BAND
from fairsweep.config.attributes import UNKNOWN, AttributeSpec
from fairsweep.core.groups import ALL, LONGEST_GROUP, OVERALL
from fairsweep.engines.protocol import RowsOf
from fairsweep.input.intake import Window

if TYPE_CHECKING:
    from types import TracebackType

    from pyspark.sql import Column, DataFrame, SparkSession

    from fairsweep.cohort.spec import CohortSpec, RulesSpec

IN_COHORT = "in_cohort"
USED = "used"
# Reported for every input except the predictions, and for the lines of claims that are events.
OUTCOME_LINES = "outcome_lines"
# Why a prediction is excluded, in the order in which the reasons are checked.
REASONS = (
    "malformed_row", "member_id_missing", "scored_on_missing", "conflicting_predictions", "duplicate_prediction",
    "not_the_prediction_kept", "unknown_member", "conflicting_members", "unreadable_member", "born_after_score",
    "died_before_score", "not_enrolled", "prior_enrollment_too_short", "horizon_not_over", "run_out_not_over", "died",
    "disenrolled", "component_missing",
)  # fmt: skip
# Why a row of another input cannot be used.
INPUT_REASONS = (
    "malformed_row", "member_id_missing", "start_date_missing", "end_date_unreadable", "end_before_start",
    "known_on_unreadable", "code_system_unknown",
)  # fmt: skip


Place = tuple[str, str, str, str]
"""Model, version, attribute and group."""
_EVENT, _NON_EVENT = "event", "non_event"
_NOTHING = RowsOf(0, 0)
_WITH_SPANS = ("enrollment", "histories")
_DEATHS_EXCLUDED = (":deaths-excluded", False, False)
_ALL_KEPT = (":all-kept", True, True)


class FlowRow(NamedTuple):
    """How many rows of an input reached a step, and how many the step excluded for its reason.

    `events` is the number of included predictions with the outcome. `members` is a lower bound of the number of
    members of the excluded rows; at the end, of the rows with the outcome and of those without.
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
    members: tuple[int, ...]
    events: int | None = None

    @property
    def place(self) -> Place:
        """Whose it is: model, version, attribute and group."""
        return self.model_id, self.model_version, self.attribute, self.group_value


class Cohort(NamedTuple):
    """The built cohort.

    Attributes:
        rows: the included predictions: member, model, day, score, label with its provenance, age, whether run-out is
            complete, and `group_values` in the order of the attributes.
        flow: for each model, step and group the numbers of rows in and out.
        refused: rows of the members, the enrolment and the claims that could not be used, by section and reason;
            usable rows are under `used`.
        versions: the version of each input, by its section.
        factors: the factor of the scores, by the position of the blend.
    """

    rows: DataFrame
    flow: tuple[FlowRow, ...]
    refused: dict[str, dict[str, RowsOf]]
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
        """Take the session and the checked config; nothing is read here.

        Args:
            spark: the session.
            spec: the config.
            window: the days of the predictions; by default all.
            keep: spills rows that are used more than once, so that they are not computed again.
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
        """The version of each input, by its section."""
        return self._inputs.versions

    def build(self, progress: Callable[[str], None] = lambda _: None) -> Cohort:
        """The included predictions with their labels.

        Raises:
            DataRefusedError: if the scale of a blend cannot be computed.
        """
        spec = self._spec
        progress("Selecting the predictions")
        judged = self._keep(self._judged())
        scales = factors(judged.where(F.col("treatment") == ""), spec.blends, spec.attributes)
        judged = blended(judged, spec.blends, scales, spec.attributes)
        judged = judged.withColumn("model_version", F.concat("model_version", "treatment")).drop("treatment")
        counting = usable(judged)
        progress("Finding outcomes in the claims")
        claims = usable(self._inputs.claims())
        met = self._keep(met_lines(counting, claims, spec.outcome))
        # Used twice below; to find it reads the claims once more.
        lines = self._keep(judged_lines(met, claims, spec.claims, spec.as_of))
        rows = self._keep(with_labels(counting, usable(lines), spec.outcome))
        progress("Counting excluded rows")
        outcome = F.when(F.col("label") == 1, _EVENT).otherwise(_NON_EVENT)
        of_each = self._by_place(rows.withColumns({"reason": outcome, "n": F.lit(1)}))
        left_out = _flow(self._by_place(judged.withColumn("n", F.lit(1))), "predictions", REASONS, IN_COHORT)
        flow = [
            *(_with_events(row, of_each.get(row.place, {})) if row.reason == IN_COHORT else row for row in left_out),
            *_flow(self._by_place(_near(counting, lines)), OUTCOME_LINES, LINE_REASONS, USED),
        ]
        others = {"members": self._inputs.member_rows, "claims": self._inputs.claims}
        others |= {name: partial(self._inputs.spans, name) for name in spec.inputs if name.startswith(_WITH_SPANS)}
        return Cohort(
            rows,
            tuple(flow),
            {name: _refused(rows()) for name, rows in others.items() if name in spec.inputs},
            self.versions,
            scales,
        )

    def _by_place(self, rows: DataFrame) -> dict[Place, dict[str | None, RowsOf]]:
        """Sums of `n` by reason, for the population and every group of every attribute, and lower bounds of members."""
        # The first row of each member adds one: over cells such sums never count a member twice.
        of_member = Rows.partitionBy(*MODEL, "reason", "member_id").orderBy("group_values")
        first = F.col("member_id").isNull() | (F.row_number().over(of_member) == 1)
        sums = [F.sum(name).alias(name) for name in ("n", "members")]
        # By cell first: there are few cells, and only they are repeated for each attribute.
        cells = rows.withColumn("members", first.cast("int")).groupBy(*MODEL, "reason", "group_values").agg(*sums)
        places = [F.struct(F.lit(OVERALL).alias("attribute"), F.lit(ALL).alias("group_value"))]
        places += [
            F.struct(
                F.lit(name).alias("attribute"),
                F.when(F.char_length(group) <= LONGEST_GROUP, group).otherwise(F.lit(UNKNOWN)).alias("group_value"),
            )
            for name, group in ((name, F.col("group_values")[i]) for i, name in enumerate(self._spec.attributes))
        ]
        told = cells.withColumn("place", F.explode(F.array(*places)))
        found: dict[Place, dict[str | None, RowsOf]] = {}
        for row in told.groupBy(*MODEL, "place", "reason").agg(*sums).collect():
            place = (row["model_id"], row["model_version"], row["place"]["attribute"], row["place"]["group_value"])
            found.setdefault(place, {})[row["reason"]] = RowsOf(row["n"], row["members"])
        return found

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
        predictions = self._inputs.predictions()
        if self._spec.blends:  # each reads them again
            predictions = self._keep(predictions)
        rows = with_blends(predictions, self._spec.blends)
        rows = rows.join(self._inputs.members(), "member_id", "left")
        enrolled = self._spec.enrollment is not None
        if enrolled:
            inside = F.col("scored_on").between(F.col("enrolled_from"), F.col("enrolled_to"))
            islands = self._islands().withColumnRenamed("member_id", "enrolled_id")
            rows = rows.join(islands, (F.col("member_id") == F.col("enrolled_id")) & inside, "left")
        rows = self._with_histories(rows).withColumn("treatment", F.explode(F.array(*_treatments(self._spec.rules))))
        rules, facts, treatment = self._spec.rules, F.col("facts"), F.col("treatment")
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
            died=died & ~treatment["keeps_deaths"],
            disenrolled=left & ~treatment["keeps_leavers"],
        )
        age = F.coalesce(_age(facts["birth_date"], F.col("scored_on")), F.floor(facts["given_age"]).try_cast("int"))
        members = self._spec.members
        pooled = age if members.pool_ages_from is None else F.least(age, F.lit(members.pool_ages_from))
        carried = [
            (facts["groups"], members.attributes),
            (F.col("carried"), self._spec.predictions.attributes),
            *((F.col(f"of_day_{i}"), history.attributes) for i, history in enumerate(self._spec.histories)),
        ]
        groups = [self._band(age)] if members.has_age else []
        groups += [found[i] for found, of in carried for i in range(sum(len(one.names) for one in of))]
        return rows.select(
            "member_id", *MODEL, "scored_on", "score", "components", treatment["name"].alias("treatment"),
            F.coalesce("reason", reason).alias("reason"),
            pooled.alias("age"),
            mature.alias("mature"),
            F.array(*groups).cast("array<string>").alias("group_values"),
        )  # fmt: skip

    def _with_histories(self, rows: DataFrame) -> DataFrame:
        """The rows with what each history says of the day: `of_day_0, of_day_1, ...`."""
        days = rows.select("member_id", "scored_on").distinct()
        for i in range(len(self._spec.histories)):
            told = self._inputs.on_the_day(f"histories[{i}]", days).withColumnRenamed("of_day", f"of_day_{i}")
            rows = rows.join(told, ["member_id", "scored_on"], "left")
        return rows

    def _band(self, age: Column) -> Column:
        bands = AttributeSpec.model_validate({"name": AGE_BAND, "breaks": self._spec.members.age_breaks})
        breaks, labels = bands.breaks or (), bands.labels()
        first = F.when(age < breaks[0], labels[0])
        between = zip(breaks[1:], labels[1:-1], strict=True)
        banded = reduce(lambda when, one: when.when(age < one[0], one[1]), between, first)
        return banded.when(age.isNotNull(), labels[-1])


def _treatments(rules: RulesSpec) -> list[Column]:
    """How members who died or left are treated; every one after the first is a version of its own."""
    chosen = ("", rules.deaths == "keep", rules.disenrolled == "keep")
    further = (_DEATHS_EXCLUDED, _ALL_KEPT) if rules.treatments == "all" else ()
    return [
        F.struct(F.lit(name).alias("name"), F.lit(died).alias("keeps_deaths"), F.lit(left).alias("keeps_leavers"))
        for name, died, left in (chosen, *further)
    ]


def named(rows: DataFrame, attributes: Sequence[str]) -> DataFrame:
    """The rows of a cohort with a column for each attribute."""
    groups = [F.col("group_values")[i].alias(name) for i, name in enumerate(attributes)]
    return rows.select(*(name for name in rows.columns if name != "group_values"), *groups)


def _near(counting: DataFrame, lines: DataFrame) -> DataFrame:
    """The event lines for each prediction near them, with the number of copies."""
    copies = F.struct((F.col("copies") - 1).alias("n"), F.lit(LINE_REASONS[0]).alias("reason"))
    once = F.struct(F.lit(1).alias("n"), F.col("reason"))
    each = F.explode(F.array_compact(F.array(once, F.when(F.col("copies") > 1, copies))))
    of_day = lines.select("member_id", "scored_on", each.alias("each")).select("member_id", "scored_on", "each.*")
    return counting.select("member_id", "scored_on", *MODEL, "group_values").join(of_day, ["member_id", "scored_on"])


def _with_events(row: FlowRow, of_each: Mapping[str | None, RowsOf]) -> FlowRow:
    """The last step of predictions, with the number of included predictions with the outcome."""
    events, non_events = (of_each.get(name, _NOTHING) for name in (_EVENT, _NON_EVENT))
    return row._replace(events=events.rows, members=(events.members, non_events.members))


def _flow(
    by_place: Mapping[Place, Mapping[str | None, RowsOf]], source: str, reasons: Sequence[str], rest: str
) -> list[FlowRow]:
    """Rows in and out at every step, for the overall population and every group."""
    found = []
    for (model_id, version, attribute, group), by_reason in sorted(by_place.items()):
        steps = steps_of(by_reason, reasons, rest)
        found += [
            FlowRow(model_id, version, source, step, reason, attribute, group, rows_in, rows_out, members)
            for step, reason, rows_in, rows_out, members in steps
        ]
    return found


def steps_of(
    by_reason: Mapping[str | None, RowsOf], reasons: Sequence[str], rest: str
) -> list[tuple[int, str, int, int, tuple[int, ...]]]:
    """Step, reason, rows in, rows out and of how many members, from the rows of each reason.

    Those of no reason are left at the end: none of them with an event, as far as is known here.
    """
    left, steps = sum(found.rows for found in by_reason.values()), []
    for step, reason in enumerate(reasons, 1):
        gone = by_reason.get(reason, _NOTHING)
        steps.append((step, reason, left, gone.rows, (gone.members,)))
        left -= gone.rows
    return [*steps, (len(steps) + 1, rest, left, 0, (0, by_reason.get(None, _NOTHING).members))]


def _refused(rows: DataFrame) -> dict[str, RowsOf]:
    members = F.count_distinct("member_id") + F.count_if(F.col("member_id").isNull())
    by_reason = rows.groupBy(F.coalesce("reason", F.lit(USED)).alias("reason"))
    counted = by_reason.agg(F.count("*").alias("n"), members.alias("members")).collect()
    return {row["reason"]: RowsOf(row["n"], row["members"]) for row in counted}


def _age(birth: Column, day: Column) -> Column:
    """Whole years; someone born on February 29 is a year older on March 1."""
    before_birthday = (F.month(day) * 100 + F.day(day)) < (F.month(birth) * 100 + F.day(birth))
    return F.year(day) - F.year(birth) - before_birthday.cast("int")
