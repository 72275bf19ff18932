"""Every result table, once: its columns, types, comments and checks."""

from __future__ import annotations

from fairsweep.core.disparities import COMPARATORS
from fairsweep.core.histogram import SCORE_MEASURES
from fairsweep.core.inference import clusters, weights
from fairsweep.core.inference.verdicts import VERDICT_ORDER
from fairsweep.core.metrics import METRICS
from fairsweep.tables.checks import (
    GROUP,
    KEYS,
    LARGEST_DOUBLE,
    METRIC,
    MODEL_AND_WINDOW,
    OPERATING_POINT,
    STATUS,
    SWEEP_STATUSES,
    VALUE_STATUSES,
    WINDOW_CHECK,
    counts,
    is_share,
    listed,
    optional,
    ordered,
    ranges,
    ratios,
    required,
    shares,
)
from fairsweep.tables.evidence_tables import RANKING, RELIABILITY, SUBGROUPS
from fairsweep.tables.schema import Check, Table

RUN_STATUSES = ("succeeded", "failed", "refused")
VERDICTS = tuple(sorted({verdict for order in VERDICT_ORDER.values() for verdict in order}))


_RUNS = Table(
    "runs",
    "One run of a verb on one model and window; is_current marks the one that readers see",
    ("run_id",),
    (
        required("run_id", "STRING", "hash of verb, model, window, input, config and semantics"),
        required("batch_id", "STRING", "runs of several models from one scan share it"),
        required("verb", "STRING", "what was run: audit or cohort"),
        *MODEL_AND_WINDOW,
        required("status", "STRING", "succeeded, failed or refused"),
        required("is_current", "BOOLEAN", "readers see this run; one per verb, model and window"),
        required("config_fingerprint", "STRING", "hash of the checked config that decides results"),
        optional("config_json", "STRING", "the whole checked config with defaults filled"),
        required("fairsweep_version", "STRING", "version of the program"),
        required("schema_version", "INT", "version of these tables"),
        required("semantics_version", "INT", "increased whenever the same input gives different results"),
        optional("engine", "STRING", "spark or local"),
        optional("counting", "STRING", "how the scan counted: catalyst or arrow"),
        optional("counting_reason", "STRING", "why this way of counting was chosen"),
        optional("full_sweep", "BOOLEAN", "false where some attribute has operating points only"),
        optional("input_name", "STRING", "path or table that was read; of several, JSON"),
        optional("input_version", "STRING", "version or fingerprint of its content; of several inputs, JSON"),
        optional("rows_input", "BIGINT", "rows inside the window; NULL where it would disclose a small cell"),
        optional("rows_used", "BIGINT", "rows with a usable score and label; likewise"),
        optional("rows_unscored", "BIGINT", "rows with a label and no usable score; likewise"),
        optional("rows_refused", "BIGINT", "rows refused for a reason, see refused_counts; likewise"),
        optional("checksums", "STRING", "JSON: table name -> rows and checksum of what this run wrote"),
        required("started_at", "TIMESTAMP", "when the run began, UTC"),
        required("finished_at", "TIMESTAMP", "when its results were ready to publish, UTC"),
        optional("error", "STRING", "why it failed or was refused"),
        optional("minimum_cell_size", "INT", "smaller counts of members, except 0, are suppressed; 0: all are shown"),
        optional("hidden", "STRING", "JSON: by table what is suppressed and why, and what is shown"),
        optional("conditions", "STRING", "JSON: number of groups, suppressed or not, per condition of --fail-on"),
        optional("notes", "STRING", "JSON: notes on how to read the figures"),
        optional("record_checksum", "STRING", "digest of this record without is_current, which changes later"),
    ),
    (
        WINDOW_CHECK,
        listed("status", RUN_STATUSES),
        Check("current_succeeded", "NOT is_current OR status = 'succeeded'"),
        Check(
            "succeeded_complete",
            "status <> 'succeeded' OR (checksums IS NOT NULL AND minimum_cell_size IS NOT NULL "
            "AND (minimum_cell_size > 0 OR (rows_input IS NOT NULL AND rows_used IS NOT NULL "
            "AND rows_unscored IS NOT NULL AND rows_refused IS NOT NULL)))",
        ),
        counts("rows_input", "rows_used", "rows_unscored", "rows_refused"),
        Check(
            "rows_sum",
            "rows_input IS NULL OR rows_used IS NULL OR rows_unscored IS NULL OR rows_refused IS NULL "
            "OR rows_input = rows_used + rows_unscored + rows_refused",
        ),
    ),
    # Not partitioned: any two commits then conflict, so that the later commit sees the result of the earlier one.
    partitioned=False,
    properties=(("delta.isolationLevel", "Serializable"),),
)

