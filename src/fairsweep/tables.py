"""Every result table, once: its columns, types, comments and checks."""

from __future__ import annotations

from collections.abc import Sequence

from fairsweep.core import clusters, weights
from fairsweep.core.disparities import COMPARATORS
from fairsweep.core.histogram import SCORE_MEASURES
from fairsweep.core.metrics import DEFINED, EMPTY, METRICS, SUPPRESSED, UNDEFINED_STATUSES, Metric
from fairsweep.core.operating_points import NO_CUTOFF
from fairsweep.core.verdicts import VERDICT_ORDER
from fairsweep.schema import Check, Column, Table

RUN_STATUSES = ("succeeded", "failed", "refused")
SWEEP_STATUSES = (DEFINED, EMPTY, SUPPRESSED)
VALUE_STATUSES = (*SWEEP_STATUSES, *UNDEFINED_STATUSES, NO_CUTOFF)
VERDICTS = tuple(sorted({verdict for order in VERDICT_ORDER.values() for verdict in order}))
_LARGEST_DOUBLE = "1.7976931348623157E308"


def _listed(column: str, values: Sequence[str], *, nullable: bool = False) -> Check:
    allowed = ", ".join(f"'{value}'" for value in values)
    return Check(f"{column}_listed", (f"{column} IS NULL OR " if nullable else "") + f"{column} IN ({allowed})")


def _ranges(name: str, columns: Sequence[str], low: str, high: str | None = None) -> Check:
    """One check for many columns: every check is analysed and compiled anew for every write."""
    upper = f" AND {{0}} <= {high}" if high is not None else ""
    each = f"({{0}} IS NULL OR ({{0}} >= {low}{upper}))"
    return Check(name, " AND ".join(each.format(column) for column in columns))


def _counts(*columns: str) -> Check:
    return _ranges("counts_range", columns, "0")


def _shares(*columns: str) -> Check:
    return _ranges("shares_range", columns, "0", "1")


def _ratios(*columns: str) -> Check:
    # Spark holds NaN to be greater than every number, so that the upper bound keeps it out as well.
    return _ranges("ratios_range", columns, "0", _LARGEST_DOUBLE)


def _ordered(low: str, high: str) -> Check:
    return Check(f"{low}_ordered", f"{low} IS NULL OR {high} IS NULL OR {low} <= {high}")


def _is_share(metric: Metric) -> bool:
    """Whether the numerator is part of the denominator."""
    return all(n <= d for n, d in zip(metric.numerator[1:], metric.denominator[1:], strict=True))


def _required(name: str, kind: str, comment: str) -> Column:
    return Column(name, kind, False, comment)


def _optional(name: str, kind: str, comment: str) -> Column:
    return Column(name, kind, True, comment)


_MODEL_AND_WINDOW = (
    _required("model_id", "STRING", "the model whose scores were audited"),
    _required("model_version", "STRING", "its version"),
    _required("window_start", "DATE", "first day of the scores, UTC; 1970-01-01 without a window"),
    _required("window_end", "DATE", "the day after the last, UTC; 9999-12-31 without a window"),
)
_KEYS = (_required("run_id", "STRING", "the run that wrote the row; see runs"), *_MODEL_AND_WINDOW)
_GROUP = (
    _required("attribute", "STRING", "the attribute; overall for everybody; intersections are joined by ' x '"),
    _required("group_value", "STRING", "the group: a value of the attribute; all for everybody"),
)
_OPERATING_POINT = _required("operating_point", "STRING", "what was judged at; see operating_points")
_METRIC = _required("metric", "STRING", "the metric's name, as the columns of threshold_sweep")
_WINDOW_CHECK = Check("window_ordered", "window_start < window_end")
_STATUS = _required("status", "STRING", "defined, or why there is no value; never a stand-in number")

