"""The checked config of a cohort: members, enrolment, claims and predictions in; who counts, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from fairsweep.cohort.blends import BlendSpec, TestSpec
from fairsweep.cohort.input_sections import (
    AnyInput,
    CarriedSpec,
    ClaimsSpec,
    EnrollmentSpec,
    HistorySpec,
    MembersSpec,
    PredictionsSpec,
)
from fairsweep.cohort.outcomes import SYSTEMS, Days, OutcomeSpec, load_outcome
from fairsweep.config.faults import ConfigPath, Fault, WrongValueError, describe, printable, refusal
from fairsweep.config.overrides import resolved
from fairsweep.config.parsing import content_of, parsed
from fairsweep.config.privacy import PrivacySpec
from fairsweep.config.scalars import NOT_BLANK, Listed, Share
from fairsweep.config.sections import FORMATS, ModelSpec, Section, StoredConfig, canonical
from fairsweep.errors import did_you_mean, quoted

DIAGNOSIS_SYSTEMS = ("icd10cm", "icd9cm")
AGE_BAND = "age_band"
# What every cohort has beside the attributes, and what it has while it is built.
RESERVED = (
    "run_id", "member_id", "model_id", "model_version", "scored_on", "score", "outcome", "label", "label_date",
    "label_claim_id", "age", "mature", AGE_BAND, "reason", "components",
)  # fmt: skip
INPUTS = ("members", "enrollment", "claims", "predictions")


def _day(value: Any) -> date:  # noqa: ANN401  (whatever the config holds)
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise refusal(describe(value), "a day", "write it as in 2019-01-31") from None


Day = Annotated[date, Field(title="a day"), BeforeValidator(_day)]


_Treatment = Literal["keep", "exclude"]


class RulesSpec(Section):
    """Who counts; each rule can be switched off."""

    prior_enrollment_days: Days = Field(
        default=180, description="Days before the score in which a member must have been enrolled. 0 asks for none."
    )
    gap_days: Days = Field(default=31, description="The longest gap in an enrolment that is ignored, in days.")
    deaths: _Treatment = Field(default="keep", description="Members who died within the horizon.")
    disenrolled: _Treatment = Field(
        default="exclude", description="Members who left within the horizon and did not die."
    )
    run_out_days: Days = Field(
        default=0, description="Days after the horizon until the claims of the slowest group are complete."
    )
    immature: _Treatment = Field(
        default="exclude",
        description="Predictions whose horizon and run-out are not over by `as_of`; the column `mature` marks them.",
    )
    treatments: Literal["chosen", "all"] = Field(
        default="chosen",
        description="`all` adds each model under two further versions, `:deaths-excluded` and `:all-kept` (neither "
        "deaths nor leaving exclude), so that one audit shows the verdict under all three treatments.",
    )


class CohortLimitsSpec(Section):
    """When a cohort is refused."""

    maximum_refused_share: Share = Field(
        default=0.05,
        description="The run is refused when a larger share of an input's rows cannot be used at all: rows without "
        "a member, or with an invalid date. Rows that a rule leaves out are not among them.",
    )


class _OrItsFile:
    """In a file, an outcome can be the path of its own file: `load_cohort` reads it before the config is checked."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The path, or the outcome."""
        return {"anyOf": [{"type": "string", "pattern": NOT_BLANK, "title": "a path"}, handler(schema)]}


