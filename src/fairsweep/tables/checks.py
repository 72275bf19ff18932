"""Building blocks of result tables: shared key columns, and checks of lists, ranges and order."""

from __future__ import annotations

from collections.abc import Sequence

from fairsweep.core.metrics import DEFINED, EMPTY, SUPPRESSED, UNDEFINED_STATUSES, Metric
from fairsweep.core.operating_points import NO_CUTOFF
from fairsweep.tables.schema import Check, Column

SWEEP_STATUSES = (DEFINED, EMPTY, SUPPRESSED)
VALUE_STATUSES = (*SWEEP_STATUSES, *UNDEFINED_STATUSES, NO_CUTOFF)
LARGEST_DOUBLE = "1.7976931348623157E308"


def listed(column: str, values: Sequence[str], *, nullable: bool = False) -> Check:
    """One of some texts."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return Check(f"{column}_listed", (f"{column} IS NULL OR " if nullable else "") + f"{column} IN ({allowed})")


def ranges(name: str, columns: Sequence[str], low: str, high: str | None = None) -> Check:
    """One check for many columns, because each check is analysed and compiled again for every write."""
    upper = f" AND {{0}} <= {high}" if high is not None else ""
    each = f"({{0}} IS NULL OR ({{0}} >= {low}{upper}))"
    return Check(name, " AND ".join(each.format(column) for column in columns))


def counts(*columns: str) -> Check:
    """Numbers of rows or people."""
    return ranges("counts_range", columns, "0")


def shares(*columns: str) -> Check:
    """Numbers from 0 to 1."""
    return ranges("shares_range", columns, "0", "1")


def ratios(*columns: str) -> Check:
    """Finite numbers of at least 0."""
    # Spark orders NaN above every number, so that the upper bound excludes it as well.
    return ranges("ratios_range", columns, "0", LARGEST_DOUBLE)


def ordered(low: str, high: str) -> Check:
    """A lower limit is not above the upper."""
    return Check(f"{low}_ordered", f"{low} IS NULL OR {high} IS NULL OR {low} <= {high}")


def is_share(metric: Metric) -> bool:
    """Whether the numerator is part of the denominator."""
    return all(n <= d for n, d in zip(metric.numerator[1:], metric.denominator[1:], strict=True))


def required(name: str, kind: str, comment: str) -> Column:
    """A column that is never NULL."""
    return Column(name, kind, False, comment)


def optional(name: str, kind: str, comment: str) -> Column:
    """A column that may be NULL."""
    return Column(name, kind, True, comment)


MODEL_AND_WINDOW = (
    required("model_id", "STRING", "the model whose scores were audited"),
    required("model_version", "STRING", "its version"),
    required("window_start", "DATE", "first day of the scores, UTC; 1970-01-01 without a window"),
    required("window_end", "DATE", "the day after the last, UTC; 9999-12-31 without a window"),
)
KEYS = (required("run_id", "STRING", "the run that wrote the row; see runs"), *MODEL_AND_WINDOW)
GROUP = (
    required("attribute", "STRING", "the attribute; overall for the whole population; intersections: joined by ' x '"),
    required("group_value", "STRING", "the group: a value of the attribute; all for the whole population"),
)
OPERATING_POINT = required("operating_point", "STRING", "the operating point of the row; see operating_points")
METRIC = required("metric", "STRING", "the metric's name: a column of threshold_sweep")
WINDOW_CHECK = Check("window_ordered", "window_start < window_end")
STATUS = required("status", "STRING", "defined, or why there is no value; never a placeholder number")