_RUNS = Table(
    "runs",
    "One run of a verb on one model and window; is_current marks the one that readers see",
    ("run_id",),
    (
        _required("run_id", "STRING", "hash of verb, model, window, input, config and semantics"),
        _required("batch_id", "STRING", "runs of several models from one scan share it"),
        _required("verb", "STRING", "what was run: audit or cohort"),
        *_MODEL_AND_WINDOW,
        _required("status", "STRING", "succeeded, failed or refused"),
        _required("is_current", "BOOLEAN", "readers see this run; one per verb, model and window"),
        _required("config_fingerprint", "STRING", "hash of the checked config that decides results"),
        _optional("config_json", "STRING", "the whole checked config with defaults filled"),
        _required("fairsweep_version", "STRING", "version of the program"),
        _required("schema_version", "INT", "version of these tables"),
        _required("semantics_version", "INT", "raised whenever the same input gives other results"),
        _optional("engine", "STRING", "spark or local"),
        _optional("counting", "STRING", "how the scan counted: catalyst or arrow"),
        _optional("counting_reason", "STRING", "why that way"),
        _optional("full_sweep", "BOOLEAN", "false where some attribute has operating points only"),
        _optional("input_name", "STRING", "path or table that was read; of several, JSON"),
        _optional("input_version", "STRING", "what pins its content; of several inputs, JSON"),
        _optional("rows_input", "BIGINT", "rows inside the window; NULL where it would show a small cell"),
        _optional("rows_used", "BIGINT", "rows with a usable score and label; likewise"),
        _optional("rows_unscored", "BIGINT", "rows with a label and no usable score; likewise"),
        _optional("rows_refused", "BIGINT", "rows refused for a reason, see refused_counts; likewise"),
        _optional("checksums", "STRING", "JSON: table name -> rows and checksum of what this run wrote"),
        _required("started_at", "TIMESTAMP", "when the run began, UTC"),
        _required("finished_at", "TIMESTAMP", "when its results were ready to publish, UTC"),
        _optional("error", "STRING", "why it failed or was refused"),
        _optional("minimum_cell_size", "INT", "no smaller count of members but 0 is shown; 0 where all are"),
        _optional("hidden", "STRING", "JSON: by table what is hidden and why, and what is shown"),
        _optional("conditions", "STRING", "JSON: how many groups, hidden or not, meet each condition of --fail-on"),
        _optional("notes", "STRING", "JSON: what a person should know beside the figures"),
    ),
    (
        _WINDOW_CHECK,
        _listed("status", RUN_STATUSES),
        Check("current_succeeded", "NOT is_current OR status = 'succeeded'"),
        Check(
            "succeeded_complete",
            "status <> 'succeeded' OR (checksums IS NOT NULL AND (coalesce(minimum_cell_size, 0) > 0 "
            "OR (rows_input IS NOT NULL AND rows_used IS NOT NULL AND rows_unscored IS NOT NULL "
            "AND rows_refused IS NOT NULL)))",
        ),
        _counts("rows_input", "rows_used", "rows_unscored", "rows_refused"),
        Check(
            "rows_sum",
            "rows_input IS NULL OR rows_used IS NULL OR rows_unscored IS NULL OR rows_refused IS NULL "
            "OR rows_input = rows_used + rows_unscored + rows_refused",
        ),
    ),
    # Not partitioned: any two commits then conflict, so that the later sees what the earlier made current.
    partitioned=False,
    properties=(("delta.isolationLevel", "Serializable"),),
)

_REFUSED_COUNTS = Table(
    "refused_counts",
    "Rows refused or unscored, by attribute, group, reason and label",
    ("run_id", "attribute", "group_value", "reason", "label"),
    (
        *_KEYS,
        *_GROUP,
        _required("reason", "STRING", "the first reason that holds"),
        _required("label", "STRING", "event, non_event or unknown; never the raw value"),
        _required("n", "BIGINT", "rows"),
    ),
    (_WINDOW_CHECK, _listed("label", ("event", "non_event", "unknown")), _counts("n")),
)
_MEASURES = {
    **dict.fromkeys(SCORE_MEASURES, "scores, or their squares, in billionths"),
    **dict.fromkeys(weights.MEASURES, "weights in millionths, or their squares"),
    **dict.fromkeys(clusters.MEASURES, "over pairs of a member's rows, or distinct members; see docs/evidence.md"),
}