_REFUSED_COUNTS = Table(
    "refused_counts",
    "Rows refused or unscored, by attribute, group, reason and label",
    ("run_id", "attribute", "group_value", "reason", "label"),
    (
        *KEYS,
        *GROUP,
        required("reason", "STRING", "the first reason that applies"),
        required("label", "STRING", "event, non_event or unknown; never the raw value"),
        required("n", "BIGINT", "rows"),
    ),
    (WINDOW_CHECK, listed("label", ("event", "non_event", "unknown")), counts("n")),
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
        *KEYS,
        required("grouping_set", "STRING", "the grouping columns that cells have values for; see cells"),
        required("cell_id", "INT", "rank of the sorted cell; see cells"),
        required("bucket", "INT", "the number of cutoffs that the score reaches; -1 for the unscored"),
        required("grid_id", "STRING", "fingerprint of the cutoffs; histograms merge only where it is equal"),
        required("events", "BIGINT", "rows with the event"),
        required("non_events", "BIGINT", "rows without"),
        *(optional(name, "BIGINT", f"sum {what}") for name, what in _MEASURES.items()),
    ),
    (
        WINDOW_CHECK,
        counts("cell_id", "events", "non_events"),
        Check("bucket_range", "bucket >= -1"),
    ),
    restricted=True,
)

_CELLS = Table(
    "cells",
    "The cells of score_histograms: one value for each grouping column",
    ("run_id", "grouping_set", "cell_id"),
    (
        *KEYS,
        required("grouping_set", "STRING", "as in score_histograms"),
        required("cell_id", "INT", "as in score_histograms"),
        required("attributes", "ARRAY<STRING>", "the attributes of the grouping set"),
        required("group_values", "ARRAY<STRING>", "the cell's value of each"),
    ),
    (WINDOW_CHECK, counts("cell_id")),
    # The list of combinations discloses which attributes follow from others.
    restricted=True,
)

_COUNTS = ("n", "tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")
_THRESHOLD_SWEEP = Table(
    "threshold_sweep",
    "Confusion counts and metrics of every group at every cutoff",
    ("run_id", "attribute", "group_value", "cutoff_index"),
    (
        *KEYS,
        *GROUP,
        required("cutoff_index", "INT", "index of the cutoff on the grid, from 0"),
        required("cutoff", "DOUBLE", "score >= cutoff is flagged; the value that was compared"),
        optional("n", "BIGINT", "rows with a usable score and label: tp + fp + fn + tn"),
        optional("tp", "BIGINT", "flagged, and had the event"),
        optional("fp", "BIGINT", "flagged, and had no event"),
        optional("fn", "BIGINT", "not flagged, and had the event"),
        optional("tn", "BIGINT", "not flagged, and had no event"),
        optional("unscored_events", "BIGINT", "no usable score, and had the event; not in n"),
        optional("unscored_non_events", "BIGINT", "no usable score, and had no event; not in n"),
        *(optional(metric.name, "DOUBLE", f"{metric.meaning}; NULL where undefined") for metric in METRICS),
        optional("gbe_ci_low", "DOUBLE", "lower 95 % limit of group_benefit_equality (Bonett and Price)"),
        optional("gbe_ci_high", "DOUBLE", "upper 95 % limit of group_benefit_equality (Bonett and Price)"),
        required("status", "STRING", "of the counts: defined, empty or suppressed"),
        required("operating_points", "ARRAY<STRING>", "the operating points that have this cutoff"),
        *(
            optional(f"weighted_{name}", "DOUBLE", f"{name} by weight; metrics use it; NULL without weights")
            for name in ("tp", "fp", "fn", "tn")
        ),
    ),
    (
        WINDOW_CHECK,
        listed("status", SWEEP_STATUSES),
        counts("cutoff_index", *_COUNTS),
        # Counts may be NULL only where they are suppressed: for every other row a NULL violates the sum.
        Check("counts_sum", "status = 'suppressed' OR n = tp + fp + fn + tn"),
        shares(*(metric.name for metric in METRICS if is_share(metric))),
        ratios(*(metric.name for metric in METRICS if not is_share(metric)), "gbe_ci_low", "gbe_ci_high"),
        ordered("gbe_ci_low", "gbe_ci_high"),
    ),
)

