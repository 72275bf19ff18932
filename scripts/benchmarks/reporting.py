"""The page: every figure with its target, every measurement, versions, and a chart."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from scripts.benchmarks.charting import draw
from scripts.benchmarks.comparing import Outcome, Request, Sample
from scripts.benchmarks.contestants import CONTESTANTS, Contestant

PAGE, CHART = "benchmarks.md", "benchmarks"
_PACKAGES = ("fairsweep", "numpy", "pandas", "pyarrow")


def verdict(outcome: Outcome) -> str:
    """One figure in a line."""
    if outcome.not_built is not None:
        return f"not built: {outcome.not_built}"
    if outcome.wrong is not None:
        return f"failed: {outcome.wrong.splitlines()[-1]}"
    return f"{_ratio(outcome)} (to reach: {_target(outcome)}; {_reached(outcome)})"


def page(outcomes: Sequence[Outcome], request: Request, contestants: Sequence[Contestant]) -> str:
    """The whole page as Markdown."""
    how = (
        f"Written by `scripts/bench{' --quick' if request.quick else ''}` (seed {request.seed}) on {_machine()}. "
        "Both sides of a figure count the same file in the same run, in turns; each side's first call checks that "
        "both give the same confusion counts and warms it up, and is not timed. Seconds are wall time, "
        "peak memory is what a side's processes had resident since they started."
    )
    parts = [
        "# Benchmarks",
        how,
        f"![Median seconds of both sides of each figure]({CHART}.svg)",
        "## Figures",
        *_table(("figure", "what", "ratio", "to reach", "reached"), map(_figure_row, outcomes)),
        "## Measurements",
        *_table(
            (
                "figure", "side", "rows", "groups", "cutoffs", "rounds", "min s", "median s", "max s", "peak MB",
                "shuffled MB",
            ),
            (_sample_row(outcome, sample) for outcome in outcomes for sample in outcome.samples),
        ),
        "## Sides",
        *_table(
            ("side", "versions", "how"),
            ((c.title, _versions(c.packages), c.notes or "") for c in contestants),
        ),
        f"Beside them: Python {platform.python_version()}, {_versions(_PACKAGES)}.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def write(text: str, outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write the page and its chart."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(text, encoding="utf-8")
    draw(outcomes, [folder / f"{CHART}.{kind}" for kind in ("svg", "png")])


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)]


def _figure_row(outcome: Outcome) -> Sequence[str]:
    return (f"`{outcome.name}`", outcome.figure.says, _ratio(outcome), _target(outcome), _reached(outcome))


def _ratio(outcome: Outcome) -> str:
    ratio = outcome.ratio
    if ratio is not None and outcome.figure.measure == "microseconds a row more":
        return f"{ratio:.2f} µs"
    return "" if ratio is None else f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"


def _target(outcome: Outcome) -> str:
    figure = outcome.figure
    if figure.target is None:
        return "-"
    bound = f"{'at least' if figure.at_least else 'at most'} {figure.target:g}"
    if figure.measure == "microseconds a row more":
        return f"{bound} µs"
    if figure.limit is None:
        return bound
    limits = {"seconds": f"{figure.limit:g} s", "seconds a group": f"{figure.limit * 1e6:g} µs a group"}
    limit = limits.get(figure.measure, f"{figure.limit / 1e9:g} GB")
    return f"{bound}, and under {limit}"


def _reached(outcome: Outcome) -> str:
    if outcome.not_built is not None:
        return f"not built: {outcome.not_built}"
    if outcome.wrong is not None:
        return "**failed**"
    return {True: "yes", False: "no", None: "-"}[outcome.reached]


def _sample_row(outcome: Outcome, sample: Sample) -> Sequence[str]:
    seconds = sample.measured.seconds
    title = CONTESTANTS[sample.side.contestant].title
    return (
        f"`{outcome.name}`",
        title if not sample.side.workers else f"{title}, {sample.side.workers} x 1 core",
        f"{sample.rows:,}",
        "" if sample.cells is None else f"{sample.cells:,}",
        "" if sample.cells is None else f"{sample.side.steps:,}",
        str(len(seconds)),
        *(f"{statistic(seconds):.3g}" for statistic in (min, median, max)),
        f"{sample.measured.peak / 1e6:,.0f}",
        f"{median(sample.measured.shuffled) / 1e6:,.1f}" if sample.measured.shuffled else "",
    )


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} cores, {gibibytes:.0f} GiB of memory, {platform.system()} {platform.machine()}"


def _versions(packages: Iterable[str]) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
