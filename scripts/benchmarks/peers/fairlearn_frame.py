"""Fairlearn: one MetricFrame of four metrics for each attribute, at one cutoff after the other."""

from __future__ import annotations

from typing import Any, cast

from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.frames import answers_of, frame_of

Result = dict[tuple[str, float], Any]


def prepare(work: Work) -> Job:
    """On a frame in memory."""
    from fairlearn.metrics import MetricFrame, count, false_positive_rate, selection_rate, true_positive_rate

    data = frame_of(work.path)
    metrics = {
        "n": count,
        "selection_rate": selection_rate,
        "true_positive_rate": true_positive_rate,
        "false_positive_rate": false_positive_rate,
    }

    def run() -> Result:
        found = {}
        for cutoff in work.values.tolist():
            flagged = (data["score"] >= cutoff).astype(int)
            for attribute in work.attributes:
                found[attribute, cutoff] = MetricFrame(
                    metrics=metrics, y_true=data["label"], y_pred=flagged, sensitive_features=data[attribute]
                ).by_group
        return found

    return Job(run, lambda result: answers_of(_counts(cast("Result", result)), work.values))


def _counts(result: Result) -> dict[str, dict[tuple[str, float], tuple[int, ...]]]:
    found: dict[str, dict[tuple[str, float], tuple[int, ...]]] = {}
    for (attribute, cutoff), by_group in result.items():
        for group, row in by_group.iterrows():
            found.setdefault(attribute, {})[str(group), cutoff] = _confusion(row)
    return found


def _confusion(row: Any) -> tuple[int, ...]:  # noqa: ANN401  (a row of a pandas frame)
    """Counts back from rates: flagged = events x TPR + non-events x FPR gives the events."""
    n, tpr, fpr = round(row["n"]), float(row["true_positive_rate"]), float(row["false_positive_rate"])
    events = round(n * (float(row["selection_rate"]) - fpr) / (tpr - fpr))
    tp, fp = round(tpr * events), round(fpr * (n - events))
    return tp, fp, events - tp, n - events - fp
