"""Rows of `ranking` and `reliability`: the quality of scores in each group, independent of any cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.core.evidence import calibration
from fairsweep.core.evidence.ranking import ALERT_RATES, alert_cutoffs, rank
from fairsweep.core.inference.weights import MILLION, MILLIONTHS_SQUARED
from fairsweep.core.metrics import DEFINED, EMPTY, EVENTS, NON_EVENTS, TRUE_POSITIVE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.auditing.reported import Attribute
    from fairsweep.core.counts import ConfusionCounts, IntArray
    from fairsweep.core.inference.intervals import FloatArray
    from fairsweep.tables.tabulating import Columns, Parts

SENSITIVITIES = tuple(f"sensitivity_at_{round(100 * float(rate))}_percent" for rate in ALERT_RATES)
# A block of groups whose buckets fit the memory of a small driver several times.
BLOCK_PLACES = 1 << 21


@dataclass(frozen=True, eq=False)
class Ranker:
    """Computes ranking and calibration for the groups of every attribute.

    Attributes:
        population: the overall population at every cutoff, `[cutoffs]`.
        everybody: the attribute of the overall population.
        probabilities: whether scores are probabilities.
    """

    population: ConfusionCounts
    everybody: Attribute
    probabilities: bool

    def ranking(self, attribute: Attribute) -> Parts:
        """Rows of `ranking`, block by block of an attribute's groups."""
        step = max(1, BLOCK_PLACES // len(attribute.histogram.grid))
        return [self._ranked(attribute, slice(i, i + step)) for i in range(0, len(attribute.groups), step)]

    @cached_property
    def sensitivities(self) -> dict[str, int]:
        """By column, the index of the cutoff that flags a share of everybody; without shares that none does."""
        found = alert_cutoffs(self.population.flagged, int(self.population.n[0]))
        return {name: k for name, k in zip(SENSITIVITIES, found, strict=True) if k is not None}

    def reliability(self, attribute: Attribute, known: NDArray[np.bool_]) -> Parts:
        """Rows of `reliability`: about ten ranges of scores with equally many of everybody.

        Args:
            attribute: whose groups.
            known: at which cutoffs the counts of each group are known, `[groups, cutoffs]`: ranges end there.
        """
        if not self.probabilities:
            return []
        population = self.everybody.dense("events") + self.everybody.dense("non_events")
        edges = calibration.even_edges(population[0])
        events, non_events = attribute.dense("events"), attribute.dense("non_events")
        scores = attribute.dense("event_score_sum") + attribute.dense("non_event_score_sum")
        some = np.flatnonzero(known.any(axis=1)).tolist()
        rows = [self._bins(attribute, i, (events[[i]], non_events[[i]], scores[[i]]), edges, known[i]) for i in some]
        return [part for part in rows if len(part["bin"])]

    def _ranked(self, attribute: Attribute, block: slice) -> Columns:
        events, non_events = attribute.dense("events")[block], attribute.dense("non_events")[block]
        n, found = (events + non_events).sum(axis=1), events.sum(axis=1)
        status = np.where(found == 0, EVENTS.zero, np.where(n == found, NON_EVENTS.zero, DEFINED)).astype(object)
        status[n == 0] = EMPTY
        return {
            "attribute": [attribute.name] * len(n),
            "group_value": list(attribute.groups[block]),
            "n": n,
            "events": found,
            **self._figures(attribute, block),
            **self._sensitivities(attribute, block),
            "status": status,
        }

    def _figures(self, attribute: Attribute, block: slice) -> dict[str, FloatArray]:
        """Area under the curve and average precision, and for probabilities calibration."""
        weighted = attribute.units.weight_kind is not None
        prefix = "weight_" if weighted else ""
        events, non_events = (attribute.dense(f"{prefix}{name}")[block] for name in ("events", "non_events"))
        sampled = weighted and attribute.units.weight_kind != "frequency"
        names = ("weight_squares_events", "weight_squares_non_events") if sampled else ()
        squares = [attribute.dense(name)[block] * float(MILLIONTHS_SQUARED) for name in names]
        unit = MILLION if weighted and not sampled else 1
        found = rank(events / unit, non_events / unit, *squares)
        figures = {name: getattr(found, name) for name in found.__dataclass_fields__}
        if attribute.units.repeated:
            for name in ("auc_standard_error", "auc_ci_low", "auc_ci_high"):
                figures[name] = np.full(len(found.auc), np.nan)
        if self.probabilities and not weighted:
            figures |= self._calibration(attribute, block)
        return figures

    def _calibration(self, attribute: Attribute, block: slice) -> dict[str, FloatArray]:
        names = ("events", "non_events", "event_score_sum", "non_event_score_sum", "score_square_sum")
        found = calibration.calibrate(*(attribute.dense(name)[block] for name in names))
        left_out = {"observed", "calibration_slope_standard_error", "calibration_intercept_standard_error"}
        figures = {name: getattr(found, name) for name in found.__dataclass_fields__ if name not in left_out}
        if attribute.units.repeated:
            for name in ("expected_to_observed_ci_low", "expected_to_observed_ci_high"):
                figures[name] = np.full(len(found.expected), np.nan)
        return figures

    def _sensitivities(self, attribute: Attribute, block: slice) -> dict[str, FloatArray]:
        """The share of each group's events that is found where a share of everybody is flagged."""
        found = {}
        for name, k in self.sensitivities.items():
            value, _ = TRUE_POSITIVE_RATE.evaluate(attribute.counts_at([k])[block])
            found[name] = value[:, 0]
        return found

    @staticmethod
    def _bins(
        attribute: Attribute,
        i: int,
        sums: tuple[IntArray, IntArray, IntArray],
        edges: Sequence[int],
        known: NDArray[np.bool_],
    ) -> Columns:
        # Bucket b begins at cutoff b - 1.
        kept = [0, *(edge for edge in edges[1:-1] if known[edge - 1]), edges[-1]]
        found = calibration.reliability(*sums, kept)
        cutoffs = attribute.histogram.grid.values
        at = np.flatnonzero(found.n[0] > 0)
        return {
            "attribute": [attribute.name] * len(at),
            "group_value": [attribute.groups[i]] * len(at),
            "bin": at.astype(np.int32),
            "score_from": [float(cutoffs[kept[b] - 1]) if b else None for b in at],
            "score_below": [float(cutoffs[kept[b + 1] - 1]) if b + 2 < len(kept) else None for b in at],
            "n": found.n[0][at].astype(np.int64),
            "events": found.events[0][at].astype(np.int64),
            "mean_score": found.mean_score[0][at],
            "event_rate": found.event_rate[0][at],
            "ci_low": found.event_rate_ci_low[0][at],
            "ci_high": found.event_rate_ci_high[0][at],
        }
