"""The words that people read after an audit."""

from __future__ import annotations

import re

import pytest

from fairsweep.auditing import text as summary
from fairsweep.output.drawing import ASCII, UNICODE, Axis
from fairsweep.output.lines import width_of
from fairsweep.output.wording import LONG_VERDICTS, REASONS, SHORT_VERDICTS, STATUSES, group_label, per_100
from tests.unit.published_run import COMPAS, MadeUpRun, joined


def told(run: MadeUpRun, width: int = 100) -> str:
    """The summary on one line, so that a test does not depend on where lines break."""
    return " ".join(summary.text(run.tables(), width).split())


def names_in_order(text: str, names: list[str]) -> list[str]:
    """The names in the order of their sentences."""
    return sorted(names, key=lambda name: text.index(f"      {name}: "))


def test_headline_is_the_worst_group_in_people() -> None:
    lines = summary.text(MadeUpRun(COMPAS).tables()).split("\n")
    assert "  Other (n 377): 59 flagged per 100 who needed it" in lines


def test_headline_is_an_intersection_only_where_its_verdict_is_worse() -> None:
    fair = {"sex": {"f": (80, 20, 20, 900), "m": (80, 20, 20, 900)}}
    short = {"sex x race": {"f x a": (10, 0, 90, 900), "m x a": (90, 30, 10, 900)}}
    assert "f x a (n 1,000): 10 flagged per 100 who needed it" in told(MadeUpRun(fair | short))
    assert "Other (n 377): 59 flagged" in told(MadeUpRun(COMPAS)), "Other x Male is a breach too, and lower"


def test_groups_stand_by_verdict_then_by_value() -> None:
    text = summary.text(MadeUpRun({"race": COMPAS["race"]}).tables())
    by_verdict = ["Other", "Hispanic", "Asian", "Caucasian", "African-American", "Native American"]
    assert names_in_order(text, list(COMPAS["race"])) == by_verdict


def test_sanction_puts_the_most_flagged_first_and_false_positives_before_all() -> None:
    run = MadeUpRun({"race": COMPAS["race"]}, flag_is="sanction")
    text = summary.text(run.tables())
    assert names_in_order(text, list(COMPAS["race"]))[0] == "Native American"
    assert "Native American (n 18): 38 of 100 without the event were flagged; 120 flagged per 100" in told(run)
    assert "African-American: 45 of 100 without the event were flagged; 114 flagged per 100 who" in told(run)
    assert "the ceiling is 125 flagged per 100 events" in told(run)
    assert "who needed it" not in text


def test_each_group_has_the_three_numbers_in_words() -> None:
    expected = (
        "Other: 59 flagged per 100 who had the event; the flags found 32 of those 100; 54 of 100 flags were right."
    )
    assert expected in told(MadeUpRun(COMPAS))


def test_above_the_floor_does_not_claim_that_the_right_people_were_flagged() -> None:
    assert "enough flags, but perhaps not for the right people" in told(MadeUpRun(COMPAS))


def test_cutoff_says_how_it_was_chosen() -> None:
    tuned, given = told(MadeUpRun(COMPAS)), told(MadeUpRun(COMPAS, rule="fixed"))
    assert "tuned on the same rows that it judges: population_gbe, target 1, reached 1.02" in tuned
    assert "neighbours on the grid: 4 and 6" in tuned
    assert "given in the config (prespecified)" in given


def test_relative_basis_shows_the_value_that_is_judged() -> None:
    over = {"race": {"A": (300, 3000, 200, 5000), "B": (60, 300, 40, 1000)}}
    text = told(MadeUpRun(over))
    assert "Basis relative: the population has 610 flagged per 100 events (population GBE 6.1)" in text
    assert "B: 360 flagged per 100 who had the event" in text
    assert "that is 0.590 times the population's 6.1" in text


def test_where_nobody_is_flagged_no_group_is_called_assessed_or_defined() -> None:
    text = told(MadeUpRun({"race": {"A": (0, 0, 100, 900), "B": (0, 0, 30, 300)}}))
    assert "Not assessed: race: A (no one in any group was flagged); race: B" in text