_GROUP_METRICS = Table(
    "group_metrics",
    "Every metric of every group at every operating point; group_benefit_equality carries the verdict",
    ("run_id", "operating_point", "attribute", "group_value", "metric"),
    (
        *KEYS,
        OPERATING_POINT,
        *GROUP,
        METRIC,
        optional("numerator", "BIGINT", "numerator of the metric, in rows"),
        optional("denominator", "BIGINT", "denominator of the metric, in rows"),
        optional("value", "DOUBLE", "numerator over denominator"),
        optional("ci_low", "DOUBLE", "lower 95 % limit"),
        optional("ci_high", "DOUBLE", "upper 95 % limit"),
        STATUS,
        optional("judged_value", "DOUBLE", "compared with the floor: value, or value over the population's value"),
        optional("verdict_basis", "STRING", "absolute where the population's value is near 1, else relative"),
        optional("p_below", "DOUBLE", "one-sided p of at least the bound; small proves below"),
        optional("p_above", "DOUBLE", "one-sided p of at most the bound; small proves above"),
        optional("p_adjusted", "DOUBLE", "the p that decides a breach, adjusted for the family"),
        optional("alpha", "DOUBLE", "one-sided level of the verdict"),
        optional("family", "STRING", "the comparisons that the p was adjusted for, and how"),
        optional("family_size", "INT", "the number of these comparisons"),
        optional("below_floor", "BOOLEAN", "judged_value < floor; NULL for a sanction"),
        optional("above_ceiling", "BOOLEAN", "judged_value > 1 / floor; NULL for a help"),
        optional("verdict", "STRING", "breach, ..., not_assessed; of group_benefit_equality only"),
        optional("high_note", "STRING", "for a high value: whether another group's value is low"),
        optional("flag_balance", "BIGINT", "people flagged minus people with the event"),
        optional("weighted_numerator", "DOUBLE", "numerator by weight; NULL without weights"),
        optional("weighted_denominator", "DOUBLE", "denominator by weight; NULL without weights"),
        optional("rounded_to", "DOUBLE", "value is rounded to multiples of it, because exact counts are suppressed"),
        optional("shrunk_value", "DOUBLE", "value shrunk towards the attribute's other groups; to order, not to judge"),
        optional("events_needed", "BIGINT", "events with which a fair group is proven fair 80 % of the time"),
        optional("short_flags", "BIGINT", "flags that a group below the floor lacks to reach it"),
        optional("flags_per_expected_event", "DOUBLE", "flagged over the sum of scores; of probabilities only"),
        optional("expected_to_observed", "DOUBLE", "sum of scores over events; of probabilities only"),
    ),
    (
        WINDOW_CHECK,
        listed("status", VALUE_STATUSES),
        Check("value_defined", "(status = 'defined') = (value IS NOT NULL)"),
        counts("numerator", "denominator", "family_size", "events_needed", "short_flags"),
        ratios("value", "ci_low", "ci_high", "judged_value"),
        ordered("ci_low", "ci_high"),
        shares("p_below", "p_above", "p_adjusted", "alpha"),
        listed("verdict_basis", ("absolute", "relative"), nullable=True),
        listed("verdict", VERDICTS, nullable=True),
        listed("high_note", ("high_acceptable", "high_while_others_low"), nullable=True),
    ),
)

_DISPARITIES = Table(
    "disparities",
    "How a metric of a group differs from a reference, the rest, the overall population, or in the worst pair",
    ("run_id", "operating_point", "attribute", "group_value", "metric", "comparator"),
    (
        *KEYS,
        OPERATING_POINT,
        *GROUP,
        METRIC,
        required("comparator", "STRING", "reference, rest, overall or worst_pair"),
        optional("compared_group", "STRING", "the other group; NULL where none could be chosen"),
        optional("ratio", "DOUBLE", "the group's value over the other's"),
        optional("ratio_ci_low", "DOUBLE", "lower 95 % limit"),
        optional("ratio_ci_high", "DOUBLE", "upper 95 % limit"),
        optional("difference", "DOUBLE", "the group's value minus the other's"),
        optional("difference_ci_low", "DOUBLE", "lower 95 % limit"),
        optional("difference_ci_high", "DOUBLE", "upper 95 % limit"),
        STATUS._replace(comment="defined, or why there is no ratio"),
    ),
    (
        WINDOW_CHECK,
        listed("comparator", COMPARATORS),
        listed("status", VALUE_STATUSES),
        Check("ratio_defined", "(status = 'defined') = (ratio IS NOT NULL)"),
        ratios("ratio", "ratio_ci_low", "ratio_ci_high"),
        ordered("ratio_ci_low", "ratio_ci_high"),
        ranges(
            "differences_range",
            ("difference", "difference_ci_low", "difference_ci_high"),
            f"-{LARGEST_DOUBLE}",
            LARGEST_DOUBLE,
        ),
        ordered("difference_ci_low", "difference_ci_high"),
    ),
)

