"""The tables of evidence: ranking and calibration by group, and subgroups that the search found."""

from __future__ import annotations

from fairsweep.tables.checks import (
    GROUP,
    KEYS,
    OPERATING_POINT,
    STATUS,
    VALUE_STATUSES,
    WINDOW_CHECK,
    counts,
    listed,
    optional,
    ordered,
    ratios,
    required,
    shares,
)
from fairsweep.tables.schema import Table

_RANKING_FIGURES = (
    ("auc", "area under the receiver operating characteristic: the chance that an event outranks a non-event"),
    ("auc_ci_low", "lower 95 % limit (DeLong)"),
    ("auc_ci_high", "upper 95 % limit (DeLong)"),
    ("auc_standard_error", "its standard error (DeLong)"),
    ("auc_binning_error", "largest difference from the area of unbinned scores"),
    ("average_precision", "average precision, stepwise"),
    ("sensitivity_at_1_percent", "share of events found where 1 % of the population is flagged"),
    ("sensitivity_at_3_percent", "share of events found where 3 % are flagged"),
    ("sensitivity_at_5_percent", "share of events found where 5 % are flagged"),
    ("sensitivity_at_10_percent", "share of events found where 10 % are flagged"),
    ("expected", "sum of the scores: expected events; this and all later figures only for probabilities"),
    ("expected_to_observed", "expected over observed events"),
    ("expected_to_observed_ci_low", "lower 95 % limit (Byar)"),
    ("expected_to_observed_ci_high", "upper 95 % limit (Byar)"),
    ("brier_score", "mean squared difference of score and outcome"),
    ("calibration_slope", "slope of the outcome's log odds on the score's: 1 where scores are neither too extreme"),
    ("calibration_intercept", "calibration in the large: log odds by which scores are too low"),
    ("balance_positive_class", "mean score of events"),
    ("balance_negative_class", "mean score of non-events"),
)
RANKING = Table(
    "ranking",
    "How well scores rank, and how well probabilities are calibrated, by group, independent of any cutoff",
    ("run_id", "attribute", "group_value"),
    (
        *KEYS,
        *GROUP,
        optional("n", "BIGINT", "rows with a usable score and label"),
        optional("events", "BIGINT", "those with the event"),
        *(optional(name, "DOUBLE", comment) for name, comment in _RANKING_FIGURES),
        STATUS._replace(comment="of the area under the curve: defined, or why it is undefined"),
    ),
    (
        WINDOW_CHECK,
        listed("status", VALUE_STATUSES),
        counts("n", "events"),
        shares("auc", "auc_ci_low", "auc_ci_high", "average_precision", "brier_score"),
        ordered("auc_ci_low", "auc_ci_high"),
    ),
)

RELIABILITY = Table(
    "reliability",
    "Mean score beside the event rate, by group and range of scores; only for probabilities",
    ("run_id", "attribute", "group_value", "bin"),
    (
        *KEYS,
        *GROUP,
        required("bin", "INT", "the range, from 0"),
        optional("score_from", "DOUBLE", "its lowest score; NULL where it is open"),
        optional("score_below", "DOUBLE", "its upper end, exclusive; NULL where it is open"),
        required("n", "BIGINT", "rows"),
        required("events", "BIGINT", "those with the event"),
        optional("mean_score", "DOUBLE", "mean score"),
        optional("event_rate", "DOUBLE", "events over rows"),
        optional("ci_low", "DOUBLE", "lower 95 % limit of the event rate (Wilson)"),
        optional("ci_high", "DOUBLE", "upper 95 % limit of the event rate (Wilson)"),
    ),
    (
        WINDOW_CHECK,
        counts("bin", "n", "events"),
        shares("event_rate", "ci_low", "ci_high"),
        ordered("ci_low", "ci_high"),
    ),
)

SUBGROUPS = Table(
    "subgroups",
    "Subgroups in breach that the search found, in order of the flags that they lack",
    ("run_id", "operating_point", "place"),
    (
        *KEYS,
        OPERATING_POINT,
        required("place", "INT", "rank by the lower bound of the shortfall, from 1"),
        required("attributes", "ARRAY<STRING>", "the attributes that define it"),
        required("group_values", "ARRAY<STRING>", "its value of each"),
        optional("n", "BIGINT", "rows; NULL where small cells are suppressed"),
        optional("events", "BIGINT", "events; likewise"),
        optional("flagged", "BIGINT", "flagged; likewise"),
        optional("group_benefit_equality", "DOUBLE", "flagged over events"),
        optional("judged_value", "DOUBLE", "compared with the floor"),
        optional("gbe_ci_low", "DOUBLE", "lower 95 % limit of group_benefit_equality"),
        optional("gbe_ci_high", "DOUBLE", "upper 95 % limit of group_benefit_equality"),
        optional("shortfall", "DOUBLE", "flags it lacks to reach the floor; for a sanction, excess flags"),
        optional("shortfall_low", "DOUBLE", "lower bound of the shortfall, one-sided 95 %"),
        required("p_adjusted", "DOUBLE", "the p of the breach, adjusted for all subgroups searched"),
        required("searched", "INT", "how many subgroups were searched"),
        optional("rounded_to", "DOUBLE", "values are rounded to multiples of it, because exact counts are suppressed"),
    ),
    (
        WINDOW_CHECK,
        counts("place", "n", "events", "flagged", "searched"),
        ratios("group_benefit_equality", "judged_value", "gbe_ci_low", "gbe_ci_high"),
        shares("p_adjusted"),
    ),
)
