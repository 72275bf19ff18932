"""Outcomes found by Spark are those of a loop over predictions and lines, and claims without a listed code stay put."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fairsweep.cohort.labelling import CLAIM_COLUMNS, PREDICTION_COLUMNS, event_lines, horizon, labelled
from fairsweep.cohort.outcomes import EventSpec, HorizonSpec, OutcomeSpec
from tests.unit.test_outcomes import STAY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Line = dict[str, Any]
LISTED: dict[str, Any] = {
    "icd10cm": {
        "exact": ["N17"],
        "prefix": ["J1", "S72"],
        "range": [{"from": "I20", "to": "I25"}, {"from": "T80", "to": "T88"}],
    },
    "icd9cm": {"prefix": ["584"]},
    "drg": {"range": [{"from": "682", "to": "684"}]},
}
CODES = ["N17", "N170", "J10", "J2", "S72001A", "S7", "I20", "I259", "I26", "T80", "T889", "T89"]
CODES += ["584", "5849", "683", "685"]
EVENTS: dict[str, list[dict[str, Any]]] = {
    "setting alone": [{"name": "a", "settings": ["inpatient"]}],
    "codes": [{"name": "a", "settings": ["inpatient", "observation"], "codes": LISTED}],
    "primary": [{"name": "a", "settings": ["inpatient"], "codes": LISTED, "position": "primary"}],
    "exclude": [{"name": "a", "settings": ["inpatient"], "exclude": {"icd10cm": {"prefix": ["S"]}}}],
    "also": [
        {
            "name": "a",
            "settings": ["inpatient", "emergency"],
            "codes": {"icd10cm": {"prefix": ["S"]}},
            "also": {"icd10cm": {"range": [{"from": "T80", "to": "T88"}]}},
            "exclude": {"drg": {"exact": ["683"]}},
        }
    ],
    "two": [
        {"name": "a", "settings": ["inpatient"], "codes": {"icd10cm": {"prefix": ["I", "J"]}}},
        {"name": "b", "settings": ["inpatient", "emergency"], "exclude": {"icd9cm": {"exact": ["584"]}}},
    ],
}


def outcome_of(events: str, **changes: Any) -> OutcomeSpec:
    return OutcomeSpec.model_validate({**STAY, "events": EVENTS[events], **changes})


def made(seed: int, people: int = 60, lines: int = 900) -> tuple[list[Line], list[Line]]:
    random = np.random.default_rng(seed)
    predictions = [
        {"member_id": f"m{i % people}", "scored_on": date(2020, 1, 31) + timedelta(i % 41)} for i in range(people * 2)
    ]
    claims = []
    for i in range(lines):
        start = date(2020, 1, 20) + timedelta(int(random.integers(0, 120)))
        codes = [
            {"system": system, "position": k + 1, "code": str(code)}
            for system in ("icd10cm", "icd9cm", "drg")
            for k, code in enumerate(random.choice(CODES, int(random.integers(0, 3))))
        ]
        claims.append(
            {
                "member_id": f"m{int(random.integers(0, people + 5))}",
                "claim_id": f"c{i // 2:04}",
                "line_number": i % 2 + 1,
                "start_date": start,
                "end_date": start + timedelta(int(random.integers(0, 6))),
                "setting": str(random.choice(["inpatient", "emergency", "observation", "outpatient"])),
                "codes": codes or None,
            }
        )
    return predictions, claims


def is_event(line: Line, event: EventSpec) -> bool:
    codes = line["codes"] or []
    asked = [c for c in codes if event.position == "any" or c["position"] == 1]
    return (
        line["setting"] in event.settings
        and (event.codes is None or any(event.codes.holds(c["system"], c["code"]) for c in asked))
        and (event.also is None or any(event.also.holds(c["system"], c["code"]) for c in codes))
        and (event.exclude is None or not any(event.exclude.holds(c["system"], c["code"]) for c in codes))
    )


def expected(prediction: Line, claims: list[Line], outcome: OutcomeSpec) -> tuple[int, date | None, str | None]:
    """The loop."""
    first, last = outcome.horizon.bounds(prediction["scored_on"])
    mine = [c for c in claims if c["member_id"] == prediction["member_id"] and first <= c["start_date"] <= last]
    by_event = [
        sorted((c["start_date"], c["claim_id"], c["end_date"]) for c in mine if is_event(c, event))
        for event in outcome.events
    ]
    if outcome.combination == "any":
        found = sorted(line for lines in by_event for line in lines)[:1]
    elif outcome.combination == "all":
        found = [max(lines[0] for lines in by_event)] if all(by_event) else []
    else:
        assert outcome.within is not None
        low, high = outcome.within.at_least, outcome.within.at_most
        found = [
            line for line in by_event[1] if any(low <= (line[0] - before[2]).days <= high for before in by_event[0])
        ][:1]
    return (1, *found[0][:2]) if found else (0, None, None)


CASES = [
    *((events, {}) for events in EVENTS),
    ("codes", {"horizon": {"months": 1, "offset": 3}}),
    ("two", {"combination": "all"}),
    ("two", {"combination": "sequence", "within": {"at_least": 1, "at_most": 12}}),
]


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(("events", "changes"), CASES)
def test_labels_are_those_of_a_loop(events: str, changes: dict[str, Any], spark: SparkSession) -> None:
    outcome = outcome_of(events, **changes)
    # Few lines have two codes that go together.
    predictions, claims = made(len(events), lines=4_000 if events == "also" else 900)
    told = labelled(
        spark.createDataFrame(predictions, PREDICTION_COLUMNS), spark.createDataFrame(claims, CLAIM_COLUMNS), outcome
    ).toArrow()
    found = {
        (r["member_id"], r["scored_on"]): (r["label"], r["label_date"], r["label_claim_id"]) for r in told.to_pylist()
    }
    wanted = {(p["member_id"], p["scored_on"]): expected(p, claims, outcome) for p in predictions}
    assert found == wanted
    assert 0 < sum(label for label, _, _ in wanted.values()) < len(wanted)


@pytest.mark.parametrize("spec", [{"days": 30, "offset": 2}, {"months": 1}, {"months": 3, "offset": 1}])
def test_horizons_in_spark_are_those_of_the_spec(spec: dict[str, int], spark: SparkSession) -> None:
    asked = HorizonSpec.model_validate(spec)
    days = [date(2019, 12, 25) + timedelta(i) for i in range(100)]
    frame = spark.createDataFrame([(day,) for day in days], "scored_on DATE")
    rows = frame.select("scored_on", *horizon(frame["scored_on"], asked)).collect()
    assert {row[0]: (row[1], row[2]) for row in rows} == {day: asked.bounds(day) for day in days}


def test_code_lists_are_broadcast_and_only_listed_lines_are_shuffled(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    _, claims = made(1)
    event_lines(spark.createDataFrame(claims, CLAIM_COLUMNS), outcome_of("codes").events).explain()
    plan = capsys.readouterr().out
    # Read from the last step to the first: the claims are exchanged after the join with the lists, and never before.
    join = plan.index("BroadcastHashJoin")
    assert "Inner, BuildRight" in plan[join:].splitlines()[0]
    assert plan[:join].count("Exchange hashpartitioning") == 1
    assert "hashpartitioning" not in plan[join:]
    assert "CartesianProduct" not in plan
    assert "NestedLoop" not in plan
