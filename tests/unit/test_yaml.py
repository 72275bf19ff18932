"""YAML is read by the core schema of YAML 1.2, with lines, and untrusted text can do nothing but fail."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsweep.auditing.loading import parse
from fairsweep.config.documents import Spelled, read
from fairsweep.errors import UsageError

# How a value is written | what it is
SCALARS: tuple[tuple[str, Any], ...] = (
    ("Yes", "Yes"), ("no", "no"), ("on", "on"), ("y", "y"), ("true", True), ("False", False), ("TRUE", True),
    ("tRUE", "tRUE"), ("null", None), ("~", None), ("", None), ("NULL", None), ("nULL", "nULL"),
    ("2010-01-01", "2010-01-01"), ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("1,5", "1,5"),
    ("12", 12), ("-12", -12), ("0x1F", 31), ("0o17", 15), ("0b11", "0b11"), ("017", 17), ("+1", 1),
    ("1.10", Decimal("1.10")), (".5", Decimal("0.5")), ("5.", Decimal(5)), ("1e3", Decimal("1E+3")),
    ("-.inf", Decimal("-Infinity")), ("0.071", Decimal("0.071")), ('"12"', "12"), ("'true'", "true"),
    ("1d", "1d"), ("inf", "inf"), ("nan", "nan"), (".", "."), ("=", "="), ("a b", "a b"), ("'it''s'", "it's"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[text for text, _ in SCALARS])
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found = read(f"key: {text}", "x.yaml").value["key"]
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)
    assert isinstance(found, Decimal) == isinstance(value, Decimal)
    assert str(found) == str(value)


def test_numbers_spelled_oddly_keep_their_spelling() -> None:
    for text in ("017", "+1", "0x1F", "-0"):
        found = read(text, "x.yaml").value
        assert isinstance(found, Spelled)
        assert found.text == text


def test_not_a_number_is_recognised() -> None:
    assert read(".nan", "x.yaml").value.is_nan()


def test_every_path_has_its_line_and_a_repeated_key_is_told() -> None:
    document = read("\ufeffa:\n  - b\n  - {c: 1,\n     d: 2}\na: 3\ne: {f: 1, f: 2}\n".encode(), "x.yaml")
    assert document.value == {"a": ["b", {"c": 1, "d": 2}], "e": {"f": 1}}
    assert document.lines[("a", 0)] == 2
    assert document.lines[("a", 1, "d")] == 4
    assert [(fault.path, fault.value) for fault in document.faults] == [
        (("a",), "written again in line 5"),
        (("e", "f"), "written again in line 6"),
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.binary(max_size=60),
        st.lists(st.sampled_from("&*!|>%@`{}[],:-? #'\"\\\n\tab10.e<~\u2028\x85"), max_size=40).map("".join),
    )
)
def test_any_text_is_refused_with_problems(text: str | bytes) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, source="x.yaml", folder=Path())
    assert caught.value.problems
    assert all(problem.place and problem.value for problem in caught.value.problems)
