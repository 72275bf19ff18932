"""The inputs of a cohort as frames of a fixed form; every row that cannot be used carries the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pyspark.sql import Window as Rows
from pyspark.sql import functions as F

from fairsweep.cohort.input_sections import EnrollmentSpec, HistorySpec, columns_named
from fairsweep.config.attributes import UNKNOWN
from fairsweep.core.groups import LONGEST_GROUP
from fairsweep.engines.spark.columns import Compiler
from fairsweep.engines.spark.named_columns import NamedColumns
from fairsweep.engines.spark.opening import source_of
from fairsweep.engines.spark.session import settings
from fairsweep.engines.spark.sources import readable
from fairsweep.errors import UsageError
from fairsweep.input.intake import Window

if TYPE_CHECKING:
    from types import TracebackType

    from pyspark.sql import Column, DataFrame, SparkSession

    from fairsweep.cohort.input_sections import AnyInput, CarriedSpec
    from fairsweep.cohort.spec import CohortSpec

MODEL = ("model_id", "model_version")
_PARTITIONS = 64
_NAMES_OF_SYSTEMS = {"icd10cm": ("icd10cm", "icd10", "10", "0"), "icd9cm": ("icd9cm", "icd9", "9")}


class CohortInputs:
    """The opened inputs; a context, because some need settings of the session while they are read."""

    def __init__(self, spark: SparkSession, spec: CohortSpec, window: Window) -> None:
        """Take the session, the checked config and the days of the predictions; nothing is read yet."""
        self._spark, self._spec, self._window = spark, spec, window

    def __enter__(self) -> CohortInputs:
        """Open the inputs.

        Raises:
            UsageError: with every column that an input does not have.
        """
        wanted = {
            "spark.sql.session.timeZone": "UTC",
            # The sets of copies of a line are small, and so are the lines that have them: no sorting for their sake.
            "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
        }
        if int(self._spark.conf.get("spark.sql.shuffle.partitions") or _PARTITIONS) < _PARTITIONS:
            # Fairsweep's own sessions set few partitions, for audits; Spark merges small partitions again.
            wanted["spark.sql.adaptive.coalescePartitions.initialPartitionNum"] = str(_PARTITIONS)
        with ExitStack() as stack:
            stack.enter_context(settings(self._spark, wanted))
            self._inputs = {name: self._opened(name, section, stack) for name, section in self._spec.inputs.items()}
            problems = [
                problem
                for name, section in self._spec.inputs.items()
                for problem in self._inputs[name].problems(columns_named(section))
            ]
            if problems:
                raise UsageError(problems)
            self._stack = stack.pop_all()  # restore the session after any exception
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the session."""
        self._stack.close()

    def _opened(self, name: str, section: AnyInput, stack: ExitStack) -> NamedColumns:
        source = section.input
        found = source_of(self._spark, source)
        stack.enter_context(settings(self._spark, found.settings))
        with readable(source.path or source.table or ""):
            inspection = found.inspect()
        compiler = Compiler([column.type for column in inspection.columns], malformed=found.malformed)
        wanted = {column for _, column in columns_named(section)}
        read = [i for i, column in enumerate(inspection.columns) if column.name in wanted]
        return NamedColumns(name, inspection, compiler, found.rows(read))

    @property
    def versions(self) -> dict[str, str | None]:
        """The version of each input, by its section."""
        return {name: one.version for name, one in self._inputs.items()}

    def predictions(self) -> DataFrame:
        """Every prediction, with the reason that its own input gives against it."""
        given, columns = self._inputs["predictions"], self._spec.predictions.columns
        model = self._spec.model
        if model is not None:
            keys = [F.lit(model.id), F.lit(model.version)]
        else:
            keys = [F.coalesce(given.text(name), F.lit(UNKNOWN)) for name in (columns.model_id, columns.model_version)]
        rows = given.frame.select(
            given.text(columns.member_id).alias("member_id"),
            *(key.alias(name) for key, name in zip(keys, MODEL, strict=True)),
            given.day(columns.scored_on).alias("scored_on"),
            given.number(columns.score).alias("score"),
            _groups(given, self._spec.predictions.attributes).alias("carried"),
            given.malformed.alias("malformed"),
        )
        own = first_reason(
            malformed_row=F.col("malformed"),
            member_id_missing=F.col("member_id").isNull(),
            scored_on_missing=F.col("scored_on").isNull(),
        )
        rows = rows.withColumn("reason", own).drop("malformed")
        if not self._window.everything:
            inside = (F.col("scored_on") >= F.lit(self._window.start)) & (F.col("scored_on") < F.lit(self._window.end))
            rows = rows.where(F.coalesce(inside, F.lit(True)))
        # Rows without a member would all come to one task.
        broken, whole = rows.where(F.col("reason").isNotNull()), rows.where(F.col("reason").isNull())
        return whole.transform(self._each_once).unionByName(broken)

    def _each_once(self, rows: DataFrame) -> DataFrame:
        """Of equal predictions one; of a member's predictions those that are kept."""
        of_model = Rows.partitionBy("member_id", *MODEL)
        of_day = of_model.partitionBy("member_id", *MODEL, "scored_on")
        # Two NaN are equal here, as two rows without a score are.
        written = F.coalesce(F.col("score").cast("string"), F.lit(""))
        keep = {"first": F.min("scored_on"), "last": F.max("scored_on")}.get(self._spec.predictions.keep)
        other_day = F.lit(False) if keep is None else F.col("scored_on") != keep.over(of_model)
        reason = first_reason(
            conflicting_predictions=F.min(written).over(of_day) != F.max(written).over(of_day),
            duplicate_prediction=F.row_number().over(of_day.orderBy(written, "carried")) > 1,
            not_the_prediction_kept=other_day,
        )
        return rows.withColumn("reason", reason)

    def member_rows(self) -> DataFrame:
        """The rows of the members, with the reason against those that cannot be used."""
        given, spec = self._inputs["members"], self._spec.members
        columns = spec.columns
        facts = {
            "birth_date": given.day(columns.birth_date),
            "given_age": given.number(columns.age),
            "death_date": given.day(columns.death_date),
            "unreadable": given.unreadable(columns.birth_date) | given.unreadable(columns.death_date),
            "groups": _groups(given, spec.attributes),
        }
        member = given.text(columns.member_id)
        return given.frame.select(
            member.alias("member_id"),
            F.struct(*(column.alias(name) for name, column in facts.items())).alias("facts"),
            first_reason(malformed_row=given.malformed, member_id_missing=member.isNull()).alias("reason"),
        )

    def members(self) -> DataFrame:
        """Each member once; `conflicting` where rows of one differ."""
        # By hash, and by one sort that the join with the predictions needs anyway.
        rows = usable(self.member_rows()).repartition("member_id").dropDuplicates(["member_id", "facts"])
        of_member = Rows.partitionBy("member_id").orderBy("facts")
        everything = of_member.rowsBetween(Rows.unboundedPreceding, Rows.unboundedFollowing)
        rows = rows.withColumns({
            "place": F.row_number().over(of_member), "conflicting": F.count("*").over(everything) > 1,
        })  # fmt: skip
        return rows.where(F.col("place") == 1).select("member_id", "conflicting", "facts")

    def spans(self, name: str = "enrollment") -> DataFrame:
        """The spans of the enrolment or of a history, with the reason against those that cannot be used."""
        section = self._spec.inputs[name]
        if not isinstance(section, EnrollmentSpec | HistorySpec):
            raise TypeError(f"{name} has no spans")
        given, columns = self._inputs[name], section.columns
        member, start = given.text(columns.member_id), given.day(columns.start_date)
        # A span without an end is open.
        end = F.coalesce(given.day(columns.end_date), F.lit("9999-12-31").cast("date"))
        return given.frame.select(
            member.alias("member_id"),
            start.alias("start"),
            end.alias("end"),
            _groups(given, section.attributes if isinstance(section, HistorySpec) else ()).alias("groups"),
            first_reason(
                malformed_row=given.malformed,
                member_id_missing=member.isNull(),
                start_date_missing=start.isNull(),
                end_date_unreadable=given.unreadable(columns.end_date),
                end_before_start=end < start,
            ).alias("reason"),
        )

    def on_the_day(self, name: str, days: DataFrame) -> DataFrame:
        """The values of a history on the days of members' scores: `member_id, scored_on, of_day`."""
        spans = usable(self.spans(name)).withColumnRenamed("member_id", "of_member")
        inside = F.col("scored_on").between(F.col("start"), F.col("end"))
        met = days.join(spans, (F.col("member_id") == F.col("of_member")) & inside)
        last = F.max(F.struct("start", "end", "groups"))["groups"].alias("of_day")
        return met.groupBy("member_id", "scored_on").agg(last)

    def claims(self) -> DataFrame:
        """The lines of the claims, with the reason against those that cannot be used."""
        given, spec = self._inputs["claims"], self._spec.claims
        columns, back = spec.columns, spec.reversals
        start = given.day(columns.start_date)
        end = given.day(columns.end_date)
        line = given.number(columns.line_number).try_cast("int") if columns.line_number else F.lit(1)
        told = (F.when(given.text(one.column).isin(list(one.values)), one.setting) for one in spec.settings)
        return given.frame.select(
            given.text(columns.member_id).alias("member_id"),
            given.text(columns.claim_id).alias("claim_id"),
            line.alias("line_number"),
            start.alias("start_date"),
            F.coalesce(end, start).alias("end_date"),
            F.coalesce(*told, F.lit("other")).alias("setting"),
            self._codes(given).alias("codes"),
            given.number(columns.version).alias("version"),
            given.day(columns.known_on).alias("known_on"),
            (given.text(back.column).isin(list(back.values)) if back else F.lit(False)).alias("reversal"),
            first_reason(
                malformed_row=given.malformed,
                member_id_missing=given.text(columns.member_id).isNull(),
                start_date_missing=start.isNull(),
                end_date_unreadable=given.unreadable(columns.end_date),
                end_before_start=end < start,
                known_on_unreadable=given.unreadable(columns.known_on),
                code_system_unknown=self._has_codes_of_unknown_system(given),
            ).alias("reason"),
        )

    def _system(self, given: NamedColumns) -> Column:
        """The system of a line's diagnoses; NULL if it is unknown or missing."""
        column = self._spec.claims.columns.diagnosis_system
        if column is None:
            return F.lit("icd10cm")
        written = F.lower(F.regexp_replace(given.text(column), "[^A-Za-z0-9]", ""))
        return F.coalesce(*(F.when(written.isin(list(names)), one) for one, names in _NAMES_OF_SYSTEMS.items()))

    def _has_codes_of_unknown_system(self, given: NamedColumns) -> Column:
        columns = self._spec.claims.columns
        if columns.diagnosis_system is None or not columns.diagnoses:
            return F.lit(False)
        any_code = F.coalesce(*(given.text(name) for name in columns.diagnoses)).isNotNull()
        return any_code & self._system(given).isNull()

    def _codes(self, given: NamedColumns) -> Column:
        """All codes of a line, with system and position."""
        columns = self._spec.claims.columns
        system = self._system(given)
        long_form = columns.diagnosis_position
        position = None if long_form is None else F.coalesce(given.number(long_form).try_cast("int"), F.lit(0))
        found = [
            *(
                (system, F.lit(i) if position is None else position, name)
                for i, name in enumerate(columns.diagnoses, 1)
            ),
            *((F.lit("hcpcs"), F.lit(i), name) for i, name in enumerate(columns.procedures, 1)),
            *([(F.lit("drg"), F.lit(1), columns.drg)] if columns.drg is not None else []),
        ]
        each = [
            F.when(
                given.text(name).isNotNull(),
                F.struct(
                    one.alias("system"),
                    place.alias("position"),
                    F.upper(F.regexp_replace(given.text(name), "[. ]", "")).alias("code"),
                ),
            )
            for one, place, name in found
        ]
        empty = F.array().cast("array<struct<system: string, position: int, code: string>>")
        return F.array_compact(F.array(*each)) if each else empty


