"""A labelled cohort from members, enrolment, claims and predictions; every row that is left out says why."""

from __future__ import annotations

from contextlib import ExitStack
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Window
from pyspark.sql import functions as F

from fairsweep.engines.spark.columns import Compiler
from fairsweep.engines.spark.named_columns import NamedColumns
from fairsweep.engines.spark.outcomes import horizon, labelled
from fairsweep.engines.spark.session import settings
from fairsweep.engines.spark.sources import readable, source_of
from fairsweep.errors import UsageError
from fairsweep.groups import ALL, OVERALL
from fairsweep.specs.attributes import UNKNOWN, AttributeSpec

if TYPE_CHECKING:
    from types import TracebackType

    from pyspark.sql import Column, DataFrame, SparkSession

    from fairsweep.specs.cohort import CohortSpec
    from fairsweep.specs.faults import ConfigPath
    from fairsweep.specs.sections import InputSpec, Section

IN_COHORT = "in_cohort"
AGE_BAND = "age_band"
# Why a prediction is left out, in the order in which it is asked.
REASONS = (
    "malformed_row", "member_id_missing", "scored_on_missing", "conflicting_predictions", "duplicate_prediction",
    "not_the_prediction_kept", "unknown_member", "conflicting_members", "unreadable_member", "born_after_score",
    "died_before_score",
    "not_enrolled", "prior_enrollment_too_short", "horizon_not_over", "died", "disenrolled",
)  # fmt: skip
_MODEL = ("model_id", "model_version")
_NAMES_OF_SYSTEMS = {"icd10cm": ("icd10cm", "icd10", "10", "0"), "icd9cm": ("icd9cm", "icd9", "9")}


class FlowRow(NamedTuple):
    """How many predictions of a group came to a step, and how many were left out there for its reason."""

    model_id: str
    model_version: str
    step: int
    reason: str
    attribute: str
    group_value: str
    rows_in: int
    rows_out: int


class Cohort(NamedTuple):
    """What was built.

    Attributes:
        rows: those who count: member, model, day, score, label with its provenance, age and attributes.
        flow: for each model, step and group how many came and went.
        refused: rows of the members, the enrolment and the claims that could not be used, by section and reason.
        versions: what pins each input, by its section.
    """

    rows: DataFrame
    flow: tuple[FlowRow, ...]
    refused: dict[str, dict[str, int]]
    versions: dict[str, str | None]


