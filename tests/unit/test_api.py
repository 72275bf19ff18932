"""The Python API: what it takes for the same thing, and what it says of arguments that are none."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fairsweep as fs
from fairsweep.auditing import assessment, frames

ROWS = pd.DataFrame(
    {
        "risk": np.arange(300) % 10 / 10,
        "fell": [0, 1] * 150,
        "sex": ["f", "m", "f"] * 100,
        "day": [f"2020-01-0{k % 9 + 1}" for k in range(300)],
    }
)
GIVEN: dict[str, Any] = {
    "score": "risk",
    "label": "fell",
    "attributes": ["sex"],
    "flag_is": "help",
    "cutoffs": [0.1, 0.5],
    "operating_points": [{"name": "deployed", "rule": "fixed", "at": 0.5}],
    "privacy": {"minimum_cell_size": 0},
}
DATED = {"columns": {"scored_on": "day"}}
CALL = "fairsweep.audit: "


def audited(**changes: object) -> fs.AuditResult:
    return fs.audit(ROWS, **{**GIVEN, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event_labels": 1}, CALL + "event_labels is the number 1; allowed: a list; write `[1]`"),
        ({"event_labels": "yes"}, CALL + 'event_labels is the text `yes`; allowed: a list; write `["yes"]`'),
        ({"event_labels": None}, CALL + "event_labels is empty; allowed: a list; write `[...]`"),
        ({"non_event_labels": 0}, CALL + "non_event_labels is the number 0; allowed: a list; write `[0]`"),
        ({"attributes": "sex"}, CALL + 'attributes is the text `sex`; allowed: a list; write `["sex"]`'),
        ({"attributes": "sex, race"}, CALL + 'attributes is the text `sex, race`; allowed: a list; write `["sex", "r'),
        ({"attributes": {"name": "sex"}}, CALL + "attributes is a mapping; allowed: a list; write `[...]`"),
        ({"attributes": [5]}, CALL + "attributes[0] is the number 5; allowed: a column name"),
        ({"attributes": [["sex", 5]]}, CALL + "attributes[0][1] is the number 5; allowed: a text"),
        ({"cutoffs": 5}, CALL + "cutoffs.values is the number 5; allowed: a list; write `[5]`"),
        ({"cutoffs": "0.5"}, CALL + "cutoffs.values is the text `0.5`; allowed: a list"),
        ({"cutoffs": [None]}, CALL + "cutoffs.values[0] is empty; allowed: a finite number"),
        ({"operating_points": 0.5}, CALL + "operating_points is the number 0.5; allowed: a list; write `[0.5]`"),
        ({"operating_points": ["deployed"]}, CALL + "operating_points[0] is the text `deployed`; allowed: a mapping"),
        ({"columns": ["day"]}, CALL + "columns is a list; allowed: a mapping; write {key: value}"),
        ({"model": "falls"}, CALL + "model is the text `falls`; allowed: a mapping"),
        ({"verdict": 0.8}, CALL + "verdict is the number 0.8; allowed: a mapping"),
        ({"limits": [1]}, CALL + "limits is a list; allowed: a mapping"),
        ({"score": 5}, CALL + "columns.score is the number 5; allowed: a column name"),
        ({"window_start": 5, **DATED}, "window_start is the number 5; allowed: a date, or a text as in 2026-01-31; "),
        ({"window_end": datetime(2020, 1, 1), **DATED}, "window_end is a datetime; allowed: a date"),  # noqa: DTZ001
        ({"window_start": "1.1.2020", **DATED}, "window_start is `1.1.2020`; allowed: a day as in 2026-01-31; write y"),
        ({"window_start": "2020-01-01"}, "columns.scored_on is missing; allowed: a column, with a window; name"),
        (
            {"window_start": "2020-01-03", "window_end": date(2020, 1, 2), **DATED},
            "window_end is 2020-01-02, with start 2020-01-03; allowed: a day after the start; the end is exclusive",
        ),
    ],
)
def test_arguments_of_the_wrong_kind_say_what_is_allowed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(fs.UsageError) as caught:
        audited(**changes)
    assert str(caught.value).startswith(message)
    assert all(problem.next_step for problem in caught.value.problems)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_labels": np.array([1])},
        {"event_labels": {1}},
        {"event_labels": (1.0,)},
        {"attributes": ("sex",)},
        {"attributes": ({"name": "sex"},)},
        {"cutoffs": np.array([0.1, 0.5])},
        {"cutoffs": pd.Series([0.1, 0.5])},
        {"cutoffs": (k / 10 for k in (1, 5))},
    ],
)
def test_lists_of_every_kind_are_taken(changes: dict[str, object]) -> None:
    pd.testing.assert_frame_equal(audited(**changes).sweep, audited().sweep)


def test_a_day_is_a_date_or_its_text() -> None:
    inside = ROWS["day"].between("2020-01-02", "2020-01-04")
    for start in ("2020-01-02", date(2020, 1, 2)):
        sweep = audited(window_start=start, window_end="2020-01-05", **DATED).sweep
        everybody = sweep[(sweep["attribute"] == "overall") & (sweep["cutoff_index"] == 0)]
        assert everybody["n"].tolist() == [inside.sum()]


@pytest.mark.parametrize(
    ("cutoff", "message"),
    [
        (None, "cutoff is empty; allowed: a number on the grid; for example result.at(0.5)"),
        ("0.5", "cutoff is the text `0.5`; allowed: a number on the grid"),
        (True, "cutoff is the truth value true; allowed: a number on the grid"),
        ([0.5], "cutoff is a list; allowed: a number on the grid"),
        (0.3, "cutoff is 0.3, which is not on the grid; allowed: nearest: 0.1 and 0.5; choose one of these"),
        (float("nan"), "cutoff is nan, which is not on the grid"),
    ],
)
def test_another_cutoff_must_be_a_number_of_the_grid(cutoff: Any, message: str) -> None:
    with pytest.raises(fs.UsageError) as caught:
        audited().at(cutoff)
    assert str(caught.value).startswith(message)


def test_columns_of_objects_are_read_alike_whether_equal_texts_are_one_object_or_many() -> None:
    texts = ["Black", "White", None, "Öther", float("nan"), "Black"] * 2_000
    few = pd.Series(texts, dtype=object)
    many = pd.Series([text if not isinstance(text, str) else "".join(text) for text in texts], dtype=object)
    every_other_from_the_end = pd.Series(np.array(texts + texts, dtype=object)[::-2], dtype=object)
    for made, expected in ((few, texts), (many, texts), (every_other_from_the_end, (texts + texts)[::-2])):
        assert frames._encoded(made).to_pylist() == [text if isinstance(text, str) else None for text in expected]
    numbers = pd.Series([1, 2.5, None] * 5, dtype=object)
    assert frames._encoded(numbers).to_pylist() == [1.0, 2.5, None] * 5


def test_a_table_that_is_asked_for_alone_is_that_of_all() -> None:
    for name in ("sweep", "metrics", "disparities", "operating_points", "refused"):
        alone, all_first = audited(), audited()
        assert all_first.tables
        a, b = getattr(alone, name), getattr(all_first, name)
        pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize("minimum", [0, 11])
def test_attributes_and_verdicts_are_computed_once_however_often_a_result_is_used(
    minimum: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def counted(name: str) -> None:
        given = getattr(assessment, name)

        def call(*arguments: object, **named: object) -> object:
            calls[name] += 1
            return given(*arguments, **named)

        monkeypatch.setattr(assessment, name, call)

    counted("attribute_of")
    counted("choose")
    result = audited(privacy={"minimum_cell_size": minimum})
    assert len(result.metrics) > 0
    # Everybody once more, to see what rows are.
    assert calls == {"attribute_of": 3, "choose": 1}
    result.at(0.1)
    result.summary()
    result.write(tmp_path / "wh")
    assert calls == {"attribute_of": 3, "choose": 1}
