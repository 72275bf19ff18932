"""Pages of the docs, and schemas of configs, that are rendered from the declarations they describe."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from pydantic import BaseModel

from fairsweep.auditing.spec import AuditSpec
from fairsweep.cli.key_tables import tables_of
from fairsweep.cohort.outcomes import OutcomeSpec
from fairsweep.cohort.spec import CohortSpec
from fairsweep.config import json_schema
from fairsweep.core.disparities import CRITERIA
from fairsweep.core.metrics import METRICS, Metric
from fairsweep.stores.query_functions import FUNCTIONS
from fairsweep.stores.query_gate import LONGEST_QUERY
from fairsweep.tables import catalogue as tables
from fairsweep.tables import views
from fairsweep.tables.catalogue import RESTRICTED_TABLES

_INTERVALS = {
    "proportion": "Wilson",
    "paired_ratio": "Bonett and Price",
    "none": "none",
}

_METRICS_HEAD = """# Metrics, intervals and verdicts

`tp` and `fp` are flagged people with and without the event, `fn` and `tn` those who were not flagged; `n` is all four.
A metric is a ratio of two sums of these counts. Where the denominator is 0 the value is NULL and the status names the
reason: `no_events`, `none_flagged` and so on; `empty` where a group has no scored row.

| metric | formula and meaning | ideal | better | 95 % interval | undefined | source |
|---|---|---|---|---|---|---|
"""

_METRICS_TAIL = """
## Intervals

- **Proportions** have Wilson's interval (Wilson 1927).
- **Group Benefit Equality** is a ratio of *paired* proportions: the same people are in the numerator and the
  denominator. Bonett and Price's (2006) hybrid Wilson interval takes the pairing into account, and is defined where
  counts are 0.
- **Ratios of two groups' rates** have Koopman's score interval, **differences** have Newcombe's interval, and ratios of
  two groups' GBE have a log interval. A comparison with the overall population has no interval, because the population
  contains the group.

## Verdicts

The verdict is a one-sided score test of GBE = 0.8 for paired proportions (Nam and Blackwelder 2002, Tang 2003); at
GBE = 1 it is McNemar's test. The interval describes the value; only the test decides the verdict.

| `flag_is: help` | meaning | `flag_is: sanction` |
|---|---|---|
| `breach` | beyond the bound, and chance does not explain it | `breach` |
| `below_floor_unproven` | beyond the bound, but chance may explain it | `above_ceiling_unproven` |
| `above_floor_unproven` | within the bound, but the true value may be beyond | `below_ceiling_unproven` |
| `above_floor` | within the bound, proven: enough flags, but perhaps not for the right people | `below_ceiling` |
| `not_assessed` | undefined, or no cutoff satisfies the rule | `not_assessed` |

- **Basis.** Where population GBE is within 5 % of 1, a group's own GBE is judged (`absolute`). Otherwise the numbers of
  flags and events differ in the overall population, and the group's GBE over the population's is judged (`relative`);
  that form of the test was derived for this project and verified by simulation; it is not published.
- **Families.** The groups of one attribute at one operating point are corrected together (Holm). All intersections are
  one separate family (Benjamini and Hochberg), so that intersections never weaken an attribute's verdict.
- **Sanction** is the mirror image: the ceiling is 1 / 0.8, and being flagged *more* is the harm.
- **A cutoff found on the judged rows** (`tuned_here`) has intervals and verdicts whose variance takes the tuning into
  account: see [evidence.md](evidence.md).

## Criteria

The criteria of the literature are lookups into `disparities`; the view `v_criteria` shows the worst pair for each.

| criterion | metrics | compared by | source |
|---|---|---|---|
"""


_SQL_PAGE = """# What `fairsweep sql` accepts

One query over the result tables and views by their plain names, up to {longest} characters long: SELECT with joins,
WITH, subqueries, UNION, INTERSECT and EXCEPT, VALUES, GROUP BY with GROUPING SETS, ROLLUP and CUBE, HAVING, QUALIFY,
windows, FILTER, ORDER BY, LIMIT, PIVOT, CASE, CAST, arrays and their lambda functions, as far as the engine has them.
A result table means the rows of current runs, `runs` all runs.

If the tables are in a local folder, DuckDB runs the query, whichever engine counted. Spark runs it for catalogs and
object stores, and if `--engine spark`, `--master` or `--remote` is given. The SQL dialect is that of the engine.

