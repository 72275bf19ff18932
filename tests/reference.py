"""The oracle: what an audit means, read row by row in plain Python. Slow and obvious on purpose; nobody optimises it.

It shares no code with the product. Rows are dicts of Python values; a row of a text file that has too few or too many
fields carries `MALFORMED`. The config is the plain mapping that a config file holds.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import isinf, isnan
from typing import Any

Row = Mapping[str, Any]
Counts = Counter[str]
Group = tuple[str, str]
MALFORMED = "\0malformed"

# Numerator, denominator, and what it is called that the denominator is zero.
METRICS: dict[str, tuple[str, str, str]] = {
    "group_benefit_equality": ("tp fp", "tp fn", "no_events"),
    "group_benefit_equality_including_unscored": ("tp fp", "tp fn unscored_events", "no_events"),
    "selection_rate": ("tp fp", "tp fp fn tn", "empty"),
    "prevalence": ("tp fn", "tp fp fn tn", "empty"),
    "true_positive_rate": ("tp", "tp fn", "no_events"),
    "false_positive_rate": ("fp", "fp tn", "no_non_events"),
    "true_negative_rate": ("tn", "fp tn", "no_non_events"),
    "false_negative_rate": ("fn", "tp fn", "no_events"),
    "positive_predictive_value": ("tp", "tp fp", "none_flagged"),
    "negative_predictive_value": ("tn", "fn tn", "all_flagged"),
    "false_discovery_rate": ("fp", "tp fp", "none_flagged"),
    "false_omission_rate": ("fn", "fn tn", "all_flagged"),
    "accuracy": ("tp tn", "tp fp fn tn", "empty"),
    "f1_score": ("tp tp", "tp tp fp fn", "no_events"),
    "treatment_equality": ("fn", "fp", "no_false_positives"),
    "number_needed_to_screen": ("tp fp", "tp", "no_true_positives"),
}


@dataclass
class Result:
    """One model: counts of every (attribute, group) at every cutoff, and tallies of what was not counted."""

    cutoffs: list[float]
    counts: dict[Group, list[Counts]] = field(default_factory=dict)
    tallies: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    refused_of_group: Counter[Group] = field(default_factory=Counter)
    kept_of_group: Counter[Group] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Attribute:
    name: str
    column: str
    missing: list[str]
    values: list[str]
    breaks: list[int] | None
    range: list[int] | None
    reference: str | None


# Values


def text(value: Any) -> str | None:
    if value is None or value is True or value is False:
        return {None: None, True: "true", False: "false"}[value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip(" ") or None


def number(value: Any) -> float | None:
    if value is None or not isinstance(value, str):
        return None if value is None else float(value)
    body = value.strip(" ")
    mantissa, exponent_mark, exponent = body.replace("E", "e").partition("e")
    for part, optional in ((mantissa.replace(".", "", 1), False), (exponent, not exponent_mark)):
        digits = part[1:] if part[:1] in {"+", "-"} else part
        if not optional and not (digits.isascii() and digits.isdigit()):
            return None
    return float(body)


def day(value: Any) -> date | None:
    """The day in UTC; text begins as ISO writes a date."""
    if isinstance(value, str):
        try:
            ok = re.match(r" *[0-9]{4}-[0-9]{2}-[0-9]{2}( *$|[ T])", value)
            value = datetime.fromisoformat(value.strip(" ")) if ok else None
        except ValueError:
            return None
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).date()
    return value if isinstance(value, date) else None


def same(value: Any, wanted: Any) -> bool:
    """Whether a label is the declared one: a number compares as a number, any other as text."""
    if isinstance(wanted, bool | str):
        return text(value) == text(wanted)
    return number(value) == float(wanted)


def label_of(row: Row, config: Mapping[str, Any]) -> str:
    value = row[config["columns"]["label"]]
    if text(value) is None or (isinstance(value, float | Decimal) and isnan(value)):
        return "label_missing"
    if any(same(value, wanted) for wanted in config.get("event_labels", [1])):
        return "event"
    declared = config.get("non_event_labels")
    return "non_event" if declared is None or any(same(value, w) for w in declared) else "label_undeclared"


def group_of(value: Any, attribute: Attribute) -> tuple[str, str | None]:
    """The group, and why the row is refused."""
    numbers = [number(m) for m in attribute.missing] if attribute.breaks else []
    found = number(value) if attribute.breaks else None
    if text(value) is None or text(value) in attribute.missing or (found is not None and found in numbers):
        return "unknown", None
    if attribute.breaks is None:
        return ("unknown", "group_too_long") if len(str(text(value))) > 1_000 else (str(text(value)), None)
    if found is None or isnan(found):
        return "unknown", "group_not_a_number"
    if attribute.range is not None and not attribute.range[0] <= found <= attribute.range[1]:
        return "unknown", "group_out_of_range"
    return band(found, attribute.breaks), None


def band(value: float, breaks: Sequence[int]) -> str:
    if value < breaks[0]:
        return f"under {breaks[0]}"
    for low, after in pairwise(breaks):
        if value < after:
            return str(low) if low == after - 1 else f"{low}-{after - 1}" if low >= 0 else f"{low} to {after - 1}"
    return f"{breaks[-1]}+"


def score_problem(value: Any) -> str | None:
    found = number(value)
    if text(value) is None:
        return "score_missing"
    if found is None:
        return "score_not_a_number"
    return "score_nan" if isnan(found) else "score_infinite" if isinf(found) else None


# The config


def attributes_of(config: Mapping[str, Any]) -> tuple[dict[str, Attribute], list[list[str]]]:
    """Every single attribute by name, and the groupings that are reported."""
    written = {a["name"]: a for a in config["attributes"] if isinstance(a, Mapping)}
    groupings = [a if isinstance(a, list) else [a if isinstance(a, str) else a["name"]] for a in config["attributes"]]
    found = {}
    for name in (name for grouping in groupings for name in grouping):
        a = written.get(name, {})
        missing, values = ([str(text(v)) for v in a.get(key, [])] for key in ("missing", "values"))
        reference = text(a.get("reference"))
        found[name] = Attribute(name, a.get("from", name), missing, values, a.get("breaks"), a.get("range"), reference)
    return found, groupings


def cutoffs_of(config: Mapping[str, Any], *, float_scores: bool) -> list[float]:
    given = config["cutoffs"]
    values = {float(v) for v in given.get("values", [])}
    if not values:
        start, stop, steps = Fraction(str(given["start"])), Fraction(str(given["stop"])), given["count"] - 1
        values = {float(start + k * (stop - start) / max(steps, 1)) for k in range(steps + 1)}
    values |= {float(point["at"]) for point in config["operating_points"] if "at" in point}
    return sorted({as_float(v) for v in values} if float_scores else values)


def as_float(value: float) -> float:
    """The double that a FLOAT nearest to the value holds."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def named(values: Sequence[str]) -> str:
    """An intersection's group: a value that would make the joined text ambiguous is quoted."""
    if len(values) == 1:
        return values[0]
    odd = [" x " in f" {v} " or v.startswith('"') for v in values]
    return " x ".join('"' + v.replace('"', '""') + '"' if o else v for v, o in zip(values, odd, strict=True))


