"""Load a config: YAML or plain data in, a checked spec or every problem out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from fairsweep.auditing.agreement import Parts, disagreements
from fairsweep.auditing.spec import AuditSpec
from fairsweep.config import documents
from fairsweep.config.attributes import AttributeItem, AttributeSpec, IntersectionSpec
from fairsweep.config.cutoffs import OperatingPointSpec
from fairsweep.config.faults import Fault, Places, translated
from fairsweep.config.overrides import apply, resolved
from fairsweep.config.parsing import content_of, in_order, read_mapping
from fairsweep.errors import UsageError

_HINTS = {
    "flag_is": "write `flag_is: help` where a flag brings help, `flag_is: sanction` where it does harm",
    "columns": "write `columns: {score: ..., label: ...}`",
    "columns.score": "name the column of the scores",
    "columns.label": "name the column of the labels",
    "attributes": "name the columns whose groups are compared, as in `attributes: [race, sex]`",
    "attributes.name": "give the attribute a name",
    "cutoffs": "write `cutoffs: {start: 0, stop: 1, count: 1001}`, or `{values: [1, 2, 3]}`",
    "operating_points": "write `operating_points: [{name: paper, rule: population_gbe, target: 1.0}]`",
    "discover.attributes": "name the attributes whose combinations are searched",
    "model.version": 'write `version: "1"`',
    "input.format": "write csv, parquet, delta or table",
    "operating_points.rule": "write fixed, population_gbe or alert_rate",
}


def load(path: str | Path, overrides: Sequence[str] = ()) -> AuditSpec:
    """Load a config file.

    Args:
        path: the file; a relative `input.path` in it is taken from its folder.
        overrides: `--set` texts, `key=value`.

    Raises:
        UsageError: with every problem found.
    """
    return parse(content_of(Path(path)), source=str(path), folder=Path(path).parent, overrides=overrides)


def parse(content: bytes | str, *, source: str, folder: Path, overrides: Sequence[str] = ()) -> AuditSpec:
    """Load a config from its text.

    Args:
        content: the YAML.
        source: what people call it.
        folder: where a relative `input.path` starts.
        overrides: `--set` texts, `key=value`.

    Raises:
        UsageError: with every problem found.
    """
    document, tree = read_mapping(content, source, "begin with `flag_is: help`")
    changed = apply(tree, overrides)
    documents.refuse_many(tree, source)
    places = Places(source, document.lines, changed)
    faults = list(document.faults)
    if tree.get("input") is None:
        step = "write `input: {format: csv, path: scores.csv}`"
        faults.append(Fault(("input",), "missing", "a format, and a path or a table", step))
    spec = _checked(tree, places, faults)
    if spec.input is None or spec.input.path is None:
        return spec
    absolute = resolved(spec.input.path, folder)
    return spec.model_copy(update={"input": spec.input.model_copy(update={"path": absolute})})


def load_mapping(config: Mapping[str, Any], source: str = "config") -> AuditSpec:
    """Check a config that is plain data already; the input may be left out.

    Args:
        config: keys and values as in a config file.
        source: what people call it, for errors.

    Raises:
        UsageError: with every problem found.
    """
    return _checked(dict(config), Places(source, {}), [])


def _checked(tree: dict[str, Any], places: Places, faults: list[Fault]) -> AuditSpec:
    try:
        spec = AuditSpec.model_validate(tree)
    except ValidationError as error:
        found = translated(error, AuditSpec, _HINTS)
        # Pydantic looks at how sections agree only when each is right; people want all problems at once.
        known = set(found)
        found += [fault for fault in disagreements(_parts(tree)) if fault not in known]
        raise UsageError([places.problem(fault) for fault in in_order(faults + found, tree)]) from None
    if faults:
        raise UsageError([places.problem(fault) for fault in faults])
    return spec


def _parts(tree: Mapping[str, Any]) -> Parts:
    """The sections that are right in themselves."""
    return Parts(
        model=_valid(_field("model"), tree.get("model")),
        columns=_valid(_field("columns"), tree.get("columns")),
        event_labels=_valid(_field("event_labels"), tree.get("event_labels", [1])),
        non_event_labels=_valid(_field("non_event_labels"), tree.get("non_event_labels")),
        attributes=[_valid(_ATTRIBUTE, item) for item in _items(tree, "attributes")],
        operating_points=[_valid(_OPERATING_POINT, item) for item in _items(tree, "operating_points")],
        unit=_valid(_field("unit"), tree.get("unit")),
        weight_kind=_valid(_field("weight_kind"), tree.get("weight_kind")),
        discover=_valid(_field("discover"), tree.get("discover")),
        training_population=_valid(_field("training_population"), tree.get("training_population")),
        privacy=_valid(_field("privacy"), tree.get("privacy")),
        model_given=tree.get("model") is not None,
    )


_ATTRIBUTE: TypeAdapter[AttributeSpec | IntersectionSpec] = TypeAdapter(AttributeItem)
_OPERATING_POINT: TypeAdapter[OperatingPointSpec] = TypeAdapter(OperatingPointSpec)


def _field(name: str) -> TypeAdapter[Any]:
    field = AuditSpec.model_fields[name]
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(kind)


def _items(tree: Mapping[str, Any], key: str) -> Sequence[Any]:
    items = tree.get(key)
    return items if isinstance(items, list | tuple) else ()


def _valid(adapter: TypeAdapter[Any], value: object) -> Any:  # noqa: ANN401  (a section of any kind, or None)
    try:
        return adapter.validate_python(value) if value is not None else None
    except ValidationError:
        return None