_SCORE_HISTOGRAMS = Table(
    "score_histograms",
    "Events and non-events per grouping set, cell and bucket: the state that everything else is derived from",
    ("run_id", "grouping_set", "cell_id", "bucket"),
    (
        *_KEYS,
        _required("grouping_set", "STRING", "the grouping columns that cells have values for; see cells"),
        _required("cell_id", "INT", "rank of the sorted cell; see cells"),
        _required("bucket", "INT", "the number of cutoffs that the score reaches; -1 for the unscored"),
        _required("grid_id", "STRING", "fingerprint of the cutoffs; histograms merge only where it is equal"),
        _required("events", "BIGINT", "rows with the event"),
        _required("non_events", "BIGINT", "rows without"),
        *(_optional(name, "BIGINT", f"sum {what}") for name, what in _MEASURES.items()),
    ),
    (
        _WINDOW_CHECK,
        _counts("cell_id", "events", "non_events"),
        Check("bucket_range", "bucket >= -1"),
    ),
    restricted=True,
)

_CELLS = Table(
    "cells",
    "The cells of score_histograms: one value for each grouping column",
    ("run_id", "grouping_set", "cell_id"),
    (
        *_KEYS,
        _required("grouping_set", "STRING", "as in score_histograms"),
        _required("cell_id", "INT", "as in score_histograms"),
        _required("attributes", "ARRAY<STRING>", "the attributes of the grouping set"),
        _required("group_values", "ARRAY<STRING>", "the cell's value of each"),
    ),
    (_WINDOW_CHECK, _counts("cell_id")),
)

_COUNTS = ("n", "tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")
_THRESHOLD_SWEEP = Table(
    "threshold_sweep",
    "Confusion counts and metrics of every group at every cutoff",
    ("run_id", "attribute", "group_value", "cutoff_index"),
    (
        *_KEYS,
        *_GROUP,
        _required("cutoff_index", "INT", "place of the cutoff on the grid, from 0"),
        _required("cutoff", "DOUBLE", "score >= cutoff is flagged; the value that was compared"),
        _optional("n", "BIGINT", "rows with a usable score and label: tp + fp + fn + tn"),
        _optional("tp", "BIGINT", "flagged, and had the event"),
        _optional("fp", "BIGINT", "flagged, and had no event"),
        _optional("fn", "BIGINT", "not flagged, and had the event"),
        _optional("tn", "BIGINT", "not flagged, and had no event"),
        _optional("unscored_events", "BIGINT", "no usable score, and had the event; not in n"),
        _optional("unscored_non_events", "BIGINT", "no usable score, and had no event; not in n"),
        *(_optional(metric.name, "DOUBLE", f"{metric.meaning}; NULL where undefined") for metric in METRICS),
        _optional("gbe_ci_low", "DOUBLE", "lower 95 % limit of group_benefit_equality (Bonett and Price)"),
        _optional("gbe_ci_high", "DOUBLE", "upper 95 % limit of group_benefit_equality (Bonett and Price)"),
        _required("status", "STRING", "of the counts: defined, empty or suppressed"),
        _required("operating_points", "ARRAY<STRING>", "the operating points that have this cutoff"),
        *(
            _optional(f"weighted_{name}", "DOUBLE", f"{name} by weight, of which the metrics are; NULL without weights")
            for name in ("tp", "fp", "fn", "tn")
        ),
    ),
    (
        _WINDOW_CHECK,
        _listed("status", SWEEP_STATUSES),
        _counts("cutoff_index", *_COUNTS),
        # Counts may be NULL only where they are suppressed: for every other row a NULL violates the sum.
        Check("counts_sum", "status = 'suppressed' OR n = tp + fp + fn + tn"),
        _shares(*(metric.name for metric in METRICS if _is_share(metric))),
        _ratios(*(metric.name for metric in METRICS if not _is_share(metric)), "gbe_ci_low", "gbe_ci_high"),
        _ordered("gbe_ci_low", "gbe_ci_high"),
    ),
)

