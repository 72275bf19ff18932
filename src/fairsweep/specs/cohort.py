"""The checked config of a cohort: members, enrolment, claims and predictions in; who counts, and what came of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from fairsweep.errors import quoted
from fairsweep.specs.attributes import Name
from fairsweep.specs.faults import Fault, WrongValueError, describe, refusal
from fairsweep.specs.loading import content_of
from fairsweep.specs.outcomes import SETTINGS, SYSTEMS, Days, OutcomeSpec, load_outcome
from fairsweep.specs.overrides import resolved
from fairsweep.specs.reading import parsed
from fairsweep.specs.scalars import ColumnName, GroupValue, WholeNumber, listed, one_of
from fairsweep.specs.sections import InputSpec, ModelSpec, Section

DIAGNOSIS_SYSTEMS = ("icd10cm", "icd9cm")
# What every cohort has beside the attributes.
RESERVED = (
    "member_id", "model_id", "model_version", "scored_on", "score", "label", "label_date", "label_claim_id", "age",
    "age_band", "reason",
)  # fmt: skip


def _day(value: Any) -> date:  # noqa: ANN401  (whatever the config holds)
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise refusal(describe(value), "a day", "write it as in 2019-01-31") from None


Day = Annotated[date, BeforeValidator(_day)]


class MemberColumnsSpec(Section):
    """Which column of the members is what; the day of birth, or the age on the day of the score."""

    member_id: ColumnName = "member_id"
    birth_date: ColumnName | None = None
    age: ColumnName | None = None
    death_date: ColumnName | None = None

    @model_validator(mode="after")
    def _one_age(self) -> MemberColumnsSpec:
        if self.birth_date is not None and self.age is not None:
            raise WrongValueError(Fault(("age",), "given beside birth_date", "one of the two", "remove it"))
        return self


class CarriedSpec(Section):
    """A column of the members or of the predictions that groups are told by.

    Attributes:
        name: what the cohort calls it.
        column: where it is read; `from` in a config.
    """

    name: Name
    column: ColumnName = Field(alias="from", default_factory=lambda data: data.get("name", ""))


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
    """

    input: InputSpec
    columns: MemberColumnsSpec = Field(default_factory=MemberColumnsSpec)
    attributes: Carried = ()
    age_breaks: Annotated[tuple[WholeNumber, ...], listed(at_least=1)] = (18, 65, 75, 85)


class EnrollmentColumnsSpec(Section):
    """Which column of the enrolment spans is what; the last day is inside."""

    member_id: ColumnName = "member_id"
    start_date: ColumnName = "enrollment_start_date"
    end_date: ColumnName = "enrollment_end_date"


class EnrollmentSpec(Section):
    """Spans in which members were enrolled."""

    input: InputSpec
    columns: EnrollmentColumnsSpec = Field(default_factory=EnrollmentColumnsSpec)


class ClaimColumnsSpec(Section):
    """Which column of the claims is what.

    Attributes:
        diagnoses: the columns of the diagnoses in the order of their positions.
        diagnosis_system: the column that tells which system they are of; without it they are ICD-10-CM.
        procedures: columns of HCPCS and CPT codes.
        drg: the column of the DRG.
    """

    member_id: ColumnName = "member_id"
    claim_id: ColumnName = "claim_id"
    line_number: ColumnName | None = None
    start_date: ColumnName = "claim_start_date"
    end_date: ColumnName | None = None
    diagnoses: Annotated[tuple[ColumnName, ...], listed()] = ()
    diagnosis_system: ColumnName | None = None
    procedures: Annotated[tuple[ColumnName, ...], listed()] = ()
    drg: ColumnName | None = None


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


class ClaimsSpec(Section):
    """The lines of the medical claims."""

    input: InputSpec
    columns: ClaimColumnsSpec = Field(default_factory=ClaimColumnsSpec)
    settings: Annotated[tuple[SettingSpec, ...], listed(at_least=1)]


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


class RulesSpec(Section):
    """Who counts; each rule can be switched off.

    Attributes:
        prior_enrollment_days: days before the score in which a member must have been enrolled; 0 asks for none.
        gap_days: the longest gap in an enrolment that is passed over.
        deaths: whether members who died within the horizon are kept.
        disenrolled: whether members who left within the horizon, and did not die, are kept.
        run_out_days: days after the horizon until claims are complete.
    """

    prior_enrollment_days: Days = 180
    gap_days: Days = 31
    deaths: Annotated[Literal["keep", "exclude"], one_of("keep", "exclude")] = "keep"
    disenrolled: Annotated[Literal["keep", "exclude"], one_of("keep", "exclude")] = "exclude"
    run_out_days: Days = 0


