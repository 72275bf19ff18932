"""Group benefit equality by cutoff, drawn with matplotlib (the extra `plot`)."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from fairsweep.errors import Problem, UsageError, did_you_mean, install_step

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_SHOWN_AT_MOST = 12


def plot(sweep: pd.DataFrame, attribute: str, ax: Axes | None = None, floor: float = 0.8) -> Axes:
    """Draw group benefit equality of an attribute's groups at every cutoff, each with its 95 % interval.

    Args:
        sweep: rows of `threshold_sweep` of one run.
        attribute: the attribute, or the intersection joined by ` x `.
        ax: where to draw; a new figure by default.
        floor: the lower mark; the other is at 1, where a group has as many flags as events.

    Raises:
        UsageError: when matplotlib is missing, the attribute is not in the sweep, or several runs are.
    """
    plt = _pyplot()
    known = [str(name) for name in sweep["attribute"].unique()]
    if attribute not in known:
        raise UsageError(Problem("attribute", attribute, ", ".join(known), did_you_mean(attribute, known)))
    if "run_id" in sweep and sweep["run_id"].nunique() > 1:
        raise UsageError(Problem("sweep", "several runs", "the rows of one run", "choose one `run_id`"))
    axes: Axes = ax if ax is not None else plt.subplots(figsize=(8, 5), layout="constrained")[1]
    own = sweep[(sweep["attribute"] == attribute) & sweep["group_benefit_equality"].notna()]
    sizes = own.groupby("group_value", sort=True)["n"].max().sort_values(ascending=False, kind="stable")
    for group in sizes.index[:_SHOWN_AT_MOST]:
        rows = own[own["group_value"] == group].sort_values("cutoff")
        (line,) = axes.plot(rows["cutoff"], rows["group_benefit_equality"], label=f"{group} (n {sizes[group]:,})")
        axes.fill_between(
            rows["cutoff"],
            rows["gbe_ci_low"],
            rows["gbe_ci_high"],
            color=line.get_color(),
            alpha=0.15,
            linewidth=0,
        )
    _dress(axes, attribute, floor, hidden=len(sizes) - _SHOWN_AT_MOST)
    return axes


def _dress(axes: Axes, attribute: str, floor: float, hidden: int) -> None:
    """Marks, labels and limits; far from 1 the lines say little, and near 0 flags they run away."""
    for mark, style in ((floor, "--"), (1.0, "-")):
        axes.axhline(mark, color="0.4", linewidth=1, linestyle=style)
        axes.annotate(
            f"{mark:g}",
            (1, mark),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
        )
    axes.set_ylim(0, 3)
    axes.set_xlabel("cutoff (flagged where the score is at least this)")
    axes.set_ylabel("flags per event (group benefit equality)")
    title = f"{attribute}: exploration over cutoffs, no verdict"
    axes.set_title(title if hidden <= 0 else f"{title}; the {_SHOWN_AT_MOST} largest groups")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False)
    else:
        axes.annotate("suppressed because there are too few people", (0.5, 0.5), xycoords="axes fraction", ha="center")


def _pyplot() -> ModuleType:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise UsageError(Problem("plot", "matplotlib is not installed", "", install_step("plot"))) from error
    return plt
