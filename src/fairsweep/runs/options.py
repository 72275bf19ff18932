"""The options of a run: where to count, where to publish, and what to override."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def _quiet(_: str) -> None:
    """Progress that is not shown."""


@dataclass(frozen=True)
class RunOptions:
    """Where to run and where to publish; what to audit is the config's."""

    engine: str = "auto"
    warehouse: str | None = None
    catalog: str | None = None
    schema: str | None = None
    master: str | None = None
    remote: str | None = None
    window_start: date | None = None
    window_end: date | None = None
    overrides: tuple[str, ...] = ()
    force: bool = False
    progress: Callable[[str], None] = _quiet
