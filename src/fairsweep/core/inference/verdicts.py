"""Verdicts: whether a group gets too few flags, or too many, and how sure the counts make us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts, IntArray
from fairsweep.core.inference.intervals import FloatArray, log_gbe_variance, relative_log_variance, score_statistic
from fairsweep.core.inference.precision import INDEPENDENT, Precision
from fairsweep.core.metrics import GBE

FlagIs = Literal["help", "sanction"]
Basis = Literal["absolute", "relative"]
Correction = Literal["none", "holm", "benjamini_hochberg"]
ObjectArray = NDArray[np.object_]

BREACH, NOT_ASSESSED = "breach", "not_assessed"
VERDICT_ORDER: dict[FlagIs, tuple[str, ...]] = {
    "help": (BREACH, "below_floor_unproven", "above_floor_unproven", "above_floor", NOT_ASSESSED),
    "sanction": (BREACH, "above_ceiling_unproven", "below_ceiling_unproven", "below_ceiling", NOT_ASSESSED),
}
"""The verdicts under each meaning of the flag, those that need attention first."""

# The floor means "too few flags" only where flags and events are about equal overall: within 1/20.
_ABSOLUTE_WITHIN = 20


@dataclass(frozen=True)
class Family:
    """The tests that are corrected together. Cutoffs are near-copies of one another and never share a family.

    Attributes:
        name: its name in the results.
        correction: how the p-values of its members are adjusted.
    """

    name: str
    correction: Correction

    @classmethod
    def of_attribute(cls, attribute: str) -> Family:
        """The groups of one single attribute at one operating point: nothing else weakens its verdicts."""
        return cls(attribute, "holm")


OVERALL = Family("overall", "none")
"""The family of the overall population alone; it has no verdict if groups are judged relative to it."""
INTERSECTIONS = Family("intersections", "benjamini_hochberg")
"""All groups of all intersections of one operating point."""


@dataclass(frozen=True)
class Rule:
    """The rule by which groups are judged.

    Attributes:
        flag_is: `help` if too few flags do harm, `sanction` if too many do.
        floor: the lowest acceptable group benefit equality, above 0 and at most 1; for a sanction the highest
            acceptable value is its reciprocal.
        alpha: one-sided level of the tests, above 0 and below one half.
    """

    flag_is: FlagIs
    floor: float = 0.8
    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Check the ranges of floor and alpha."""
        if not 0 < self.floor <= 1:
            raise ValueError(f"floor is {self.floor}; it must be above 0 and at most 1")
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha is {self.alpha}; it must be above 0 and below 0.5")

    @property
    def bound(self) -> float:
        """The floor, or for a sanction the ceiling: the double nearest the floor's exact reciprocal."""
        return self.floor if self.flag_is == "help" else float(1 / Fraction(str(self.floor)))


@dataclass(frozen=True, eq=False)
class Verdicts:
    """One entry per group, in the order of the counts.

    Attributes:
        judged_value: group benefit equality, or on the relative basis its ratio to the population's; NaN
            where undefined.
        verdict_basis: `absolute` or `relative`, the same for all; None where the population has no events.
        p_below: one-sided p of the hypothesis that the value is at least the bound; NaN where not assessed.
        p_above: one-sided p of the hypothesis that the value is at most the bound; NaN where not assessed.
        p_adjusted: the one of the two that decides a breach, corrected within its family.
        p_is_own: whether `p_adjusted` follows from the group's own p rather than from another's of its family.
        family: names of the families.
        family_size: how many groups of the family were tested.
        below_floor: whether the value is below the floor, regardless of its uncertainty; None for a sanction or
            where undefined.
        above_ceiling: whether the value is above the ceiling; None for help or where undefined.
        verdict: one of `VERDICT_ORDER`.
        flag_balance: people flagged minus people with the event.
    """

    judged_value: FloatArray
    verdict_basis: ObjectArray
    p_below: FloatArray
    p_above: FloatArray
    p_adjusted: FloatArray
    p_is_own: NDArray[np.bool_]
    family: ObjectArray
    family_size: IntArray
    below_floor: ObjectArray
    above_ceiling: ObjectArray
    verdict: ObjectArray
    flag_balance: IntArray