class CohortSpec(StoredConfig):
    """What a cohort is made of."""

    model_config = ConfigDict(title="Fairsweep cohort")

    model: ModelSpec | None = Field(
        default=None,
        description="The model that gave the scores. Left out where `predictions.columns.model_id` names the model "
        "of each prediction.",
    )
    outcome: Annotated[OutcomeSpec, _OrItsFile()] = Field(
        description="What counts as an event: the path of an outcome's file, relative to this config, "
        "or the outcome itself."
    )
    members: MembersSpec = Field(description="The members, one row each.")
    enrollment: EnrollmentSpec | None = Field(
        default=None, description="When members were enrolled. Left out, nobody is asked for enrolment."
    )
    claims: ClaimsSpec = Field(description="The lines of the medical claims.")
    predictions: PredictionsSpec = Field(description="Who was scored when.")
    as_of: Day | None = Field(
        default=None, description="The day up to which everything is known, as in 2024-08-31. Left out, no limit."
    )
    histories: Annotated[tuple[HistorySpec, ...], Listed()] = Field(
        default=(), description="Attributes that change: dual status or plan, as it was on the day of the score."
    )
    rules: RulesSpec = Field(default_factory=RulesSpec, description="Who counts.")
    blends: Annotated[tuple[BlendSpec, ...], Listed()] = Field(default=(), description="Models made of two others.")
    limits: CohortLimitsSpec = Field(default_factory=CohortLimitsSpec, description="When the cohort is refused.")
    privacy: PrivacySpec = Field(default_factory=PrivacySpec, description="Which counts of `cohort_flow` may be shown.")

    @model_validator(mode="after")
    def _sections_agree(self) -> CohortSpec:
        faults = [
            *self._inputs_are_given(),
            *self._model_once(),
            *self._codes_are_there(),
            *self._settings_are_told(),
            *self._attributes_differ(),
            *self._blends_can_be_made(),
        ]
        if faults:
            raise WrongValueError(*faults)
        return self

    def _inputs_are_given(self) -> list[Fault]:
        allowed = ", ".join(name for name in FORMATS if name != "cohort")
        return [
            Fault((name, "input", "format"), "cohort, which is the result", allowed, "name another format")
            for name, section in self.inputs.items()
            if section.input.format == "cohort"
        ]

    def _model_once(self) -> list[Fault]:
        if (self.model is None) == (self.predictions.columns.model_id is None):
            found = "missing" if self.model is None else "given together with predictions.columns.model_id"
            step = 'write `model: {id: falls, version: "1"}`' if self.model is None else "remove one of the two"
            return [Fault(("model",), found, "model, or the columns of several models", step)]
        return []

    def _attributes_differ(self) -> list[Fault]:
        names, faults = set(RESERVED), []
        for place, one in self._carried:
            for name in one.names:
                if name in names:
                    faults.append(Fault(place, f"{quoted(name)} again", "names that differ", "rename it"))
                names.add(name)
        return faults

    def _blends_can_be_made(self) -> list[Fault]:
        """Blends take models that columns tell apart, and ask for what the cohort has."""
        faults, seen = [], set()
        for i, blend in enumerate(self.blends):
            place = ("blends", i)
            if self.model is not None:
                found, step = "given with one model", "name the columns of the models: predictions.columns.model_id"
                faults.append(Fault(place, found, "predictions of several models", step))
            if blend.model in seen:
                faults.append(Fault((*place, "model"), "a duplicate", "each model once", "rename it"))
            seen.add(blend.model)
            for key, condition in blend.conditions:
                faults += [
                    fault for name, test in condition.items() for fault in self._asked((*place, *key, name), test)
                ]
        return faults

    def _asked(self, place: ConfigPath, test: TestSpec) -> list[Fault]:
        """What is wrong with a test of one value."""
        name, known = str(place[-1]), (*(("age",) if self.members.has_age else ()), *self.attributes)
        if name not in known:
            found = f"{quoted(printable(name))}, which the cohort does not have"
            return [Fault(place, found, ", ".join(known), did_you_mean(name, known))]
        if (name == "age") == (test.is_in is not None):
            allowed, step = ("at_least, below", "{at_least: 65}") if name == "age" else ("is_in", "{is_in: [...]}")
            return [Fault(place, "another kind of test", allowed, f"write `{step}`")]
        return []

    @property
    def attributes(self) -> tuple[str, ...]:
        """What groups are told by, in the order in which the cohort has it."""
        bands = (AGE_BAND,) if self.members.has_age else ()
        return (*bands, *(name for _, carried in self._carried for name in carried.names))

    @property
    def _carried(self) -> list[tuple[ConfigPath, CarriedSpec]]:
        """Every column that groups are told by, with its place, in the order in which the cohort has it."""
        sections: list[tuple[ConfigPath, Sequence[CarriedSpec]]] = [
            (("members",), self.members.attributes),
            (("predictions",), self.predictions.attributes),
            *((("histories", i), history.attributes) for i, history in enumerate(self.histories)),
        ]
        return [((*place, "attributes", i), one) for place, of in sections for i, one in enumerate(of)]

    @property
    def inputs(self) -> dict[str, AnyInput]:
        """The sections that name an input, by their key."""
        found = {name: section for name in INPUTS if (section := getattr(self, name)) is not None}
        return found | {f"histories[{i}]": history for i, history in enumerate(self.histories)}

    def fingerprint_json(self) -> str:
        """The part of the config that results depend on, as canonical JSON: equal cohorts give equal text."""
        mapping = self.as_mapping()
        for section in (*(mapping.get(name) for name in INPUTS), *mapping["histories"]):
            if section is not None:
                section["input"].pop("path", None)
        return canonical(mapping)

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
            Fault(("claims", "settings"), f"no rule for {quoted(setting)}", "a setting that the outcome asks for",
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


def load_cohort(path: str | Path, overrides: Sequence[str] = ()) -> CohortSpec:
    """Load a cohort's config.

    Args:
        path: the file; relative paths in it are taken from its folder, that of the outcome too.
        overrides: `key=value` texts that replace values of the config.

    Raises:
        UsageError: with every problem found.
    """
    folder = Path(path).parent

    def completed(tree: dict[str, Any]) -> dict[str, Any]:
        named = tree.get("outcome")
        return tree | {"outcome": load_outcome(folder / named)} if isinstance(named, str) else tree

    spec = parsed(CohortSpec, content_of(Path(path)), str(path), _HINTS, completed, overrides)
    given = {name: _resolved(section, folder) for name, section in spec.inputs.items() if name in INPUTS}
    return spec.model_copy(update=given | {"histories": tuple(_resolved(one, folder) for one in spec.histories)})


def _resolved(section: AnyInput, folder: Path) -> AnyInput:
    path = section.input.path
    if path is None:
        return section
    return section.model_copy(update={"input": section.input.model_copy(update={"path": resolved(path, folder)})})