_GROUP_METRICS = Table(
    "group_metrics",
    "Every metric of every group at every operating point; group_benefit_equality carries the verdict",
    ("run_id", "operating_point", "attribute", "group_value", "metric"),
    (
        *_KEYS,
        _OPERATING_POINT,
        *_GROUP,
        _METRIC,
        _optional("numerator", "BIGINT", "what is counted"),
        _optional("denominator", "BIGINT", "out of how many"),
        _optional("value", "DOUBLE", "numerator over denominator"),
        _optional("ci_low", "DOUBLE", "lower 95 % limit"),
        _optional("ci_high", "DOUBLE", "upper 95 % limit"),
        _STATUS,
        _optional("judged_value", "DOUBLE", "what the floor is held against: value, or over everybody's"),
        _optional("verdict_basis", "STRING", "absolute where everybody's value is near 1, else relative"),
        _optional("p_below", "DOUBLE", "one-sided p of at least the bound; small proves below"),
        _optional("p_above", "DOUBLE", "one-sided p of at most the bound; small proves above"),
        _optional("p_adjusted", "DOUBLE", "the p that decides a breach, adjusted for the family"),
        _optional("alpha", "DOUBLE", "one-sided level of the verdict"),
        _optional("family", "STRING", "the comparisons that the p was adjusted for, and how"),
        _optional("family_size", "INT", "how many they are"),
        _optional("below_floor", "BOOLEAN", "judged_value < floor; NULL for a sanction"),
        _optional("above_ceiling", "BOOLEAN", "judged_value > 1 / floor; NULL for a help"),
        _optional("verdict", "STRING", "breach, ..., not_assessed; of group_benefit_equality only"),
        _optional("high_note", "STRING", "whether a high value goes with another group's being low"),
        _optional("flag_balance", "BIGINT", "people flagged minus people with the event"),
        _optional("weighted_numerator", "DOUBLE", "numerator by weight; NULL without weights"),
        _optional("weighted_denominator", "DOUBLE", "denominator by weight; NULL without weights"),
        _optional("rounded_to", "DOUBLE", "value is rounded to multiples of it, because exact counts are hidden"),
        _optional("shrunk_value", "DOUBLE", "value drawn towards the attribute's other groups; to order, not to judge"),
        _optional("events_needed", "BIGINT", "events with which a fair group is proven fair 80 % of the time"),
        _optional("short_flags", "BIGINT", "flags that a group below the floor lacks to reach it"),
        _optional("flags_per_expected_event", "DOUBLE", "flagged over the sum of scores; of probabilities only"),
        _optional("expected_to_observed", "DOUBLE", "sum of scores over events; of probabilities only"),
    ),
    (
        _WINDOW_CHECK,
        _listed("status", VALUE_STATUSES),
        Check("value_defined", "(status = 'defined') = (value IS NOT NULL)"),
        _counts("numerator", "denominator", "family_size", "events_needed", "short_flags"),
        _ratios("value", "ci_low", "ci_high", "judged_value"),
        _ordered("ci_low", "ci_high"),
        _shares("p_below", "p_above", "p_adjusted", "alpha"),
        _listed("verdict_basis", ("absolute", "relative"), nullable=True),
        _listed("verdict", VERDICTS, nullable=True),
        _listed("high_note", ("high_acceptable", "high_while_others_low"), nullable=True),
    ),
)

