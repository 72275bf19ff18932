"""The findings of a run, read only from its published tables: the groups that need attention first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsweep.core.groups import OVERALL, SEPARATOR, TOO_SMALL, number_of_groups
from fairsweep.core.inference.verdicts import NOT_ASSESSED, VERDICT_ORDER, FlagIs, Rule
from fairsweep.core.metrics import SUPPRESSED

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
Tables = Mapping[str, "pa.Table"]

SHOWN_AT_MOST, SHOWN_OF_MORE = 20, 10
_TABLES_READ = ("group_metrics", "disparities", "operating_points", "refused_counts")
_SHOWN_METRICS = (
    "group_benefit_equality_including_unscored", "selection_rate", "prevalence", "true_positive_rate",
    "false_positive_rate", "positive_predictive_value",
)  # fmt: skip
_COLUMNS_READ = ["attribute", "group_value", "metric", "value", "denominator"]


@dataclass(frozen=True)
class GroupFinding:
    """One group at one operating point.

    Attributes:
        judged: its row of group benefit equality in `group_metrics`, including the verdict.
        rates: metric -> value of the other metrics that are shown, None where undefined.
        n: usable rows; None where suppressed.
    """

    judged: Row
    rates: Mapping[str, float | None]
    n: int | None

    @property
    def name(self) -> str:
        """The group's value."""
        return str(self.judged["group_value"])

    @property
    def attribute(self) -> str:
        """The attribute, or the intersection joined by ` x `."""
        return str(self.judged["attribute"])

    @property
    def events(self) -> int | None:
        """People who had the event; None where suppressed."""
        found: int | None = self.judged["denominator"]
        return found

    @property
    def hidden(self) -> bool:
        """Whether its counts are suppressed because cells are small; a rounded value may be shown."""
        return bool(self.judged["status"] == SUPPRESSED or self.judged["rounded_to"] is not None)

    @property
    def value(self) -> float | None:
        """Group benefit equality."""
        found: float | None = self.judged["value"]
        return found

    @property
    def verdict(self) -> str:
        """One of the verdicts."""
        return str(self.judged["verdict"])


@dataclass(frozen=True)
class DisparateImpact:
    """The ratio of two groups' selection rates, with the event rates that are needed to interpret it."""

    row: Row
    prevalence: float | None
    compared_prevalence: float | None


@dataclass(frozen=True)
class AttributeFinding:
    """The groups of one attribute at one operating point, those that need attention first.

    Attributes:
        verdicts: how many groups have each verdict.
        groups: the groups that are listed, at most `SHOWN_AT_MOST`.
        not_assessed: the first groups without a verdict, as (group, status).
        disparate_impact: against the reference where one is named, otherwise of the worst pair.
    """

    name: str
    verdicts: Mapping[str, int]
    groups: tuple[GroupFinding, ...]
    not_assessed: tuple[tuple[str, str], ...]
    disparate_impact: DisparateImpact | None

    @property
    def count(self) -> int:
        """The number of all groups, listed or not."""
        return sum(self.verdicts.values())

    @property
    def listed(self) -> int:
        """Those of them that `groups` speaks of."""
        return sum(number_of_groups(group.name) for group in self.groups)

    @property
    def assessed(self) -> int:
        """Groups with a verdict."""
        return self.count - self.verdicts.get(NOT_ASSESSED, 0)


@dataclass(frozen=True)
class PointFinding:
    """One operating point of one run: the cutoff, the overall population, and the attributes."""

    point: Row
    everybody: GroupFinding | None
    attributes: tuple[AttributeFinding, ...]
    flag_is: FlagIs

    @property
    def worst(self) -> GroupFinding | None:
        """The group that needs attention first.

        An intersection only where its verdict is worse than that of any single attribute's group.
        """
        first = [attribute.groups[0] for attribute in self.attributes if attribute.groups]
        assessed = [group for group in first if group.verdict != NOT_ASSESSED]
        return min(assessed, key=self._urgency, default=None)

    @property
    def basis(self) -> str | None:
        """`absolute`, `relative`, or None if no group could be judged."""
        for attribute in self.attributes:
            for group in attribute.groups:
                if group.judged["verdict_basis"] is not None:
                    return str(group.judged["verdict_basis"])
        return None

    def _urgency(self, group: GroupFinding) -> tuple[int, bool, float]:
        value = group.value or 0.0
        rank = VERDICT_ORDER[self.flag_is].index(group.verdict)
        return rank, SEPARATOR in group.attribute, value if self.flag_is == "help" else -value


