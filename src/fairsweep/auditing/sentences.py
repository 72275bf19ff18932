"""The sentences about a group, a cutoff and a disparity."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from fairsweep.auditing.findings import DisparateImpact, GroupFinding, PointFinding, Row
from fairsweep.output.wording import (
    LONG_VERDICTS,
    STATUSES,
    clipped,
    group_label,
    number,
    per_100,
    percent,
    printable,
    rounded,
)

UNPROVEN = ("below_floor_unproven", "above_floor_unproven", "above_ceiling_unproven", "below_ceiling_unproven")


def high(groups: Sequence[GroupFinding]) -> str | None:
    """Groups with far more flags than events while others have too few; this does not show a cause."""
    many = [group_label(group.name) for group in groups if group.judged["high_note"] == "high_while_others_low"]
    few = [
        f"{group_label(group.name)} by {group.judged['short_flags']:,} flags"
        for group in groups
        if group.judged["short_flags"]
    ]
    if not many or not few:
        return None
    return f"High while others are low: {', '.join(many)}; below the floor: {', '.join(few)}."


def subgroup(row: Row) -> str:
    """A subgroup that the search found."""
    who = ", ".join(
        f"{printable(name)} {group_label(value)}"
        for name, value in zip(row["attributes"], row["group_values"], strict=True)
    )
    about = "" if row["rounded_to"] is None else "about "
    lacks = "" if row["shortfall_low"] is None else f"; at least {max(row['shortfall_low'], 0):,.0f} flags short"
    return f"{who}: {about}{per_100(row['group_benefit_equality'], 1.0)} flagged per 100 who had the event{lacks}."


def headline(group: GroupFinding, point: PointFinding, bound: float) -> str:
    """The group that needs attention first, as numbers of people."""
    people = group_label(group.name) + ("" if group.n is None else f" (n {group.n:,})")
    if group.value is None:
        return f"{people}: {LONG_VERDICTS[point.flag_is][group.verdict]}; its counts are suppressed"
    per = _flagged_per_100(group, point, bound)
    if point.flag_is == "help":
        return f"{people}: {per} flagged per 100 who needed it"
    wrongly = group.rates["false_positive_rate"]
    first = "" if wrongly is None else f"{per_100(wrongly, 1.0)} of 100 without the event were flagged; "
    return f"{people}: {first}{per} flagged per 100 who had the event"


def three_numbers(group: GroupFinding, label: str, point: PointFinding, bound: float) -> list[str]:
    """Flagged per 100 events, found per 100 events, right per 100 flags; or why a figure is undefined.

    If the flag is a sanction, the people flagged without an event come first.
    """
    if group.value is None:
        reason = STATUSES.get(group.judged["status"], group.judged["status"])
        if group.hidden:
            return [f"{label}: {reason}"]
        flagged = group.rates["selection_rate"]
        rate = [] if flagged is None else [f"{per_100(flagged, 1.0)} of 100 people were flagged"]
        return [f"{label}: {reason}, so flags per event are not defined", *rate]
    clauses = [f"{_flagged_per_100(group, point, bound)} flagged per 100 who had the event"]
    if group.hidden:
        return [f"{label}: about {clauses[0]}", "counts are suppressed, because cells are small"]
    wrongly, found, right = (
        group.rates[metric] for metric in ("false_positive_rate", "true_positive_rate", "positive_predictive_value")
    )
    if point.flag_is == "sanction" and wrongly is not None:
        clauses.insert(0, f"{per_100(wrongly, 1.0)} of 100 without the event were flagged")
    if right is None:
        clauses.append(f"{STATUSES['none_flagged']}, so no event was found")
    elif found is not None:
        clauses.append(f"the flags found {per_100(found, 1.0)} of those 100")
        clauses.append(f"{per_100(right, 1.0)} of 100 flags were right")
    needed = group.judged["events_needed"]
    if needed is not None and group.events is not None and group.verdict in UNPROVEN and group.events < needed:
        clauses.append(f"{group.events:,} events, {needed:,} are needed to decide")
    clauses[0] = f"{label}: {clauses[0]}"
    return [*clauses, *_asides(group, point, bound)]


def drawn(group: GroupFinding, point: PointFinding) -> tuple[float | None, float | None, float | None]:
    """The lower limit, the value and the upper limit as they are drawn.

    On the relative basis they are multiples of the population's value, which is taken as known: the picture only
    describes; the verdict comes from the test.
    """
    low, value, high = group.judged["ci_low"], group.value, group.judged["ci_high"]
    if point.basis != "relative":
        return low, value, high
    unit = point.point["population_gbe"]
    if not unit:
        return None, None, None
    return tuple(None if limit is None else limit / unit for limit in (low, value, high))  # type: ignore[return-value]


def cutoff(row: Row) -> str:
    """How the cutoff was chosen, and its neighbours on the grid."""
    neighbours = [number(row[side]) for side in ("cutoff_below", "cutoff_above") if row[side] is not None]
    beside = f"; neighbours on the grid: {' and '.join(neighbours)}" if neighbours else ""
    if row["rule"] == "fixed":
        origin = "The cutoff is given in the config (prespecified)"
    else:
        # The value reached is a figure of the overall population, which is suppressed if it is too small.
        reached = "the value reached is suppressed" if row["achieved"] is None else f"reached {row['achieved']:.4g}"
        origin = (
            "The cutoff was tuned on the same rows that it judges: "
            f"{row['rule']}, target {number(row['target'])}, {reached}"
        )
    return f"{origin}{beside}."


def basis(point: PointFinding, bound: float) -> str:
    """The bound with which groups are compared."""
    helps = point.flag_is == "help"
    limit, beyond = ("floor", "below it too few") if helps else ("ceiling", "above it too many")
    unit = point.point["population_gbe"]
    if unit is None and point.everybody is not None and point.everybody.hidden:
        return "The bound for groups is suppressed, because cells of the overall population are small."
    if unit is None or point.basis is None:
        return "No verdict: no one had the event."
    if point.basis == "absolute":
        return (
            f"Basis absolute (population GBE {unit:.4g}): the {limit} is {per_100(bound, bound)} flagged per 100 "
            f"events; {beyond} are flagged."
        )
    return (
        f"Basis relative: the population has {per_100(unit, 1.0)} flagged per 100 events (population GBE "
        f"{unit:.4g}), so each group is judged and drawn as a multiple of it; the {limit} is "
        f"{number(round(bound, 4))}; {beyond} are flagged."
    )


def disparate_impact(impact: DisparateImpact) -> str:
    """The ratio of the shares flagged, with the event rates that are needed to interpret it."""
    row, ratio = impact.row, float(impact.row["ratio"])
    group, compared = (printable(clipped(row[name])) for name in ("group_value", "compared_group"))
    low, high = row["ratio_ci_low"], row["ratio_ci_high"]
    interval = "" if low is None or high is None else f" (95 % interval {low:.3f} to {high:.3f})"
    impact_text = f"Disparate impact, {group} against {compared}: {ratio:.3f}{interval}"
    own, other = impact.prevalence, impact.compared_prevalence
    if own is None or not other:
        return f"{impact_text}."
    rates = f"{percent(own)} and {percent(other)}"
    if low is not None and high is not None and low <= 1 <= high:
        return f"{impact_text}; chance may explain it (event rates {rates})."
    # Disparate impact is the ratio of event rates times the ratio of flags per event. On the logarithmic scale
    # the two add up; the larger one is the reason.
    if own / other <= sqrt(ratio) if ratio < 1 else own / other >= sqrt(ratio):
        return f"{impact_text}; differs because the event rate differs ({rates})."
    return f"{impact_text}; the event rates ({rates}) explain less than half of it."


def _flagged_per_100(group: GroupFinding, point: PointFinding, bound: float) -> str:
    """Flags per 100 events, never rounded across the bound."""
    scale = 1.0 if point.basis != "relative" else float(point.point["population_gbe"] or 1.0)
    return per_100(group.value or 0.0, bound * scale)


def _asides(group: GroupFinding, point: PointFinding, bound: float) -> list[str]:
    """Further figures: the value relative to the population's, and the value with unscored people."""
    asides = []
    judged = group.judged["judged_value"]
    everybody = point.point["population_gbe"]
    if point.basis == "relative" and judged is not None and everybody is not None:
        asides.append(f"that is {rounded(judged, bound)} times the population's {everybody:.4g}")
    including = group.rates["group_benefit_equality_including_unscored"]
    if including is not None and group.value is not None and including != group.value:
        asides.append(f"counting people without a score, {per_100(including, bound)} flagged per 100 who had the event")
    return asides
