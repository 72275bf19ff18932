"""What is wrong with a config, in our own words: collected by the checks, then given a place and a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from fairsweep.errors import Problem, did_you_mean, quoted

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

ConfigPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, by its path in the config; `Problem` adds the file and the line.

    Attributes:
        path: keys and list positions, from the root of the config or of the part that is being checked.
        value: what was found there.
        allowed: what would be right.
        next_step: what to do.
    """

    path: ConfigPath
    value: str
    allowed: str
    next_step: str


class WrongValueError(ValueError):
    """Raised inside validators; it carries every fault found, with paths relative to the value checked."""

    def __init__(self, *faults: Fault) -> None:
        """Take the faults of one value."""
        super().__init__("; ".join(fault.value for fault in faults))
        self.faults = faults


def refusal(value: str, allowed: str, next_step: str) -> WrongValueError:
    """A single fault of the very value that is being checked."""
    return WrongValueError(Fault((), value, allowed, next_step))


def printable(text: str) -> str:
    """The text with every character that a terminal would obey written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def describe(value: object) -> str:
    """Say what kind of value was found, and the value itself where it is short."""
    match value:
        case None:
            return "empty"
        case bool():
            return f"the truth value {str(value).lower()}"
        case str():
            return f"the text {quoted(printable(value))}" if value.strip() else "blank text"
        case int() | float() | Decimal():
            return f"the number {quoted(value).strip('`')}"
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def rendered(path: ConfigPath) -> str:
    """Write a path as people do: `attributes[1].from`.

    >>> rendered(("attributes", 1, "from"))
    'attributes[1].from'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if re.fullmatch(r"[\w-]{1,60}", part) else quoted(printable(part))
            text += f".{key}" if text else key
    return text


@dataclass(frozen=True)
class Places:
    """Where each path of a config was written.

    Attributes:
        source: what people call the config: its file, or the Python call.
        lines: path -> line, counted from 1.
        overridden: paths that came from `--set`.
    """

    source: str
    lines: Mapping[ConfigPath, int]
    overridden: frozenset[ConfigPath] = frozenset()

    def problem(self, fault: Fault) -> Problem:
        """The fault as a problem, with its place."""
        return Problem(self._place(fault.path), fault.value, fault.allowed, fault.next_step)

    def _place(self, path: ConfigPath) -> str:
        shown = rendered(path)
        above = [path[:length] for length in range(len(path), -1, -1)]
        created = path not in self.lines and any(part[: len(path)] == path for part in self.overridden if path)
        if created or any(part in self.overridden for part in above):
            return f"--set {shown}"
        if not shown:
            return self.source
        line = next((self.lines[part] for part in above if part in self.lines), None)
        return f"{self.source}: {shown}" + (f" (line {line})" if line else "")


def moved(fault: Fault, path: ConfigPath) -> Fault:
    """The fault of a part, seen from the whole."""
    return replace(fault, path=path + fault.path)


def translated(error: ValidationError, root: type[BaseModel], hints: Mapping[str, str]) -> list[Fault]:
    """Every fault in a pydantic error, in our words.

    Args:
        error: what pydantic found.
        root: the model that was checked.
        hints: the next step for a key that is missing, by its dotted name.
    """
    faults: list[Fault] = []
    for item in error.errors(include_url=False):
        faults.extend(_faults(item["type"], _path(item["loc"]), item, root, hints))
    return faults


def _path(location: Iterable[str | int]) -> ConfigPath:
    """The path that the user wrote: without the alternative that pydantic chose for an attribute."""
    path = tuple(location)
    if path[:1] == ("attributes",) and len(path) > 2:
        chosen, rest = path[2], path[3:]
        return path[:2] + (rest[1:] if chosen == "intersection" else rest)
    return path


def _faults(
    kind: str,
    path: ConfigPath,
    item: Mapping[str, Any],
    root: type[BaseModel],
    hints: Mapping[str, str],
) -> Iterable[Fault]:
    if kind == "value_error" and isinstance(item["ctx"]["error"], WrongValueError):
        return [moved(fault, path) for fault in item["ctx"]["error"].faults]
    if kind == "extra_forbidden":
        return [unknown_key(path, section_at(root, path[:-1]))]
    if kind == "missing":
        named = ".".join(str(part) for part in path if isinstance(part, str))
        return [Fault(path, "missing", "", hints.get(named, f"write `{path[-1]}`"))]
    if kind == "literal_error":
        # Pydantic lists the words in a sentence: 'help' or 'sanction'.
        return [_other_word(path, item["input"], re.findall(r"'([^']*)'", item["ctx"]["expected"]))]
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        found = describe(item["input"])
        return [Fault(path, found, "a mapping", "write `key: value` pairs, or `{key: value}`")]
    if kind == "default_factory_not_called":
        return []
    if kind == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]:
        # Pydantic counts the items that are right; the wrong ones are reported already.
        return []
    return [Fault(path, describe(item["input"]), str(item["msg"]), "change it")]


def _other_word(path: ConfigPath, value: object, words: Sequence[str]) -> Fault:
    found = quoted(printable(value)) if isinstance(value, str) else describe(value)
    return Fault(path, found, ", ".join(words), did_you_mean(str(value), words))


def section_at(root: type[BaseModel], path: ConfigPath) -> type[BaseModel]:
    """The model of the section at a path."""
    section = root
    for key in path:
        field = keyed(section).get(str(key))
        section = section if field is None else _held(field.annotation) or section
    return section


def keyed(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section by their keys in a config."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _held(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  (whatever stands behind a colon)
    """The section that a field holds: alone, in a list, or the first of several kinds."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation
    return next((found for part in get_args(annotation) if (found := _held(part))), None)


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a section as they stand in a config."""
    return list(keyed(model))


def unknown_key(path: ConfigPath, model: type[BaseModel]) -> Fault:
    """The fault of a key that the section does not have."""
    keys = keys_of(model)
    suggestion = did_you_mean(str(path[-1]), keys)
    allowed = "" if suggestion.startswith("choose") else ", ".join(keys)
    return Fault(path, "not a key that is known here", allowed, suggestion)
