"""Small made-up runs whose tables satisfy every schema and check: for tests of storing, not of auditing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.metrics import DEFINED, GBE, METRIC, METRICS
from fairsweep.stores import publishing
from fairsweep.stores.protocol import Primitives, Run
from fairsweep.tables.catalogue import RUNS, TABLES
from fairsweep.tables.schema import SCHEMA_VERSION

GROUPS = (
    ("overall", "all"),
    ("race", 'O\'Brien "x" ${HOME}'),
    ("race", "`ünknown` \\ x"),
    ("sex", "female"),
    ("sex", "male"),
)
CUTOFFS = (0.25, 0.5, 0.75)
POINT = "deployed"
Rows = list[dict[str, Any]]


def made_up_run(
    rows: str = "A",
    *,
    verb: str = "audit",
    model: str = "falls",
    window: tuple[date, date] = (date(1970, 1, 1), date(9999, 12, 31)),
    status: str = "succeeded",
    batch: str = "b" * 16,
    finished: int = 0,
) -> Run:
    """A run on some input, which `rows` stands for: other rows give other counts and another run id."""
    seed = hashlib.sha256(f"{verb}|{model}|{window}|{rows}".encode())
    keys = {
        "run_id": seed.hexdigest()[:32],
        "model_id": model,
        "model_version": "1.10",
        "window_start": window[0],
        "window_end": window[1],
    }
    counts = np.random.default_rng(int.from_bytes(seed.digest()[:8], "big")).integers(1, 500, (4, len(GROUPS), 3))
    counts[0, 2], counts[2, 2] = 0, 0  # a group without events
    started = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC) + timedelta(minutes=finished)
    record = keys | {
        "batch_id": batch,
        "verb": verb,
        "status": status,
        "config_fingerprint": "c" * 16,
        "config_json": '{"name": "O\'Brien ${HOME}"}',
        "fairsweep_version": "0.0.0",
        "schema_version": SCHEMA_VERSION,
        "semantics_version": 1,
        "rows_input": 100,
        "rows_used": 90,
        "rows_unscored": 8,
        "rows_refused": 2,
        "started_at": started,
        "finished_at": started + timedelta(seconds=1),
        "minimum_cell_size": 0,
        "error": None if status == "succeeded" else "too many rows were refused",
    }
    return Run(record, _RESULTS[verb](keys, counts) if status == "succeeded" else {})


def _cohort(keys: dict[str, Any], counts: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, pa.Table]:
    members: Rows = [
        {
            "member_id": f"m{i}", "scored_on": date(2024, 1, 1), "score": n / 500, "outcome": "falls", "label": i % 2,
            "label_date": date(2024, 1, 2) if i % 2 else None, "label_claim_id": "c" if i % 2 else None, "age": 70,
            "mature": True, "attributes": ["race", "sex"], "group_values": [GROUPS[1][1], None],
        }
        for i, n in enumerate(int(n) for n in counts[0, 0])
    ]  # fmt: skip
    step = {"input": "predictions", "step": 1, "reason": "in_cohort", "attribute": "overall", "group_value": "all"}
    flow: Rows = [step | {"rows_in": len(members), "rows_out": 0, "events": 1}]
    rows = {"cohort": members, "cohort_flow": flow}
    return {name: TABLES[name].rows([keys | row for row in table]) for name, table in rows.items()}


def _results(keys: dict[str, Any], counts: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, pa.Table]:
    sweep, metrics, disparities = _sweep(counts), _metrics(counts), _disparities(counts)
    cells: Rows = [
        {
            "grouping_set": "race x sex",
            "cell_id": i,
            "attributes": ["race", "sex"],
            "group_values": [value, "male"],
        }
        for i, (_, value) in enumerate(GROUPS)
    ]
    histograms: Rows = [
        {
            "grouping_set": "race x sex", "cell_id": i, "bucket": bucket, "grid_id": "9" * 16,
            "events": int(counts[0, i, 0]), "non_events": int(counts[1, i, 0]),
        }
        for i in range(len(GROUPS))
        for bucket in range(-1, 4)
    ]  # fmt: skip
    points: Rows = [
        {
            "operating_point": POINT, "rule": "fixed", "target": 0.5, "cutoff_index": 1, "cutoff": 0.5,
            "achieved": 0.5, "cutoff_below": 0.25, "cutoff_above": 0.75, "cutoff_origin": "prespecified",
            "population_gbe": 1.0, "status": "defined",
        }
    ]  # fmt: skip
    figures = {"n": 90, "events": 9, "auc": 0.7, "auc_ci_low": 0.6, "auc_ci_high": 0.8, "average_precision": 0.3}
    people: Rows = [{"attribute": attribute, "group_value": value} for attribute, value in GROUPS]
    found = {"place": 1, "attributes": ["race", "sex"], "group_values": [GROUPS[1][1], "male"], "p_adjusted": 0.01}
    rows = {
        "ranking": [one | figures | {"status": "defined"} for one in people],
        "reliability": [one | {"bin": 0, "n": 90, "events": 9, "event_rate": 0.1, "ci_low": 0.05} for one in people],
        "subgroups": [found | {"operating_point": POINT, "searched": 5, "group_benefit_equality": 0.5}],
        "refused_counts": [
            {"attribute": "sex", "group_value": "male", "reason": "score_nan", "label": "event", "n": 2}
        ],
        "score_histograms": histograms,
        "cells": cells,
        "threshold_sweep": sweep,
        "group_metrics": metrics,
        "disparities": disparities,
        "operating_points": points,
    }
    return {name: TABLES[name].rows([keys | row for row in table]) for name, table in rows.items()}


def _confusion(counts: np.ndarray[Any, np.dtype[np.int64]], group: int, cutoff: int) -> ConfusionCounts:
    return ConfusionCounts.of(*counts[:, group, cutoff])


def _sweep(counts: np.ndarray[Any, np.dtype[np.int64]]) -> Rows:
    rows: Rows = []
    for group, (attribute, value) in enumerate(GROUPS):
        for index, cutoff in enumerate(CUTOFFS):
            tp, fp, fn, tn = (int(count) for count in counts[:, group, index])
            row: dict[str, Any] = {
                "attribute": attribute, "group_value": value, "cutoff_index": index, "cutoff": cutoff,
                "n": tp + fp + fn + tn, "tp": tp, "fp": fp, "fn": fn, "tn": tn, "unscored_events": 0,
                "unscored_non_events": 0, "status": "defined", "operating_points": [POINT][: index % 2],
            }  # fmt: skip
            for metric in METRICS:
                figure, status = metric.evaluate(_confusion(counts, group, index))
                row[metric.name] = float(figure) if status == DEFINED else None
            rows.append(row)
    return rows


def _metrics(counts: np.ndarray[Any, np.dtype[np.int64]]) -> Rows:
    rows: Rows = []
    for group, (attribute, value) in enumerate(GROUPS):
        confusion = _confusion(counts, group, 1)
        for metric in METRICS:
            figure, status = metric.evaluate(confusion)
            row = {
                "operating_point": POINT, "attribute": attribute, "group_value": value, "metric": metric.name,
                "numerator": int(metric.numerator.of(confusion)), "status": str(status),
                "denominator": int(metric.denominator.of(confusion)),
                "value": float(figure) if status == DEFINED else None,
            }  # fmt: skip
            if metric is GBE:
                row["verdict"] = _verdict(row["value"])
            rows.append(row)
    return rows


def _verdict(value: Any) -> str:
    if value is None:
        return "not_assessed"
    return "breach" if value < 0.8 else "above_floor"


def _disparities(counts: np.ndarray[Any, np.dtype[np.int64]]) -> Rows:
    rows: Rows = []
    for name in ("selection_rate", "true_positive_rate", "false_positive_rate", "treatment_equality"):
        ours, theirs = (float(METRIC[name].evaluate(_confusion(counts, group, 1))[0]) for group in (4, 3))
        rows.append(
            {
                "operating_point": POINT, "attribute": "sex", "group_value": "male", "metric": name,
                "comparator": "reference", "compared_group": "female", "ratio": ours / theirs,
                "difference": ours - theirs, "status": "defined",
            }
        )  # fmt: skip
    return rows


def commit_at_once(store: Primitives, runs: Sequence[Run]) -> list[bool]:
    """Commit each run as the current one of its window, all at the same time; whether each commit was made."""

    def commit(run: Run) -> bool:
        changes = publishing.changes([{**run.record, "is_current": True, "checksums": "{}"}])
        return publishing._persistently(RUNS, lambda: store.commit(changes), settled=lambda: False)

    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(commit, runs))


_RESULTS = {"audit": _results, "cohort": _cohort}
