"""Consistency checks between the sections of a config, once each section is valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from fairsweep.config.attributes import AttributeSpec, IntersectionSpec
from fairsweep.config.cutoffs import OperatingPointSpec
from fairsweep.config.faults import Fault, describe, printable
from fairsweep.config.privacy import PrivacySpec
from fairsweep.config.sections import ColumnsSpec, ModelSpec
from fairsweep.config.units_and_search import DiscoverSpec
from fairsweep.errors import did_you_mean, quoted

LabelValue = str | int | float | bool


@dataclass(frozen=True)
class Parts:
    """Sections that others must agree with; None for one that is wrong in itself or absent.

    Attributes:
        model_given: whether there is a `model` section at all.
    """

    model: ModelSpec | None = None
    columns: ColumnsSpec | None = None
    event_labels: Sequence[LabelValue] | None = None
    non_event_labels: Sequence[LabelValue] | None = None
    attributes: Sequence[AttributeSpec | IntersectionSpec | None] | None = None
    operating_points: Sequence[OperatingPointSpec | None] | None = None
    unit: str | None = None
    weight_kind: str | None = None
    discover: DiscoverSpec | None = None
    training_population: Mapping[str, Mapping[str, float]] | None = None
    privacy: PrivacySpec | None = None
    model_given: bool | None = None

    @staticmethod
    def names() -> tuple[str, ...]:
        """The sections, by the names that they have in a config."""
        return tuple(part.name for part in fields(Parts) if part.name != "model_given")


def disagreements(parts: Parts) -> list[Fault]:
    """Every disagreement between sections."""
    faults = [*_models(parts), *_labels(parts), *_operating_points(parts)]
    attributes = parts.attributes or ()
    faults += _attribute_names(attributes)
    faults += _intersections(attributes)
    faults += _attribute_columns(attributes, parts.columns)
    return [*faults, *_evidence(parts), *_names_of_attributes(parts)]


def _evidence(parts: Parts) -> list[Fault]:
    """A unit needs a member column, and a weight its kind."""
    if parts.columns is None:
        return []
    faults = []
    if parts.unit is not None and parts.columns.member is None:
        step = "name the column that identifies members, or remove `unit`"
        faults.append(Fault(("columns", "member"), "missing", "a column, with a unit", step))
    if parts.columns.weight is not None and parts.weight_kind is None:
        step = "write `weight_kind: sampling`, `frequency` or `exposure`"
        faults.append(Fault(("weight_kind",), "missing", "the kind of weight in columns.weight", step))
    if parts.weight_kind is not None and parts.columns.weight is None:
        step = "name the column of the weights, or remove `weight_kind`"
        faults.append(Fault(("columns", "weight"), "missing", "a column, with a weight_kind", step))
    if parts.weight_kind is not None and parts.unit == "prediction":
        step = "remove one of the two: members with several weighted rows have no interval yet"
        faults.append(Fault(("weight_kind",), "given with unit prediction", "one of the two", step))
    return faults


def _names_of_attributes(parts: Parts) -> list[Fault]:
    """Other sections that name attributes name existing ones."""
    named = [item for item in parts.attributes or () if item is not None]
    if not named:
        return []
    known = {
        name for item in named for name in (item.attributes if isinstance(item, IntersectionSpec) else (item.name,))
    }
    searched = parts.discover.attributes if parts.discover is not None else ()
    faults = [
        Fault(("training_population", name), _shown(name), "an attribute", did_you_mean(name, sorted(known)))
        for name in parts.training_population or ()
        if name not in known
    ]
    allowed = parts.privacy.allowed_attributes if parts.privacy is not None else ()
    return faults + [
        Fault(("privacy", "allowed_attributes", i), _shown(name), "an attribute", did_you_mean(name, sorted(known)))
        for i, name in enumerate(allowed)
        if name not in known | set(searched)
    ]


def _shown(name: str) -> str:
    return quoted(printable(name))


def _models(parts: Parts) -> list[Fault]:
    if parts.columns is None:
        return []
    given = parts.model is not None if parts.model_given is None else parts.model_given
    by_column = parts.columns.model_id is not None or parts.columns.model_version is not None
    if given and by_column:
        step = "remove `model`, or columns.model_id and columns.model_version"
        return [Fault(("model",), "given together with columns.model_id", "one of the two", step)]
    if not given and not by_column:
        step = 'write `model: {id: falls, version: "1"}`, or columns.model_id for several models in one table'
        return [Fault(("model",), "missing", "model, or columns.model_id with columns.model_version", step)]
    return []


def _labels(parts: Parts) -> list[Fault]:
    faults = []
    events = parts.event_labels or ()
    for key, labels in (("event_labels", events), ("non_event_labels", parts.non_event_labels or ())):
        for position, label in enumerate(labels):
            if any(_same_label(label, before) for before in labels[:position]):
                faults.append(Fault((key, position), f"{describe(label)} again", "each label once", "remove it"))
    for position, label in enumerate(parts.non_event_labels or ()):
        if any(_same_label(label, event) for event in events):
            step = "remove it from one of the two lists"
            found = f"{describe(label)}, also in event_labels"
            faults.append(Fault(("non_event_labels", position), found, "a label in one of the two lists", step))
    return faults


def _same_label(one: LabelValue, other: LabelValue) -> bool:
    """Whether a row could match both: a number compares by value with text too, a truth value by its text."""
    texts = [str(label).lower() if isinstance(label, bool) else str(label) for label in (one, other)]
    if texts[0] == texts[1]:
        return True
    numbers = [isinstance(label, int | float) and not isinstance(label, bool) for label in (one, other)]
    if not any(numbers):
        return False
    try:
        return float(texts[0]) == float(texts[1])
    except ValueError:
        return False


def _operating_points(parts: Parts) -> list[Fault]:
    faults = []
    seen: set[str] = set()
    for position, point in enumerate(parts.operating_points or ()):
        if point is None:
            continue
        if point.name in seen:
            path = ("operating_points", position, "name")
            faults.append(Fault(path, f"{quoted(point.name)} again", "each name once", "rename it"))
        seen.add(point.name)
    return faults


def _attribute_names(attributes: Sequence[AttributeSpec | IntersectionSpec | None]) -> list[Fault]:
    faults = []
    seen: set[str] = set()
    for position, item in enumerate(attributes):
        if not isinstance(item, AttributeSpec):
            continue
        if item.name in seen:
            path = ("attributes", position, "name")
            step = "remove it, or write {name: another name, from: the column}"
            faults.append(Fault(path, f"{_shown(item.name)} again", "each name once", step))
        seen.add(item.name)
    return faults


def _intersections(attributes: Sequence[AttributeSpec | IntersectionSpec | None]) -> list[Fault]:
    faults = []
    seen: set[frozenset[str]] = set()
    for position, item in enumerate(attributes):
        if not isinstance(item, IntersectionSpec):
            continue
        members = frozenset(item.attributes)
        if members in seen:
            found = f"{_shown(item.name)} again"
            faults.append(Fault(("attributes", position), found, "each intersection once", "remove it"))
        seen.add(members)
    return faults


def _attribute_columns(
    attributes: Sequence[AttributeSpec | IntersectionSpec | None], columns: ColumnsSpec | None
) -> list[Fault]:
    taken = {} if columns is None else {getattr(columns, key): key for key in ("score", "label", "member", "weight")}
    declared = {item.name for item in attributes if isinstance(item, AttributeSpec)}
    faults: list[Fault] = []
    read: dict[str, list[AttributeSpec]] = {}
    for position, item in enumerate(attributes):
        for path, attribute in _singles(position, item, declared):
            if attribute.column in taken:
                found = f"{_shown(attribute.column)}, which columns.{taken[attribute.column]} reads already"
                faults.append(Fault(path, found, "another column", "name a column of groups, or remove it"))
            for before in read.get(attribute.column, []):
                if before.name != attribute.name and _definition(before) == _definition(attribute):
                    found = f"{_shown(attribute.column)}, as in attribute {_shown(before.name)}"
                    step = f"use {_shown(before.name)} instead, or give other breaks, values or missing"
                    faults.append(Fault(path, found, "another column, or another definition", step))
            read.setdefault(attribute.column, []).append(attribute)
    return faults


def _singles(
    position: int, item: AttributeSpec | IntersectionSpec | None, declared: set[str]
) -> list[tuple[tuple[str | int, ...], AttributeSpec]]:
    """The attributes that an entry brings in: itself, or the plain columns that an intersection names."""
    if isinstance(item, AttributeSpec):
        return [(("attributes", position, "from"), item)]
    names = enumerate(item.attributes) if item is not None else ()
    return [
        (("attributes", position, place), AttributeSpec.model_validate({"name": name}))
        for place, name in names
        if name not in declared
    ]


def _definition(attribute: AttributeSpec) -> dict[str, object]:
    return attribute.model_dump(exclude={"name"})
