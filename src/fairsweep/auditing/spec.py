"""The checked config of an audit. Every field has been checked once it exists; no code asks again."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

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
from fairsweep.config.scalars import Label, listed, one_of
from fairsweep.config.sections import (
    ColumnsSpec,
    InputSpec,
    LimitsSpec,
    ModelSpec,
    SparkSpec,
    StoredConfig,
    VerdictSpec,
    canonical,
)
from fairsweep.config.units_and_privacy import (
    Discover,
    PrivacySpec,
    ScoreWord,
    TrainingPopulation,
    UnitWord,
    WeightWord,
)
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.errors import Problem, UsageError
from fairsweep.input.result_size import ResultSize

__all__ = ["AttributeSpec", "AuditSpec", "Grouping", "IntersectionSpec"]

# They steer how a run counts, never what it finds, so they are no part of its fingerprint.
_STEERING_LIMITS = {"joint_state_rows", "driver_state_rows", "maximum_state_rows", "driver_result_rows"}


class AuditSpec(StoredConfig):
    """What to audit: the model, its input, whom to compare, at which cutoffs, and how to judge.

    Attributes:
        model: the one model of the input; None where `columns.model_id` tells several apart.
        flag_is: whether being flagged brings `help` or is a `sanction`.
        input: where the rows are; None only for frames that are passed in Python.
        columns: which column is what.
        unit: what a row is: a `member`, who may be there once, or a `prediction`; None where nobody said.
        weight_kind: what `columns.weight` means.
        score_kind: whether scores are probabilities.
        event_labels: labels of events.
        non_event_labels: labels of non-events; None where every other label is one.
        attributes: whom to compare.
        cutoffs: where scores may be cut.
        operating_points: the cutoffs that groups are judged at.
        verdict: floor and level of the judgement.
        discover: which attributes to search for subgroups that nobody listed.
        training_population: shares of groups in the training data, to compare with.
        privacy: whether small counts may be shown.
        limits: when a run is refused, and how much state it may hold.
        spark: how Spark counts.
    """

    model: ModelSpec | None = None
    flag_is: Annotated[Literal["help", "sanction"], one_of("help", "sanction")]
    input: InputSpec | None = None
    columns: ColumnsSpec
    unit: UnitWord | None = None
    weight_kind: WeightWord | None = None
    score_kind: ScoreWord = "score"
    event_labels: Annotated[tuple[Label, ...], listed(at_least=1)] = (1,)
    non_event_labels: Annotated[tuple[Label, ...], listed(at_least=1)] | None = None
    attributes: Annotated[tuple[AttributeItem, ...], listed(at_least=1)]
    cutoffs: CutoffsSpec
    operating_points: Annotated[tuple[OperatingPointSpec, ...], listed(at_least=1)]
    verdict: VerdictSpec = Field(default_factory=VerdictSpec)
    discover: Discover | None = None
    training_population: TrainingPopulation | None = None
    privacy: PrivacySpec = Field(default_factory=PrivacySpec)
    limits: LimitsSpec = Field(default_factory=LimitsSpec)
    spark: SparkSpec = Field(default_factory=SparkSpec)

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
