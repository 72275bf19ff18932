"""Fairsweep measures whether a risk model gives every group of people the help it needs.

>>> import fairsweep as fs
>>> sorted(fs.__all__)[0]
'AuditResult'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairsweep.api import AuditResult, audit
    from fairsweep.core.counts import ConfusionCounts
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.core.histogram import ScoreHistogram
    from fairsweep.core.metrics import METRICS, Metric
    from fairsweep.errors import DataRefusedError, FairsweepError, Problem, StorageError, UsageError

# Loaded on first use: `fairsweep --help` needs neither numpy nor pandas.
_HOMES = {
    "AuditResult": "fairsweep.api",
    "audit": "fairsweep.api",
    "ConfusionCounts": "fairsweep.core.counts",
    "CutoffGrid": "fairsweep.core.cutoffs",
    "ScoreHistogram": "fairsweep.core.histogram",
    "METRICS": "fairsweep.core.metrics",
    "Metric": "fairsweep.core.metrics",
    "DataRefusedError": "fairsweep.errors",
    "FairsweepError": "fairsweep.errors",
    "Problem": "fairsweep.errors",
    "StorageError": "fairsweep.errors",
    "UsageError": "fairsweep.errors",
}

__all__ = [
    "METRICS",
    "AuditResult",
    "ConfusionCounts",
    "CutoffGrid",
    "DataRefusedError",
    "FairsweepError",
    "Metric",
    "Problem",
    "ScoreHistogram",
    "StorageError",
    "UsageError",
    "audit",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fairsweep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
