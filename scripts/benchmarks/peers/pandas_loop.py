"""pandas: for each attribute and cutoff, one group-by over group, label and flag."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.frames import answers_of, frame_of

if TYPE_CHECKING:
    import pandas as pd

Result = dict[str, dict[float, "pd.Series[int]"]]
_PLACES = {(1, True): 0, (0, True): 1, (1, False): 2, (0, False): 3}


def prepare(work: Work) -> Job:
    """On a frame in memory."""
    data = frame_of(work.path)

    def run() -> Result:
        found: Result = {}
        for attribute in work.attributes:
            found[attribute] = {}
            for cutoff in work.values.tolist():
                keys = [data[attribute], data["label"], (data["score"] >= cutoff).rename("flagged")]
                found[attribute][cutoff] = data.groupby(keys).size()
        return found

    return Job(run, lambda result: answers_of(_counts(cast("Result", result)), work.values))


def _counts(result: Result) -> dict[str, dict[tuple[str, float], list[int]]]:
    found: dict[str, dict[tuple[str, float], list[int]]] = {}
    for attribute, by_cutoff in result.items():
        mine = found.setdefault(attribute, {})
        for cutoff, sizes in by_cutoff.items():
            for key, n in sizes.items():
                group, label, flagged = cast("tuple[str, int, bool]", key)
                mine.setdefault((group, cutoff), [0, 0, 0, 0])[_PLACES[label, bool(flagged)]] = int(n)
    return found
