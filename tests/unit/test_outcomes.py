"""Outcomes as data: the shipped ones, what lists of codes hold, horizons, and what a wrong outcome is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairsweep.cohort.outcomes import CodeListSpec, CodeRangeSpec, HorizonSpec, OutcomeSpec, load_outcome
from fairsweep.errors import UsageError
from tests.conftest import REPOSITORY

SHIPPED = sorted((REPOSITORY / "conf" / "outcomes").glob("*.yaml"))
BACKWARDS = {"name": "a", "settings": ["inpatient"], "codes": {"icd10cm": {"range": [{"from": "B", "to": "A"}]}}}
STAY: dict[str, Any] = {
    "name": "stay",
    "title": "A stay",
    "source": "a test",
    "limits": ["none"],
    "horizon": {"days": 30},
    "events": [{"name": "stay", "settings": ["inpatient"]}],
}


def loaded(folder: Path, **changes: Any) -> OutcomeSpec:
    file = folder / "outcome.yaml"
    file.write_text(yaml.safe_dump({k: v for k, v in {**STAY, **changes}.items() if v is not None}))
    return load_outcome(file)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_outcomes_are_right_and_called_like_their_files(file: Path) -> None:
    assert load_outcome(file).name == file.stem


def test_the_shipped_ones_are_those_of_the_docs() -> None:
    assert [file.stem for file in SHIPPED] == [
        "acute_kidney_injury_90_days",
        "cv19_index",
        "fall_injury_30_days",
        "readmission_30_days",
        "unplanned_admission_90_days",
    ]


@pytest.mark.parametrize(
    ("code", "inside"),
    [("I20", True), ("I209", True), ("I25", True), ("I25119", True), ("I26", False), ("I19", False), ("I2", False)],
)
def test_a_range_holds_what_begins_with_its_last_code(code: str, inside: bool) -> None:
    assert CodeRangeSpec.model_validate({"from": "I20", "to": "i25."}).holds(code) is inside


def test_dots_spaces_and_small_letters_of_listed_codes_are_ignored() -> None:
    codes = CodeListSpec.model_validate({"exact": ["s72.001a"], "prefix": ["N 17"]})
    assert [codes.holds(code) for code in ("S72001A", "S72001", "N170", "N1")] == [True, False, True, False]


@pytest.mark.parametrize(
    ("horizon", "scored_on", "bounds"),
    [
        ({"days": 30}, date(2020, 2, 1), (date(2020, 2, 2), date(2020, 3, 2))),
        ({"days": 30, "offset": 7}, date(2020, 2, 1), (date(2020, 2, 9), date(2020, 3, 9))),
        ({"months": 3}, date(2018, 9, 30), (date(2018, 10, 1), date(2018, 12, 31))),
        ({"months": 3}, date(2018, 12, 31), (date(2019, 1, 1), date(2019, 3, 31))),
        ({"months": 1}, date(2019, 1, 30), (date(2019, 1, 31), date(2019, 2, 28))),
        ({"months": 12}, date(2020, 2, 29), (date(2020, 3, 1), date(2021, 2, 28))),
    ],
)
def test_a_horizon_begins_the_day_after_the_score(
    horizon: dict[str, int], scored_on: date, bounds: tuple[date, date]
) -> None:
    assert HorizonSpec.model_validate(horizon).bounds(scored_on) == bounds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": None}, "title is missing; write its name in words"),
        ({"horizon": {}}, "is no length"),
        ({"horizon": {"days": 30, "months": 1}}, "days and months"),
        ({"horizon": {"days": 5_000}}, "5000 days"),
        ({"events": []}, "an empty list"),
        ({"events": [{"name": "stay"}]}, "is missing; write some of inpatient"),
        ({"events": [{"name": "stay", "settings": ["icu"]}]}, "`icu`; allowed: inpatient"),
        ({"events": [{"name": "a", "settings": ["inpatient"], "code": 1}]}, "events[0].code"),
        (
            {"events": [{"name": "a", "settings": ["inpatient"], "codes": {"icd10": {}}}]},
            "did you mean `icd10cm`",
        ),
        ({"events": [{"name": "a", "settings": ["inpatient"], "codes": {"icd10cm": {"exact": [584]}}}]}, "quote it"),
        ({"events": [{"name": "a", "settings": ["inpatient"], "codes": {"drg": {"exact": ["x';"]}}}]}, "letters"),
        ({"events": [BACKWARDS]}, "A, before B"),
        ({"events": [{"name": "a", "settings": ["inpatient"], "position": "primary"}]}, "without diagnoses"),
        ({"events": [{"name": "stay", "settings": ["inpatient"]} for _ in range(2)]}, "`stay` again"),
        ({"combination": "sequence"}, "2 events for a sequence"),
        ({"combination": "any", "within": {"at_most": 3}}, "given with combination any"),
    ],
)
def test_a_wrong_outcome_is_told_with_place_and_next_step(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as told:
        loaded(tmp_path, **changes)
    assert message in str(told.value)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        loaded(tmp_path, name="a b", horizon={"days": 0}, limits=None)
    assert len(told.value.problems) == 3
