"""Search for subgroups in breach: combinations of attributes, largest shortfall first, each reported once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairsweep.core.counts import ConfusionCounts, IntArray
from fairsweep.core.evidence.lattice import Lattice, Sets, p_beyond_rest
from fairsweep.core.inference.intervals import (
    Z95,
    FloatArray,
    Limits,
    bonett_price,
    log_gbe_variance,
    relative_log_variance,
)
from fairsweep.core.inference.verdicts import Family, Rule, holm, judge, verdict_basis

SEARCHED = Family("subgroups", "benjamini_hochberg")
"""All cells of all combinations that have enough events, at one operating point."""

_Z90 = 1.6448536269514722  # One-sided 95 % limits are the ends of a two-sided 90 % interval.
# Which descendants may explain a cell: enough for any list, and no more than can be subtracted in no time.
_MOST_TAKEN_OUT = 50


@dataclass(frozen=True, eq=False)
class Subgroup:
    """People who share up to three values and are flagged too little, or for a sanction too much.

    Attributes:
        attributes: which attributes the values are of.
        values: the values that its people share.
        counts: its counts, scalar shape.
        value: group benefit equality, or on the relative basis its ratio to the population's.
        ci_low: lower limit of the value's two-sided 95 % interval.
        ci_high: upper limit.
        shortfall: in people, the flags that are missing to the floor, floor x P - F, or for a sanction the flags
            beyond the ceiling, F - P / floor; on the relative basis the bound is first multiplied by the
            population's group benefit equality.
        shortfall_low: its lower limit, in people: the shortfall were the value at the one-sided 95 % limit nearer
            the bound. It may be below 0 where only a few cells were searched.
        p: one-sided p of the hypothesis that the value is on the right side of the bound.
        p_adjusted: the same, corrected for all that was searched.
        searched: how many subgroups were searched.
        explained_by: None for a finding; otherwise the values of the finding that explains this subgroup.
        explained_by_attributes: which attributes those values are of.
    """

    attributes: tuple[str, ...]
    values: tuple[str, ...]
    counts: ConfusionCounts
    value: float
    ci_low: float
    ci_high: float
    shortfall: float
    shortfall_low: float
    p: float
    p_adjusted: float
    searched: int
    explained_by: tuple[str, ...] | None = None
    explained_by_attributes: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class _Evidence:
    """The test results of each cell of the lattice; the arrays are `[cells]`, NaN where not searched.

    Attributes:
        value: the judged value.
        p: one-sided p of a breach.
        p_adjusted: the same, corrected for all cells searched.
        found: the significant cells, largest lower limit of the shortfall first.
    """

    lattice: Lattice
    population: ConfusionCounts
    rule: Rule
    minimum_events: int
    value: FloatArray
    p: FloatArray
    p_adjusted: FloatArray
    found: IntArray


def search(
    sets: Sets,
    population: ConfusionCounts,
    rule: Rule,
    *,
    minimum_events: int = 30,
    most: int = 20,
    with_explained: bool = False,
) -> tuple[Subgroup, ...]:
    """Find the subgroups that breach the rule and that no other finding explains.

    Every cell with enough events is tested once. A significant cell is dropped if an ancestor that is
    significant too explains it: the cell is not lower than the rest of the ancestor, so that the simpler description
    is enough. It is also dropped if findings explain it: without the people that it shares with its own significant
    descendants, and with findings of larger shortfall, its remainder would not have been found. The remainder of a
    cell is known if the values of both cells name a combination that was given; a cell whose overlap with a finding
    takes more attributes than were combined may therefore be reported beside it.

    Args:
        sets: for each combination of attributes its cells and their counts at one operating point, `[cells]`.
        population: the overall population at the same operating point, scalar shape.
        rule: the floor, the level and the direction.
        minimum_events: the fewest events of a cell that is searched.
        most: the most findings returned.
        with_explained: whether significant cells that one of these findings explains follow after them.

    Returns:
        The findings, largest lower limit of the shortfall first; then the cells that they explain, in the same order.

    Raises:
        ValueError: if `minimum_events` or `most` is below 1 or the sets are malformed.

    Source:
        The score test of `verdicts.judge` under Benjamini and Hochberg, Controlling the false discovery rate, JRSS B
        1995. The order and the two rules of explaining were derived for this project and verified by simulation;
        they are not published.
    """
    if minimum_events < 1 or most < 1:
        raise ValueError(f"minimum_events is {minimum_events} and most is {most}; both must be at least 1")
    evidence = _tested(Lattice.of(sets), population, rule, minimum_events)
    findings, explained = _told_once(evidence, most)
    listed: dict[int, int | None] = dict.fromkeys(findings)
    if with_explained:
        roots = {cell: _root(cell, explained) for cell in evidence.found.tolist() if cell in explained}
        listed |= {cell: root for cell, root in roots.items() if root in findings}
    return _subgroups(evidence, listed)


def _tested(lattice: Lattice, population: ConfusionCounts, rule: Rule, minimum_events: int) -> _Evidence:
    """Test every cell with enough events, all in one family, and rank those that are significant."""
    searched = np.flatnonzero(lattice.counts.events >= minimum_events)
    judged = judge(lattice.counts[searched], population, [SEARCHED] * len(searched), rule)
    p_breach = judged.p_below if rule.flag_is == "help" else judged.p_above
    value, p, p_adjusted = (np.full(lattice.counts.shape, np.nan) for _ in range(3))
    value[searched], p[searched], p_adjusted[searched] = judged.judged_value, p_breach, judged.p_adjusted
    found = np.flatnonzero(p_adjusted < rule.alpha)
    low = _figures(lattice.counts[found], value[found], population, rule)["shortfall_low"].tolist()
    # The same people under several descriptions: the shortest one first, then by name.
    names = [(len(lattice.values[cell]), lattice.attributes[cell], lattice.values[cell]) for cell in found.tolist()]
    ranked = sorted(range(len(found)), key=lambda i: (-low[i], names[i]))
    return _Evidence(lattice, population, rule, minimum_events, value, p, p_adjusted, found[ranked])


def _figures(
    counts: ConfusionCounts, value: FloatArray, population: ConfusionCounts, rule: Rule
) -> dict[str, FloatArray]:
    """The interval of the value and the shortfall of each cell."""
    low, high = _limits(counts, value, population, Z95)
    one_sided_low, one_sided_high = _limits(counts, value, population, _Z90)
    side, limit = (1, one_sided_high) if rule.flag_is == "help" else (-1, one_sided_low)
    per_value = _population_gbe(population) * counts.events
    return {
        "ci_low": low,
        "ci_high": high,
        "shortfall": side * (rule.bound * per_value - counts.flagged),
        "shortfall_low": side * (rule.bound - limit) * per_value,
    }


def _population_gbe(population: ConfusionCounts) -> float:
    """The unit of judged values: 1, or on the relative basis the population's group benefit equality."""
    basis = verdict_basis(population)
    return int(population.flagged) / int(population.events) if basis == "relative" else 1.0