class CohortBuilder:
    """Builds one cohort on a session; a context, because some inputs need settings while they are read."""

    def __init__(self, spark: SparkSession, spec: CohortSpec) -> None:
        """Take the session and the checked config; nothing is read yet."""
        self._spec, self._stack = spec, ExitStack()
        self._spark = spark
        sections = ("members", "enrollment", "claims", "predictions")
        self._given = {name: found for name in sections if (found := getattr(spec, name)) is not None}

    def __enter__(self) -> CohortBuilder:
        """Open the inputs.

        Raises:
            UsageError: with every column that an input does not have.
        """
        self._stack.enter_context(settings(self._spark, {"spark.sql.session.timeZone": "UTC"}))
        self._inputs = {name: self._opened(name, section.input) for name, section in self._given.items()}
        problems = [
            problem
            for name, section in self._given.items()
            for problem in self._inputs[name].problems(_columns_named(section))
        ]
        if problems:
            self.__exit__(None, None, None)
            raise UsageError(problems)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the session."""
        self._stack.close()

    def _opened(self, name: str, source: InputSpec) -> NamedColumns:
        found = source_of(self._spark, source)
        self._stack.enter_context(settings(self._spark, found.settings))
        with readable(source.path or source.table or ""):
            inspection = found.inspect()
        compiler = Compiler([column.type for column in inspection.columns], malformed=found.malformed)
        return NamedColumns(name, inspection, compiler, found.rows(range(len(inspection.columns))))

    def build(self) -> Cohort:
        """Who counts, and what came of each."""
        rows = self._judged()
        flow = self._flow(rows)
        sections = {"members": self._member_rows, "enrollment": self._spans, "claims": self._claims}
        return Cohort(
            labelled(_usable(rows), _usable(self._claims()), self._spec.outcome),
            flow,
            {name: _refused(rows()) for name, rows in sections.items() if name in self._given},
            {name: one.version for name, one in self._inputs.items()},
        )

    @property
    def attributes(self) -> tuple[str, ...]:
        """The columns of the cohort that groups are told by."""
        members = self._spec.members
        aged = members.columns.birth_date is not None or members.columns.age is not None
        carried = (*members.attributes, *self._spec.predictions.attributes)
        return (*((AGE_BAND,) if aged else ()), *(attribute.name for attribute in carried))

    def _predictions(self) -> DataFrame:
        """Every prediction, with the reason that its own input gives against it."""
        given, columns = self._inputs["predictions"], self._spec.predictions.columns
        model = self._spec.model
        if model is not None:
            keys = [F.lit(model.id), F.lit(model.version)]
        else:
            keys = [F.coalesce(given.text(name), F.lit(UNKNOWN)) for name in (columns.model_id, columns.model_version)]
        rows = given.frame.select(
            given.text(columns.member_id).alias("member_id"),
            *(key.alias(name) for key, name in zip(keys, _MODEL, strict=True)),
            given.day(columns.scored_on).alias("scored_on"),
            given.number(columns.score).alias("score"),
            F.struct(*self._carried(given), F.lit(0).alias("nothing")).alias("carried"),
            given.malformed.alias("malformed"),
        )
        own = _first_reason(
            malformed_row=F.col("malformed"),
            member_id_missing=F.col("member_id").isNull(),
            scored_on_missing=F.col("scored_on").isNull(),
        )
        rows = rows.withColumn("reason", own).drop("malformed")
        # Rows without a member would all come to one task.
        broken, whole = rows.where(F.col("reason").isNotNull()), rows.where(F.col("reason").isNull())
        return whole.transform(self._each_once).unionByName(broken)

    def _carried(self, given: NamedColumns) -> list[Column]:
        """The attributes that come with a prediction."""
        attributes = self._spec.predictions.attributes
        return [given.text(attribute.column).alias(f"p{i}") for i, attribute in enumerate(attributes)]

    def _each_once(self, rows: DataFrame) -> DataFrame:
        """Of equal predictions one; of a member's predictions those that are kept."""
        of_model = Window.partitionBy("member_id", *_MODEL)
        of_day = of_model.partitionBy("member_id", *_MODEL, "scored_on")
        # Two NaN are equal here, as two rows without a score are.
        written = F.coalesce(F.col("score").cast("string"), F.lit(""))
        keep = {"first": F.min("scored_on"), "last": F.max("scored_on")}.get(self._spec.predictions.keep)
        other_day = F.lit(False) if keep is None else F.col("scored_on") != keep.over(of_model)
        reason = _first_reason(
            conflicting_predictions=F.min(written).over(of_day) != F.max(written).over(of_day),
            duplicate_prediction=F.row_number().over(of_day.orderBy(written, "carried")) > 1,
            not_the_prediction_kept=other_day,
        )
        return rows.withColumn("reason", reason)

    def _member_rows(self) -> DataFrame:
        """The rows of the members, with the reason against those that cannot be used."""
        given, spec = self._inputs["members"], self._spec.members
        columns = spec.columns
        days = [given.unreadable(name) for name in (columns.birth_date, columns.death_date) if name is not None]
        facts = {
            "birth_date": given.day(columns.birth_date) if columns.birth_date else F.lit(None).cast("date"),
            "given_age": given.number(columns.age) if columns.age else F.lit(None).cast("double"),
            "death_date": given.day(columns.death_date) if columns.death_date else F.lit(None).cast("date"),
            "unreadable": reduce(lambda a, b: a | b, days, F.lit(False)),
            **{f"a{i}": given.text(attribute.column) for i, attribute in enumerate(spec.attributes)},
        }
        member = given.text(columns.member_id)
        return given.frame.select(
            member.alias("member_id"),
            F.struct(*(column.alias(name) for name, column in facts.items())).alias("facts"),
            _first_reason(malformed_row=given.malformed, member_id_missing=member.isNull()).alias("reason"),
        )

    def _members(self) -> DataFrame:
        """Each member once; `conflicting` where rows of one differ."""
        met = _usable(self._member_rows()).groupBy("member_id").agg(F.collect_set("facts").alias("met"))
        return met.select("member_id", (F.size("met") > 1).alias("conflicting"), F.col("met")[0].alias("facts"))

    def _spans(self) -> DataFrame:
        """The enrolment spans, with the reason against those that cannot be used."""
        given, columns = self._inputs["enrollment"], self._given["enrollment"].columns
        member, start = given.text(columns.member_id), given.day(columns.start_date)
        # A span without an end goes on.
        end = F.coalesce(given.day(columns.end_date), F.lit("9999-12-31").cast("date"))
        return given.frame.select(
            member.alias("member_id"),
            start.alias("start"),
            end.alias("end"),
            _first_reason(
                malformed_row=given.malformed,
                member_id_missing=member.isNull(),
                start_date_missing=start.isNull(),
                end_date_unreadable=given.unreadable(columns.end_date),
                end_before_start=end < start,
            ).alias("reason"),
        )

    def _islands(self) -> DataFrame:
        """The spans in which a member was enrolled; no two of a member are nearer than the gap that is passed over."""
        spans = _usable(self._spans())
        by_start = Window.partitionBy("member_id").orderBy("start", "end")
        before = F.max("end").over(by_start.rowsBetween(Window.unboundedPreceding, -1))
        # One day after the other is no gap.
        begins = F.coalesce(F.date_diff(F.col("start"), before) > self._spec.rules.gap_days + 1, F.lit(True))
        numbered = spans.withColumn("begins", begins.cast("int")).withColumn("island", F.sum("begins").over(by_start))
        ends = (F.min("start").alias("enrolled_from"), F.max("end").alias("enrolled_to"))
        return numbered.groupBy("member_id", "island").agg(*ends).drop("island")

    def _judged(self) -> DataFrame:
        """Every prediction with the first reason against it, with age and attributes."""
        rows = self._predictions().join(self._members(), "member_id", "left")
        enrolled = "enrollment" in self._given
        if enrolled:
            inside = F.col("scored_on").between(F.col("enrolled_from"), F.col("enrolled_to"))
            islands = self._islands().withColumnRenamed("member_id", "enrolled_id")
            rows = rows.join(islands, (F.col("member_id") == F.col("enrolled_id")) & inside, "left")
        rules, facts = self._spec.rules, F.col("facts")
        last = horizon(F.col("scored_on"), self._spec.outcome.horizon)[1]
        as_of = self._spec.as_of
        died = facts["death_date"].isNotNull() & (facts["death_date"] <= last)
        left = (F.col("enrolled_to") < last) & ~died if enrolled else F.lit(False)
        since = F.date_diff(F.col("scored_on"), F.col("enrolled_from")) if enrolled else F.lit(0)
        reason = _first_reason(
            unknown_member=F.col("conflicting").isNull(),
            conflicting_members=F.col("conflicting"),
            unreadable_member=facts["unreadable"],
            born_after_score=facts["birth_date"] > F.col("scored_on"),
            died_before_score=facts["death_date"] < F.col("scored_on"),
            not_enrolled=F.col("enrolled_to").isNull() if enrolled else F.lit(False),
            prior_enrollment_too_short=since < rules.prior_enrollment_days if enrolled else F.lit(False),
            horizon_not_over=F.date_add(last, rules.run_out_days) > F.lit(as_of) if as_of else F.lit(False),
            died=died if rules.deaths == "exclude" else F.lit(False),
            disenrolled=left if rules.disenrolled == "exclude" else F.lit(False),
        )
        named = {attribute.name: facts[f"a{i}"] for i, attribute in enumerate(self._spec.members.attributes)}
        own = enumerate(self._spec.predictions.attributes)
        named |= {attribute.name: F.col("carried")[f"p{i}"] for i, attribute in own}
        age = F.coalesce(_age(facts["birth_date"], F.col("scored_on")), F.floor(facts["given_age"]).cast("int"))
        return rows.select(
            "member_id", *_MODEL, "scored_on", "score",
            F.coalesce("reason", reason).alias("reason"),
            age.alias("age"),
            *((self._band(age).alias(AGE_BAND),) if AGE_BAND in self.attributes else ()),
            *(column.alias(name) for name, column in named.items()),
        )  # fmt: skip

    def _band(self, age: Column) -> Column:
        bands = AttributeSpec.model_validate({"name": AGE_BAND, "breaks": self._spec.members.age_breaks})
        breaks, labels = bands.breaks or (), bands.labels()
        first = F.when(age < breaks[0], labels[0])
        between = zip(breaks[1:], labels[1:-1], strict=True)
        banded = reduce(lambda when, one: when.when(age < one[0], one[1]), between, first)
        return banded.when(age.isNotNull(), labels[-1])

    def _claims(self) -> DataFrame:
        """The lines of the claims, with the reason against those that cannot be used."""
        given, spec = self._inputs["claims"], self._spec.claims
        columns = spec.columns
        start = given.day(columns.start_date)
        end = given.day(columns.end_date) if columns.end_date else start
        told = (F.when(given.text(one.column).isin(list(one.values)), one.setting) for one in spec.settings)
        return given.frame.select(
            given.text(columns.member_id).alias("member_id"),
            given.text(columns.claim_id).alias("claim_id"),
            (given.number(columns.line_number).cast("int") if columns.line_number else F.lit(1)).alias("line_number"),
            start.alias("start_date"),
            F.coalesce(end, start).alias("end_date"),
            F.coalesce(*told, F.lit("other")).alias("setting"),
            self._codes(given).alias("codes"),
            _first_reason(
                malformed_row=given.malformed,
                member_id_missing=given.text(columns.member_id).isNull(),
                start_date_missing=start.isNull(),
                end_date_unreadable=given.unreadable(columns.end_date) if columns.end_date else F.lit(False),
                end_before_start=end < start,
            ).alias("reason"),
        )

    def _codes(self, given: NamedColumns) -> Column:
        """All codes of a line, with system and position."""
        columns = self._spec.claims.columns
        system = F.lit("icd10cm")
        if columns.diagnosis_system is not None:
            written = F.lower(F.regexp_replace(given.text(columns.diagnosis_system), "[^A-Za-z0-9]", ""))
            named = (F.when(written.isin(list(names)), one) for one, names in _NAMES_OF_SYSTEMS.items())
            system = F.coalesce(*named)
        found = [
            *((system, i, name) for i, name in enumerate(columns.diagnoses, 1)),
            *((F.lit("hcpcs"), i, name) for i, name in enumerate(columns.procedures, 1)),
            *([(F.lit("drg"), 1, columns.drg)] if columns.drg is not None else []),
        ]
        each = [
            F.when(
                given.text(name).isNotNull(),
                F.struct(
                    one.alias("system"),
                    F.lit(position).alias("position"),
                    F.upper(F.regexp_replace(given.text(name), "[. ]", "")).alias("code"),
                ),
            )
            for one, position, name in found
        ]
        empty = F.array().cast("array<struct<system: string, position: int, code: string>>")
        return F.array_compact(F.array(*each)) if each else empty

    def _flow(self, rows: DataFrame) -> tuple[FlowRow, ...]:
        """Rows in and out at every step, for everybody and every group."""
        places = [F.struct(F.lit(OVERALL).alias("attribute"), F.lit(ALL).alias("group_value"))]
        places += [
            F.struct(F.lit(name).alias("attribute"), F.coalesce(F.col(name), F.lit(UNKNOWN)).alias("group_value"))
            for name in self.attributes
        ]
        each = rows.select(*_MODEL, "reason", F.explode(F.array(*places)).alias("place"))
        counted = each.groupBy(*_MODEL, "place", "reason").count().collect()
        out: dict[tuple[str, ...], dict[str | None, int]] = {}
        for row in counted:
            key = (row["model_id"], row["model_version"], row["place"]["attribute"], row["place"]["group_value"])
            out.setdefault(key, {})[row["reason"]] = row["count"]
        found = []
        for (model_id, version, attribute, group), by_reason in sorted(out.items()):
            left = sum(by_reason.values())
            for step, reason in enumerate(REASONS, 1):
                gone = by_reason.get(reason, 0)
                found.append(FlowRow(model_id, version, step, reason, attribute, group, left, gone))
                left -= gone
            found.append(FlowRow(model_id, version, len(REASONS) + 1, IN_COHORT, attribute, group, left, 0))
        return tuple(found)


