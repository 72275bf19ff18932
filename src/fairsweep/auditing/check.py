"""Check a config and the columns of its input; no row is read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fairsweep.auditing.column_checks import check_columns, window_of
from fairsweep.auditing.loading import load
from fairsweep.auditing.spec import AuditSpec
from fairsweep.engines.protocol import Inspection
from fairsweep.errors import FairsweepError, UsageError
from fairsweep.input.files import peek
from fairsweep.input.intake import Window
from fairsweep.input.source_columns import SourceColumn


@dataclass(frozen=True)
class CheckSummary:
    """The summary of a valid config.

    Attributes:
        spec: the config.
        window: the requested days.
        input_name: the path or table of the input.
        columns: the columns of the input; None if only Spark can read them.
        notes: texts that say what could not be checked.
        next_command: the command to try next.
    """

    spec: AuditSpec
    window: Window
    input_name: str
    columns: tuple[SourceColumn, ...] | None
    notes: tuple[str, ...]
    next_command: str


def check(
    config: str | Path,
    overrides: Sequence[str] = (),
    window_start: str | None = None,
    window_end: str | None = None,
) -> CheckSummary:
    """Check a config, the window, and the columns of an input that this process can read.

    Args:
        config: the config file.
        overrides: `--set` texts, `key=value`.
        window_start: first day, as in 2026-01-31.
        window_end: the day after the last.

    Raises:
        UsageError: with every problem.
        DataRefusedError: if the input is empty.
    """
    spec = load(config, overrides)
    source = spec.source
    input_name = source.path or source.table or ""
    problems: list[FairsweepError] = []
    window, columns = Window(), None
    try:
        window = window_of(spec, window_start, window_end)
    except UsageError as error:
        problems.append(error)
    try:
        columns = peek(source)
        if columns is not None:
            check_columns(spec, Inspection(columns, input_name, None), str(config))
    except FairsweepError as error:
        problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise UsageError([problem for error in problems for problem in error.problems])
    notes = () if columns is not None else (f"The columns of {input_name} are checked when Spark opens it.",)
    return CheckSummary(spec, window, input_name, columns, notes, _next(config, overrides, window_start, window_end))


def _next(config: str | Path, overrides: Sequence[str], start: str | None, end: str | None) -> str:
    """The audit of just what was checked, as it is typed in a shell."""
    words = ["fairsweep", "audit", "--config", str(config)]
    for override in overrides:
        words += ["--set", override]
    for flag, day in (("--window-start", start), ("--window-end", end)):
        words += [flag, day] if day is not None else []
    return shlex.join(words)
