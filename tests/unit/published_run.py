"""Result tables of a small run, by the published schemas, made from confusion counts at one cutoff."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.disparities import compare
from fairsweep.core.inference.intervals import bonett_price
from fairsweep.core.inference.precision import INDEPENDENT, evidence
from fairsweep.core.inference.verdicts import INTERSECTIONS, OVERALL, Family, FlagIs, Rule, judge
from fairsweep.core.metrics import DEFINED, GBE, METRICS, SELECTION_RATE
from fairsweep.tables.catalogue import TABLES

Quadruple = tuple[int, int, int, int]
Groups = Mapping[str, Mapping[str, Quadruple]]

# COMPAS, two-year recidivism, high risk from decile 5: true and false positives, false and true negatives.
COMPAS: Groups = {
    "race": {
        "African-American": (1369, 805, 532, 990),
        "Asian": (6, 2, 3, 21),
        "Caucasian": (505, 349, 461, 1139),
        "Hispanic": (103, 87, 129, 318),
        "Native American": (9, 3, 1, 5),
        "Other": (43, 36, 90, 208),
    },
    "sex": {"Female": (303, 288, 195, 609), "Male": (1732, 994, 1021, 2072)},
    "race x sex": {
        "African-American x Female": (173, 164, 74, 241),
        "African-American x Male": (1196, 641, 458, 749),
        "Asian x Female": (0, 0, 1, 1),
        "Asian x Male": (6, 2, 2, 20),
        "Caucasian x Female": (113, 111, 86, 257),
        "Caucasian x Male": (392, 238, 375, 882),
        "Hispanic x Female": (9, 7, 24, 63),
        "Hispanic x Male": (94, 80, 105, 255),
        "Native American x Female": (3, 0, 0, 1),
        "Native American x Male": (6, 3, 1, 4),
        "Other x Female": (5, 6, 10, 46),
        "Other x Male": (38, 30, 80, 162),
    },
}


@dataclass(frozen=True)
class MadeUpRun:
    """One run with the operating point `paper` at cutoff 5; the first attribute's groups are everybody."""

    groups: Groups
    flag_is: FlagIs = "help"
    rule: str = "population_gbe"
    left_out: Mapping[str, int] = field(default_factory=dict)
    unscored_events: Mapping[str, int] = field(default_factory=dict)
    reference: str | None = None
    model_id: str = "compas"
    has_cutoff: bool = True

    @property
    def keys(self) -> dict[str, Any]:
        window = {"window_start": date(1970, 1, 1), "window_end": date(9999, 12, 31)}
        return {
            "run_id": f"run-{self.model_id}",
            "model_id": self.model_id,
            "model_version": "2016",
            **window,
        }

    @property
    def everybody(self) -> ConfusionCounts:
        first = next(iter(self.groups.values()))
        return ConfusionCounts.of(*np.array(list(first.values())).sum(axis=0))

    @property
    def names(self) -> list[tuple[str, str]]:
        return [("overall", "all"), *((a, g) for a, members in self.groups.items() for g in members)]

    @property
    def counts(self) -> ConfusionCounts:
        own = [quadruple for members in self.groups.values() for quadruple in members.values()]
        tp, fp, fn, tn = np.array([[int(array) for array in self.everybody.arrays[:4]], *own]).T
        return ConfusionCounts.of(tp, fp, fn, tn, [self.unscored_events.get(group, 0) for _, group in self.names])

    def tables(self) -> dict[str, pa.Table]:
        rows = {
            "runs": [self._run()],
            "group_metrics": self._metrics(),
            "disparities": self._disparities(),
            "operating_points": [self._point()],
            "refused_counts": [
                {"attribute": "overall", "group_value": "all", "reason": reason, "label": "unknown", "n": n}
                for reason, n in self.left_out.items()
            ],
        }
        return {name: TABLES[name].rows([{**self.keys, **row} for row in values]) for name, values in rows.items()}

    def _run(self) -> dict[str, Any]:
        unscored = sum(n for reason, n in self.left_out.items() if reason.startswith("score_"))
        used, left = int(self.everybody.n), sum(self.left_out.values())
        config = {
            "flag_is": self.flag_is,
            "verdict": {"floor": 0.8, "alpha": 0.05},
            "attributes": [name.split(" x ") if " x " in name else {"name": name} for name in self.groups],
            "operating_points": [{"name": "paper", "rule": self.rule}],
        }
        return {
            "batch_id": "batch",
            "verb": "audit",
            "status": "succeeded",
            "is_current": True,
            "config_fingerprint": "f",
            "config_json": json.dumps(config),
            "checksums": "{}",
            "fairsweep_version": "0",
            "schema_version": 1,
            "semantics_version": 1,
            "rows_input": used + left,
            "rows_used": used,
            "rows_unscored": unscored,
            "rows_refused": left - unscored,
            **dict.fromkeys(("started_at", "finished_at"), datetime(2026, 11, 23, 12, 30, tzinfo=UTC)),
        }

    def _point(self) -> dict[str, Any]:
        target, origin = (5.0, "prespecified") if self.rule == "fixed" else (1.0, "tuned_here")
        point = {"operating_point": "paper", "rule": self.rule, "target": target, "cutoff_origin": origin}
        if not self.has_cutoff:
            return {**point, "status": "no_cutoff"}
        population_gbe = float(GBE.evaluate(self.everybody)[0])
        found = {"cutoff_index": 4, "cutoff": 5.0, "cutoff_below": 4.0, "cutoff_above": 6.0}
        reached = {"achieved": population_gbe, "population_gbe": population_gbe}
        return {**point, **found, **reached, "status": DEFINED}

    def _metrics(self) -> list[dict[str, Any]]:
        counts, verdicts = self.counts, self._verdicts()
        rows = []
        for place, (attribute, group) in enumerate(self.names):
            for metric in METRICS:
                value, status = metric.evaluate(counts[place])
                row = {
                    "operating_point": "paper",
                    "attribute": attribute,
                    "group_value": group,
                    "metric": metric.name,
                    "status": str(status),
                    "numerator": int(metric.numerator.of(counts[place])),
                    "denominator": int(metric.denominator.of(counts[place])),
                    "value": float(value) if status == DEFINED else None,
                }
                rows.append(row | verdicts[place] if metric is GBE else row)
        return rows

    def _verdicts(self) -> list[dict[str, Any]]:
        families = [
            OVERALL if name == "overall" else INTERSECTIONS if " x " in name else Family.of_attribute(name)
            for name, _ in self.names
        ]
        counts = self.counts
        judged = judge(counts, self.everybody, families, Rule(self.flag_is))
        low, high = bonett_price(counts.tp, counts.fp, counts.fn)
        columns = [name for name in TABLES["group_metrics"].column_names if hasattr(judged, name)]
        return [
            {name: plain(getattr(judged, name)[place]) for name in columns}
            | {"ci_low": plain(low[place]), "ci_high": plain(high[place]), "alpha": 0.05}
            for place in range(len(self.names))
        ]

    def _disparities(self) -> list[dict[str, Any]]:
        """The selection rate against the reference, or of the worst pair, for every attribute."""
        rates, names = SELECTION_RATE.evaluate(self.counts)[0], self.names
        rows = []
        for attribute in self.groups:
            places = [place for place, name in enumerate(names) if name[0] == attribute]
            highest = max(places, key=lambda place: rates[place])
            against = next((place for place in places if names[place][1] == self.reference), highest)
            compared = places if self.reference else [min(places, key=lambda place: rates[place])]
            rows += [self._disparity(place, against) for place in compared]
        return rows

    def _disparity(self, place: int, against: int) -> dict[str, Any]:
        group_counts, other = self.counts[place], self.counts[against]
        sides = evidence(SELECTION_RATE, group_counts, INDEPENDENT), evidence(SELECTION_RATE, other, INDEPENDENT)
        comparison = compare(SELECTION_RATE, group_counts, other, sides)
        attribute, group = self.names[place]
        limits = ("ratio", "ratio_ci_low", "ratio_ci_high")
        return {
            "operating_point": "paper",
            "attribute": attribute,
            "group_value": group,
            "metric": "selection_rate",
            "compared_group": self.names[against][1],
            "comparator": "reference" if self.reference else "worst_pair",
            **{name: plain(getattr(comparison, name)) for name in limits},
            "status": str(comparison.status),
        }


def joined(runs: Sequence[MadeUpRun]) -> dict[str, pa.Table]:
    """The tables of several runs together."""
    tables = [run.tables() for run in runs]
    return {name: pa.concat_tables([each[name] for each in tables]) for name in tables[0]}


def plain(value: Any) -> Any:
    """A numpy scalar as Arrow takes it; NaN is NULL."""
    item = value.item() if hasattr(value, "item") else value
    return None if isinstance(item, float) and np.isnan(item) else item
