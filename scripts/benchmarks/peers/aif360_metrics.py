"""AIF360: one ClassificationMetric for each attribute of two groups and each cutoff."""

from __future__ import annotations

import logging
from typing import cast

import numpy as np

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.frames import answers_of, frame_of

_COUNTS = ("TP", "FP", "FN", "TN")
Result = dict[str, dict[tuple[str, float], list[int]]]


def prepare(work: Work) -> Job:
    """On a frame in memory, with groups as numbers, as AIF360 requires."""
    # It warns of optional parts that are not installed.
    logging.disable(logging.WARNING)
    import pandas as pd
    from aif360.datasets import BinaryLabelDataset
    from aif360.metrics import ClassificationMetric

    data = frame_of(work.path)
    levels = {name: sorted(data[name].unique()) for name in work.attributes}
    codes = {name: np.searchsorted(found, data[name]).astype(float) for name, found in levels.items()}
    numbers = pd.DataFrame({**codes, "label": data["label"].astype(float)})
    score = data["score"].to_numpy()

    def run() -> Result:
        actual = BinaryLabelDataset(
            df=numbers, label_names=["label"], protected_attribute_names=list(levels), favorable_label=1.0,
            unfavorable_label=0.0,
        )  # fmt: skip
        found: Result = {name: {} for name in levels}
        for cutoff in work.values.tolist():
            predicted = actual.copy()
            predicted.labels = (score >= cutoff).astype(float).reshape(-1, 1)
            for name, (first, second) in levels.items():
                metric = ClassificationMetric(
                    actual, predicted, privileged_groups=[{name: 0.0}], unprivileged_groups=[{name: 1.0}]
                )
                for group, privileged in ((first, True), (second, False)):
                    matrix = metric.binary_confusion_matrix(privileged=privileged)
                    found[name][group, cutoff] = [int(matrix[key]) for key in _COUNTS]
        return found

    return Job(run, lambda result: answers_of(cast("Result", result), work.values))