@dataclass(frozen=True)
class RunFinding:
    """One run: its record, the relevant settings of its config, and its operating points."""

    run: Row
    flag_is: FlagIs
    floor: float
    points: tuple[PointFinding, ...]
    left_out: tuple[tuple[str, int], ...]
    subgroups: tuple[Row, ...] = ()

    @property
    def bound(self) -> float:
        """The floor, or for a sanction the ceiling."""
        return Rule(self.flag_is, self.floor).bound


def read(tables: Tables) -> tuple[RunFinding, ...]:
    """All content of a summary, per published run in the order of model, version and window.

    Args:
        tables: `runs`, `group_metrics`, `disparities`, `operating_points` and `refused_counts` of the runs.
    """
    runs = [row for row in tables["runs"].to_pylist() if row["status"] == "succeeded"]
    runs.sort(key=lambda run: (run["model_id"], run["model_version"], str(run["window_start"]), run["run_id"]))
    return tuple(_read_run(run, tables) for run in runs)


def _read_run(run: Row, tables: Tables) -> RunFinding:
    config = json.loads(run["config_json"])
    flag_is: FlagIs = config["flag_is"]
    own = {name: _where(tables[name], run_id=run["run_id"]) for name in _TABLES_READ}
    # The rows are sorted by key; people read in the order of their config.
    written = {
        SEPARATOR.join(item) if isinstance(item, list) else item["name"]: place
        for place, item in enumerate(config["attributes"])
    }
    in_order = [point["name"] for point in config["operating_points"]]
    rows = sorted(own["operating_points"].to_pylist(), key=lambda row: in_order.index(row["operating_point"]))
    points = tuple(_read_point(row, own, flag_is, written) for row in rows)
    left_out: dict[str, int] = {}
    for row in _where(own["refused_counts"], attribute=OVERALL).to_pylist():
        left_out[row["reason"]] = left_out.get(row["reason"], 0) + row["n"]
    ordered = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    found = _where(tables["subgroups"], run_id=run["run_id"]).to_pylist() if "subgroups" in tables else []
    found.sort(key=lambda row: (in_order.index(row["operating_point"]), row["place"]))
    return RunFinding(run, flag_is, float(config["verdict"]["floor"]), points, tuple(ordered), tuple(found))


def _read_point(point: Row, tables: Tables, flag_is: FlagIs, written: Mapping[str, int]) -> PointFinding:
    import pyarrow as pa
    import pyarrow.compute as pc

    name = point["operating_point"]
    metrics = _where(tables["group_metrics"], operating_point=name)
    judged = _where(metrics, metric="group_benefit_equality")
    metrics = metrics.select(_COLUMNS_READ).filter(pc.is_in(metrics["metric"], value_set=pa.array(_SHOWN_METRICS)))
    impacts = _where(tables["disparities"], operating_point=name, metric="selection_rate")
    names = [str(attribute) for attribute in judged["attribute"].unique().to_pylist() if attribute != OVERALL]
    names.sort(key=lambda name: (SEPARATOR in name, written[name]))
    everybody = _groups(_where(judged, attribute=OVERALL), metrics)
    attributes = (
        _read_attribute(
            attribute,
            _where(judged, attribute=attribute),
            _where(metrics, attribute=attribute),
            _where(impacts, attribute=attribute),
            flag_is,
        )
        for attribute in names
    )
    return PointFinding(point, everybody[0] if everybody else None, tuple(attributes), flag_is)


