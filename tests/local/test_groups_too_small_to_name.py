"""Groups of fewer members than the minimum: no table, text or record names them, unless the config does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fairsweep as fs
from fairsweep.cohort.flow_rows import told
from fairsweep.core.groups import number_of_groups
from fairsweep.runs import connecting

ROWS = 3_000
SECRETS = ("Zuni of Hawikuh", "Livonian", "Kusunda")
OPERATING_POINTS = [
    {"name": "deployed", "rule": "fixed", "at": 0.3},
    {"name": "nowhere", "rule": "alert_rate", "rate": 1e-9},
]


def people(**columns: Any) -> pd.DataFrame:
    """Two large language groups and three of 1, 4 and 10 people; a region each of the large ones has."""
    rng = np.random.default_rng(11)
    risk = rng.beta(1.5, 4, ROWS)
    language = rng.choice(["English", "Spanish"], ROWS).astype(object)
    language[:1], language[1:5], language[5:15] = SECRETS
    fell = (rng.random(ROWS) < risk).astype(int)
    frame = pd.DataFrame({"risk": risk, "fell": fell, "language": language, "sex": rng.choice(["F", "M"], ROWS)})
    return frame.assign(**columns)


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    # A session of other tests would count and write, and take long.
    monkeypatch.setattr(connecting, "spark_is_around", lambda: False)


def audited(frame: pd.DataFrame, **options: Any) -> fs.AuditResult:
    given: dict[str, Any] = {
        "score": "risk", "label": "fell", "attributes": ["language", "sex", ["language", "sex"]], "flag_is": "help",
        "operating_points": OPERATING_POINTS, "cutoffs": {"start": 0, "stop": 1, "count": 101},
    }  # fmt: skip
    return fs.audit(frame, **given | options)


def everything(result: fs.AuditResult) -> str:
    """All that leaves an audit, as text."""
    tables = {name: table.to_pylist() for name, table in result.tables.items()}
    at = [result.at(0.17).to_csv(), result.at(0.17, intervals=True).to_csv()]
    return "\n".join([json.dumps(tables, default=str), *at, result.summary(), *result.warnings])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"score_kind": "probability"},
        {"discover": {"attributes": ["language", "sex"], "minimum_events": 1}},
        {"limits": {"full_sweep_groups": 1}},
        {"training_population": {"language": {"English": 0.9, "Spanish": 0.1}}},
    ],
)
def test_nothing_that_leaves_an_audit_names_a_group_of_few_members(options: dict[str, Any]) -> None:
    found = everything(audited(people(), **options))
    assert [secret for secret in SECRETS if secret in found] == []
    assert "3 groups too small to name" in found


def test_each_operating_point_and_metric_has_one_row_for_all_of_them_without_figures() -> None:
    result = audited(people())
    small = result.metrics[result.metrics["group_value"].map(number_of_groups) > 1]
    keys = ["operating_point", "attribute", "metric"]
    assert not small.duplicated(keys).any()
    assert small.loc[small["attribute"] == "language", "group_value"].unique() == ["3 groups too small to name"]
    at_a_cutoff = small[small["operating_point"] == "deployed"]
    assert (at_a_cutoff["status"] == "suppressed").all()
    assert at_a_cutoff[["numerator", "denominator", "value", "ci_low", "p_adjusted"]].isna().all(axis=None)
    verdicts = at_a_cutoff.query("metric == 'group_benefit_equality'")["verdict"]
    assert set(verdicts) == {"not_assessed"}
    # 2 of 5 languages, 2 sexes, and 2 of 5 languages for each sex are assessed, or at least counted.
    assert "of 5 assessed" in result.summary(160)


def test_groups_that_the_config_declares_are_named() -> None:
    declared = {"name": "language", "values": ["English", "Spanish", SECRETS[1]], "reference": SECRETS[2]}
    found = audited(people(), attributes=[declared]).metrics["group_value"].unique().tolist()
    assert sorted(found) == sorted(["1 group too small to name", "English", "Spanish", *SECRETS[1:], "all"])


def test_members_are_counted_and_not_rows() -> None:
    members = np.arange(ROWS)
    members[20:60] = 20
    language = people()["language"].to_numpy(copy=True)
    language[20:60] = "Ket"  # 40 rows of one person
    result = audited(people(member=members, language=language), columns={"member": "member"}, unit="prediction")
    assert "Ket" not in everything(result)
    assert "4 groups too small to name" in everything(result)


def test_rows_without_a_score_and_refused_rows_count_towards_a_name() -> None:
    frame = people()
    frame.loc[15:17, "language"] = "Ket"
    frame.loc[15:17, "risk"] = np.nan
    frame.loc[30:79, "language"] = "Yaghan"
    frame.loc[32:79, "fell"] = np.nan
    limits = {"maximum_refused_share": 0.9, "maximum_refused_share_per_group": 1.0}
    found = everything(audited(frame, limits=limits))
    assert "Ket" not in found
    assert "Yaghan" in found


def test_without_disclosure_control_every_group_is_named() -> None:
    result = audited(people(), privacy={"minimum_cell_size": 0})
    assert set(SECRETS) <= set(result.metrics["group_value"])


def test_an_error_names_no_small_group() -> None:
    with pytest.raises(fs.FairsweepError) as refused:
        audited(people(), attributes=[{"name": "language", "reference": "Livonia"}])
    assert "Livonian" not in str(refused.value)


@pytest.mark.slow
def test_a_group_that_grows_stays_suppressed_where_it_was_before(tmp_path: Path) -> None:
    """The run before did not name it: that is not the same as having had no row of it."""
    audited(people()).write(tmp_path / "wh")
    frame = people()
    frame.loc[100:139, "language"] = "Livonian"
    outcome = audited(frame).write(tmp_path / "wh")
    sweep = outcome.tables["threshold_sweep"].to_pandas()
    grown = sweep.query("attribute == 'language' and group_value == 'Livonian'")
    assert set(grown["status"]) == {"suppressed"}
    assert grown["n"].isna().all()


def flow_row(group: str, step: int, rows_in: int, out: int, members: tuple[int, ...], events: int | None) -> Any:
    attribute = "overall" if group == "all" else "language"
    return {
        "input": "predictions", "step": step, "reason": "left" if events is None else "used", "attribute": attribute,
        "group_value": group, "rows_in": rows_in, "rows_out": out, "members": members, "events": events,
    }  # fmt: skip


def test_the_flow_of_a_cohort_names_no_small_group() -> None:
    sizes = {"English": 400, "Spanish": 300, SECRETS[0]: 1, SECRETS[1]: 10}
    rows = [flow_row("all", 1, 711, 0, (0,), None), flow_row("all", 2, 711, 0, (100, 611), 100)]
    for group, n in sizes.items():
        rows += [flow_row(group, 1, n, 0, (0,), None), flow_row(group, 2, n, 0, (n // 7, n - n // 7), n // 7)]
    found = told(rows, 11)
    assert {row["group_value"] for row in found} == {"all", "English", "Spanish", "2 groups too small to name"}
    small = [row for row in found if row["group_value"].startswith("2 groups")]
    assert [row["step"] for row in small] == [1, 2]
    assert all(row[name] is None for row in small for name in ("rows_in", "rows_out", "events"))
    assert {row["group_value"] for row in told(rows, 0)} == {"all", *sizes}
