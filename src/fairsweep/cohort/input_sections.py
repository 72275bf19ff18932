"""The inputs of a cohort: where members, enrolment, claims and predictions are, and which column is what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from fairsweep.cohort.outcomes import Setting
from fairsweep.config.attributes import Name
from fairsweep.config.faults import ConfigPath, Fault, WrongValueError
from fairsweep.config.scalars import ColumnName, GroupValue, Listed, PositiveWholeNumber, WholeNumber
from fairsweep.config.sections import InputSpec, Section

GroupSource = Literal["self_reported", "administrative", "imputed"]


class MemberColumnsSpec(Section):
    """Which column of the members is what; the day of birth, or the age on the day of the score."""

    member_id: ColumnName = Field(default="member_id", description="The member.")
    birth_date: ColumnName | None = Field(default=None, description="The day of birth.")
    age: ColumnName | None = Field(
        default=None, description="The age on the day of the score, instead of `birth_date`."
    )
    death_date: ColumnName | None = Field(default=None, description="The day of death; empty for the living.")

    @model_validator(mode="after")
    def _one_age(self) -> MemberColumnsSpec:
        if self.birth_date is not None and self.age is not None:
            raise WrongValueError(Fault(("age",), "given together with birth_date", "one of the two", "remove it"))
        return self


class CarriedSpec(Section):
    """An attribute of the cohort: a column whose groups an audit can compare."""

    name: Name = Field(description="What the cohort calls the attribute.")
    column: ColumnName = Field(
        alias="from",
        default_factory=lambda data: data.get("name", ""),
        description="The column that holds the groups. Left out, it has the attribute's name.",
    )
    choices: Annotated[tuple[GroupValue, ...], Field(min_length=1), Listed()] | None = Field(
        default=None,
        description="The answers of a question to which one person can give several. Each answer becomes an attribute "
        "of its own, such as `race: White`, with the groups `yes` and `no`, because such groups overlap.",
    )
    separator: GroupValue = Field(default=";", description="What separates several answers.")
    source: GroupSource | None = Field(
        default=None,
        description="Who gave the values: the person, an administration, or a model that imputed them. "
        "Kept in `runs.config_json`.",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that come of it."""
        return (self.name,) if self.choices is None else tuple(f"{self.name}: {choice}" for choice in self.choices)


def _named(value: Any) -> Any:  # noqa: ANN401
    return {"name": value} if isinstance(value, str) else value


_Item = Annotated[CarriedSpec, BeforeValidator(_named, json_schema_input_type=Name | CarriedSpec)]
Carried = Annotated[tuple[_Item, ...], Listed()]


class MembersSpec(Section):
    """The members, one row each."""

    input: InputSpec = Field(description="Where the members are.")
    columns: MemberColumnsSpec = Field(default_factory=MemberColumnsSpec, description="Which column is what.")
    attributes: Carried = Field(default=(), description="The member's attributes: names of columns, or mappings.")
    age_breaks: Annotated[tuple[WholeNumber, ...], Field(min_length=1), Listed()] = Field(
        default=(18, 65, 75, 85), description="Where the bands of `age_band` begin, where members have an age."
    )
    pool_ages_from: PositiveWholeNumber | None = Field(
        default=None,
        description="Members of this age or more all have this age in `cohort`: "
        "an age above 89 can identify a person. Left out, ages are not pooled.",
    )

    @property
    def has_age(self) -> bool:
        """Whether there is an age, and with it an age band."""
        return self.columns.birth_date is not None or self.columns.age is not None


class EnrollmentColumnsSpec(Section):
    """Which column of the enrolment spans is what; the last day is inside."""

    member_id: ColumnName = Field(default="member_id", description="The member.")
    start_date: ColumnName = Field(default="enrollment_start_date", description="The first day of the span.")
    end_date: ColumnName = Field(
        default="enrollment_end_date", description="The last day of the span, which is inside; empty: it goes on."
    )


class EnrollmentSpec(Section):
    """Spans in which members were enrolled."""

    input: InputSpec = Field(description="Where the spans are.")
    columns: EnrollmentColumnsSpec = Field(default_factory=EnrollmentColumnsSpec, description="Which column is what.")


class HistorySpec(Section):
    """Attributes that change: the dual status or the plan of a member, as it was on the day of the score."""

    input: InputSpec = Field(description="Where the spans are.")
    columns: EnrollmentColumnsSpec = Field(
        default_factory=EnrollmentColumnsSpec,
        description="Which column is what. Where spans overlap, the one that began last holds.",
    )
    attributes: Annotated[tuple[_Item, ...], Field(min_length=1), Listed()] = Field(
        description="The attributes: names of columns, or mappings."
    )