# The audit


def audit(
    rows: Sequence[Row],
    config: Mapping[str, Any],
    window: tuple[date, date] | None = None,
    *,
    float_scores: bool = False,
) -> dict[tuple[str, str], Result]:
    """Every model's result; empty where there is no row to look at."""
    attributes, groupings = attributes_of(config)
    cutoffs = cutoffs_of(config, float_scores=float_scores)
    results: dict[tuple[str, str], Result] = {}
    for row in rows:
        when = day(row[config["columns"]["scored_on"]]) if window else None
        if window and when and not row.get(MALFORMED) and not window[0] <= when < window[1]:
            continue
        model = model_of(row, config)
        result = results.setdefault(model, Result(cutoffs))
        count_row(row, config, attributes, groupings, result, dateless=window is not None and when is None)
    for (model_id, version), result in results.items():
        finish(result, config, attributes)
        for place, value in (("columns.model_id", model_id), ("columns.model_version", version)):
            if not re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", value):
                result.refusals.append(place)
    return results


def model_of(row: Row, config: Mapping[str, Any]) -> tuple[str, str]:
    if "model" in config:
        return config["model"]["id"], config["model"]["version"]
    columns = config["columns"]
    names = (text(row[columns[name]]) or "" for name in ("model_id", "model_version"))
    model_id, version = (name if len(name) <= 128 else "" for name in names)
    return model_id, version


