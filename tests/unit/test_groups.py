from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsweep.core.groups import attribute_name, group_name


@pytest.mark.parametrize(
    ("attributes", "name"), [([], "overall"), (["race"], "race"), (["race", "sex", "age"], "race x sex x age")]
)
def test_an_attribute_is_named_by_its_columns(attributes: list[str], name: str) -> None:
    assert attribute_name(attributes) == name


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([], "all"),
        (["Black"], "Black"),
        (["4 x 4"], "4 x 4"),
        (['"quoted"'], '"quoted"'),
        (["Black", "female"], "Black x female"),
        (["4x4", "ax"], "4x4 x ax"),
        (["4 x 4", "female"], '"4 x 4" x female'),
        (['4 x "4"', "f"], '"4 x ""4""" x f'),
        (["a x", "b"], '"a x" x b'),
        (["a", "x b"], 'a x "x b"'),
        (["x", "f"], '"x" x f'),
        (['"x"', "f"], '"""x""" x f'),
        (["a", "b", "c"], "a x b x c"),
    ],
)
def test_an_intersections_group_is_its_values_joined_and_quoted_where_ambiguous(values: list[str], name: str) -> None:
    assert group_name(values) == name


VALUE = st.text('ax" ', min_size=1, max_size=7).map(lambda v: v.strip(" ")).filter(bool)
VALUES = st.lists(VALUE, min_size=2, max_size=3)


@given(one=VALUES, other=VALUES)
def test_no_two_groups_of_an_intersection_share_a_name(one: list[str], other: list[str]) -> None:
    if len(one) == len(other):
        assert (group_name(one) == group_name(other)) == (one == other)


def test_every_group_of_short_values_has_a_name_of_its_own() -> None:
    alphabet = ["a", "x", '"', '"x"', "x x", "a x", "x a", "a x a", '"a', 'a"', '" x "', '""', '"a" x "a"']
    names = [group_name([one, other]) for one in alphabet for other in alphabet]
    assert len(set(names)) == len(alphabet) ** 2