Everything else is refused with exit code 2, before an engine sees it:

- functions that are not listed below: none of those listed reads files, settings, the environment, the session or the
  network;
- tables and files of other names, names with a schema before them, table functions, time travel, samples;
- parameters, variables, hints, `|>`, every other kind of statement, and text that is nested too deep;
- the restricted tables {restricted}: they hold members and small counts. Users who may
  open their folders, or have a grant on them in a catalog, read them there with any Delta reader, for example
  `deltalake.DeltaTable(path)`.

Reading writes nothing: if there is no warehouse, or no table `runs` in a schema, the command ends with exit code 2; a
result table that does not exist yet has no rows. Only the tables that a query needs are opened, so that users without
access to the restricted folders can query the others.

## Functions

{lists}
"""


def metrics_page() -> str:
    """docs/metrics.md."""
    rows = "\n".join(_metric_row(metric) for metric in METRICS)
    criteria = "\n".join(
        f"| {criterion.name.replace('_', ' ')} | {', '.join(f'`{name}`' for name in criterion.metrics)} "
        f"| {criterion.compared_by} | {criterion.source} |"
        for criterion in CRITERIA
    )
    return f"{_METRICS_HEAD}{rows}\n{_METRICS_TAIL}{criteria}\n"


def _metric_row(metric: Metric) -> str:
    ideal = "" if metric.ideal is None else f"{metric.ideal:g}"
    better = {"nearer_ideal": "nearer 1", "none": ""}.get(metric.direction, metric.direction)
    cells = (
        f"`{metric.name}`",
        metric.meaning.replace("|", "\\|"),
        ideal,
        better,
        _INTERVALS[metric.interval],
        f"`{metric.denominator.zero}`",
        metric.source,
    )
    return "| " + " | ".join(cells) + " |"


def tables_page() -> str:
    """docs/tables.md."""
    shown = "\n".join(f"- `{name}`: {view.comment}" for name, view in views.VIEWS.items())
    head = (
        "# Result tables\n\nEvery row has `run_id`. Readers see the runs that `runs.is_current` marks: through the "
        "views and\n`fairsweep sql`, or by a join on it.\n\n## Views\n\nThey show current runs; `is_latest` marks "
        f"each model's newest.\n\n{shown}\n\n"
    )
    return head + tables.markdown()


def sql_page() -> str:
    """docs/sql.md."""
    both = FUNCTIONS["duckdb"] & FUNCTIONS["spark"]
    parts = (
        ("In DuckDB and Spark", both),
        ("In DuckDB", FUNCTIONS["duckdb"] - both),
        ("In Spark", FUNCTIONS["spark"] - both),
    )
    lists = "\n\n".join(f"{title}: {', '.join(f'`{name}`' for name in sorted(names))}." for title, names in parts)
    restricted = ", ".join(f"`{name}`" for name in RESTRICTED_TABLES)
    return _SQL_PAGE.format(restricted=restricted, lists="\n".join(_wrapped(lists)), longest=f"{LONGEST_QUERY:,}")


def _wrapped(text: str) -> list[str]:
    """Paragraphs in lines of readable length."""
    return [line for part in text.split("\n") for line in (wrap(part, 118, break_on_hyphens=False) or [""])]


_WHOLE_PAGES = {"docs/metrics.md": metrics_page, "docs/tables.md": tables_page, "docs/sql.md": sql_page}
_SPECS: dict[str, type[BaseModel]] = {"audit": AuditSpec, "cohort": CohortSpec, "outcome": OutcomeSpec}
_PAGES_WITH_KEYS = ("config.md", "cohorts.md")


def rendered(repository: Path) -> dict[str, str]:
    """Every file that comes from declarations, by its path in the repository.

    Args:
        repository: where the pages are whose tables of keys are rendered into a text that is kept by hand.
    """
    pages = {name: (repository / "docs" / name).read_text(encoding="utf-8") for name in _PAGES_WITH_KEYS}
    tables_of_keys = tables_of({kind.__name__: json_schema.of(kind) for kind in _SPECS.values()}, pages)
    return {
        **{name: page() for name, page in _WHOLE_PAGES.items()},
        **{f"conf/schema/{name}.schema.json": json_schema.text(kind) for name, kind in _SPECS.items()},
        **{f"docs/{name}": tables_of_keys.rendered(name, text) for name, text in pages.items()},
    }
