"""The intake: a row is used, unscored or refused, by one ordered list of rules that every engine compiles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fairsweep.core.groups import LONGEST_GROUP
from fairsweep.input.expressions import (
    NUMBER_PATTERN,
    AllOf,
    AnyOf,
    AsDate,
    AsNumber,
    AsText,
    Case,
    Compare,
    Constant,
    Expression,
    Field,
    IsIn,
    IsNaN,
    IsNull,
    LongerThan,
    Malformed,
    Not,
    fields_of,
)

if TYPE_CHECKING:
    from fairsweep.config.attributes import AttributeSpec, Grouping
    from fairsweep.config.scalars import Label
    from fairsweep.config.sections import ColumnsSpec
    from fairsweep.config.units_and_search import ScoreKind, Unit
    from fairsweep.input.result_size import ResultSize

UNKNOWN = "unknown"
# Weights are kept in millionths.
LEAST_WEIGHT, MOST_WEIGHT = 1e-6, 1e6
# Characters that the id of a model may have.
LONGEST_MODEL = 128
FIRST_DAY, NO_END = date(1970, 1, 1), date(9999, 12, 31)

# A row is refused for the first of these that holds.
REFUSAL_REASONS = (
    "malformed_row",
    "label_missing",
    "label_undeclared",
    "scored_on_missing",
    "group_out_of_range",
    "group_not_a_number",
    "group_too_long",
    "member_missing",
    "weight_missing",
    "weight_out_of_range",
    "score_not_a_probability",
    "member_repeated",
)
REPEATED = "member_repeated"
# A row with a known label and one of these reasons is unscored: counted separately, because it was not flagged.
UNSCORED_REASONS = ("score_missing", "score_nan", "score_infinite", "score_not_a_number")
# Refusals that leave the group of a row in the dark, so that no group can be blamed for them.
GROUPLESS_REASONS = ("malformed_row", "group_out_of_range", "group_not_a_number", "group_too_long")


class Rule(NamedTuple):
    """A reason, and the condition under which it holds."""

    reason: str
    condition: Expression


@dataclass(frozen=True)
class Window:
    """`[start, end)` in days of UTC."""

    start: date = FIRST_DAY
    end: date = NO_END

    @property
    def everything(self) -> bool:
        """True if no window was requested."""
        return self.start == FIRST_DAY and self.end == NO_END


@dataclass(frozen=True)
class Intake:
    """All conditions that the scan evaluates on a row.

    Attributes:
        inside: whether a row is input: rows outside the window are not.
        model_id: text, NULL where blank and empty where too long; None if the config names one model.
        model_version: likewise.
        is_event: whether the label, if it is known, is an event.
        label_known: whether the label is known: without it, a row is neither an event nor a non-event.
        rules: refusals first, then the reasons for unscored rows, each in the order in which they are checked.
        score: the score as a DOUBLE, finite wherever no rule holds.
        groups: for each single attribute its name and the group of a row, never NULL.
        groupings: the attributes of everything that is reported or searched.
        label: the label as text, for the one message that has to name labels.
        member: text, never NULL where no rule holds; None if rows are people.
        weight: a DOUBLE within bounds where no rule holds; None if all rows have equal weight.
        once: whether members must be unique: rows of repeated members are refused.
        score_sums: whether scores are summed, for calibration.
        results: the inputs of the number of rows of the result tables; None if it is not checked.
    """

    inside: Expression
    model_id: Expression | None
    model_version: Expression | None
    is_event: Expression
    label_known: Expression
    rules: tuple[Rule, ...]
    score: AsNumber
    groups: tuple[tuple[str, Expression], ...]
    groupings: tuple[tuple[str, ...], ...]
    label: Expression
    member: AsText | None = None
    weight: AsNumber | None = None
    once: bool = False
    score_sums: bool = False
    results: ResultSize | None = None

    @property
    def measured(self) -> bool:
        """Whether more is summed than rows."""
        return self.member is not None or self.weight is not None or self.score_sums

    @property
    def fields(self) -> list[int]:
        """The positions of all columns that the scan reads."""
        parts = (
            self.inside, self.model_id, self.model_version, self.is_event, self.label_known, self.score, self.member,
            self.weight,
        )  # fmt: skip
        return sorted(fields_of((*parts, *self.rules, *self.groups)))

    @property
    def refusals(self) -> int:
        """How many of the rules refuse a row; the others make it unscored."""
        return sum(rule.reason in REFUSAL_REASONS for rule in self.rules)


class IntakeConfig(Protocol):
    """The part of a checked config that decides what becomes of a row."""

    @property
    def columns(self) -> ColumnsSpec:
        """Which column is what."""
        ...

    @property
    def unit(self) -> Unit | None:
        """The meaning of a row."""
        ...

    @property
    def score_kind(self) -> ScoreKind:
        """Whether scores are probabilities."""
        ...

    @property
    def event_labels(self) -> Sequence[Label]:
        """Labels of events."""
        ...

    @property
    def non_event_labels(self) -> Sequence[Label] | None:
        """Labels of non-events; None where every other label is one."""
        ...

    @property
    def base_attributes(self) -> Sequence[AttributeSpec]:
        """Every single attribute that is counted by."""
        ...

    @property
    def groupings(self) -> Sequence[Grouping]:
        """The attributes that are reported."""
        ...

    @property
    def searched(self) -> Sequence[tuple[str, ...]]:
        """The combinations of attributes that are searched for subgroups."""
        ...

    @property
    def result_size(self) -> ResultSize:
        """The inputs of the number of rows of the result tables."""
        ...


def build(spec: IntakeConfig, names: Sequence[str], window: Window) -> Intake:
    """The intake of a checked spec over columns of the given names, in their order."""
    position = {name: i for i, name in reversed(list(enumerate(names)))}
    columns = spec.columns
    label = Field(position[columns.label])
    score = Field(position[columns.score])
    groups = [(attribute, Field(position[attribute.column])) for attribute in spec.base_attributes]
    label_missing = AnyOf((IsNull(AsText(label)), IsNaN(AsNumber(label))))
    is_event = _matches(label, spec.event_labels)
    rules = [Rule("malformed_row", Malformed()), Rule("label_missing", label_missing)]
    undeclared: tuple[Expression, ...] = ()
    if spec.non_event_labels is not None:
        undeclared = (Not(AnyOf((is_event, _matches(label, spec.non_event_labels)))),)
        rules.append(Rule("label_undeclared", undeclared[0]))
    inside: Expression = AllOf(())
    if not window.everything:
        day = AsDate(Field(position[columns.scored_on or ""]))
        rules.append(Rule("scored_on_missing", IsNull(day)))
        within = AllOf((Compare(day, ">=", window.start), Compare(day, "<", window.end)))
        inside = AnyOf((Malformed(), IsNull(day), within))
    rules += _group_rules(groups)
    rules += _unit_rules(spec, position)
    if spec.score_kind == "probability":
        rules.append(Rule("score_not_a_probability", _beyond(AsNumber(score), 0.0, 1.0)))
    if spec.unit == "member":
        # This needs all rows of a member together: the engines apply it.
        rules.append(Rule(REPEATED, AnyOf(())))
    rules += _score_rules(score)
    return Intake(
        inside=inside,
        model_id=_model(columns.model_id, position),
        model_version=_model(columns.model_version, position),
        is_event=is_event,
        label_known=Not(AnyOf((Malformed(), label_missing, *undeclared))),
        rules=tuple(rules),
        score=AsNumber(score),
        groups=tuple((attribute.name, _group(attribute, field)) for attribute, field in groups),
        groupings=tuple(dict.fromkeys([*(grouping.attributes for grouping in spec.groupings), *spec.searched])),
        label=AsText(label),
        member=None if columns.member is None else AsText(Field(position[columns.member])),
        weight=None if columns.weight is None else AsNumber(Field(position[columns.weight])),
        once=spec.unit == "member",
        score_sums=spec.score_kind == "probability",
        results=spec.result_size,
    )


def _model(name: str | None, position: Mapping[str, int]) -> Expression | None:
    """The name of a row's model; a name that is too long is treated as missing."""
    if name is None:
        return None
    text = AsText(Field(position[name]))
    return Case(((LongerThan(text, LONGEST_MODEL), Constant("")),), text)


