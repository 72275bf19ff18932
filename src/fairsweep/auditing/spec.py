"""The checked config of an audit. Every field has been checked once it exists; no code asks again."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from fairsweep.auditing.agreement import Parts, disagreements
from fairsweep.config.attributes import (
    AttributeItem,
    AttributeSpec,
    Grouping,
    IntersectionSpec,
    base_attributes,
    groupings,
)
from fairsweep.config.cutoffs import CutoffsSpec, OperatingPointSpec
from fairsweep.config.faults import WrongValueError
from fairsweep.config.privacy import PrivacySpec
from fairsweep.config.scalars import Label, Listed
from fairsweep.config.sections import (
    ColumnsSpec,
    InputSpec,
    LimitsSpec,
    ModelSpec,
    SparkSpec,
    StoredConfig,
    canonical,
)
from fairsweep.config.units_and_search import (
    Discover,
    ScoreKind,
    TrainingPopulation,
    Unit,
    WeightKind,
)
from fairsweep.config.verdict import VerdictSpec
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.errors import Problem, UsageError
from fairsweep.input.result_size import ResultSize

__all__ = ["AttributeSpec", "AuditSpec", "Grouping", "IntersectionSpec"]

# They steer how a run counts, never what it finds, so they are no part of its fingerprint.
_STEERING_LIMITS = {"joint_state_rows", "driver_state_rows", "maximum_state_rows", "driver_result_rows"}


def _as_a_file(schema: dict[str, Any]) -> None:
    """A file names its input, and the columns of any input but a cohort."""
    a_cohort = {"properties": {"input": {"properties": {"format": {"const": "cohort"}}, "required": ["format"]}}}
    schema["required"] = ["input", *(key for key in schema["required"] if key != "columns")]
    schema |= {"if": a_cohort | {"required": ["input"]}, "else": {"required": ["columns"]}}


class AuditSpec(StoredConfig):
    """What to audit: the model, its input, whom to compare, at which cutoffs, and how to judge."""

    model_config = ConfigDict(title="Fairsweep audit", json_schema_extra=_as_a_file)

    model: ModelSpec | None = Field(
        default=None,
        description="The model that gave the scores; results are stored under its id and version. "
        "Left out where `columns.model_id` names the model of each row.",
    )
    flag_is: Literal["help", "sanction"] = Field(
        description="What being flagged brings. `help`: too few flags are the harm; `sanction`: too many are."
    )
    input: InputSpec | None = Field(default=None, description="Where the rows are.")
    columns: ColumnsSpec = Field(description="Which column of the input is what. A cohort brings its own.")
    unit: Unit | None = Field(
        default=None,
        description="What a row is. `member`: each member counts once, and further rows of a member are refused; "
        "`prediction`: members may have several rows. Left out, members with several rows are warned of.",
    )
    weight_kind: WeightKind | None = Field(
        default=None,
        description="What `columns.weight` is: the inverse of the chance of being sampled (`sampling`), "
        "a number of equal people (`frequency`), or a time under observation (`exposure`).",
    )
    score_kind: ScoreKind = Field(
        default="score",
        description="`probability`: calibration is reported, and scores outside 0 to 1 are refused.",
    )
    event_labels: Annotated[tuple[Label, ...], Field(min_length=1), Listed()] = Field(
        default=(1,),
        description="The labels of events. A number compares as a number (`1.0` in a text file is 1), "
        "any other label as text.",
    )
    non_event_labels: Annotated[tuple[Label, ...], Field(min_length=1), Listed()] | None = Field(
        default=None,
        description="The labels of non-events; any further label is refused. Left out, every other label is one.",
    )
    attributes: Annotated[tuple[AttributeItem, ...], Field(min_length=1), Listed()] = Field(
        description="Whom to compare. A name is a column; a list of names is an intersection; "
        "a mapping says more of one attribute."
    )
    cutoffs: CutoffsSpec = Field(
        description="The cutoffs: `count` of them evenly from `start` to `stop`, or a list of `values`."
    )
    operating_points: Annotated[tuple[OperatingPointSpec, ...], Field(min_length=1), Listed()] = Field(
        description="The cutoffs that groups are judged at, each by a rule."
    )
    verdict: VerdictSpec = Field(default_factory=VerdictSpec, description="How groups are judged.")
    discover: Discover | None = Field(
        default=None,
        description="Attributes whose combinations are searched for subgroups in breach: a list, or a mapping.",
    )
    training_population: TrainingPopulation | None = Field(
        default=None,
        description="For each attribute, the share of each group among those that the model was trained on, "
        "as in `{race: {White: 0.7, other: 0.3}}`. A different mix in the input is reported.",
    )
    privacy: PrivacySpec = Field(default_factory=PrivacySpec, description="Which counts may be shown.")
    limits: LimitsSpec = Field(
        default_factory=LimitsSpec, description="When a run is refused, and how much state it may hold."
    )
    spark: SparkSpec = Field(default_factory=SparkSpec, description="How Spark counts; never what it finds.")

    @model_validator(mode="before")
    @classmethod
    def _columns_of_a_cohort(cls, config: Any) -> Any:  # noqa: ANN401  (whatever the config holds)
        """A cohort has the same columns everywhere, and a row for each prediction."""
        if not isinstance(config, dict) or "columns" in config or not isinstance(config.get("input"), dict):
            return config
        if config["input"].get("format") != "cohort":
            return config
        return {"unit": "prediction"} | config | {"columns": COHORT_COLUMNS}

    @model_validator(mode="after")
    def _sections_agree(self) -> AuditSpec:
        faults = disagreements(Parts(**{name: getattr(self, name) for name in Parts.names()}))
        if faults:
            raise WrongValueError(*faults)
        return self

    @property
    def source(self) -> InputSpec:
        """The input.

        Raises:
            UsageError: where the config names none, because a frame is passed in Python.
        """
        if self.input is None:
            step = "write `input: {format: csv, path: scores.csv}`"
            raise UsageError(Problem("input", "missing", "a format, and a path or a table", step))
        return self.input

    @property
    def base_attributes(self) -> tuple[AttributeSpec, ...]:
        """All single attributes in config order, with those that only an intersection or the search uses."""
        if self.discover is None:
            return base_attributes(self.attributes)
        return base_attributes((*self.attributes, *map(AttributeSpec.plain, self.discover.attributes)))

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """What is reported, in config order; everybody is implied."""
        return groupings(self.attributes)

    @property
    def searched(self) -> tuple[tuple[str, ...], ...]:
        """The combinations of attributes that are searched for subgroups."""
        if self.discover is None:
            return ()
        ways = range(1, self.discover.ways + 1)
        return tuple(names for n in ways for names in combinations(self.discover.attributes, n))

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Every column that the audit reads, each once."""
        named = self.columns.model_dump(exclude_none=True).values()
        return tuple(dict.fromkeys([*named, *(attribute.column for attribute in self.base_attributes)]))

    def grid(self) -> CutoffGrid:
        """The cutoffs as doubles; every `fixed` cutoff has joined them."""
        fixed = [point.at for point in self.operating_points if point.at is not None]
        return self.cutoffs.grid().joined(map(float, fixed))

    @property
    def result_size(self) -> ResultSize:
        """What the number of rows of the result tables depends on."""
        referenced = {(a.name,) for a in self.base_attributes if a.reference is not None}
        reported = {grouping.attributes: grouping.attributes in referenced for grouping in self.groupings}
        limits = self.limits
        return ResultSize(reported, len(self.operating_points), limits.full_sweep_groups, limits.driver_result_rows)

    def fingerprint_json(self) -> str:
        """The part of the config that results depend on, as canonical JSON: equal audits give equal text."""
        mapping = self.as_mapping()
        mapping.pop("spark")
        mapping.get("input", {}).pop("path", None)
        mapping["limits"] = {key: v for key, v in mapping["limits"].items() if key not in _STEERING_LIMITS}
        return canonical(mapping)


COHORT_COLUMNS = {
    "score": "score", "label": "label", "member": "member_id", "scored_on": "scored_on", "model_id": "model_id",
    "model_version": "model_version",
}  # fmt: skip
