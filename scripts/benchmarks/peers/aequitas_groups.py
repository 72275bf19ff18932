"""Aequitas: crosstabs of single attributes at score thresholds."""

from __future__ import annotations

from typing import Any, cast

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.frames import answers_of, frame_of


def prepare(work: Work) -> Job:
    """On a frame in memory."""
    from aequitas.group import Group

    attributes, cutoffs = list(work.attributes), work.values.tolist()
    data = frame_of(work.path).rename(columns={"label": "label_value"})

    def run() -> object:
        return Group().get_crosstabs(data, score_thresholds={"score_val": cutoffs}, attr_cols=attributes)[0]

    def counts(result: object) -> dict[str, dict[tuple[str, float], list[int]]]:
        found: dict[str, dict[tuple[str, float], list[int]]] = {name: {} for name in attributes}
        for row in cast("Any", result).itertuples():
            cutoff = float(row.score_threshold.removesuffix("_val"))
            found[row.attribute_name][row.attribute_value, cutoff] = [row.tp, row.fp, row.fn, row.tn]
        return found

    return Job(run, lambda result: answers_of(counts(result), work.values))