def _columns_named(section: Section) -> list[tuple[ConfigPath, str]]:
    """Every column that a section names, with its path in the section."""
    found: list[tuple[ConfigPath, str]] = []
    for key, value in section.columns:  # type: ignore[attr-defined]
        names = value if isinstance(value, tuple) else (value,)
        found += [(("columns", key), name) for name in names if name is not None]
    for key in ("attributes", "settings"):
        found += [((key, i), one.column) for i, one in enumerate(getattr(section, key, ()))]
    return found


def _usable(rows: DataFrame) -> DataFrame:
    return rows.where(F.col("reason").isNull()).drop("reason")


def _refused(rows: DataFrame) -> dict[str, int]:
    counted = rows.where(F.col("reason").isNotNull()).groupBy("reason").count().collect()
    return {row["reason"]: row["count"] for row in counted}


def _first_reason(**conditions: Column) -> Column:
    """The name of the first condition that is true."""
    return F.coalesce(*(F.when(condition, name) for name, condition in conditions.items()))


def _age(birth: Column, day: Column) -> Column:
    """Whole years; someone born on February 29 is a year older on March 1."""
    before_birthday = (F.month(day) * 100 + F.day(day)) < (F.month(birth) * 100 + F.day(birth))
    return F.year(day) - F.year(birth) - before_birthday.cast("int")