def _groups(given: NamedColumns, attributes: Sequence[CarriedSpec]) -> Column:
    """The columns of attributes as one array of text."""
    return F.array(*(group for one in attributes for group in _each(given, one))).cast("array<string>")


def _each(given: NamedColumns, attribute: CarriedSpec) -> Iterator[Column]:
    """The groups of a column: one, or for each choice whether it is among the answers."""
    text = given.text(attribute.column)
    if attribute.choices is None:
        # Cut, so that rows stay small, and still too long, so that an audit refuses it.
        cut = F.concat(F.substring(text, 1, LONGEST_GROUP), F.lit("..."))
        yield F.when(F.char_length(text) > LONGEST_GROUP, cut).otherwise(text)
        return
    answers = F.transform(F.split(text, re.escape(attribute.separator)), _trimmed)
    for choice in attribute.choices:
        chosen = F.array_contains(answers, choice)
        yield F.when(chosen, "yes").when(~chosen, "no")


def _trimmed(text: Column) -> Column:
    # `F.trim` itself would treat the index of an element as the characters to trim.
    return F.trim(text)


def usable(rows: DataFrame) -> DataFrame:
    """The rows without a reason against them."""
    return rows.where(F.col("reason").isNull()).drop("reason")


def first_reason(**conditions: Column) -> Column:
    """The name of the first condition that is true."""
    return F.coalesce(*(F.when(condition, name) for name, condition in conditions.items()))
