"""Populations so small that nothing of them may be shown: every rule and every surface, through the Python API."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fairsweep as fs
from fairsweep.errors import FairsweepError

RULES: dict[str, dict[str, Any]] = {
    "fixed": {"name": "point", "rule": "fixed", "at": 0.5},
    "population_gbe": {"name": "point", "rule": "population_gbe", "target": 1.0},
    "alert_rate": {"name": "point", "rule": "alert_rate", "rate": 0.3},
    "alert_rate that nothing satisfies": {"name": "point", "rule": "alert_rate", "rate": 0.0000001},
}


def people(rows: int, events: int, unscored: int = 0) -> pd.DataFrame:
    """Rows of three races and two sexes, the first of them without a score."""
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "risk": np.where(np.arange(rows) < unscored, np.nan, rng.random(rows)),
            "fell": rng.permutation(np.arange(rows) < events).astype(int),
            "race": ["abc"[i % 3] for i in range(rows)],
            "sex": ["fm"[i % 2] for i in range(rows)],
        }
    )


POPULATIONS: dict[str, pd.DataFrame] = {
    "eight people": people(8, 3),
    "no event": people(8, 0),
    "no non-event": people(8, 8),
    "one event": people(1, 1),
    "one non-event": people(1, 0),
    "nobody scored": people(8, 3, unscored=8),
    "some scored": people(8, 3, unscored=3),
    "few events of many people": people(900, 5),
    "few unscored beside many": people(900, 300, unscored=3),
}


def audited(rows: pd.DataFrame, rule: str, flag_is: str, **further: Any) -> Any:
    given: dict[str, Any] = {
        "score": "risk", "label": "fell", "attributes": ["race", "sex", ["race", "sex"]], "flag_is": flag_is,
        "operating_points": [RULES[rule]], "cutoffs": {"start": 0, "stop": 1, "count": 11},
    }  # fmt: skip
    return fs.audit(rows, **(given | further))


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("population", POPULATIONS)
def test_every_surface_of_every_rule_says_that_people_are_too_few(population: str) -> None:
    rows, summaries = POPULATIONS[population], []
    for rule, flag_is in itertools.product(RULES, ("help", "sanction")):
        result = audited(rows, rule, flag_is, score_kind="probability" if flag_is == "help" else "score")
        summaries.append(result.summary())
        assert result.tables["group_metrics"].num_rows > 0
        assert len(result.at(0.5)) > 0
        assert len(result.at(0.5, intervals=True)) > 0
        small = result.sweep[["tp", "fp", "fn", "tn"]]
        assert not ((small > 0) & (small < 11)).any(axis=None)
    assert all("None" not in summary and "nan" not in summary for summary in summaries)
    assert any("too few people" in summary or "no cutoff" in summary for summary in summaries)


@pytest.mark.parametrize("rule", ["population_gbe", "alert_rate"])
def test_what_a_rule_reached_is_not_printed_of_too_few_people(rule: str) -> None:
    text = " ".join(audited(POPULATIONS["eight people"], rule, "help").summary().split())
    assert "the value reached is suppressed" in text
    assert "reached 0" not in text
    assert "reached 1" not in text


def test_a_plot_of_nothing_says_so() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    axes = audited(POPULATIONS["eight people"], "fixed", "help").plot("race")
    assert [text.get_text() for text in axes.texts if "too few" in text.get_text()]


@pytest.mark.parametrize(("minimum", "listed"), [(11, False), (11, True), (0, False)])
@pytest.mark.parametrize("unscored", [0, 1, 400])
def test_a_search_of_a_pair_survives_rows_without_a_score(minimum: int, unscored: int, *, listed: bool) -> None:
    """The scan tallies what is searched as well, although nothing of it is reported."""
    rows = people(3_000, 900, unscored)
    result = audited(
        rows, "fixed", "help", attributes=["race", "sex", *([["race", "sex"]] if listed else [])],
        discover=["race", "sex"], privacy={"minimum_cell_size": minimum} if not minimum else None,
    )  # fmt: skip
    told = result.refused
    assert result.summary()
    assert ("race x sex" in set(told["attribute"])) == (unscored > 0 and ((listed and unscored == 400) or not minimum))
    assert int(told.loc[told["attribute"] == "overall", "n"].sum()) == (unscored if unscored >= minimum else 0)


def test_a_search_does_not_refuse_the_groups_of_a_pair_that_is_not_reported() -> None:
    rows = people(12_000, 3_000).assign(fell=lambda frame: frame["fell"].where(frame.index >= 500))
    result = audited(rows, "fixed", "help", attributes=["race", "sex"], discover=["race", "sex"])
    assert int(result.refused.query("attribute == 'overall'")["n"].sum()) == 500
    with pytest.raises(FairsweepError, match="rows refused"):
        audited(rows, "fixed", "help", limits={"maximum_refused_share_per_group": 0.01})
