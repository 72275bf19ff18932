"""Spec tables, on every engine: an input, a config, and what an audit of them must say."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from tests.reference import METRICS
from tests.spec import breaks, groups, labels, models, points, score_types, scores, text_files, windows
from tests.spec.engines import COUNTS, Outcome, Outcomes, Run, by_connect, by_local, by_reference, by_spark
from tests.spec.tables import Case, batches, table

CASES = [
    case
    for module in (scores, score_types, labels, groups, breaks, windows, text_files, points, models)
    for case in module.CASES
]  # fmt: skip
BATCHES = batches(CASES)
ENGINES = ["reference", "local", "spark", pytest.param("connect", marks=pytest.mark.slow)]
Said = Callable[[Case], Outcomes]


def _run(name: str, request: pytest.FixtureRequest) -> Run:
    if name == "reference":
        return by_reference
    if name == "local":
        return by_local
    if name == "spark":
        return by_spark(request.getfixturevalue("spark"))
    return by_connect(request.getfixturevalue("connect_server"))


@pytest.fixture(scope="session", params=ENGINES)
def said(request: pytest.FixtureRequest) -> Said:
    """What an engine says of a case's batch; every batch is run once."""
    distinct = list(dict.fromkeys(batch for batch, _ in BATCHES.values()))
    outcomes = dict(zip(distinct, _run(request.param, request)(distinct), strict=True))
    return lambda case: outcomes[BATCHES[case.name][0]]


def test_case_names_are_distinct() -> None:
    assert len(BATCHES) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_audit_says_what_the_table_says(case: Case, said: Said) -> None:
    outcomes, (_, model) = said(case), BATCHES[case.name]
    if case.refused == ("no rows",):
        assert outcomes == {}
        return
    outcome = outcomes[model]
    assert outcome.rows["input"] == sum(outcome.rows[name] for name in ("used", "unscored", "refused"))
    assert outcome.refused == case.refused
    assert outcome.warnings is None or not case.warned or any(case.warned in words for words in outcome.warnings)
    _check_counts(case, outcome)
    _check_tallies(case, outcome)
    for row in table(case.metrics) if case.metrics else []:
        name = row.pop("metric")
        for group, cell in row.items():
            place = ("overall", "all") if group == "overall" else ("race", group)
            assert cell == _shown(outcome.metrics["half", *place, name]), (group, name)
    for row in table(case.points) if case.points else []:
        cutoff = None if row["cutoff"] == "NULL" else float(row["cutoff"])
        assert outcome.points[row["point"]] == (cutoff, row["status"]), row


def _check_counts(case: Case, outcome: Outcome) -> None:
    rows = table(case.expected) if case.expected else []
    at = {cutoff: point for point, (cutoff, _) in outcome.points.items()}
    for row in rows:
        attribute, group, cutoff = row.pop("attribute"), row.pop("group"), float(row.pop("cutoff"))
        counts = dict(zip(COUNTS, outcome.counts[attribute, group, cutoff], strict=True))
        counts["n"] = sum(counts[name] for name in COUNTS[:4])
        for name, cell in row.items():
            if name in METRICS:
                assert cell == _shown(outcome.metrics[at[cutoff], attribute, group, name]), (attribute, group, name)
            else:
                assert counts[name] == int(cell), (attribute, group, cutoff, name)
    listed = {(row["attribute"], row["group"]) for row in (table(case.expected) if case.expected else [])}
    mentioned = {attribute for attribute, _ in listed}
    assert listed == {place[:2] for place in outcome.counts if place[0] in mentioned}


def _shown(ratio: tuple[Fraction | None, str]) -> str:
    return ratio[1] if ratio[0] is None else str(ratio[0])


def _check_tallies(case: Case, outcome: Outcome) -> None:
    expected = {
        (row["attribute"], row["group"], row["reason"], row["label"]): int(row["n"])
        for row in (table(case.tallies) if case.tallies else [])
    }
    mentioned = {place[0] for place in expected} or {"overall"}
    assert {place: n for place, n in outcome.tallies.items() if place[0] in mentioned} == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_agrees_with_the_reference_in_everything(case: Case, said: Said) -> None:
    outcomes, (batch, _) = said(case), BATCHES[case.name]
    expected = by_reference([batch])[0]
    assert outcomes.keys() == expected.keys()
    for model, outcome in outcomes.items():
        for part in ("refused", "rows", "tallies", "counts", "values", "points", "metrics", "floors"):
            assert getattr(outcome, part) == getattr(expected[model], part), (model, part)
