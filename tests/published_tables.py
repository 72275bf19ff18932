"""What an adversary reads of an audit's result tables, and the counts that were to be hidden from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tests.attacker import Attribute, Publication, RoundedValue, Target

if TYPE_CHECKING:
    import pandas as pd

    from fairsweep.api import AuditResult

FIGURES = ("tp", "fn", "fp", "tn")


def publication(told: AuditResult, constituents: Mapping[str, tuple[str, ...]], whole: AuditResult) -> Publication:
    """Everything that `threshold_sweep` and `group_metrics` tell of counts, to somebody who knows all groups by name.

    Args:
        told: the audit, one model.
        constituents: by attribute, the single attributes that make it up; of everybody none.
        whole: the same audit without disclosure control, which names groups that are too small to name.
    """
    (model,) = told._models
    size = len(model.assessment.grid)
    # Of an intersection that shows nothing not even the number of groups is published.
    listed = {name: parts for name, parts in constituents.items() if _groups(told.sweep, name)}
    names = {name: _groups(whole.sweep, name) for name in listed}
    found = {name: _attribute(told.sweep, name, parts, names[name], size) for name, parts in listed.items()}
    return Publication(found, tuple(_rounded(told, found, names)))


def _groups(sweep: pd.DataFrame, name: str) -> list[str]:
    return sorted(sweep.loc[sweep["attribute"] == name, "group_value"].unique())


def _attribute(sweep: pd.DataFrame, name: str, parts: tuple[str, ...], names: Sequence[str], size: int) -> Attribute:
    rows = sweep[(sweep["attribute"] == name) & sweep["tp"].notna()]
    group = rows["group_value"].map({value: i for i, value in enumerate(names)}).to_numpy()
    at = (group, rows["cutoff_index"].to_numpy())
    shown = np.zeros((len(names), size), dtype=bool)
    shown[at] = True
    counts = np.zeros((4, len(names), size), dtype=np.int64)
    for place, figure in enumerate(FIGURES):
        counts[place][at] = rows[figure]
    cells = tuple(tuple(value.split(" x ")) if len(parts) > 1 else (value,) * len(parts) for value in names)
    return Attribute(parts, cells, shown, counts[[0, 2]], counts[[1, 3]])


def _rounded(
    told: AuditResult, found: Mapping[str, Attribute], names: Mapping[str, Sequence[str]]
) -> Iterator[RoundedValue]:
    judged = told.metrics.query("metric == 'group_benefit_equality'").merge(told.operating_points, on="operating_point")
    columns = ["attribute", "group_value", "cutoff_index", "value", "rounded_to"]
    for attribute, value, cutoff, told_value, step in (
        judged.loc[judged["rounded_to"].notna(), columns].to_numpy().tolist()
    ):
        assert attribute in found
        group = names[attribute].index(value)
        yield RoundedValue(attribute, group, int(cutoff), told_value, step)


def hidden(whole: AuditResult, told: Publication, minimum: int) -> list[tuple[Target, int]]:
    """Every count of 1 to `minimum - 1` on one side of a cutoff, or between two, that anything is shown at.

    Args:
        whole: the same audit without disclosure control.
        told: what is published.
        minimum: the fewest members that may be shown.
    """
    anywhere = np.any([one.shown.any(axis=0) for one in told.attributes.values()], axis=0)
    anywhere[whole.operating_points["cutoff_index"].to_numpy()] = True
    size = len(anywhere)
    bounds = [0, *(np.flatnonzero(anywhere) + 1).tolist(), size + 1]
    pairs = sorted({(0, b) for b in bounds[1:]} | {(b, size + 1) for b in bounds[:-1]} | {*itertools.pairwise(bounds)})
    found = []
    for name, one in told.attributes.items():
        rows = whole.sweep[whole.sweep["attribute"] == name].sort_values(["group_value", "cutoff_index"])
        for label, figures in enumerate((("tp", "fn"), ("fp", "tn"))):
            above, beneath = (rows[figure].to_numpy().reshape(len(one.groups), size) for figure in figures)
            total = above[:, :1] + beneath[:, :1]
            below = np.hstack([np.zeros_like(total), beneath, total])
            for low, high in pairs:
                truth = below[:, high] - below[:, low]
                found += [
                    (Target(name, int(g), label, low, high), int(truth[g]))
                    for g in np.flatnonzero((truth > 0) & (truth < minimum))
                ]
    return found