class CohortSpec(Section):
    """What a cohort is made of.

    Attributes:
        model: the one model of the predictions; None where columns tell several apart.
        outcome: the outcome; in a config its file, or written out.
        members: who they are.
        enrollment: when they were enrolled; None asks for no enrolment.
        claims: what was claimed.
        predictions: who was scored when.
        as_of: the day of which the claims are known; None for no limit.
        rules: who counts.
    """

    model: ModelSpec | None = None
    outcome: OutcomeSpec
    members: MembersSpec
    enrollment: EnrollmentSpec | None = None
    claims: ClaimsSpec
    predictions: PredictionsSpec
    as_of: Day | None = None
    rules: RulesSpec = Field(default_factory=RulesSpec)

    @model_validator(mode="after")
    def _sections_agree(self) -> CohortSpec:
        faults = [
            *self._model_once(),
            *self._codes_are_there(),
            *self._settings_are_told(),
            *self._attributes_differ(),
        ]
        if faults:
            raise WrongValueError(*faults)
        return self

    def _model_once(self) -> list[Fault]:
        if (self.model is None) == (self.predictions.columns.model_id is None):
            found = "missing" if self.model is None else "given beside predictions.columns.model_id"
            step = 'write `model: {id: falls, version: "1"}`' if self.model is None else "remove one of the two"
            return [Fault(("model",), found, "model, or the columns of several models", step)]
        return []

    def _attributes_differ(self) -> list[Fault]:
        names, faults = set(RESERVED), []
        for section in ("members", "predictions"):
            for i, one in enumerate(getattr(self, section).attributes):
                if one.name in names:
                    found = f"{quoted(one.name)} again"
                    faults.append(Fault((section, "attributes", i), found, "names that differ", "rename it"))
                names.add(one.name)
        return faults

    def _codes_are_there(self) -> list[Fault]:
        """Codes of a system that no column of the claims holds would never be met."""
        columns = self.claims.columns
        present = {
            **dict.fromkeys(DIAGNOSIS_SYSTEMS, bool(columns.diagnoses)),
            "hcpcs": bool(columns.procedures),
            "drg": columns.drg is not None,
        }
        lists = [event.codes for event in self.outcome.events if event.codes is not None]
        if not lists or any(present[system] for codes in lists for system in codes.lists):
            return []
        asked = ", ".join(sorted({system for codes in lists for system in codes.lists}, key=SYSTEMS.index))
        step = "name the columns, as in `diagnoses: [dx1, dx2]`"
        return [
            Fault(("claims", "columns"), "no column of codes", f"codes of {asked}, which the outcome asks for", step)
        ]

    def _settings_are_told(self) -> list[Fault]:
        told = {one.setting for one in self.claims.settings}
        return [
            Fault(("claims", "settings"), f"nothing tells {quoted(setting)}", "a setting that the outcome asks for",
                  f"write {{setting: {setting}, column: ..., values: [...]}}, or use another outcome")
            for event in self.outcome.events
            for setting in event.settings
            if not told & set(event.settings)
        ][:1]  # fmt: skip


_HINTS = {
    "outcome": "write the path of an outcome's file, as in `outcome: outcomes/cv19_index.yaml`",
    "members": "write `members: {input: {format: csv, path: members.csv}}`",
    "claims": "write `claims: {input: {format: csv, path: claims.csv}, settings: [...]}`",
    "claims.settings": "write `settings: [{setting: inpatient, column: inpatient, values: [true]}]`",
    "predictions": "write `predictions: {input: {format: csv, path: predictions.csv}}`",
}
Sourced = TypeVar("Sourced", MembersSpec, EnrollmentSpec, ClaimsSpec, PredictionsSpec)


def load_cohort(path: str | Path) -> CohortSpec:
    """Load a cohort's config.

    Args:
        path: the file; relative paths in it are taken from its folder, that of the outcome too.

    Raises:
        UsageError: with every problem found.
    """
    folder = Path(path).parent

    def with_outcome(tree: dict[str, Any]) -> dict[str, Any]:
        named = tree.get("outcome")
        return tree | {"outcome": load_outcome(folder / named)} if isinstance(named, str) else tree

    spec = parsed(CohortSpec, content_of(Path(path)), str(path), _HINTS, with_outcome)
    sections = {name: getattr(spec, name) for name in ("members", "enrollment", "claims", "predictions")}
    return spec.model_copy(
        update={name: _resolved(section, folder) for name, section in sections.items() if section is not None}
    )


def _resolved(section: Sourced, folder: Path) -> Sourced:
    path = section.input.path
    if path is None:
        return section
    return section.model_copy(update={"input": section.input.model_copy(update={"path": resolved(path, folder)})})