def _limits(counts: ConfusionCounts, value: FloatArray, population: ConfusionCounts, z: float) -> Limits:
    """Bonett-Price intervals; on the relative basis divided by the population's value, and widened.

    The widening, on the log scale, is the one of the test on the relative basis (derived for this project, not
    published); if no one is flagged, there is no log variance for it.
    """
    group = counts.tp, counts.fp, counts.fn
    low, high = bonett_price(*group, z)
    if verdict_basis(population) != "relative":
        return low, high
    everybody = population.tp, population.fp, population.fn
    unit = _population_gbe(population)
    with np.errstate(divide="ignore", invalid="ignore"):
        wider = np.sqrt(relative_log_variance(group, everybody) / log_gbe_variance(*group))
        low, high = (
            np.where(np.isfinite(wider), value * (limit / unit / value) ** wider, limit / unit) for limit in (low, high)
        )
    return low, high


def _told_once(evidence: _Evidence, most: int) -> tuple[list[int], dict[int, int]]:
    """The findings in their order, and what explains each of the other cells met on the way."""
    explained, standing_out = _explained_by_ancestors(evidence)
    members = evidence.lattice.members
    findings: list[int] = []
    for cell in evidence.found.tolist():
        if len(findings) == most:
            break
        if cell in explained:
            continue
        descendants = standing_out.get(cell, [])[:_MOST_TAKEN_OUT]
        beside = [other for other in findings if not (members[other] < members[cell] or other in descendants)]
        reason = _clearing(evidence, cell, descendants + beside)
        if reason is None:
            findings.append(cell)
        else:
            explained[cell] = reason
    return findings, explained


