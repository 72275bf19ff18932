"""The inputs of a cohort: where members, enrolment, claims and predictions are, and which column is what."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from fairsweep.cohort.outcomes import SETTINGS
from fairsweep.config.attributes import Name
from fairsweep.config.faults import ConfigPath, Fault, WrongValueError
from fairsweep.config.scalars import ColumnName, GroupValue, PositiveWholeNumber, WholeNumber, listed, one_of
from fairsweep.config.sections import InputSpec, Section

GroupSource = Literal["self_reported", "administrative", "imputed"]
GROUP_SOURCES = get_args(GroupSource)


class MemberColumnsSpec(Section):
    """Which column of the members is what; the day of birth, or the age on the day of the score."""

    member_id: ColumnName = "member_id"
    birth_date: ColumnName | None = None
    age: ColumnName | None = None
    death_date: ColumnName | None = None

    @model_validator(mode="after")
    def _one_age(self) -> MemberColumnsSpec:
        if self.birth_date is not None and self.age is not None:
            raise WrongValueError(Fault(("age",), "given together with birth_date", "one of the two", "remove it"))
        return self


class CarriedSpec(Section):
    """A column of the members or of the predictions that groups are told by.

    Attributes:
        name: what the cohort calls it.
        column: where it is read; `from` in a config.
        choices: the answers of a question that has several for one person. Such groups overlap and are no partition, so
            that each answer becomes an attribute of its own, `name: answer`, of the groups `yes` and `no`.
        separator: what stands between several answers.
        source: who said so: the person, an administration, or a model that imputed it; kept with the run.
    """

    name: Name
    column: ColumnName = Field(alias="from", default_factory=lambda data: data.get("name", ""))
    choices: Annotated[tuple[GroupValue, ...], listed(at_least=1)] | None = None
    separator: GroupValue = ";"
    source: Annotated[GroupSource, one_of(*GROUP_SOURCES)] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that come of it."""
        return (self.name,) if self.choices is None else tuple(f"{self.name}: {choice}" for choice in self.choices)


def _named(value: Any) -> Any:  # noqa: ANN401
    return {"name": value} if isinstance(value, str) else value


Carried = Annotated[tuple[Annotated[CarriedSpec, BeforeValidator(_named)], ...], listed()]


class MembersSpec(Section):
    """The members, one row each.

    Attributes:
        input: where they are.
        columns: which column is what.
        attributes: what groups are told by.
        age_breaks: where age bands begin; none without an age.
        pool_ages_from: everybody of at least so many years has this age: above 89 an age can tell who somebody is.
    """

    input: InputSpec
    columns: MemberColumnsSpec = Field(default_factory=MemberColumnsSpec)
    attributes: Carried = ()
    age_breaks: Annotated[tuple[WholeNumber, ...], listed(at_least=1)] = (18, 65, 75, 85)
    pool_ages_from: PositiveWholeNumber | None = None

    @property
    def has_age(self) -> bool:
        """Whether there is an age, and with it an age band."""
        return self.columns.birth_date is not None or self.columns.age is not None


class EnrollmentColumnsSpec(Section):
    """Which column of the enrolment spans is what; the last day is inside."""

    member_id: ColumnName = "member_id"
    start_date: ColumnName = "enrollment_start_date"
    end_date: ColumnName = "enrollment_end_date"


class EnrollmentSpec(Section):
    """Spans in which members were enrolled."""

    input: InputSpec
    columns: EnrollmentColumnsSpec = Field(default_factory=EnrollmentColumnsSpec)


class HistorySpec(Section):
    """What a member was from one day to another: dual status or a plan, of which the day of the score is asked.

    Attributes:
        input: where the spans are.
        columns: which column is what; where spans overlap, the one that began last holds.
        attributes: what groups are told by.
    """

    input: InputSpec
    columns: EnrollmentColumnsSpec = Field(default_factory=EnrollmentColumnsSpec)
    attributes: Annotated[Carried, listed(at_least=1)]