_DISPARITIES = Table(
    "disparities",
    "How a metric of a group differs from a reference, the rest, everybody, or in the worst pair",
    ("run_id", "operating_point", "attribute", "group_value", "metric", "comparator"),
    (
        *_KEYS,
        _OPERATING_POINT,
        *_GROUP,
        _METRIC,
        _required("comparator", "STRING", "reference, rest, overall or worst_pair"),
        _optional("compared_group", "STRING", "the other group; NULL where none could be chosen"),
        _optional("ratio", "DOUBLE", "the group's value over the other's"),
        _optional("ratio_ci_low", "DOUBLE", "lower 95 % limit"),
        _optional("ratio_ci_high", "DOUBLE", "upper 95 % limit"),
        _optional("difference", "DOUBLE", "the group's value minus the other's"),
        _optional("difference_ci_low", "DOUBLE", "lower 95 % limit"),
        _optional("difference_ci_high", "DOUBLE", "upper 95 % limit"),
        _STATUS._replace(comment="defined, or why there is no ratio"),
    ),
    (
        _WINDOW_CHECK,
        _listed("comparator", COMPARATORS),
        _listed("status", VALUE_STATUSES),
        Check("ratio_defined", "(status = 'defined') = (ratio IS NOT NULL)"),
        _ratios("ratio", "ratio_ci_low", "ratio_ci_high"),
        _ordered("ratio_ci_low", "ratio_ci_high"),
        _ranges(
            "differences_range",
            ("difference", "difference_ci_low", "difference_ci_high"),
            f"-{_LARGEST_DOUBLE}",
            _LARGEST_DOUBLE,
        ),
        _ordered("difference_ci_low", "difference_ci_high"),
    ),
)

_OPERATING_POINTS = Table(
    "operating_points",
    "The cutoff that each operating point has, and how it was found",
    ("run_id", "operating_point"),
    (
        *_KEYS,
        _required("operating_point", "STRING", "its name in the config"),
        _required("rule", "STRING", "how the cutoff was chosen"),
        _required("target", "DOUBLE", "what the rule aims at: a cutoff, a value or a share"),
        _optional("cutoff_index", "INT", "its place on the grid; NULL where none satisfies the rule"),
        _optional("cutoff", "DOUBLE", "the cutoff"),
        _optional("achieved", "DOUBLE", "what the rule got at that cutoff"),
        _optional("cutoff_below", "DOUBLE", "the neighbour below on the grid"),
        _optional("cutoff_above", "DOUBLE", "the neighbour above on the grid"),
        _required("cutoff_origin", "STRING", "tuned_here where found on the judged data, or prespecified"),
        _optional("population_gbe", "DOUBLE", "group benefit equality of everybody at the cutoff"),
        _optional("cutoff_ci_low", "DOUBLE", "lowest cutoff at which it cannot be told from the target (95 %)"),
        _optional("cutoff_ci_high", "DOUBLE", "highest such cutoff; both of the rule population_gbe only"),
        _required("status", "STRING", "defined, or why there is no cutoff"),
    ),
    (
        _WINDOW_CHECK,
        _listed("status", VALUE_STATUSES),
        _listed("cutoff_origin", ("tuned_here", "prespecified")),
        Check("cutoff_defined", "(status = 'defined') = (cutoff IS NOT NULL)"),
        _counts("cutoff_index"),
        _ratios("population_gbe"),
    ),
)

