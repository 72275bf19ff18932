"""The chart of the page: both sides of each figure, on one axis of seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from scripts.benchmarks.comparing import Outcome
from scripts.benchmarks.contestants import CONTESTANTS

# Colours that people with red-green colour blindness can distinguish.
_OURS, _THEIRS = "#0072b2", "#e69f00"


def draw(outcomes: Sequence[Outcome], paths: Sequence[Path]) -> None:
    """One pair of bars for each figure in seconds; as many formats as there are paths."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "fairsweep"
    from matplotlib import pyplot as plt

    shown = [o for o in outcomes if o.samples and o.figure.measure == "seconds"]
    figure, axis = plt.subplots(figsize=(10, 1.2 + 0.62 * max(len(shown), 1)), layout="constrained")
    for place, outcome in enumerate(shown):
        for sample, offset in zip(outcome.samples, (-0.2, 0.2), strict=True):
            contestant, seconds = CONTESTANTS[sample.side.contestant], sample.measured.seconds
            middle = median(seconds)
            ours = contestant.title.strip("`").casefold().startswith("fairsweep")
            axis.barh(
                place + offset, middle, height=0.36, color=_OURS if ours else _THEIRS,
                xerr=[[middle - min(seconds)], [max(seconds) - middle]], error_kw={"elinewidth": 0.8},
            )  # fmt: skip
            axis.annotate(
                f" {contestant.title.replace('`', '')}, {sample.rows / 1e6:g} M rows: {middle:.3g} s",
                (max(seconds), place + offset), fontsize=7, va="center",
            )  # fmt: skip
    axis.set_yticks(range(len(shown)), [outcome.name for outcome in shown], fontsize=8)
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xlabel("seconds, median with least and most (logarithmic); shorter is faster")
    # Room for the words behind the longest bar.
    low, high = axis.get_xlim()
    axis.set_xlim(low, high * 30)
    axis.spines[["top", "right"]].set_visible(False)
    for path in paths:
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
