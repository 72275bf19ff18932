"""The audit of one or several models; other capabilities use only the names listed here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairsweep.auditing.column_checks import check_columns
    from fairsweep.auditing.command import add_run_flags, show_audit
    from fairsweep.auditing.loading import parse
    from fairsweep.auditing.verb import AuditOutcome, audit_config

# Loaded on first use: `fairsweep --help` needs neither numpy nor pandas.
_HOMES = {
    "AuditOutcome": "verb",
    "add_run_flags": "command",
    "audit_config": "verb",
    "check_columns": "column_checks",
    "parse": "loading",
    "show_audit": "command",
}

__all__ = ["AuditOutcome", "add_run_flags", "audit_config", "check_columns", "parse", "show_audit"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
