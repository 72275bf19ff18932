"""Write a proposed audit as a commented config."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from fairsweep.init.proposing import MOST_LABELS, Profile, Proposal, needs_breaks

EVENT_LABELS = ("1", "true", "yes", "y", "event", "positive", "died", "readmitted", "<30")
MISSING_MARKS = ("?", "UNK", "UNKNOWN", "NA", "N/A", "NULL", "nan", "Unknown/Invalid")
ADULT_BREAKS = (18, 45, 65)
OLDER_BREAKS = (18, 65, 75, 85)


def written(proposal: Proposal, flag_is: Literal["help", "sanction"], model_id: str, source: Mapping[str, str]) -> str:
    """The config as YAML with comments.

    Args:
        proposal: the columns.
        flag_is: `help` or `sanction`.
        model_id: the name under which results are stored.
        source: the `input` section.
    """
    harmed = "too little" if flag_is == "help" else "too much"
    parts = [
        "# Proposed from the column names and at most 1,000 rows: read every line before you rely on it.",
        "",
        f'model: {{id: {_text(model_id)}, version: "1"}}    # the name under which results are stored',
        "",
        "# help: being flagged brings help; sanction: being flagged does harm.",
        f"flag_is: {flag_is}    # so the group that is flagged {harmed} is the one that is harmed",
        "",
        "input:",
        *(f"  {key}: {_text(value)}" for key, value in source.items()),
        "",
        "columns:",
        f"  score: {_text(proposal.score.name)}",
        f"  label: {_text(proposal.label.name)}    # the outcome" + _others(proposal.others),
        *_label_lines(proposal.label),
        "",
        "attributes:    # whose groups are compared; add `reference: a group` to compare the others with it",
        *_attribute_lines(proposal.attributes),
        "",
        f"cutoffs: {_cutoffs(proposal.score)}    # flagged when score >= cutoff",
        "",
        "operating_points:    # the cutoffs at which groups are judged",
        "  - {name: population, rule: population_gbe, target: 1.0}    # as many flagged as have the event",
        "  # - {name: deployed, rule: fixed, at: 0.05}    # the cutoff that is in use",
        "  # - {name: capacity, rule: alert_rate, rate: 0.03}    # flag at most this share",
        "",
        "verdict: {floor: 0.8, alpha: 0.05}    # of Group Benefit Equality; one-sided",
        "",
        "# Counts of 1 to 10 people are suppressed; 0 shows everything.",
        "privacy: {minimum_cell_size: 11}",
    ]
    return "\n".join(parts) + "\n"


def _others(names: Sequence[str]) -> str:
    return "; or " + ", ".join(_text(name) for name in names[:5]) if names else ""


def _label_lines(label: Profile) -> list[str]:
    """Events by the usual words, else by the rarer value; labels are shown only where they are few."""
    seen = label.distinct[:MOST_LABELS]
    by_word = [value for value in seen if value.lower() in EVENT_LABELS or (label.numbers and float(value) == 1)]
    counts = {value: label.values.count(value) for value in seen}
    events = by_word[:1] or ([min(seen, key=lambda value: counts[value])] if len(seen) > 1 else ["1"])
    rest = [value for value in seen if value not in events]
    lines = [f"event_labels: [{_label(events[0])}]" + ("" if by_word else "    # the rarer one: check it")]
    if len(rest) == 1:
        lines.append(f"non_event_labels: [{_label(rest[0])}]    # any other label is refused, not guessed")
    else:
        lines.append("# every other label is a non-event; name them under non_event_labels to refuse any further one")
    return lines


def _attribute_lines(attributes: Sequence[Profile]) -> list[str]:
    names = {profile.name for profile in attributes}
    lines = []
    for profile in attributes:
        if needs_breaks(profile):
            breaks = OLDER_BREAKS if max(profile.numbers) >= 75 else ADULT_BREAKS
            name = "age_band" if "age_band" not in names and profile.name == "age" else f"{profile.name} band"
            lines.append(f"  - {{name: {_text(name)}, from: {_text(profile.name)}, breaks: {list(breaks)}}}")
        elif marks := [value for value in profile.distinct if value in MISSING_MARKS]:
            missing = ", ".join(json.dumps(value) for value in marks)
            lines.append(f"  - {{name: {_text(profile.name)}, missing: [{missing}]}}    # counted as unknown")
        else:
            lines.append(f"  - {_text(profile.name)}")
    plain = [profile for profile in attributes if not needs_breaks(profile)]
    race = next((p.name for p in plain if p.rank(("race", "ethnicity", "ethnic")) is not None), None)
    sex = next((p.name for p in plain if p.rank(("sex", "gender")) is not None), None)
    if race and sex:
        lines.append(f"  - [{_text(race)}, {_text(sex)}]    # an intersection")
    return lines


def _cutoffs(score: Profile) -> str:
    """Cutoffs over the range of the scores; never a score itself, which would be a member's."""
    low, high = min(score.numbers), max(score.numbers)
    if all(number.is_integer() for number in score.numbers) and high - low <= 1_000:
        for first, last in ((0, 1), (1, 10), (0, 10), (1, 100), (0, 100), (0, 1_000)):
            if first <= low and high <= last:
                return f"{{start: {first}, stop: {last}, count: {last - first + 1}}}"
    if low >= 0 and high <= 1:
        return "{start: 0, stop: 1, count: 1001}"
    if low == high:
        return f"{{start: {math.floor(low)}, stop: {math.floor(low) + 1}, count: 1001}}"
    unit = 10.0 ** math.floor(math.log10(high - low))
    start, stop = math.floor(low / unit) * unit, math.ceil(high / unit) * unit
    return f"{{start: {start:.6g}, stop: {stop:.6g}, count: 1001}}"


def _label(value: str) -> str:
    """Whole numbers as numbers, however a file spells them; all else as text."""
    whole = re.fullmatch(r"(-?(?:0|[1-9][0-9]{0,15}))(?:\.0*)?", value)
    return whole.group(1) if whole else json.dumps(value, ensure_ascii=False)


def _text(value: str) -> str:
    """A text as YAML: plain where nothing could misread it."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_/-]*(\.[A-Za-z0-9_/-]+)*", value)
    words = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    return value if plain and value.lower() not in words else json.dumps(value, ensure_ascii=False)