_RANKING_FIGURES = (
    ("auc", "area under the receiver operating characteristic: the chance that an event outranks a non-event"),
    ("auc_ci_low", "lower 95 % limit (DeLong)"),
    ("auc_ci_high", "upper 95 % limit (DeLong)"),
    ("auc_standard_error", "its standard error (DeLong)"),
    ("auc_binning_error", "how much it can differ from that of unbinned scores"),
    ("average_precision", "average precision, stepwise"),
    ("sensitivity_at_1_percent", "share of events found where 1 % of everybody is flagged"),
    ("sensitivity_at_3_percent", "where 3 % are"),
    ("sensitivity_at_5_percent", "where 5 % are"),
    ("sensitivity_at_10_percent", "where 10 % are"),
    ("expected", "sum of the scores: expected events; of probabilities only, like all that follows"),
    ("expected_to_observed", "expected over observed events"),
    ("expected_to_observed_ci_low", "lower 95 % limit (Byar)"),
    ("expected_to_observed_ci_high", "upper 95 % limit (Byar)"),
    ("brier_score", "mean squared difference of score and outcome"),
    ("calibration_slope", "slope of the outcome's log odds on the score's: 1 where scores are neither too extreme"),
    ("calibration_intercept", "calibration in the large: log odds by which scores are too low"),
    ("balance_positive_class", "mean score of events"),
    ("balance_negative_class", "mean score of non-events"),
)
_RANKING = Table(
    "ranking",
    "How well scores rank, and where they are probabilities how well they are calibrated, by group; no cutoff",
    ("run_id", "attribute", "group_value"),
    (
        *_KEYS,
        *_GROUP,
        _optional("n", "BIGINT", "rows with a usable score and label"),
        _optional("events", "BIGINT", "those with the event"),
        *(_optional(name, "DOUBLE", comment) for name, comment in _RANKING_FIGURES),
        _STATUS._replace(comment="of the area under the curve: defined, or why there is none"),
    ),
    (
        _WINDOW_CHECK,
        _listed("status", VALUE_STATUSES),
        _counts("n", "events"),
        _shares("auc", "auc_ci_low", "auc_ci_high", "average_precision", "brier_score"),
        _ordered("auc_ci_low", "auc_ci_high"),
    ),
)

_RELIABILITY = Table(
    "reliability",
    "Mean score beside the event rate, by group and range of scores; of probabilities only",
    ("run_id", "attribute", "group_value", "bin"),
    (
        *_KEYS,
        *_GROUP,
        _required("bin", "INT", "the range, from 0"),
        _optional("score_from", "DOUBLE", "its lowest score; NULL where it is open"),
        _optional("score_below", "DOUBLE", "the score it ends below; NULL where it is open"),
        _required("n", "BIGINT", "rows"),
        _required("events", "BIGINT", "those with the event"),
        _optional("mean_score", "DOUBLE", "mean score"),
        _optional("event_rate", "DOUBLE", "events over rows"),
        _optional("ci_low", "DOUBLE", "lower 95 % limit of the event rate (Wilson)"),
        _optional("ci_high", "DOUBLE", "upper 95 % limit of the event rate (Wilson)"),
    ),
    (
        _WINDOW_CHECK,
        _counts("bin", "n", "events"),
        _shares("event_rate", "ci_low", "ci_high"),
        _ordered("ci_low", "ci_high"),
    ),
)

_SUBGROUPS = Table(
    "subgroups",
    "Subgroups that nobody listed and the search found in breach, those that lack most flags first",
    ("run_id", "operating_point", "place"),
    (
        *_KEYS,
        _OPERATING_POINT,
        _required("place", "INT", "rank by the lower bound of the shortfall, from 1"),
        _required("attributes", "ARRAY<STRING>", "the attributes that make it up"),
        _required("group_values", "ARRAY<STRING>", "its value of each"),
        _optional("n", "BIGINT", "rows; NULL where small cells are hidden"),
        _optional("events", "BIGINT", "events; likewise"),
        _optional("flagged", "BIGINT", "flagged; likewise"),
        _optional("group_benefit_equality", "DOUBLE", "flagged over events"),
        _optional("judged_value", "DOUBLE", "what the floor is held against"),
        _optional("gbe_ci_low", "DOUBLE", "lower 95 % limit of group_benefit_equality"),
        _optional("gbe_ci_high", "DOUBLE", "upper 95 % limit of group_benefit_equality"),
        _optional("shortfall", "DOUBLE", "flags it lacks to reach the floor; for a sanction flags too many"),
        _optional("shortfall_low", "DOUBLE", "lower bound of the shortfall, one-sided 95 %"),
        _required("p_adjusted", "DOUBLE", "the p of the breach, adjusted for all subgroups searched"),
        _required("searched", "INT", "how many subgroups were searched"),
        _optional("rounded_to", "DOUBLE", "values are rounded to multiples of it, because exact counts are hidden"),
    ),
    (
        _WINDOW_CHECK,
        _counts("place", "n", "events", "flagged", "searched"),
        _ratios("group_benefit_equality", "judged_value", "gbe_ci_low", "gbe_ci_high"),
        _shares("p_adjusted"),
    ),
)