def judge(
    counts: ConfusionCounts,
    population: ConfusionCounts,
    families: Sequence[Family],
    rule: Rule,
    precision: Precision = INDEPENDENT,
    *,
    tuned: bool = False,
) -> Verdicts:
    """Judge the groups of one operating point.

    Args:
        counts: the groups at the operating point's cutoff, shape `[groups]`.
        population: the overall population at the same cutoff, scalar shape.
        families: the family of each group; `OVERALL` marks the overall population.
        rule: the floor, the level and the direction.
        precision: converts the counts to effective counts for the tests, of the same shape.
        tuned: whether the cutoff was chosen on these counts, which fixes the value of the population.

    Returns:
        A verdict per group. Only the tests decide the verdict; printed intervals describe the value.

    Source:
        The score test of `intervals.score_statistic`. Its form on the relative basis, scaled by the root of
        the log variance of the group's value over that of the ratio, was derived for this project and
        verified by simulation (size .044 to .055 at a nominal .05); it is not published.
    """
    from scipy.special import ndtr

    basis = verdict_basis(population)
    is_overall = np.array([family == OVERALL for family in families], dtype=bool)
    value = _judged_value(counts, population, basis)
    if basis != "absolute" or tuned:
        value = np.where(is_overall, np.nan, value)
    assessed = ~np.isnan(value)
    evidence = precision.paired(GBE, counts)
    statistic = np.where(assessed, _statistic(counts, evidence, population, basis, rule.bound), np.nan)
    p_below, p_above = np.asarray(ndtr(statistic)), np.asarray(ndtr(-statistic))
    p_breach, p_acquit = (p_below, p_above) if rule.flag_is == "help" else (p_above, p_below)
    adjusted, own, sizes = _adjusted(p_breach, families)
    beyond = value < rule.bound if rule.flag_is == "help" else value > rule.bound
    none = np.full(counts.shape, None, dtype=object)
    flag = none.copy()
    flag[assessed] = beyond[assessed]
    return Verdicts(
        judged_value=value,
        verdict_basis=np.full(counts.shape, basis, dtype=object),
        p_below=p_below,
        p_above=p_above,
        p_adjusted=adjusted,
        p_is_own=own,
        family=np.array([family.name for family in families], dtype=object),
        family_size=sizes,
        below_floor=flag if rule.flag_is == "help" else none,
        above_ceiling=none if rule.flag_is == "help" else flag,
        verdict=_named(rule, assessed, beyond, adjusted, p_acquit),
        flag_balance=counts.flagged - counts.events,
    )


def verdict_basis(population: ConfusionCounts) -> Basis | None:
    """Absolute where flags are within 5 % of events overall, otherwise relative; None without events."""
    flagged, events = int(population.flagged), int(population.events)
    if not events:
        return None
    return "absolute" if _ABSOLUTE_WITHIN * abs(flagged - events) <= events else "relative"


def _judged_value(counts: ConfusionCounts, population: ConfusionCounts, basis: Basis | None) -> FloatArray:
    """`F/P`, or `(F/P)` over the population's; Python divides integers of any size with one rounding.

    So a group whose value equals the floor is not below it.
    """
    flags, events = (1, 1) if basis == "absolute" else (int(population.flagged), int(population.events))
    above, below = counts.flagged.astype(object) * events, counts.events.astype(object) * flags
    defined = below != 0
    value = np.full(counts.shape, np.nan)
    value[defined] = above[defined] / below[defined]
    return value


