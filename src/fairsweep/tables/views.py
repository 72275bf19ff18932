"""The views on the result tables: one text each, in the subset of SQL that Spark and DuckDB share."""

# ruff: noqa: S608  (every name in these texts is one of our own declarations; none comes from a user)

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from string import Formatter

from fairsweep.core.disparities import CRITERIA
from fairsweep.core.inference.verdicts import BREACH, NOT_ASSESSED
from fairsweep.core.metrics import GBE
from fairsweep.tables.catalogue import RUNS, TABLES

NameOf = Callable[[str], str]

# The latest run of a model is the current one with the latest window; of equal windows, what finished last.
_CURRENT_RUNS = f"""
WITH current_runs AS (
  SELECT *, row_number() OVER (
    PARTITION BY verb, model_id, model_version ORDER BY window_start DESC, finished_at DESC, run_id
  ) = 1 AS is_latest
  FROM {{{RUNS}}}
  WHERE is_current
)
""".strip()


@dataclass(frozen=True)
class View:
    """A named query over the result tables.

    Attributes:
        name: the name of the view; it begins with `v_`.
        comment: the meaning of one row.
        template: the query, with each table's name in braces.
    """

    name: str
    comment: str
    template: str

    def render(self, name_of: NameOf) -> str:
        """The query over tables with the names that `name_of` returns, quoted where necessary."""
        return self.template.format_map({name: name_of(name) for name in TABLES})

    @property
    def sql(self) -> str:
        """The query over tables with their plain names."""
        return self.render(lambda name: name)

    @property
    def tables(self) -> frozenset[str]:
        """The result tables that the view reads."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.template) if name)


def tables_behind(relations: Iterable[str]) -> tuple[str, ...]:
    """The result tables to open for a query over these tables and views: only these, and `runs`."""
    needed = {RUNS}
    for name in relations:
        needed |= VIEWS[name].tables if name in VIEWS else {name}
    return tuple(name for name in TABLES if name in needed)


def _columns(alias: str, table: str, leave_out: Sequence[str] = ()) -> str:
    return ", ".join(f"{alias}.{name}" for name in TABLES[table].column_names if name not in leave_out)


def _judged(condition: str) -> str:
    """Group benefit equality at the operating points, with its counts and the two rates shown with it."""
    beside = (
        "run_id",
        "model_id",
        "model_version",
        "window_start",
        "window_end",
        "operating_point",
        "attribute",
    )
    judged = _columns("g", "group_metrics", (*beside, "group_value", "metric", "value", "ci_low", "ci_high"))
    return f"""
{_CURRENT_RUNS}
SELECT {", ".join(f"g.{name}" for name in beside)}, g.group_value, r.is_latest,
  p.cutoff_index, p.cutoff, p.cutoff_origin, p.population_gbe,
  s.n, s.tp, s.fp, s.fn, s.tn, s.unscored_events, s.unscored_non_events,
  g.value AS group_benefit_equality, g.ci_low AS gbe_ci_low, g.ci_high AS gbe_ci_high,
  s.group_benefit_equality_including_unscored, s.selection_rate, s.prevalence,
  100 * g.value AS flagged_per_100_events,
  100 * s.true_positive_rate AS found_per_100_events,
  100 * s.positive_predictive_value AS right_per_100_flags,
  {judged}
FROM {{group_metrics}} AS g
JOIN current_runs AS r ON r.run_id = g.run_id
JOIN {{operating_points}} AS p ON p.run_id = g.run_id AND p.operating_point = g.operating_point
LEFT JOIN {{threshold_sweep}} AS s ON s.run_id = g.run_id AND s.attribute = g.attribute
  AND s.group_value = g.group_value AND s.cutoff_index = p.cutoff_index
WHERE g.metric = '{GBE.name}'{condition}
""".strip()


def _at_operating_points(table: str) -> str:
    return f"""
{_CURRENT_RUNS}
SELECT {_columns("t", table)}, p.cutoff, r.is_latest
FROM {{{table}}} AS t
JOIN current_runs AS r ON r.run_id = t.run_id
JOIN {{operating_points}} AS p ON p.run_id = t.run_id AND p.operating_point = t.operating_point
""".strip()


def _criteria() -> str:
    lookup = ", ".join(
        f"('{criterion.name}', '{criterion.compared_by}', '{metric}')"
        for criterion in CRITERIA
        for metric in criterion.metrics
    )
    return f"""
{_CURRENT_RUNS}
SELECT c.criterion, c.compared_by, {_columns("d", "disparities")}, p.cutoff, r.is_latest
FROM {{disparities}} AS d
JOIN current_runs AS r ON r.run_id = d.run_id
JOIN {{operating_points}} AS p ON p.run_id = d.run_id AND p.operating_point = d.operating_point
JOIN (VALUES {lookup}) AS c(criterion, compared_by, metric) ON c.metric = d.metric
""".strip()


_NOT_OF_HEALTH = ("config_json", "checksums", "record_checksum", "status", "is_current", "error")


def _health() -> str:
    same = ("verb", "model_id", "model_version", "window_start", "window_end")
    return f"""
{_CURRENT_RUNS},
unsuccessful AS (
  SELECT r.run_id, count(*) AS n
  FROM current_runs AS r
  JOIN {{{RUNS}}} AS other ON {" AND ".join(f"other.{name} = r.{name}" for name in same)}
  WHERE other.status <> 'succeeded' AND other.finished_at > r.finished_at
  GROUP BY r.run_id
),
assessed AS (
  SELECT run_id, count(*) AS judged,
    sum(CASE WHEN verdict = '{NOT_ASSESSED}' THEN 1 ELSE 0 END) AS not_assessed,
    sum(CASE WHEN verdict = '{BREACH}' THEN 1 ELSE 0 END) AS breaches
  FROM {{group_metrics}}
  WHERE metric = '{GBE.name}'
  GROUP BY run_id
)
SELECT {_columns("r", RUNS, _NOT_OF_HEALTH)}, r.is_latest,
  CAST(r.rows_refused AS DOUBLE) / nullif(r.rows_input, 0) AS refused_share,
  CAST(r.rows_unscored AS DOUBLE) / nullif(r.rows_input, 0) AS unscored_share,
  CAST(coalesce(a.judged, 0) AS BIGINT) AS groups_judged,
  CAST(coalesce(a.not_assessed, 0) AS BIGINT) AS groups_not_assessed,
  CAST(coalesce(a.breaches, 0) AS BIGINT) AS breaches,
  CAST(coalesce(u.n, 0) AS BIGINT) AS unsuccessful_since
FROM current_runs AS r
LEFT JOIN assessed AS a ON a.run_id = r.run_id
LEFT JOIN unsuccessful AS u ON u.run_id = r.run_id
""".strip()


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            "v_group_benefit_equality",
            "Group benefit equality, its verdict and its counts, for every group at every operating point",
            _judged(""),
        ),
        View(
            "v_group_metrics",
            "Every metric of every group at every operating point",
            _at_operating_points("group_metrics"),
        ),
        View("v_disparities", "How groups differ at every operating point", _at_operating_points("disparities")),
        View("v_criteria", "The disparities that each named fairness criterion compares", _criteria()),
        View("v_open_breaches", "Groups with a proven breach", _judged(f" AND g.verdict = '{BREACH}'")),
        View(
            "v_not_assessed",
            "Groups without a verdict, and why",
            _judged(f" AND g.verdict = '{NOT_ASSESSED}'"),
        ),
        View("v_run_health", "Rows, refusals and later unsuccessful attempts of every current run", _health()),
    )
}
