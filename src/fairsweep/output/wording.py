"""The words for people: verdicts, reasons and rates in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10

from fairsweep.core.groups import SEPARATOR
from fairsweep.input.intake import UNKNOWN

# Characters of a value that a terminal shows.
LONGEST_SHOWN = 200
SHORT_VERDICTS: Mapping[str, str] = {
    "breach": "BREACH",
    "below_floor_unproven": "below, unproven",
    "above_floor_unproven": "above, unproven",
    "above_floor": "enough flags",
    "above_ceiling_unproven": "above, unproven",
    "below_ceiling_unproven": "below, unproven",
    "below_ceiling": "not too many",
    "not_assessed": "not assessed",
}
_HELP_VERDICTS: Mapping[str, str] = {
    "breach": "too few flags for the events of this group, and chance does not explain it",
    "below_floor_unproven": "below the floor, but chance may explain it",
    "above_floor_unproven": "above the floor, but the true value may lie below",
    "above_floor": "enough flags, but perhaps not for the right people",
    "not_assessed": "the counts allow no verdict; this does not mean that the group is treated fairly",
}
_SANCTION_VERDICTS: Mapping[str, str] = {
    "breach": "too many flags for the events of this group, and chance does not explain it",
    "above_ceiling_unproven": "above the ceiling, but chance may explain it",
    "below_ceiling_unproven": "below the ceiling, but the true value may lie above",
    "below_ceiling": "not too many flags, but perhaps not for the right people",
    "not_assessed": "the counts allow no verdict; this does not mean that the group is treated fairly",
}
LONG_VERDICTS: Mapping[str, Mapping[str, str]] = {"help": _HELP_VERDICTS, "sanction": _SANCTION_VERDICTS}

STATUSES: Mapping[str, str] = {
    "no_events": "no one had the event",
    "no_non_events": "everyone had the event",
    "none_flagged": "no one was flagged",
    "all_flagged": "everyone was flagged",
    "no_true_positives": "no flag was right",
    "no_false_positives": "no flag was wrong",
    "no_true_negatives": "no one without the event was left unflagged",
    "no_false_negatives": "no event was missed",
    "empty": "no usable rows",
    "suppressed": "suppressed because there are too few people",
    "no_cutoff": "no cutoff satisfies the rule",
}
REASONS: Mapping[str, str] = {
    "malformed_row": "malformed row",
    "label_missing": "label missing",
    "label_undeclared": "label not declared",
    "scored_on_missing": "date of the score missing",
    "group_out_of_range": "group value out of range",
    "group_not_a_number": "group value not a number",
    "group_too_long": "group value too long",
    "member_missing": "member missing",
    "member_repeated": "member repeated",
    "weight_missing": "weight missing",
    "weight_out_of_range": "weight out of range",
    "score_not_a_probability": "score outside 0 to 1",
    "score_missing": "score missing",
    "score_nan": "score NaN",
    "score_infinite": "score infinite",
    "score_not_a_number": "score not a number",
}


def clipped(text: str) -> str:
    """The beginning of a text that is too long to show, and its length; `--json` shows the whole text.

    >>> clipped("A"), clipped("A" * 1000)[-27:]
    ('A', 'AAAAA... (1,000 characters)')
    """
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text):,} characters)"


def printable(text: str) -> str:
    """The text without control characters, which could otherwise change the terminal.

    >>> printable("A" + chr(27) + "B")
    'A?B'
    """
    return "".join(character if character.isprintable() else "?" for character in text)


def group_label(name: str) -> str:
    """A group's name in a sentence, with a note if the group was not recorded.

    >>> group_label("unknown x Female")
    'unknown x Female (group not recorded)'
    """
    shown = printable(clipped(name))
    return f"{shown} (group not recorded)" if UNKNOWN in name.split(SEPARATOR) else shown


def per_100(value: float, bound: float) -> str:
    """A rate per 100 as a whole number.

    It has more digits if rounding would give 0, or move it to the bound or across the bound.

    >>> per_100(0.876, 0.8), per_100(0.0043, 1), per_100(0.7996, 0.8), per_100(0.998, 1)
    ('88', '0.4', '79.96', '99.8')
    """
    shown = 100 * value
    digits = 0 if shown >= 1 or shown <= 0 else -floor(log10(shown))
    for more in range(digits, digits + 8):
        if _side(round(shown, more), round(100 * bound, 9)) == _side(value, bound):
            return f"{shown:,.{more}f}"
    return number(shown)


def percent(value: float) -> str:
    """A share in per cent; smaller shares have more digits.

    >>> percent(0.00686), percent(0.0686), percent(0.4512)
    ('0.686 %', '6.86 %', '45 %')
    """
    digits = 3 if value < 0.01 else 2 if value < 0.1 else 0
    return f"{100 * value:.{digits}f} %"


def number(value: float) -> str:
    """A cutoff or ratio in the shortest form."""
    return f"{value:.10g}"


def rounded(value: float, bound: float) -> str:
    """A ratio with three digits, or more if rounding would move it to the bound or across the bound.

    >>> rounded(0.79999, 0.8), rounded(0.8, 0.8)
    ('0.79999', '0.800')
    """
    for digits in range(3, 9):
        shown = f"{value:.{digits}f}"
        if _side(float(shown), bound) == _side(value, bound):
            return shown
    return number(value)


def _side(value: float, bound: float) -> int:
    """Below, on or above the bound."""
    return (value > bound) - (value < bound)


def counted(n: int, one: str, many: str | None = None) -> str:
    """A number with its noun, singular or plural.

    >>> counted(1, "breach", "breaches"), counted(1200, "row")
    ('1 breach', '1,200 rows')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"
