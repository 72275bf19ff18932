"""`scripts/bench [FIGURE...]`: measure the figures, print the table, write the page."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.benchmarks import data, reporting
from scripts.benchmarks.comparing import Outcome, Request, compare
from scripts.benchmarks.contestants import CONTESTANTS
from scripts.benchmarks.figures import FIGURES
from scripts.benchmarks.forms import REPOSITORY

_FOLDER = "/tmp/fairsweep-bench"
QUICK_ROUNDS, ROUNDS = 3, 5
QUICK_PATIENCE, PATIENCE = 120.0, 900.0
DIFFERENT = 1


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="only these: " + ", ".join(FIGURES))
    parser.add_argument("--quick", action="store_true", help="10 M rows instead of 50 M, 20 M instead of 200 M")
    parser.add_argument("--rows", type=int, help="as many rows wherever the size is free")
    parser.add_argument("--rounds", type=int, help=f"default {QUICK_ROUNDS} with --quick, else {ROUNDS}")
    parser.add_argument("--seed", type=int, default=0, help="other data of the same size")
    folder = Path(os.environ.get("FAIRSWEEP_BENCH", _FOLDER))
    parser.add_argument("--folder", type=Path, default=folder, help=f"where data are kept; now {folder}")
    parser.add_argument("--output", type=Path, help="where the page goes; docs/ when every figure is measured")
    parser.add_argument("--data", action="store_true", help="only make the file of --rows rows, and print its path")
    parser.add_argument("--wide", action="store_true", help="with --data: twenty attributes, one of 100,000 providers")
    given = parser.parse_args(argv)
    # The first word of several figures' names selects all of them.
    named = {
        name: [name]
        if name in FIGURES
        else [n for n, f in FIGURES.items() if n.startswith(f"{name}-") and not (given.quick and f.full_only)]
        for name in given.figures
    }
    unknown = [name for name, figures in named.items() if not figures]
    if unknown:
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    given.figures = [figure for figures in named.values() for figure in figures]
    if given.data != (given.data and given.rows is not None) or (given.wide and not given.data):
        parser.error("--data needs --rows, and --wide needs --data")
    for name in ("rows", "rounds"):
        value = getattr(given, name)
        if value is not None and value < 1:
            parser.error(f"--{name} {value}: at least 1")
    return given


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; 1 when an answer differs or a contestant breaks."""
    given = _arguments(argv)
    if given.data:
        print(data.ensure(given.folder, given.rows, given.seed, wide=given.wide, say=_say))
        return 0
    _prepare_environment()
    request = Request(
        folder=given.folder,
        quick=given.quick,
        rows=given.rows,
        seed=given.seed,
        rounds=given.rounds or (QUICK_ROUNDS if given.quick else ROUNDS),
        patience=QUICK_PATIENCE if given.quick else PATIENCE,
    )
    outcomes = []
    every = [name for name, figure in FIGURES.items() if not (given.quick and figure.full_only)]
    for name in given.figures or every:
        _say(f"{name}: {FIGURES[name].says}")
        outcome = compare(name, FIGURES[name], request, _say)
        _say(f"{name}: {reporting.verdict(outcome)}")
        outcomes.append(outcome)
    output = given.output or (None if given.figures else REPOSITORY / "docs")
    return _report(outcomes, request, output)


def _prepare_environment() -> None:
    """Sessions of our own, on this Python, with the JIT that rows by the million want."""
    os.environ.pop("PYSPARK_SUBMIT_ARGS", None)
    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")


def _report(outcomes: Sequence[Outcome], request: Request, output: Path | None) -> int:
    names = {side.contestant for outcome in outcomes for side in outcome.figure.sides}
    page = reporting.page(outcomes, request, [CONTESTANTS[name] for name in CONTESTANTS if name in names])
    print(page)
    if output is not None:
        reporting.write(page, outcomes, output)
        _say(f"written: {output / reporting.PAGE}")
    wrong = [outcome for outcome in outcomes if outcome.wrong is not None]
    for outcome in wrong:
        _say(f"{outcome.name}: {outcome.wrong}")
    return DIFFERENT if wrong else 0


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # On a signal, it ends its children and its cluster too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
