"""A synthetic general population whose risks, models and true Group Benefit Equality are known exactly.

A few members are frail. A member's risk v of the outcome is uniform between 0.3 and 0.9 for the frail and between 0
and 0.002 for all others, and the outcome happens with probability v. Every model knows v, and its score is
min(1, v x bias): the bias, which depends on age and race, is planted on purpose. So the share of a group that a
cutoff flags, and the share that has the outcome, are sums over the population's strata, with nothing estimated.

`medicare` and `medicaid` follow the published case study: the first is trained on people above 65 and underestimates
the risk of the young; the second is trained on people below 65 and underestimates the risk of the old, but otherwise
overestimates risks. `planted` underestimates the risk of some races. Nothing here is fitted to real data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

FRAIL = (0.3, 0.9)
OTHERS = (0.0, 0.002)
MODELS = ("medicare", "medicaid", "planted")
VERSION = "1"
# Each band with its share of the members and its ages, which are equally frequent inside.
BANDS: dict[str, tuple[float, int, int]] = {
    "18-64": (0.40, 18, 64),
    "65-74": (0.32, 65, 74),
    "75-84": (0.19, 75, 84),
    "85+": (0.09, 85, 95),
}
FEMALE = {"18-64": 0.51, "65-74": 0.53, "75-84": 0.57, "85+": 0.65}
RACES: dict[str, dict[str, float]] = {
    "18-64": {"White": 0.60, "Black": 0.19, "Hispanic": 0.15, "Asian": 0.06},
    "65-74": {"White": 0.73, "Black": 0.12, "Hispanic": 0.10, "Asian": 0.05},
    "75-84": {"White": 0.77, "Black": 0.10, "Hispanic": 0.09, "Asian": 0.04},
    "85+": {"White": 0.81, "Black": 0.08, "Hispanic": 0.08, "Asian": 0.03},
}
DUAL: dict[str, dict[str, float]] = {
    "White": {"none": 0.86, "partial": 0.05, "full": 0.09},
    "Black": {"none": 0.66, "partial": 0.11, "full": 0.23},
    "Hispanic": {"none": 0.64, "partial": 0.10, "full": 0.26},
    "Asian": {"none": 0.74, "partial": 0.05, "full": 0.21},
}
DISABLED = {"18-64": 0.30, "65-74": 0.12, "75-84": 0.09, "85+": 0.07}
RISK_OF_DUAL = {"none": 1.0, "partial": 1.2, "full": 1.5}
RISK_OF_DISABLED = 1.4
FRAIL_AT_65, FRAILER_PER_YEAR = 0.045, 0.012
PLANTED = {"White": 1.0, "Black": 0.7, "Hispanic": 0.85, "Asian": 1.0}
SEES_LESS_PER_YEAR = 0.02
MEDICAID_SEES_MORE = 1.25


class Stratum(NamedTuple):
    """Members who are alike in everything that risk and scores depend on, and their share of the population."""

    share: float
    age: int
    band: str
    race: str
    dual_status: str
    disabled: bool

    @property
    def frail(self) -> float:
        """The share of them who are frail."""
        risk = FRAIL_AT_65 * math.exp(FRAILER_PER_YEAR * (self.age - 65)) * RISK_OF_DUAL[self.dual_status]
        return risk * (RISK_OF_DISABLED if self.disabled else 1.0)

    def bias(self, model: str) -> float:
        """The factor by which the model multiplies their risk."""
        if model == "medicare":
            return math.exp(-SEES_LESS_PER_YEAR * max(0, 65 - self.age))
        if model == "medicaid":
            return MEDICAID_SEES_MORE * math.exp(-SEES_LESS_PER_YEAR * max(0, self.age - 65))
        return PLANTED[self.race]


def strata() -> Iterator[Stratum]:
    """Every stratum; the shares add up to 1."""
    for band, (share, first, last) in BANDS.items():
        ages = range(first, last + 1)
        for age, (race, of_race), disabled in product(ages, RACES[band].items(), (False, True)):
            of_disabled = DISABLED[band] if disabled else 1 - DISABLED[band]
            for dual, of_dual in DUAL[race].items():
                yield Stratum(share / len(ages) * of_race * of_disabled * of_dual, age, band, race, dual, disabled)


def true_benefit_equality(model: str, cutoff: float, attribute: str = "overall", group: str = "all") -> float:
    """The Group Benefit Equality of the whole population from which samples are drawn.

    Args:
        model: one of `MODELS`.
        cutoff: above 0 and at most 1; members with at least this score are flagged.
        attribute: `overall`, or `age_band`, `race`, `dual_status` or `disabled`.
        group: a value of it.
    """
    flagged = events = 0.0
    for one in strata():
        named = {"age_band": one.band, "race": one.race, "dual_status": one.dual_status, "disabled": str(one.disabled)}
        if attribute == "overall" or named[attribute].lower() == group.lower():
            least = cutoff / one.bias(model)
            flagged += one.share * (one.frail * _above(least, FRAIL) + (1 - one.frail) * _above(least, OTHERS))
            events += one.share * (one.frail * sum(FRAIL) / 2 + (1 - one.frail) * sum(OTHERS) / 2)
    return flagged / events


def _above(least: float, bounds: tuple[float, float]) -> float:
    """The share of a uniform risk that is at least so much."""
    low, high = bounds
    return min(1.0, max(0.0, (high - least) / (high - low)))