def _statistic(
    counts: ConfusionCounts,
    evidence: tuple[FloatArray, FloatArray, FloatArray],
    population: ConfusionCounts,
    basis: Basis | None,
    bound: float,
) -> FloatArray:
    """The score statistic of the bound; on the relative basis scaled to the variance of the ratio."""
    if basis == "absolute":
        return score_statistic(*evidence, bound)
    group = (counts.tp, counts.fp, counts.fn)
    everybody = (population.tp, population.fp, population.fn)
    with np.errstate(divide="ignore", invalid="ignore"):
        population_gbe = np.divide(population.flagged, population.events)
        factor = np.sqrt(log_gbe_variance(*group) / relative_log_variance(group, everybody))
    # Without flags or events there is no log variance to scale by. Where fp = fn = 0 it is 0: such a group, however
    # small, has nothing that the score test could be scaled to, and proves nothing.
    return score_statistic(*evidence, bound * population_gbe) * np.where(np.isfinite(factor), factor, 1.0)


def _named(
    rule: Rule,
    assessed: NDArray[np.bool_],
    beyond: NDArray[np.bool_],
    p_breach: FloatArray,
    p_acquit: FloatArray,
) -> ObjectArray:
    """The first verdict that applies: not assessed, breach, proven acceptable, or the side of the bound."""
    breach, beyond_unproven, within_unproven, within, not_assessed = VERDICT_ORDER[rule.flag_is]
    names = np.array([not_assessed, breach, within, beyond_unproven, within_unproven], dtype=object)
    first = np.select([~assessed, p_breach < rule.alpha, p_acquit < rule.alpha, beyond], range(4), default=4)
    return np.asarray(names[first], dtype=object)


def by_family(families: Sequence[Family]) -> dict[Family, IntArray]:
    """The indices of the members of each family, in the order of their first members."""
    members: dict[Family, list[IntArray]] = {}
    start = 0
    # The groups of an attribute are consecutive, so that long runs belong to one family.
    for end in range(1, len(families) + 1):
        if end == len(families) or families[end] is not families[start]:
            members.setdefault(families[start], []).append(np.arange(start, end))
            start = end
    return {family: np.concatenate(places) for family, places in members.items()}


def _adjusted(p: FloatArray, families: Sequence[Family]) -> tuple[FloatArray, NDArray[np.bool_], IntArray]:
    """The p-values corrected within their families, which follow from their own p, and how many were tested."""
    adjusted, sizes = np.full(p.shape, np.nan), np.zeros(p.shape, dtype=np.int64)
    own = np.ones(p.shape, dtype=bool)
    for family, places in by_family(families).items():
        tested = places[~np.isnan(p[places])]
        sizes[places] = len(tested)
        adjusted[tested] = _CORRECTIONS[family.correction](p[tested])
        own[tested] = adjusted[tested] == np.minimum(_FACTORS[family.correction](p[tested]) * p[tested], 1.0)
    return adjusted, own, sizes


def holm(p: FloatArray) -> FloatArray:
    """Step-down adjusted p-values: the chance of any false rejection in the family stays below alpha.

    Source:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics
        1979.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Step-up adjusted p-values: the expected share of false rejections in the family stays below alpha.

    Source:
        Benjamini and Hochberg, Controlling the false discovery rate, JRSS B 1995.
    """
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.empty_like(p)
    scaled = p[order] * (len(p) / np.arange(len(p), 0, -1))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


_CORRECTIONS: dict[Correction, Callable[[FloatArray], FloatArray]] = {
    "none": np.copy,
    "holm": holm,
    "benjamini_hochberg": benjamini_hochberg,
}
# The factor of each p in the correction, before adjusted values are made monotone; equal p have equal factors.
_FACTORS: dict[Correction, Callable[[FloatArray], FloatArray]] = {
    "none": np.ones_like,
    "holm": lambda p: np.asarray(len(p) - np.searchsorted(np.sort(p), p, side="left"), dtype=np.float64),
    "benjamini_hochberg": lambda p: len(p) / np.searchsorted(np.sort(p), p, side="right"),
}
