"""Suppression of finished rows: what may not be shown is NULL, and the status says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fairsweep.core.inference import verdicts
from fairsweep.core.metrics import DEFINED, GBE_INCLUDING_UNSCORED, SUPPRESSED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.auditing.suppression import Kept
    from fairsweep.tables.tabulating import Columns

_KEPT = {
    "attribute", "group_value", "cutoff_index", "cutoff", "operating_points", "operating_point", "metric", "comparator",
    "compared_group",
}  # fmt: skip
"""What says whom and what a row speaks of."""
# Values of subgroups are rounded to this where small cells are suppressed.
SUBGROUPS_ROUNDED_TO = 0.05


def suppressed(columns: Columns, which: NDArray[np.bool_]) -> Columns:
    """The columns with nothing but keys, and the status `suppressed`, in some rows.

    Args:
        columns: rows of a result table.
        which: whether a row is suppressed, `[rows]`.
    """
    if not which.any():
        return columns
    found: Columns = {}
    for name, values in columns.items():
        if name in _KEPT or values is None:
            found[name] = values
            continue
        if name == "status" and isinstance(values, pa.Array):
            found[name] = pc.if_else(pa.array(which), SUPPRESSED, values.cast(pa.string())).dictionary_encode()
            continue
        column = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
        if column.dtype.kind in "ib":
            # Nothing else is done with whole numbers than to store them; as objects they would take ten times the room.
            found[name] = pa.array(column, mask=which)
            continue
        column = column.copy()
        column[which] = np.nan if column.dtype == np.float64 else SUPPRESSED if name == "status" else None
        found[name] = column
    return found


def without_unscored(columns: Columns, absent: NDArray[np.bool_]) -> Columns:
    """Rows of `threshold_sweep` without the people who have no score.

    Args:
        columns: the rows.
        absent: whether a row's group has no row at all, which is no secret; `[rows]`.
    """
    nothing = [0 if none else None for none in absent]
    counts = {"unscored_events": nothing, "unscored_non_events": nothing}
    return columns | counts | {GBE_INCLUDING_UNSCORED.name: np.full(len(absent), np.nan)}


def with_kept(columns: Columns, which: NDArray[np.bool_], kept: Kept, judged: verdicts.Verdicts | None) -> Columns:
    """Suppressed rows of group benefit equality with what stays of them: a rounded value, where safe the verdict.

    Args:
        columns: rows of `group_metrics`, of one operating point.
        which: the suppressed ones.
        kept: what stays.
        judged: the verdicts; None for rows without.
    """
    rounded = which & ~np.isnan(kept.step)
    status = np.array(columns["status"], dtype=object)
    status[rounded] = DEFINED
    exact = np.full(len(which), np.nan) if columns["value"] is None else columns["value"]
    found = columns | {
        "value": np.where(rounded, kept.value, exact),
        "status": status,
        "rounded_to": np.where(rounded, kept.step, np.nan),
    }
    if judged is None:
        return found
    stay = which & kept.verdict
    for name in ("verdict", "verdict_basis", "below_floor", "above_ceiling"):
        found[name] = np.array(columns[name], dtype=object)
        found[name][stay] = getattr(judged, name)[stay]
    found["verdict"][which & ~stay] = verdicts.NOT_ASSESSED
    return found


def points_suppressed(columns: Columns, which: NDArray[np.bool_]) -> Columns:
    """Rows of `operating_points` without what some say of everybody: a fixed cutoff is given, and not achieved."""
    given = np.array([rule == "fixed" for rule in columns["rule"]], dtype=bool)
    return columns | {
        "population_gbe": _without(columns["population_gbe"], which),
        "achieved": _without(columns["achieved"], which & ~given),
    }


def ranks_suppressed(columns: Columns, known: NDArray[np.bool_], sensitivities: Mapping[str, int]) -> Columns:
    """Rows of `ranking` without the groups that are shown at no cutoff, and without sensitivities at other cutoffs.

    Args:
        columns: the rows.
        known: at which cutoffs each row's group is shown, `[rows, cutoffs]`.
        sensitivities: by column, the index of its cutoff.
    """
    at = {name: np.where(known[:, k], columns[name], np.nan) for name, k in sensitivities.items()}
    return suppressed(columns | at, ~known.any(axis=1) & (columns["n"] > 0))


def subgroups_suppressed(columns: Columns) -> Columns:
    """Rows of `subgroups` without counts, with rounded values and the leading digit of p."""
    nothing = dict.fromkeys(
        ("n", "events", "flagged", "gbe_ci_low", "gbe_ci_high", "shortfall", "shortfall_low"),
    )
    step = SUBGROUPS_ROUNDED_TO
    values = {
        name: [round(value / step) * step for value in columns[name]]
        for name in ("group_benefit_equality", "judged_value")
    }
    # More digits would tell counts.
    p = [float(f"{p:.0e}") for p in columns["p_adjusted"]]
    return columns | nothing | values | {"p_adjusted": p, "rounded_to": [step] * len(p)}


def _without(values: list[float | None], which: NDArray[np.bool_]) -> list[float | None]:
    return [None if without else value for value, without in zip(values, which.tolist(), strict=True)]