class ClaimColumnsSpec(Section):
    """Which column of the claims is what.

    Attributes:
        diagnoses: the columns of the diagnoses in the order of their positions.
        diagnosis_system: the column that tells which system they are of; without it they are ICD-10-CM.
        diagnosis_position: the column of the position, where each diagnosis is a row of its own (the long form).
        procedures: columns of HCPCS and CPT codes.
        drg: the column of the DRG.
        version: a number; of a line that is there several times, the highest stands.
        known_on: the day on which the line became known: received, adjudicated or paid.
    """

    member_id: ColumnName = "member_id"
    claim_id: ColumnName = "claim_id"
    line_number: ColumnName | None = None
    start_date: ColumnName = "claim_start_date"
    end_date: ColumnName | None = None
    diagnoses: Annotated[tuple[ColumnName, ...], listed()] = ()
    diagnosis_system: ColumnName | None = None
    diagnosis_position: ColumnName | None = None
    procedures: Annotated[tuple[ColumnName, ...], listed()] = ()
    drg: ColumnName | None = None
    version: ColumnName | None = None
    known_on: ColumnName | None = None

    @model_validator(mode="after")
    def _position_of_one_column(self) -> ClaimColumnsSpec:
        if self.diagnosis_position is not None and len(self.diagnoses) != 1:
            step = "name the one column of the diagnosis, or remove it"
            found = f"given with {len(self.diagnoses)} columns of diagnoses"
            raise WrongValueError(Fault(("diagnosis_position",), found, "one column of diagnoses", step))
        return self


class SettingSpec(Section):
    """What a line's setting is told by: the first whose column has one of the values.

    Attributes:
        setting: the setting.
        column: the column that is asked.
        values: of which it has one, as text.
    """

    setting: Annotated[str, one_of(*SETTINGS)]
    column: ColumnName
    values: Annotated[tuple[GroupValue, ...], listed(at_least=1)]


class ReversalsSpec(Section):
    """What a line is told by that takes another one back: the column has one of the values.

    It takes back the line of the same member, claim and number: of the highest version where versions are given,
    else every one that was known by then.
    """

    column: ColumnName
    values: Annotated[tuple[GroupValue, ...], listed(at_least=1)]


class ClaimsSpec(Section):
    """The lines of the medical claims.

    Attributes:
        input: where they are.
        columns: which column is what.
        settings: where the care was given, by the values of columns.
        reversals: which lines take others back; None where none do.
    """

    input: InputSpec
    columns: ClaimColumnsSpec = Field(default_factory=ClaimColumnsSpec)
    settings: Annotated[tuple[SettingSpec, ...], listed(at_least=1)]
    reversals: ReversalsSpec | None = None

    @property
    def can_be_adjusted(self) -> bool:
        """Whether a line can be replaced or taken back by another."""
        return self.columns.version is not None or self.reversals is not None


class PredictionColumnsSpec(Section):
    """Which column of the predictions is what."""

    member_id: ColumnName = "member_id"
    scored_on: ColumnName = "scored_on"
    score: ColumnName = "score"
    model_id: ColumnName | None = None
    model_version: ColumnName | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> PredictionColumnsSpec:
        for given, absent in (("model_id", "model_version"), ("model_version", "model_id")):
            if getattr(self, given) is not None and getattr(self, absent) is None:
                step = f"name its column, or remove {given} and write `model: ...`"
                raise WrongValueError(Fault((absent,), "missing", "both model_id and model_version, or neither", step))
        return self


class PredictionsSpec(Section):
    """Who was scored when.

    Attributes:
        input: where the predictions are.
        columns: which column is what.
        attributes: what groups are told by that is not the member's alone: the payer of a stay, for example.
        keep: of a member's predictions by one model the `first`, the `last` or `all`.
    """

    input: InputSpec
    columns: PredictionColumnsSpec = Field(default_factory=PredictionColumnsSpec)
    attributes: Carried = ()
    keep: Annotated[Literal["first", "last", "all"], one_of("first", "last", "all")] = "all"


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
