"""Rows of `group_metrics`: every metric of every group at an operating point, with verdict and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from fairsweep.auditing.sweep_rows import metric_columns, verdict_columns
from fairsweep.core.evidence import calibration
from fairsweep.core.groups import OVERALL
from fairsweep.core.inference import over_allocation as high
from fairsweep.core.inference import power, shrinkage, tuning, verdicts
from fairsweep.core.inference.precision import Precision, Scaled
from fairsweep.core.inference.verdicts import Family, ObjectArray, Verdicts
from fairsweep.core.inference.weights import MILLION
from fairsweep.core.metrics import DEFINED, GBE, METRICS, TRUE_POSITIVE_RATE
from fairsweep.tables.tabulating import coded, repeated

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fairsweep.core.counts import ConfusionCounts, IntArray
    from fairsweep.core.inference.intervals import FloatArray
    from fairsweep.core.metrics import Metric
    from fairsweep.core.operating_points import ChosenCutoff
    from fairsweep.tables.tabulating import Columns, Parts


@dataclass(frozen=True, eq=False)
class Nearby:
    """The inputs of the variance at a tuned cutoff.

    Attributes:
        share: each group's share of the rows next to the cutoff, `[groups]`.
        flagged: people flagged at each cutoff of the grid, in the overall population, `[cutoffs]`.
    """

    share: FloatArray
    flagged: IntArray


@dataclass(frozen=True, eq=False)
class Judged:
    """All groups of all attributes at one operating point; the first is the overall population.

    Attributes:
        chosen: the operating point and its cutoff.
        attributes: the attribute of each group.
        groups: the group values.
        families: the family with which each group's test is corrected.
        counts: the counts from which metrics are computed, `[groups]`: rows, or weights in millionths.
        rows: rows, `[groups]`.
        precision: the effective sample size of the counts.
        rule: the floor, the level and the direction of the verdicts.
        nearby: for the variance of a cutoff tuned on these rows; None where it is not used.
        expected: the sum of each group's scores, in events; None if scores are not probabilities.
        weighted: whether counts are weights.
    """

    chosen: ChosenCutoff
    attributes: Sequence[str]
    groups: Sequence[str]
    families: Sequence[Family]
    counts: ConfusionCounts
    rows: ConfusionCounts
    precision: Precision
    rule: verdicts.Rule
    nearby: Nearby | None = None
    expected: FloatArray | None = None
    weighted: bool = False

    # --- evidence

    @property
    def tuned(self) -> bool:
        """Whether the cutoff was chosen on these rows."""
        return self.chosen.origin == "tuned_here"

    def _at_tuned(self, *, relative: bool) -> Precision:
        """How much the counts say at a cutoff that follows them."""
        if self.nearby is None or self.chosen.cutoff_index is None:
            return self.precision
        group, everybody = ((c.tp, c.fp, c.fn) for c in (self.counts, self.counts[0]))
        share, flagged, k, target = self.nearby.share, self.nearby.flagged, self.chosen.cutoff_index, self.chosen.target
        if self.chosen.rule == "alert_rate":
            moves = tuning.alert_rate_movement(flagged, k, float(self.counts.n[0]), target)
            variance = tuning.alert_rate_variance(group, everybody, share, target, moves, relative=relative)
        else:
            tp, fp, fn = (float(count) for count in everybody)
            moves = tuning.population_gbe_movement(flagged, k, (tp, fp, fn), target)
            variance = tuning.population_gbe_variance(group, everybody, share, target, moves, relative=relative)
        return Scaled(self.precision, tuning.effective(group, variance, everybody if relative else None))

    @cached_property
    def _for_intervals(self) -> Precision:
        return self._at_tuned(relative=False)

    @cached_property
    def verdicts(self) -> Verdicts:
        """The verdict of each group."""
        everybody = self.counts[0]
        relative = verdicts.verdict_basis(everybody) == "relative"
        evidence = self._at_tuned(relative=True) if relative else self._for_intervals
        return verdicts.judge(self.counts, everybody, self.families, self.rule, evidence, tuned=self.tuned)

    def conditions(self) -> dict[str, int]:
        """How many groups meet each condition of `--fail-on`."""
        judged = self.verdicts
        beyond = judged.below_floor if self.rule.flag_is == "help" else judged.above_ceiling
        return {
            "breach": int(np.sum(judged.verdict == verdicts.BREACH)),
            "below_floor": sum(map(bool, beyond)),
            "not_assessed": int(np.sum((judged.verdict == verdicts.NOT_ASSESSED) & ~self._everybody)),
        }

    # --- which groups there are

    @cached_property
    def _everybody(self) -> NDArray[np.bool_]:
        return np.array([name == OVERALL for name in self.attributes], dtype=bool)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """The groups that any row has."""
        return np.asarray(self.rows.n + self.rows.unscored_events + self.rows.unscored_non_events > 0)

    @cached_property
    def sizes(self) -> list[tuple[str, int]]:
        """Each attribute and the number of its groups, in their order."""
        return [(name, len(list(those))) for name, those in groupby(self.attributes)]

    @cached_property
    def _places(self) -> list[NDArray[np.int64]]:
        """The indices of the groups of each attribute."""
        ends = np.cumsum([size for _, size in self.sizes])
        return [np.arange(end - size, end) for end, (_, size) in zip(ends, self.sizes, strict=True)]

    # --- rows

    def rows_of(self, known: NDArray[np.bool_], *, with_verdict: bool = True) -> Parts:
        """Rows of `group_metrics`, a part for each of `METRICS`.

        Args:
            known: the groups whose counts are known; values that follow from several groups are of these alone.
            with_verdict: False for exploration away from a declared operating point.
        """
        return [self._metric(metric, known, with_verdict=with_verdict) for metric in METRICS]

    def _metric(self, metric: Metric, known: NDArray[np.bool_], *, with_verdict: bool) -> Columns:
        columns = metric_columns(metric, self.counts, self._for_intervals, self.rows if self.weighted else None)
        if self.chosen.cutoff_index is None:
            nothing = dict.fromkeys(("numerator", "denominator", "value", "ci_low", "ci_high"))
            columns |= nothing | {"status": np.full(len(self.groups), self.chosen.status, dtype=object)}
        if metric is GBE:
            columns |= self._of_gbe(known, with_verdict=with_verdict)
        attributes, groups = self._named
        named = {
            "operating_point": repeated(self.chosen.name, len(groups)),
            "metric": repeated(metric.name, len(groups)),
        }
        return columns | named | {"attribute": attributes, "group_value": groups}

    @cached_property
    def _named(self) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
        """Attributes and groups as columns."""
        return coded(self.attributes), coded(self.groups)

    def _of_gbe(self, known: NDArray[np.bool_], *, with_verdict: bool) -> Columns:
        """The further columns of the row of group benefit equality."""
        columns: Columns = {}
        if with_verdict:
            columns |= verdict_columns(self.verdicts, self.rule, balance=self.chosen.cutoff_index is not None)
            if self.weighted and columns["flag_balance"] is not None:
                columns["flag_balance"] = np.rint(columns["flag_balance"] / MILLION).astype(np.int64)
            columns["p_adjusted"] = self._adjusted(known)
            columns |= self._standing()
            columns["events_needed"] = self._events_needed()
        columns["shrunk_value"] = self._shrunk(known)
        if self.expected is not None and self.chosen.cutoff_index is not None:
            factors = calibration.gbe_factors(self.counts.flagged, self.counts.events, self.expected)
            columns |= dict(zip(("flags_per_expected_event", "expected_to_observed"), factors, strict=True))
        return columns

    def _adjusted(self, known: NDArray[np.bool_]) -> FloatArray:
        """The adjusted p-values but for those that may follow from the p of a group whose counts are not known."""
        others_unknown = np.zeros(len(known), dtype=bool)
        for places in self._by_family:
            others_unknown[places] = not known[places].all()
        return np.where(others_unknown & ~self.verdicts.p_is_own, np.nan, self.verdicts.p_adjusted)

    @cached_property
    def _by_family(self) -> list[IntArray]:
        """The indices of the groups of each family."""
        return list(verdicts.by_family(self.families).values())

    def _standing(self) -> Columns:
        """Where a group is high whether others of its attribute are low, and how many flags the low ones lack."""
        size = len(self.groups)
        notes, short = np.full(size, None, dtype=object), np.full(size, None, dtype=object)
        if self.rule.flag_is != "help" or self.chosen.cutoff_index is None:
            return {"high_note": notes, "short_flags": short}
        judged, counts, everybody = self.verdicts, self.counts, self.counts[0]
        relative = verdicts.verdict_basis(everybody) == "relative"
        unit = (int(everybody.flagged), int(everybody.events)) if relative else (1, 1)
        low = metric_columns(GBE, counts, self._for_intervals)["ci_low"] * unit[1] / max(unit[0], 1)
        lacking = high.shortfall(counts.tp, counts.fp, counts.fn, self.rule.floor, unit)
        if self.weighted:
            lacking = -(-lacking // MILLION)
        for places in self._places:
            notes[places] = high.notes(low[places], judged.below_floor[places], self.rule.floor)
        for i, beyond in enumerate(judged.below_floor):
            if beyond:
                short[i] = int(lacking[i])
        return {"high_note": notes, "short_flags": short}

    def _events_needed(self) -> ObjectArray:
        """The number of events with which a fair group is proven fair, by the population's sensitivity."""
        needed = np.full(len(self.groups), None, dtype=object)
        recall, status = TRUE_POSITIVE_RATE.evaluate(self.counts[0])
        if status == DEFINED and self.chosen.cutoff_index is not None:
            needed[:] = int(power.events_needed(float(recall), self.rule.bound, self.rule.alpha))
            needed[self._everybody] = None
        return needed

    def _shrunk(self, known: NDArray[np.bool_]) -> FloatArray:
        """Values shrunk towards those of the attribute's other groups whose counts are known."""
        found = np.full(len(self.groups), np.nan)
        if self.chosen.cutoff_index is None:
            return found
        tp, fp, fn = self._for_intervals.paired(GBE, self.counts)
        for places in self._places[1:]:
            at = places[known[places]]
            if len(at):
                found[at] = shrinkage.shrunk_gbe(tp[at], fp[at], fn[at])
        return found