def _explained_by_ancestors(evidence: _Evidence) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Which significant cells an ancestor explains, and for each ancestor the descendants that differ, in their order.

    A descendant differs from a significant ancestor if it is lower than the rest of it, corrected by Holm for
    all its descendants that were searched, because each of them was tested. A cell that differs from all of its
    significant ancestors is explained by none.
    """
    lattice, rule = evidence.lattice, evidence.rule
    rank = np.full(evidence.p.shape, len(evidence.p))
    rank[evidence.found] = np.arange(len(evidence.found))
    descendant, ancestor = lattice.descents(np.flatnonzero(~np.isnan(evidence.p)))
    kept = np.isin(ancestor, evidence.found)
    descendant, ancestor = descendant[kept], ancestor[kept]
    order = np.lexsort((rank[descendant], rank[ancestor]))
    descendant, ancestor = descendant[order], ancestor[order]
    inner = lattice.counts[descendant]
    p = p_beyond_rest(inner, lattice.counts[ancestor] - inner, rule.flag_is)
    explained: dict[int, int] = {}
    standing_out: dict[int, list[int]] = {}
    starts = np.flatnonzero(np.diff(ancestor, prepend=-1))
    for pairs in np.split(np.arange(len(p)), starts[1:]) if len(p) else []:
        within = int(ancestor[pairs[0]])
        significant = np.isin(descendant[pairs], evidence.found)
        outside = holm(p[pairs]) < rule.alpha
        standing_out[within] = descendant[pairs[significant & outside]].tolist()
        for cell in descendant[pairs[significant & ~outside]].tolist():
            explained.setdefault(cell, within)
    survivors = {cell: [i for i in inside if i not in explained] for cell, inside in standing_out.items()}
    return explained, survivors


def _clearing(evidence: _Evidence, cell: int, others: Sequence[int]) -> int | None:
    """The first of some cells whose removal, after that of those before it, clears a cell; None if none clears it.

    A cell is cleared if its remainder would not have been found: it has too few events to be searched, or a p above
    the largest that was significant.
    """
    left, taken = evidence.lattice.remainders(cell, others)
    judged = judge(left, evidence.population, [SEARCHED] * len(taken), evidence.rule)
    p = judged.p_below if evidence.rule.flag_is == "help" else judged.p_above
    hurdle = evidence.p[evidence.found].max()
    cleared = (left.events < evidence.minimum_events) | ~(p <= hurdle)
    return taken[int(cleared.argmax())] if cleared.any() else None


def _root(cell: int, explained: Mapping[int, int]) -> int:
    """Where a chain of explanations ends."""
    while cell in explained:
        cell = explained[cell]
    return cell


def _subgroups(evidence: _Evidence, listed: Mapping[int, int | None]) -> tuple[Subgroup, ...]:
    """The listed cells, each with the finding that explains it."""
    lattice, cells = evidence.lattice, list(listed)
    counts, value = lattice.counts[cells], evidence.value[cells]
    figures = _figures(counts, value, evidence.population, evidence.rule)
    searched = int((~np.isnan(evidence.p)).sum())
    return tuple(
        Subgroup(
            lattice.attributes[cell],
            lattice.values[cell],
            counts[i],
            value=float(value[i]),
            p=float(evidence.p[cell]),
            p_adjusted=float(evidence.p_adjusted[cell]),
            searched=searched,
            explained_by=None if root is None else lattice.values[root],
            explained_by_attributes=None if root is None else lattice.attributes[root],
            **{name: float(figure[i]) for name, figure in figures.items()},
        )
        for i, (cell, root) in enumerate(listed.items())
    )