def test_groups_without_a_verdict_are_counted_named_and_explained() -> None:
    groups = {"race": {"A": (80, 20, 20, 900), "none": (0, 3, 0, 9), "gone": (0, 0, 0, 0)}}
    text = told(MadeUpRun(groups))
    assert "1 of 3 groups assessed" in text
    assert "Not assessed: race: gone (no usable rows); race: none (no one had the event)." in text
    assert "none: no one had the event, so flags per event are not defined; 25 of 100 people" in text


def test_group_that_nobody_recorded_says_so() -> None:
    text = told(MadeUpRun({"race": {"A": (80, 20, 20, 900), "unknown": (10, 2, 40, 90)}}))
    assert "unknown (group not recorded) (n 142): 24 flagged per 100 who needed it" in text


def test_group_in_which_no_one_is_flagged_has_no_right_flags_to_report() -> None:
    text = told(MadeUpRun({"race": {"A": (80, 60, 20, 900), "B": (0, 0, 40, 90)}}))
    assert "B: 0 flagged per 100 who had the event; no one was flagged, so no event was found." in text


def test_people_without_a_score_are_counted_beside() -> None:
    text = told(MadeUpRun({"race": {"A": (80, 20, 20, 900)}}, unscored_events={"A": 100}))
    assert "counting people without a score, 50 flagged per 100 who had the event" in text


def test_disparate_impact_stands_beside_the_event_rates() -> None:
    # The published example: men are flagged less because fewer of them fall.
    sex = {"sex": {"female": (400, 5331, 4897, 532625), "male": (364, 2378, 2769, 451236)}}
    text = told(MadeUpRun(sex, reference="female"))
    assert "Disparate impact, male against female: 0.569 (95 % interval 0.544 to 0.595);" in text
    assert "differs because the event rate differs (0.686 % and 0.975 %)." in text


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"a": (80, 20, 20, 880), "b": (20, 5, 80, 895)}, "(10 % and 10 %) explain less than half of it"),
        ({"a": (8, 2, 2, 88), "b": (7, 2, 3, 88)}, "chance may explain it (event rates 10 % and 10 %)"),
    ],
)
def test_disparate_impact_is_not_blamed_on_equal_event_rates(
    groups: dict[str, tuple[int, int, int, int]], words: str
) -> None:
    assert words in told(MadeUpRun({"g": groups}))


def test_rows_left_out_are_told_by_reason() -> None:
    text = told(MadeUpRun(COMPAS, left_out={"label_missing": 120, "malformed_row": 3, "score_nan": 4}))
    assert "7,341 rows: 7,214 used, 4 without a usable score, 123 refused. Being flagged is a help." in text
    assert "Refused, not in any figure above: 123 rows (1.68 %): label missing 120; malformed row 3." in text
    assert "Without a usable score, therefore not flagged: 4 rows (0.054 %): score NaN 4." in text


def test_operating_point_without_a_cutoff_has_no_groups() -> None:
    text = told(MadeUpRun(COMPAS, has_cutoff=False))
    assert "paper: no cutoff, so no group could be assessed (no cutoff satisfies the rule)." in text
    assert "flagged per 100" not in text