def _read_attribute(
    name: str, judged: pa.Table, metrics: pa.Table, impacts: pa.Table, flag_is: FlagIs
) -> AttributeFinding:
    import pyarrow as pa
    import pyarrow.compute as pc

    order = VERDICT_ORDER[flag_is]
    counts = {item["values"].as_py(): item["counts"].as_py() for item in judged["verdict"].value_counts()}
    for row in _several(judged).to_pylist():
        counts[row["verdict"]] += number_of_groups(row["group_value"]) - 1
    ranked = judged.append_column("rank", pc.index_in(judged["verdict"], value_set=pa.array(order)))
    direction = "ascending" if flag_is == "help" else "descending"
    # Values of small groups jump about: they are ordered as far as they are known.
    ranked = ranked.append_column("order", pc.coalesce(judged["shrunk_value"], judged["value"]))
    keys = ("rank", "ascending"), ("order", direction), ("value", direction), ("group_value", "ascending")
    ranked = ranked.sort_by(list(keys))
    told = ranked.num_rows if ranked.num_rows <= SHOWN_AT_MOST else SHOWN_OF_MORE
    unassessed = _where(ranked, verdict=NOT_ASSESSED).slice(0, SHOWN_OF_MORE)
    return AttributeFinding(
        name,
        {verdict: counts[verdict] for verdict in order if verdict in counts},
        _groups(ranked.slice(0, told), metrics),
        tuple((row["group_value"], row["status"]) for row in unassessed.to_pylist()),
        _disparate_impact(impacts, metrics, flag_is),
    )


def _several(judged: pa.Table) -> pa.Table:
    """The rows that may be of several groups."""
    import pyarrow.compute as pc

    return judged.filter(pc.ends_with(judged["group_value"], TOO_SMALL))


def _groups(judged: pa.Table, metrics: pa.Table) -> tuple[GroupFinding, ...]:
    """The groups of the judged rows, in their order, with their other metrics."""
    import pyarrow.compute as pc

    names = judged["group_value"].combine_chunks()
    wanted = pc.and_(
        pc.is_in(metrics["group_value"], value_set=names),
        pc.is_in(metrics["attribute"], value_set=pc.unique(judged["attribute"])),
    )
    rows: dict[tuple[str, str], Row] = {
        (row["group_value"], row["metric"]): row for row in metrics.filter(wanted).to_pylist()
    }
    nothing: Row = {"value": None, "denominator": None}
    return tuple(
        GroupFinding(
            row,
            {metric: rows.get((row["group_value"], metric), nothing)["value"] for metric in _SHOWN_METRICS},
            rows.get((row["group_value"], "selection_rate"), nothing)["denominator"],
        )
        for row in judged.to_pylist()
    )


def _disparate_impact(impacts: pa.Table, metrics: pa.Table, flag_is: FlagIs) -> DisparateImpact | None:
    """The group furthest from the reference in the harmful direction; without a reference the worst pair."""
    import pyarrow.compute as pc

    for comparator in ("reference", "worst_pair"):
        rows = _where(impacts, comparator=comparator)
        rows = rows.filter(pc.and_(rows["ratio"].is_valid(), pc.not_equal(rows["group_value"], rows["compared_group"])))
        if rows.num_rows:
            direction = "ascending" if flag_is == "help" else "descending"
            order = pc.sort_indices(rows, [("ratio", direction), ("group_value", "ascending")])
            row: Row = rows.take(order[:1]).to_pylist()[0]
            rates = _where(metrics, metric="prevalence")
            return DisparateImpact(row, _value(rates, row["group_value"]), _value(rates, row["compared_group"]))
    return None


def _value(rates: pa.Table, group: str) -> float | None:
    found = _where(rates, group_value=group).to_pylist()
    value: float | None = found[0]["value"] if found else None
    return value


def _where(table: pa.Table, **equal: str) -> pa.Table:
    """The rows whose columns equal the values; a column that the table lacks does not choose."""
    import pyarrow.compute as pc

    for column, value in equal.items():
        if column in table.column_names:
            chosen = pc.equal(table[column], value)
            # Most results are of one run and one operating point; a copy of millions of rows would be for nothing.
            table = table if pc.all(chosen).as_py() else table.filter(chosen)
    return table