_OPERATING_POINTS = Table(
    "operating_points",
    "The cutoff that each operating point has, and how it was found",
    ("run_id", "operating_point"),
    (
        *KEYS,
        required("operating_point", "STRING", "its name in the config"),
        required("rule", "STRING", "how the cutoff was chosen"),
        required("target", "DOUBLE", "the target of the rule: a cutoff, a value or a share"),
        optional("cutoff_index", "INT", "its index on the grid; NULL where none satisfies the rule"),
        optional("cutoff", "DOUBLE", "the cutoff"),
        optional("achieved", "DOUBLE", "the value that the rule reached at that cutoff"),
        optional("cutoff_below", "DOUBLE", "the neighbour below on the grid"),
        optional("cutoff_above", "DOUBLE", "the neighbour above on the grid"),
        required("cutoff_origin", "STRING", "tuned_here where found on the judged data, or prespecified"),
        optional("population_gbe", "DOUBLE", "group benefit equality of the overall population at the cutoff"),
        optional(
            "cutoff_ci_low", "DOUBLE", "lowest cutoff at which it does not differ significantly from the target (95 %)"
        ),
        optional("cutoff_ci_high", "DOUBLE", "highest such cutoff; both for the rule population_gbe only"),
        required("status", "STRING", "defined, or why there is no cutoff"),
    ),
    (
        WINDOW_CHECK,
        listed("status", VALUE_STATUSES),
        listed("cutoff_origin", ("tuned_here", "prespecified")),
        Check("cutoff_defined", "(status = 'defined') = (cutoff IS NOT NULL)"),
        counts("cutoff_index"),
        ratios("population_gbe"),
    ),
)

_COHORT = Table(
    "cohort",
    "The labelled cohort: one row per included prediction; it holds members, and needs restricted access",
    ("run_id", "member_id", "scored_on"),
    (
        *KEYS,
        # No check and no statistics on columns of members: both would put values into logs.
        required("member_id", "STRING", "the member"),
        required("scored_on", "DATE", "the day of the score"),
        optional("score", "DOUBLE", "the score; NULL where there is none"),
        required("outcome", "STRING", "the name of the outcome"),
        required("label", "INT", "1 where the outcome was met within the horizon, else 0"),
        optional("label_date", "DATE", "the first day on which it was met"),
        optional("label_claim_id", "STRING", "the claim that met the outcome"),
        optional("age", "INT", "whole years on the day of the score"),
        optional("mature", "BOOLEAN", "whether run-out of its horizon is complete; NULL if the config sets no day"),
        required("attributes", "ARRAY<STRING>", "the attributes of the cohort"),
        required("group_values", "ARRAY<STRING>", "the member's value of each; NULL where unknown"),
    ),
    (WINDOW_CHECK,),
    of_members=True,
    restricted=True,
)

_COHORT_FLOW = Table(
    "cohort_flow",
    "How many rows of each input reached a step, and how many the step excluded and why",
    ("run_id", "input", "step", "attribute", "group_value"),
    (
        *KEYS,
        required(
            "input", "STRING", "predictions, members, enrollment, claims or outcome_lines: lines within a horizon"
        ),
        required("step", "INT", "number of the step, from 1"),
        required("reason", "STRING", "why the step excludes rows; in_cohort or used at the end"),
        *GROUP,
        optional("rows_in", "BIGINT", "rows that reached the step; NULL where it would disclose a small cell"),
        optional("rows_out", "BIGINT", "rows that the step excludes; likewise"),
        optional("events", "BIGINT", "of the predictions in the cohort, those with the outcome; else NULL"),
    ),
    (
        WINDOW_CHECK,
        counts("step", "rows_in", "rows_out", "events"),
        Check("rows_left", "rows_in IS NULL OR rows_out IS NULL OR rows_out <= rows_in"),
    ),
)

RUNS = _RUNS.name
_BY_VERB = {
    "audit": (
        _REFUSED_COUNTS, _SCORE_HISTOGRAMS, _CELLS, _THRESHOLD_SWEEP, _GROUP_METRICS, _DISPARITIES, _OPERATING_POINTS,
        RANKING, RELIABILITY, SUBGROUPS,
    ),
    "cohort": (_COHORT, _COHORT_FLOW),
}  # fmt: skip
TABLES: dict[str, Table] = {table.name: table for table in (_RUNS, *(t for own in _BY_VERB.values() for t in own))}
TABLES_OF: dict[str, tuple[str, ...]] = {verb: tuple(table.name for table in own) for verb, own in _BY_VERB.items()}
"""The result tables that the runs of a verb write."""
AUDIT_TABLES, COHORT_TABLES = TABLES_OF["audit"], TABLES_OF["cohort"]
RESULT_TABLES: tuple[str, ...] = (*AUDIT_TABLES, *COHORT_TABLES)
"""All result tables, without `runs`."""
RESTRICTED_TABLES: tuple[str, ...] = tuple(name for name, table in TABLES.items() if table.restricted)
"""The tables that hold small cells or members: they need access rights of their own."""


def markdown() -> str:
    """The docs of all tables."""
    return "\n".join(table.markdown for table in TABLES.values())