def test_long_lists_show_the_worst_ten_and_count_the_rest() -> None:
    county = {"county": {f"c{k:02}": (k, 20 - k // 2, 25, 900) for k in range(30)}}
    text = summary.text(MadeUpRun(county).tables())
    assert len(re.findall(r"^      c\d\d: ", text, re.MULTILINE)) == 10
    assert "and 20 more groups" in text
    assert "30 of 30 groups assessed" in text
    twenty = {"county": dict(list(county["county"].items())[:20])}
    assert len(re.findall(r"^      c\d\d: ", summary.text(MadeUpRun(twenty).tables()), re.MULTILINE)) == 20


def test_several_models_stand_one_after_another() -> None:
    text = summary.text(joined([MadeUpRun(COMPAS, model_id="b"), MadeUpRun(COMPAS, model_id="a")]))
    assert text.index("a 2016  all dates") < text.index("b 2016  all dates")


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("flag_is", ["help", "sanction"])
def test_no_line_is_wider_than_the_page(width: int, flag_is: str) -> None:
    odd = {"a long attribute name, by any measure": {"x" * 70: (80, 20, 20, 900), "日本": (8, 2, 2, 9)}}
    run = MadeUpRun({**COMPAS, **odd}, flag_is="help" if flag_is == "help" else "sanction")
    widest = max(width_of(line) for line in summary.text(run.tables(), width).split("\n"))
    assert widest <= width


def test_control_characters_of_a_group_do_not_reach_the_terminal() -> None:
    text = summary.text(MadeUpRun({"race": {"\x1b[2Jred\nnext": (80, 20, 20, 900)}}).tables())
    assert "?[2Jred?next: 100 flagged" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("value", "bound", "words"),
    [
        (0.876, 0.8, "88"),
        (0.7996, 0.8, "79.96"),
        (0.8, 0.8, "80"),
        (1.2504, 1.25, "125.04"),
        (1.2496, 1.25, "124.96"),
        (0.0, 0.8, "0"),
        (0.0043, 1.0, "0.4"),
        (0.998, 1.0, "99.8"),
        (12.5, 0.8, "1,250"),
    ],
)
def test_rates_are_not_rounded_across_their_bound(value: float, bound: float, words: str) -> None:
    assert per_100(value, bound) == words


def test_every_verdict_status_and_reason_of_the_tables_has_words() -> None:
    from fairsweep.core.inference.verdicts import VERDICT_ORDER
    from fairsweep.core.metrics import DEFINED
    from fairsweep.input.intake import REFUSAL_REASONS, UNSCORED_REASONS
    from fairsweep.tables.catalogue import VERDICTS
    from fairsweep.tables.checks import VALUE_STATUSES

    assert set(SHORT_VERDICTS) == set(VERDICTS)
    assert {flag: tuple(words) for flag, words in LONG_VERDICTS.items()} == VERDICT_ORDER
    assert set(STATUSES) == set(VALUE_STATUSES) - {DEFINED}
    assert set(REASONS) == {*REFUSAL_REASONS, *UNSCORED_REASONS}


def test_only_the_whole_value_unknown_means_not_recorded() -> None:
    labels = {
        "unknown": "unknown (group not recorded)",
        "unknown x Female": "unknown x Female (group not recorded)",
        "unknown territory": "unknown territory",
    }
    assert {name: group_label(name) for name in labels} == labels


@pytest.mark.parametrize(
    ("limits", "drawing"),
    [
        ((0.5, 0.8, 1.0), "  |---o-|  "),
        ((None, 0.8, None), "      o :  "),
        ((None, None, None), "      : :  "),
        ((0.1, 0.6, 9.0), "<--o--+-+->"),
        ((0.01, 0.05, 0.1), "<     : :  "),
        ((5.0, 6.0, 7.0), "      : : >"),
    ],
)
def test_interval_is_drawn_in_its_columns(
    limits: tuple[float | None, float | None, float | None], drawing: str
) -> None:
    # Eleven columns from 0.4096 to 1.25: each step is a factor of 1.118, so 0.8 is column 6 and 1.0 column 8.
    axis = Axis(0.4096, 1.25, 11, (0.8, 1.0), ASCII)
    assert axis.draw(*limits) == drawing


def test_unicode_and_ascii_draw_the_same_picture() -> None:
    plain, drawn = (Axis.over([0.3, 2.0], (0.8, 1.0), 40, strokes) for strokes in (ASCII, UNICODE))
    swap = str.maketrans("├─┤●┊┼◂▸", "|-|o:+<>")
    for limits in ((0.5, 0.9, 1.1), (0.01, 0.6, 0.9), (0.9, 2.0, 9.0)):
        assert drawn.draw(*limits).translate(swap) == plain.draw(*limits)


def test_marks_are_labelled_above_their_columns() -> None:
    axis = Axis.over([0.59, 1.4], (0.8, 1.0), 40, ASCII)
    labels, marks = axis.labels(), axis.draw(None, None, None)
    assert labels.index("0.8") + 2 == marks.index(":")
    assert marks[labels.index("1.0") : labels.index("1.0") + 3].strip() == ":"
    assert Axis.over([], (0.8, 1.0, 1.25), 16, ASCII).labels().split() in (
        [".8", "1", "1.25"],
        ["0.8", "1.0", "1.25"],
    )
