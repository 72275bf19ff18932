"""What errors suggest."""

from __future__ import annotations

import pytest

from fairsweep.errors import did_you_mean

# What was written | what is allowed | the suggestion, None where nothing is near
SUGGESTIONS = (
    ("gendre", ("gender", "race"), "gender"),
    ("Gender", ("gender", "race"), "gender"),
    ("lable", ("label", "member"), "label"),
    ("groop", ("risk", "grp"), "grp"),
    ("cvs", ("csv", "parquet", "delta", "table"), "csv"),
    ("aeg", ("age", "sex"), "age"),
    ("two_year", ("two_year_recid", "is_recid"), "two_year_recid"),
    ("table", ("label", "score"), None),
    ("member", ("number", "model"), None),
    ("thresholds", ("columns", "cutoffs", "operating_points"), None),
    ("race", ("age", "sex"), None),
    ("x", ("a", "b"), None),
)


@pytest.mark.parametrize(("written", "allowed", "suggested"), SUGGESTIONS)
def test_only_what_is_near_is_suggested(written: str, allowed: tuple[str, ...], suggested: str | None) -> None:
    told = did_you_mean(written, allowed)
    if suggested is None:
        assert told == "choose one of " + ", ".join(f"`{word}`" for word in allowed)
    else:
        assert told == f"did you mean `{suggested}`?"


def test_without_a_choice_there_is_nothing_to_choose() -> None:
    assert did_you_mean("x", ()) == "remove it"
