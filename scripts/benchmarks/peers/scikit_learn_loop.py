"""scikit-learn: one confusion matrix for each group and cutoff."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.frames import answers_of, frame_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def prepare(work: Work) -> Job:
    """On a frame in memory."""
    from sklearn.metrics import confusion_matrix

    data = frame_of(work.path)

    def run() -> object:
        found: dict[str, dict[tuple[str, float], Sequence[int]]] = {}
        for attribute in work.attributes:
            mine = found.setdefault(attribute, {})
            for group, rows in data.groupby(attribute):
                label, score = rows["label"].to_numpy(), rows["score"].to_numpy()
                for cutoff in work.values.tolist():
                    tn, fp, fn, tp = confusion_matrix(label, score >= cutoff, labels=[0, 1]).ravel()
                    mine[str(group), cutoff] = (tp, fp, fn, tn)
        return found

    def counts(result: object) -> Mapping[str, Mapping[tuple[str, float], Sequence[int]]]:
        return cast("Mapping[str, Mapping[tuple[str, float], Sequence[int]]]", result)

    return Job(run, lambda result: answers_of(counts(result), work.values))