def _matches(field: Field, labels: Sequence[str | int | float | bool]) -> Expression:
    """A label given as a number compares as a number, any other as text."""
    numbers = tuple(float(v) for v in labels if isinstance(v, int | float) and not isinstance(v, bool))
    texts = tuple(str(v).lower() if isinstance(v, bool) else v for v in labels if isinstance(v, str | bool))
    found: list[Expression] = []
    if numbers:
        found.append(IsIn(AsNumber(field), numbers))
    if texts:
        found.append(IsIn(AsText(field), texts))
    return AnyOf(tuple(found))


def _score_rules(field: Field) -> list[Rule]:
    text, number = AsText(field), AsNumber(field)
    infinite = AnyOf((Compare(number, "=", inf), Compare(number, "=", -inf)))
    return [
        Rule("score_missing", IsNull(text)),
        Rule("score_nan", IsNaN(number)),
        Rule("score_infinite", infinite),
        Rule("score_not_a_number", IsNull(number)),
    ]


def _beyond(number: AsNumber, low: float, high: float) -> Expression:
    """A finite number outside `[low, high]`."""
    finite = Not(AnyOf((IsNaN(number), Compare(number, "=", inf), Compare(number, "=", -inf))))
    return AllOf((finite, AnyOf((Compare(number, "<", low), Compare(number, ">", high)))))