class ClaimColumnsSpec(Section):
    """Which column of the claims is what."""

    member_id: ColumnName = Field(default="member_id", description="The member.")
    claim_id: ColumnName = Field(default="claim_id", description="The claim.")
    line_number: ColumnName | None = Field(default=None, description="The number of the line in its claim.")
    start_date: ColumnName = Field(default="claim_start_date", description="The first day of the care.")
    end_date: ColumnName | None = Field(default=None, description="The last day of the care.")
    diagnoses: Annotated[tuple[ColumnName, ...], Listed()] = Field(
        default=(), description="The columns of the diagnoses, in the order of their positions."
    )
    diagnosis_system: ColumnName | None = Field(
        default=None, description="The system of the diagnoses. Left out, they are ICD-10-CM."
    )
    diagnosis_position: ColumnName | None = Field(
        default=None,
        description="The position of the diagnosis, where each diagnosis is a row of its own (the long form).",
    )
    procedures: Annotated[tuple[ColumnName, ...], Listed()] = Field(
        default=(), description="The columns of HCPCS and CPT codes."
    )
    drg: ColumnName | None = Field(default=None, description="The diagnosis-related group.")
    version: ColumnName | None = Field(
        default=None, description="A number. Of a line that is there several times, the highest version counts."
    )
    known_on: ColumnName | None = Field(
        default=None,
        description="The day on which the line was received, adjudicated or paid. "
        "A line of a day after `as_of` is not known yet.",
    )

    @model_validator(mode="after")
    def _position_of_one_column(self) -> ClaimColumnsSpec:
        if self.diagnosis_position is not None and len(self.diagnoses) != 1:
            step = "name the one column of the diagnosis, or remove it"
            found = f"given with {len(self.diagnoses)} columns of diagnoses"
            raise WrongValueError(Fault(("diagnosis_position",), found, "one column of diagnoses", step))
        return self


class SettingSpec(Section):
    """How the setting of a line is found: the first entry whose column has one of the values."""

    setting: Setting = Field(description="The setting.")
    column: ColumnName = Field(description="The column that decides.")
    values: Annotated[tuple[GroupValue, ...], Field(min_length=1), Listed()] = Field(
        description="The column has one of these values, compared as text."
    )


class ReversalsSpec(Section):
    """How a line that takes another one back is found: the column has one of the values.

    It takes back the line of the same member, claim and number: of the highest version where versions are given,
    else every one that was known by then.
    """

    column: ColumnName = Field(description="The column that decides.")
    values: Annotated[tuple[GroupValue, ...], Field(min_length=1), Listed()] = Field(
        description="The column has one of these values, compared as text."
    )


class ClaimsSpec(Section):
    """The lines of the medical claims."""

    input: InputSpec = Field(description="Where the lines are.")
    columns: ClaimColumnsSpec = Field(default_factory=ClaimColumnsSpec, description="Which column is what.")
    settings: Annotated[tuple[SettingSpec, ...], Field(min_length=1), Listed()] = Field(
        description="Where the care was given: the first entry whose column has one of its values."
    )
    reversals: ReversalsSpec | None = Field(
        default=None,
        description="Which lines take back another: the one of the same member, claim and number. Left out, none do.",
    )

    @property
    def can_be_adjusted(self) -> bool:
        """Whether a line can be replaced or taken back by another."""
        return self.columns.version is not None or self.reversals is not None


class PredictionColumnsSpec(Section):
    """Which column of the predictions is what."""

    member_id: ColumnName = Field(default="member_id", description="The member.")
    scored_on: ColumnName = Field(default="scored_on", description="The day of the score.")
    score: ColumnName = Field(default="score", description="The score.")
    model_id: ColumnName | None = Field(
        default=None, description="The model, where there are several. Replaces `model`."
    )
    model_version: ColumnName | None = Field(
        default=None, description="The version of the model. Given together with `model_id`."
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> PredictionColumnsSpec:
        for given, absent in (("model_id", "model_version"), ("model_version", "model_id")):
            if getattr(self, given) is not None and getattr(self, absent) is None:
                step = f"name its column, or remove {given} and write `model: ...`"
                raise WrongValueError(Fault((absent,), "missing", "both model_id and model_version, or neither", step))
        return self


class PredictionsSpec(Section):
    """Who was scored when."""

    input: InputSpec = Field(description="Where the predictions are.")
    columns: PredictionColumnsSpec = Field(default_factory=PredictionColumnsSpec, description="Which column is what.")
    attributes: Carried = Field(
        default=(), description="Attributes of the prediction: the payer of a stay, for example."
    )
    keep: Literal["first", "last", "all"] = Field(
        default="all", description="Which of a member's predictions by one model are used."
    )


AnyInput = MembersSpec | EnrollmentSpec | HistorySpec | ClaimsSpec | PredictionsSpec


def columns_named(section: AnyInput) -> list[tuple[ConfigPath, str]]:
    """Every column that a section names, with its path in the section."""
    found: list[tuple[ConfigPath, str]] = []
    for key, value in section.columns:
        names = value if isinstance(value, tuple) else (value,)
        found += [(("columns", key), name) for name in names if name is not None]
    for key in ("attributes", "settings"):
        found += [((key, i), one.column) for i, one in enumerate(getattr(section, key, ()))]
    if isinstance(section, ClaimsSpec) and section.reversals is not None:
        found.append((("reversals",), section.reversals.column))
    return found
