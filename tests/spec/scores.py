"""Scores: ties, ends, and values that are no scores."""

from tests.spec.tables import Case

TEXT_SCORES = """
cutoffs: {values: [0.25, 0.5, 0.75]}
event_labels: ["1"]
"""

CASES = [
    Case(
        "flagged means at or above the cutoff",
        """
        score:double         | label:int | race:text
        0.9                  | 1         | A
        0.5                  | 1         | A
        0.5                  | 0         | A
        0.49999999999999994  | 1         | A
        0.5000000000000001   | 0         | B
        0.75                 | 1         | B
        0.25                 | 0         | B
        0.24999999999999997  | 0         | B
        """,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | tn
        overall   | all   | 0.25   | 8 | 4  | 3  | 0  | 1
        overall   | all   | 0.5    | 8 | 3  | 2  | 1  | 2
        overall   | all   | 0.75   | 8 | 2  | 0  | 2  | 4
        race      | A     | 0.25   | 4 | 3  | 1  | 0  | 0
        race      | A     | 0.5    | 4 | 2  | 1  | 1  | 0
        race      | A     | 0.75   | 4 | 1  | 0  | 2  | 1
        race      | B     | 0.25   | 4 | 1  | 2  | 0  | 1
        race      | B     | 0.5    | 4 | 1  | 1  | 0  | 2
        race      | B     | 0.75   | 4 | 1  | 0  | 0  | 3
        """,
    ),
    Case(
        "a group without events is undefined, not fair",
        """
        score:double | label:int | race:text
        0.9          | 0         | A
        0.1          | 0         | A
        """,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | tn | group_benefit_equality | selection_rate | prevalence
        overall   | all   | 0.5    | 2 | 0  | 1  | 0  | 1  | no_events              | 1/2            | 0
        race      | A     | 0.5    | 2 | 0  | 1  | 0  | 1  | no_events              | 1/2            | 0
        """,
    ),
    Case(
        "each metric names the denominator that it lacks when there is no event",
        """
        score:double | label:int | race:text
        0.9          | 0         | A
        0.1          | 0         | A
        """,
        metrics="""
        metric                    | A
        true_positive_rate        | no_events
        false_negative_rate       | no_events
        false_positive_rate       | 1/2
        positive_predictive_value | 0
        f1_score                  | 0
        treatment_equality        | 0
        number_needed_to_screen   | no_true_positives
        accuracy                  | 1/2
        """,
    ),
    Case(
        "nobody flagged",
        """
        score:double | label:int | race:text
        0.4          | 1         | A
        0.1          | 0         | A
        """,
        expected="""
        attribute | group | cutoff | tp | fp | fn | tn
        race      | A     | 0.5    | 0  | 0  | 1  | 1
        """,
        metrics="""
        metric                    | A
        group_benefit_equality    | 0
        positive_predictive_value | none_flagged
        false_discovery_rate      | none_flagged
        negative_predictive_value | 1/2
        false_omission_rate       | 1/2
        f1_score                  | 0
        treatment_equality        | no_false_positives
        number_needed_to_screen   | no_true_positives
        """,
    ),
    Case(
        "nobody flagged and no event",
        """
        score:double | label:int | race:text
        0.4          | 0         | A
        """,
        expected="""
        attribute | group | cutoff | tn | group_benefit_equality | f1_score  | accuracy | true_negative_rate
        race      | A     | 0.5    | 1  | no_events              | no_events | 1        | 1
        """,
    ),
    Case(
        "everyone flagged",
        """
        score:double | label:int | race:text
        0.9          | 1         | A
        0.8          | 0         | A
        0.7          | 0         | A
        """,
        expected="""
        attribute | group | cutoff | tp | fp | fn | tn
        race      | A     | 0.5    | 1  | 2  | 0  | 0
        """,
        metrics="""
        metric                    | A
        group_benefit_equality    | 3
        negative_predictive_value | all_flagged
        false_omission_rate       | all_flagged
        false_positive_rate       | 1
        number_needed_to_screen   | 3
        """,
    ),
    Case(
        "only events",
        """
        score:double | label:int | race:text
        0.9          | 1         | A
        0.1          | 1         | A
        """,
        metrics="""
        metric                    | A
        group_benefit_equality    | 1/2
        true_positive_rate        | 1/2
        false_positive_rate       | no_non_events
        true_negative_rate        | no_non_events
        positive_predictive_value | 1
        treatment_equality        | no_false_positives
        prevalence                | 1
        """,
    ),
    Case(
        "a group of one has figures",
        """
        score:double | label:int | race:text
        0.9          | 1         | A
        0.9          | 1         | B
        0.4          | 1         | B
        """,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | tn | group_benefit_equality | false_positive_rate
        race      | A     | 0.5    | 1 | 1  | 0  | 0  | 0  | 1                      | no_non_events
        race      | B     | 0.5    | 2 | 1  | 0  | 1  | 0  | 1/2                    | no_non_events
        """,
    ),
    Case(
        "all scores equal are all flagged or none",
        """
        score:double | label:int | race:text
        0.5          | 1         | A
        0.5          | 0         | A
        0.5          | 0         | B
        """,
        expected="""
        attribute | group | cutoff | tp | fp | fn | tn
        overall   | all   | 0.25   | 1  | 2  | 0  | 0
        overall   | all   | 0.5    | 1  | 2  | 0  | 0
        overall   | all   | 0.75   | 0  | 0  | 1  | 2
        """,
    ),
    Case(
        "scores may be negative, huge or a negative zero",
        """
        score:double | label:int | race:text
        -1e308       | 1         | A
        1.7e308      | 1         | A
        -5e-324      | 0         | A
        -0.0         | 0         | A
        """,
        expected="""
        attribute | group | cutoff | tp | fp | fn | tn
        race      | A     | 0.25   | 1  | 0  | 1  | 2
        """,
    ),
    Case(
        "a negative zero reaches a cutoff of zero",
        """
        score:double | label:int | race:text
        -0.0         | 1         | A
        0.0          | 1         | A
        -5e-324      | 1         | A
        """,
        config="cutoffs: {values: [0, 0.5]}",
        expected="""
        attribute | group | cutoff | tp | fn
        race      | A     | 0      | 2  | 1
        """,
    ),
    Case(
        "a row without a usable score and with a label is unscored",
        """
        score:double | label:int | race:text
        NULL         | 1         | A
        NaN          | 1         | A
        inf          | 0         | A
        -inf         | 1         | A
        0.9          | 1         | A
        """,
        expected="""
        attribute | group | cutoff | n | tp | fn | unscored_events | unscored_non_events
        race      | A     | 0.5    | 1 | 1  | 0  | 3               | 1
        """,
        metrics="""
        metric                                    | A
        group_benefit_equality                    | 1
        group_benefit_equality_including_unscored | 1/4
        """,
        tallies="""
        attribute | group | reason         | label     | n
        overall   | all   | score_missing  | event     | 1
        overall   | all   | score_nan      | event     | 1
        overall   | all   | score_infinite | non_event | 1
        overall   | all   | score_infinite | event     | 1
        race      | A     | score_missing  | event     | 1
        race      | A     | score_nan      | event     | 1
        race      | A     | score_infinite | non_event | 1
        race      | A     | score_infinite | event     | 1
        """,
    ),
    Case(
        "a group that is never scored is not served, and not fair either",
        """
        score:double | label:int | race:text
        NULL         | 1         | never scored
        NULL         | 0         | never scored
        NaN          | 0         | no events
        0.9          | 1         | scored
        """,
        expected="""
        attribute | group        | cutoff | n | unscored_events | unscored_non_events
        overall   | all          | 0.5    | 1 | 1               | 2
        race      | never scored | 0.5    | 0 | 1               | 1
        race      | no events    | 0.5    | 0 | 0               | 1
        race      | scored       | 0.5    | 1 | 0               | 0
        """,
        metrics="""
        metric                                    | overall | never scored | no events | scored
        group_benefit_equality                    | 1       | empty        | empty     | 1
        group_benefit_equality_including_unscored | 1/2     | 0            | no_events | 1
        prevalence                                | 1       | empty        | empty     | 1
        """,
        tallies="""
        attribute | group        | reason        | label     | n
        race      | never scored | score_missing | event     | 1
        race      | never scored | score_missing | non_event | 1
        race      | no events    | score_nan     | non_event | 1
        """,
    ),
    Case(
        "a text score is read as a number or not at all",
        """
        score:text | label:text | race:text
        0.5        | 1          | A
        ' .5 '     | 1          | A
        5.e-1      | 1          | A
        +50E-2     | 1          | A
        1d         | 1          | A
        0x1p3      | 1          | A
        inf        | 1          | A
        NaN        | 0          | A
        1_0        | 0          | A
        '1 0'      | 0          | A
        1e999      | 1          | A
        ''         | 1          | A
        '  '       | 1          | A
        NULL       | 1          | A
        """,
        config=TEXT_SCORES,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | tn | unscored_events | unscored_non_events
        race      | A     | 0.5    | 4 | 4  | 0  | 0  | 0  | 7               | 3
        """,
        tallies="""
        attribute | group | reason             | label     | n
        race      | A     | score_not_a_number | event     | 3
        race      | A     | score_not_a_number | non_event | 3
        race      | A     | score_infinite     | event     | 1
        race      | A     | score_missing      | event     | 3
        """,
    ),
]