def _unit_rules(spec: IntakeConfig, position: Mapping[str, int]) -> list[Rule]:
    """The rules that check a row's member and weight."""
    rules = []
    if spec.columns.member is not None:
        rules.append(Rule("member_missing", IsNull(AsText(Field(position[spec.columns.member])))))
    if spec.columns.weight is not None:
        weight = AsNumber(Field(position[spec.columns.weight]))
        rules.append(Rule("weight_missing", AnyOf((IsNull(weight), IsNaN(weight)))))
        outside = AnyOf((Compare(weight, "<", LEAST_WEIGHT), Compare(weight, ">", MOST_WEIGHT)))
        rules.append(Rule("weight_out_of_range", outside))
    return rules


def _missing(attribute: AttributeSpec, field: Field) -> Expression:
    """NULL, blank, or declared to mean missing."""
    text = AsText(field)
    found: list[Expression] = [IsNull(text)]
    if attribute.missing:
        found.append(IsIn(text, attribute.missing))
        numbers = tuple(float(value) for value in attribute.missing if re.fullmatch(NUMBER_PATTERN, value))
        if attribute.breaks is not None and numbers:
            found.append(IsIn(AsNumber(field), numbers))
    return AnyOf(tuple(found))


def _group_rules(groups: Sequence[tuple[AttributeSpec, Field]]) -> list[Rule]:
    outside: list[Expression] = []
    no_number: list[Expression] = []
    too_long: list[Expression] = []
    for attribute, field in groups:
        if attribute.breaks is None:
            too_long.append(LongerThan(AsText(field), LONGEST_GROUP))
            continue
        number, recorded = AsNumber(field), Not(_missing(attribute, field))
        not_a_number = AllOf((recorded, AnyOf((IsNull(number), IsNaN(number)))))
        no_number.append(not_a_number)
        if attribute.range is not None:
            low, high = attribute.range
            beyond = AnyOf((Compare(number, "<", float(low)), Compare(number, ">", float(high))))
            outside.append(AllOf((recorded, Not(not_a_number), beyond)))
    rules = [("group_out_of_range", outside), ("group_not_a_number", no_number), ("group_too_long", too_long)]
    return [Rule(reason, AnyOf(tuple(found))) for reason, found in rules if found]


def _group(attribute: AttributeSpec, field: Field) -> Expression:
    """The group of a row; `unknown` if it is not recorded, not readable or too long."""
    unknown = Constant(UNKNOWN)
    misread = _missing(attribute, field)
    if attribute.breaks is None:
        text = AsText(field)
        return Case(((AnyOf((Malformed(), misread)), unknown), (LongerThan(text, LONGEST_GROUP), unknown)), text)
    number = AsNumber(field)
    lost: list[Expression] = [Malformed(), misread, IsNull(number), IsNaN(number)]
    if attribute.range is not None:
        low, high = attribute.range
        lost += [Compare(number, "<", float(low)), Compare(number, ">", float(high))]
    labels = attribute.labels()
    bands: list[tuple[Expression, Expression]] = [
        (Compare(number, "<", float(bound)), Constant(name))
        for bound, name in zip(attribute.breaks, labels, strict=False)
    ]
    return Case(((AnyOf(tuple(lost)), unknown), *bands), Constant(labels[-1]))