def count_row(
    row: Row,
    config: Mapping[str, Any],
    attributes: Mapping[str, Attribute],
    groupings: Sequence[Sequence[str]],
    result: Result,
    *,
    dateless: bool,
) -> None:
    malformed = bool(row.get(MALFORMED))
    label = "unknown" if malformed else label_of(row, config)
    score = row[config["columns"]["score"]]
    groups = {name: group_of(row[a.column], a) for name, a in attributes.items()}
    problems = {problem for _, problem in groups.values()}
    reasons = {
        "malformed_row": malformed,
        "label_missing": label == "label_missing",
        "label_undeclared": label == "label_undeclared",
        "scored_on_missing": dateless,
        "group_out_of_range": "group_out_of_range" in problems,
        "group_not_a_number": "group_not_a_number" in problems,
        "group_too_long": "group_too_long" in problems,
    }
    refused = next((reason for reason, holds in reasons.items() if holds), None)
    unscored = None if refused else score_problem(score)
    label = label if label in {"event", "non_event"} else "unknown"
    result.rows["input"] += 1
    result.rows["refused" if refused else "unscored" if unscored else "used"] += 1
    for grouping in [[], *groupings]:
        values = ["unknown" if malformed else groups[name][0] for name in grouping]
        key = (" x ".join(grouping), named(values)) if grouping else ("overall", "all")
        if refused or unscored:
            result.tallies[*key, refused or unscored or "", label] += 1
        if refused:
            # A row that is refused because nobody can tell its group is no group's loss.
            lost = malformed or (refused.startswith("group_") and "unknown" in values)
            result.refused_of_group[key] += 0 if lost else 1
            continue
        result.kept_of_group[key] += 1
        at = result.counts.setdefault(key, [Counter() for _ in result.cutoffs])
        for cutoff, counts in zip(result.cutoffs, at, strict=True):
            counts[cell_of(label, None if unscored else number(score), cutoff)] += 1


def cell_of(label: str, score: float | None, cutoff: float) -> str:
    if score is None:
        return f"unscored_{label}s"
    flagged = score >= cutoff
    return {("event", True): "tp", ("non_event", True): "fp", ("event", False): "fn", ("non_event", False): "tn"}[
        label, flagged
    ]


def finish(result: Result, config: Mapping[str, Any], attributes: Mapping[str, Attribute]) -> None:
    """List declared groups that nobody is in, and say why the model is refused."""
    nobody = [Counter[str]() for _ in result.cutoffs]
    result.counts.setdefault(("overall", "all"), nobody)
    reported = {a if isinstance(a, str) else a["name"] for a in config["attributes"] if not isinstance(a, list)}
    for attribute in (attributes[name] for name in reported):
        for value in attribute.values:
            result.counts.setdefault((attribute.name, value), nobody)
        if attribute.reference and (attribute.name, attribute.reference) not in result.counts:
            result.refusals.append(f"the reference of {attribute.name}")
    limits = config.get("limits", {})
    if Fraction(result.rows["refused"], result.rows["input"]) > Fraction(
        str(limits.get("maximum_refused_share", 0.05))
    ):
        result.refusals.append("input")
    limit = Fraction(str(limits.get("maximum_refused_share_per_group", 0.10)))
    for (name, group), refused in result.refused_of_group.items():
        size = refused + result.kept_of_group[name, group]
        if name != "overall" and size >= 100 and Fraction(refused, size) > limit:
            result.refusals.append(f"{name}: `{group}`")


# What follows from counts


def total(counts: Counts, names: str) -> int:
    return sum(counts[name] for name in names.split())


def metric(name: str, counts: Counts) -> tuple[Fraction | None, str]:
    numerator, denominator, zero = METRICS[name]
    including_unscored = "unscored" in name
    people = "tp fp fn tn unscored_events unscored_non_events" if including_unscored else "tp fp fn tn"
    if not total(counts, people):
        return None, "empty"
    if not total(counts, denominator):
        return None, zero
    return Fraction(total(counts, numerator), total(counts, denominator)), "defined"


def choose(point: Mapping[str, Any], cutoffs: Sequence[float], everybody: Sequence[Counts]) -> tuple[int | None, str]:
    """Where the cutoff of an operating point stands, or why there is none."""
    if point["rule"] == "fixed":
        at = float(point["at"])
        return cutoffs.index(at if at in cutoffs else as_float(at)), "defined"
    wanted = Fraction(str(point.get("rate", point.get("target"))))
    by = "selection_rate" if point["rule"] == "alert_rate" else "group_benefit_equality"
    found = [metric(by, counts) for counts in everybody]
    if found[0][1] != "defined":
        return None, found[0][1]
    values = [value for value, _ in found if value is not None]
    if point["rule"] == "alert_rate":
        within = [k for k, value in enumerate(values) if value <= wanted]
        return (within[0], "defined") if within else (None, "no_cutoff")
    return min(range(len(values)), key=lambda k: (abs(values[k] - wanted), values[k] < wanted, k)), "defined"


def floor_comparison(group: Counts, everybody: Counts, floor: str) -> tuple[Fraction | None, str | None, bool | None]:
    """What is judged, its basis, and whether it is below the floor."""
    value, population = (metric("group_benefit_equality", counts)[0] for counts in (group, everybody))
    if population is None:
        return None, None, None
    basis = "absolute" if abs(population - 1) <= Fraction(5, 100) else "relative"
    if value is None or (basis == "relative" and population == 0):
        return None, basis, None
    judged = value if basis == "absolute" else value / population
    return judged, basis, judged < Fraction(floor)
