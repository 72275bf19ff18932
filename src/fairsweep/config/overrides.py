"""`--set key=value`: single values of a config changed from the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairsweep.config.documents import DEEPEST_NESTING, read
from fairsweep.config.faults import ConfigPath, Places, describe, moved, printable, rendered
from fairsweep.errors import Problem, UsageError, quoted

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]{1,6})\]")


def apply(tree: dict[str, Any], overrides: Sequence[str]) -> frozenset[ConfigPath]:
    """Change the tree in place.

    Args:
        tree: the config as plain data.
        overrides: texts `key=value`, with keys as in `operating_points[0].at` or `operating_points.0.at`, and
            values in YAML. A relative `input.path` is taken from the current directory.

    Returns:
        The paths that were set.

    Raises:
        UsageError: with every override that cannot be applied.
    """
    problems: list[Problem] = []
    paths: set[ConfigPath] = set()
    for override in overrides:
        try:
            paths.add(_apply(tree, override))
        except UsageError as error:
            problems.extend(error.problems)
    if problems:
        raise UsageError(problems)
    return frozenset(paths)


def _apply(tree: dict[str, Any], override: str) -> ConfigPath:
    key, equals, text = override.partition("=")
    path = _parsed(key.strip())
    if not equals or not path:
        found = quoted(printable(override))
        raise UsageError(Problem("--set", found, "key=value", "write --set operating_points[0].at=0.05"))
    document = read(text, f"--set {rendered(path)}")
    if document.faults:
        places = Places("--set", {}, frozenset([path]))
        raise UsageError([places.problem(moved(fault, path)) for fault in document.faults])
    return _put(tree, path, _from_here(path, document.value))


def _parsed(key: str) -> ConfigPath:
    """The path of a dotted key; empty where it is none."""
    steps: list[str | int] = []
    position = 0
    while position < len(key):
        if len(steps) == DEEPEST_NESTING:
            return ()
        if steps and key[position] == ".":
            position += 1
        found = _STEP.match(key, position)
        if found is None:
            return ()
        name, index = found.groups()
        steps.append(int(index) if index is not None else name)
        position = found.end()
    return tuple(steps)


def _put(here: Any, path: ConfigPath, value: object, above: ConfigPath = ()) -> ConfigPath:  # noqa: ANN401
    """Set a value inside a part of the config, and return its path with every index of a list as a number."""
    step = _step(here, path[0], above)
    if len(path) == 1:
        child, found = value, (*above, step)
    else:
        child = _child(here, step)
        found = _put(child, path[1:], value, (*above, step))
    if isinstance(here, list) and step == len(here):
        here.append(child)
    else:
        here[step] = child
    return found


def _child(here: Any, step: str | int) -> Any:  # noqa: ANN401  (any part of a config)
    """What stands there now; a mapping to be filled where nothing does."""
    present = step in here if isinstance(here, dict) else isinstance(step, int) and step < len(here)
    return here[step] if present and here[step] is not None else {}


def _step(here: object, step: str | int, above: ConfigPath) -> str | int:
    """The step as this part of the config knows it."""
    place = f"--set {rendered((*above, step))}"
    if isinstance(here, dict) and isinstance(step, str):
        return step
    if not isinstance(here, list):
        step = f"set {rendered(above)} as a whole" if above else "begin with a key, as in model.id"
        raise UsageError(Problem(place, f"a part of {describe(here)}", "", step))
    index = int(step) if isinstance(step, int) or re.fullmatch("[0-9]{1,6}", step) else -1
    if not 0 <= index <= len(here):
        raise UsageError(Problem(place, f"not in a list of {len(here)}", f"0 to {len(here)}", "count from 0"))
    return index


def _from_here(path: ConfigPath, value: Any) -> Any:  # noqa: ANN401
    """A path of an input that was typed in a shell means the shell's directory, not the config's."""
    if path[-2:] == ("input", "path") and isinstance(value, str):
        return resolved(value, Path.cwd())
    if path[-1] == "input" and isinstance(value, dict) and isinstance(value.get("path"), str):
        return {**value, "path": resolved(value["path"], Path.cwd())}
    return value


def resolved(path: str, folder: Path) -> str:
    """A local path seen from a folder, made absolute; others as they are."""
    if not path.strip() or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) or path.startswith("/"):
        return path
    return os.path.normpath(folder.absolute() / path)