_COHORT = Table(
    "cohort",
    "Who counts, and what came of each prediction; it holds members, and belongs under restricted access",
    ("run_id", "member_id", "scored_on"),
    (
        *_KEYS,
        # No check and no statistics on what is a member's: both would put values into logs.
        _required("member_id", "STRING", "the member"),
        _required("scored_on", "DATE", "the day of the score"),
        _optional("score", "DOUBLE", "the score; NULL where there is none"),
        _required("outcome", "STRING", "the name of the outcome that was looked for"),
        _required("label", "INT", "1 where the outcome was met within the horizon, else 0"),
        _optional("label_date", "DATE", "the first day on which it was"),
        _optional("label_claim_id", "STRING", "the claim that made it so"),
        _optional("age", "INT", "whole years on the day of the score"),
        _optional("mature", "BOOLEAN", "whether the claims of its horizon have run out; NULL where no day is asked"),
        _required("attributes", "ARRAY<STRING>", "the attributes of the cohort"),
        _required("group_values", "ARRAY<STRING>", "the member's value of each; NULL where unknown"),
    ),
    (_WINDOW_CHECK,),
    of_members=True,
    restricted=True,
)

_COHORT_FLOW = Table(
    "cohort_flow",
    "How many rows of each input came to a step, and how many were left out there and why",
    ("run_id", "input", "step", "attribute", "group_value"),
    (
        *_KEYS,
        _required(
            "input", "STRING", "predictions, members, enrollment, claims or outcome_lines: lines within a horizon"
        ),
        _required("step", "INT", "place of the step, from 1"),
        _required("reason", "STRING", "why rows are left out there; in_cohort or used at the end"),
        *_GROUP,
        _optional("rows_in", "BIGINT", "rows that came to the step; NULL where it would show a small cell"),
        _optional("rows_out", "BIGINT", "rows left out there; likewise"),
        _optional("events", "BIGINT", "of the predictions in the cohort, those with the outcome; else NULL"),
    ),
    (
        _WINDOW_CHECK,
        _counts("step", "rows_in", "rows_out", "events"),
        Check("rows_left", "rows_in IS NULL OR rows_out IS NULL OR rows_out <= rows_in"),
    ),
)

RUNS = _RUNS.name
_BY_VERB = {
    "audit": (
        _REFUSED_COUNTS, _SCORE_HISTOGRAMS, _CELLS, _THRESHOLD_SWEEP, _GROUP_METRICS, _DISPARITIES, _OPERATING_POINTS,
        _RANKING, _RELIABILITY, _SUBGROUPS,
    ),
    "cohort": (_COHORT, _COHORT_FLOW),
}  # fmt: skip
TABLES: dict[str, Table] = {table.name: table for table in (_RUNS, *(t for own in _BY_VERB.values() for t in own))}
TABLES_OF: dict[str, tuple[str, ...]] = {verb: tuple(table.name for table in own) for verb, own in _BY_VERB.items()}
"""The result tables that the runs of a verb write."""
AUDIT_TABLES, COHORT_TABLES = TABLES_OF["audit"], TABLES_OF["cohort"]
RESULT_TABLES: tuple[str, ...] = (*AUDIT_TABLES, *COHORT_TABLES)
WHOLE_COUNTS: tuple[str, ...] = (_SCORE_HISTOGRAMS.name,)
"""The tables from which every count could be had, where small ones are hidden."""
RESTRICTED_TABLES: tuple[str, ...] = tuple(name for name, table in TABLES.items() if table.restricted)
"""The tables that small cells, or members, can be read from: they belong under access rights of their own."""


def markdown() -> str:
    """The docs of all tables."""
    return "\n".join(table.markdown for table in TABLES.values())
