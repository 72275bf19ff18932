"""Read a spec of any kind from YAML: every problem at once, with place and next step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fairsweep.config import documents
from fairsweep.config.faults import Fault, Places, translated
from fairsweep.config.overrides import apply
from fairsweep.errors import Problem, UsageError
from fairsweep.file_kinds import FOLDER, REGULAR, kind_of

Spec = TypeVar("Spec", bound=BaseModel)


def parsed(
    kind: type[Spec],
    content: bytes | str,
    source: str,
    hints: Mapping[str, str],
    completed: Callable[[dict[str, Any]], dict[str, Any]] = lambda tree: tree,
    overrides: Sequence[str] = (),
) -> Spec:
    """A checked spec.

    Args:
        kind: the spec.
        content: the YAML.
        source: what people call it, for errors.
        hints: the next step for a key that is missing, by its dotted name.
        completed: reads what the config only names.
        overrides: `--set` texts, `key=value`.

    Raises:
        UsageError: with every problem found, in the order of the file.
    """
    document, tree = read_mapping(content, source, "write `key: value` lines")
    changed = apply(tree, overrides)
    documents.refuse_many(tree, source)
    faults = list(document.faults)
    try:
        spec = kind.model_validate(completed(tree))
    except ValidationError as error:
        faults += translated(error, kind, hints)
    if faults:
        places = Places(source, document.lines, changed)
        raise UsageError([places.problem(fault) for fault in in_order(faults, tree)])
    return spec


def read_mapping(content: bytes | str, source: str, step: str) -> tuple[documents.Document, dict[str, Any]]:
    """A document that is a mapping, and the mapping; an empty one is an empty mapping.

    Args:
        content: the YAML.
        source: what people call it, for errors.
        step: what to do where it is something else.

    Raises:
        UsageError: where it is something else.
    """
    document = documents.read(content, source)
    tree = document.value if document.value is not None else {}
    if not isinstance(tree, dict):
        raise UsageError(Problem(source, "not a mapping", "`key: value` lines", step))
    return document, tree


def in_order(faults: list[Fault], tree: Mapping[str, Any]) -> list[Fault]:
    """Faults in the order of the file, what is missing last."""
    order = {key: position for position, key in enumerate(tree)}
    return sorted(faults, key=lambda fault: order.get(str(fault.path[0]) if fault.path else "", len(order)))


def content_of(path: Path) -> bytes:
    """The bytes of a config file.

    Raises:
        UsageError: where it is not a readable file.
    """
    try:
        kind = kind_of(path)
        if kind is None:
            step = "check the path, or make a config with `fairsweep init FILE --flag-is help`"
            raise UsageError(Problem(str(path), "not there", "a config file", step))
        if kind != REGULAR:
            step = "name the file in it" if kind == FOLDER else "write the config to a file"
            raise UsageError(Problem(str(path), kind, "a config file", step))
        # Whatever has taken the file's name meanwhile, nothing waits for it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123  (opened already)
            documents.refuse_large(os.fstat(file.fileno()).st_size, str(path))
            return file.read(documents.LARGEST_DOCUMENT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        found = f"not readable ({reason})"
        raise UsageError(Problem(str(path), found, "a readable file", "check its permissions")) from None
