"""Bands of numbers: where they begin, what is outside their range, and what is no number."""

from tests.spec.tables import Case

BANDS = """
attributes:
  - {name: age_band, from: age, breaks: [18, 65, 75, 85], range: [0, 120], missing: ["-9", n/a, "9_9"]}
limits: {maximum_refused_share: 1}
"""
NARROW = "attributes: [{name: band, from: age, breaks: [-10, 0, 1, 2]}]"
BAND_AND_RACE = """
attributes:
  - race
  - {name: age_band, from: age, breaks: [18], range: [0, 120]}
  - [race, age_band]
limits: {maximum_refused_share: 1}
"""
TWO_BANDS = """
attributes:
  - {name: age_band, from: age, breaks: [18], range: [0, 120]}
  - {name: bmi_band, from: bmi, breaks: [30]}
limits: {maximum_refused_share: 1}
"""

CASES = [
    Case(
        "a band begins at its break",
        """
        score:double | label:int | age:int
        0.9          | 1         | 0
        0.9          | 1         | 17
        0.9          | 1         | 18
        0.9          | 1         | 64
        0.9          | 1         | 65
        0.9          | 1         | 84
        0.9          | 1         | 85
        0.9          | 1         | 99
        0.9          | 1         | NULL
        0.9          | 1         | -9
        0.9          | 1         | 121
        0.9          | 0         | -1
        """,
        config=BANDS,
        expected="""
        attribute | group    | cutoff | n
        overall   | all      | 0.5    | 10
        age_band  | under 18 | 0.5    | 2
        age_band  | 18-64    | 0.5    | 2
        age_band  | 65-74    | 0.5    | 1
        age_band  | 75-84    | 0.5    | 1
        age_band  | 85+      | 0.5    | 2
        age_band  | unknown  | 0.5    | 2
        """,
        tallies="""
        attribute | group   | reason             | label     | n
        overall   | all     | group_out_of_range | event     | 1
        overall   | all     | group_out_of_range | non_event | 1
        age_band  | unknown | group_out_of_range | event     | 1
        age_band  | unknown | group_out_of_range | non_event | 1
        """,
    ),
    Case(
        "text ages are numbers or refused",
        """
        score:double | label:int | age:text
        0.9          | 1         | ' 18.0 '
        0.9          | 1         | 1.79e1
        0.9          | 1         | n/a
        0.9          | 1         | ''
        0.9          | 1         | -9
        0.9          | 1         | -9.0
        0.9          | 1         | young
        NULL         | 1         | 1d
        0.9          | NULL      | old
        0.9          | 1         | 999
        """,
        config=BANDS,
        expected="""
        attribute | group    | cutoff | n
        age_band  | 18-64    | 0.5    | 1
        age_band  | under 18 | 0.5    | 1
        age_band  | unknown  | 0.5    | 4
        """,
        tallies="""
        attribute | group   | reason             | label   | n
        age_band  | unknown | group_not_a_number | event   | 2
        age_band  | unknown | label_missing      | unknown | 1
        age_band  | unknown | group_out_of_range | event   | 1
        """,
    ),
    Case(
        "DOUBLE ages may be NaN, which is not a number, or infinite, which is out of range",
        """
        score:double | label:int | age:double
        0.9          | 1         | 17.999999999999996
        0.9          | 1         | 64.9
        0.9          | 1         | NaN
        0.9          | 1         | inf
        0.9          | 1         | -inf
        0.9          | 1         | -9
        """,
        config=BANDS,
        expected="""
        attribute | group    | cutoff | n
        age_band  | under 18 | 0.5    | 1
        age_band  | 18-64    | 0.5    | 1
        age_band  | unknown  | 0.5    | 1
        """,
        tallies="""
        attribute | group   | reason             | label | n
        age_band  | unknown | group_not_a_number | event | 1
        age_band  | unknown | group_out_of_range | event | 2
        """,
    ),
    Case(
        "bands of one number and of negative numbers have names",
        """
        score:double | label:int | age:decimal(5,1)
        0.9          | 1         | -10.1
        0.9          | 1         | -10.0
        0.9          | 1         | -0.1
        0.9          | 1         | 0.5
        0.9          | 1         | 1.9
        0.9          | 1         | 2.0
        """,
        config=NARROW,
        expected="""
        attribute | group     | cutoff | n
        band      | under -10 | 0.5    | 1
        band      | -10 to -1 | 0.5    | 2
        band      | 0         | 0.5    | 1
        band      | 1         | 0.5    | 1
        band      | 2+        | 0.5    | 1
        """,
    ),
    Case(
        "a refused row keeps the groups that are known of it",
        """
        score:double | label:int | race:text | age:int
        0.9          | 1         | A         | 200
        NULL         | 0         | A         | 200
        0.9          | 1         | A         | 20
        0.9          | NULL      | B         | 20
        NULL         | 1         | A         | 20
        """,
        config=BAND_AND_RACE,
        expected="""
        attribute       | group   | cutoff | n | unscored_events
        race            | A       | 0.5    | 1 | 1
        age_band        | 18+     | 0.5    | 1 | 1
        race x age_band | A x 18+ | 0.5    | 1 | 1
        """,
        tallies="""
        attribute       | group       | reason             | label     | n
        race            | A           | group_out_of_range | event     | 1
        race            | A           | group_out_of_range | non_event | 1
        race            | B           | label_missing      | unknown   | 1
        race            | A           | score_missing      | event     | 1
        age_band        | unknown     | group_out_of_range | event     | 1
        age_band        | unknown     | group_out_of_range | non_event | 1
        age_band        | 18+         | label_missing      | unknown   | 1
        age_band        | 18+         | score_missing      | event     | 1
        race x age_band | A x unknown | group_out_of_range | event     | 1
        race x age_band | A x unknown | group_out_of_range | non_event | 1
        race x age_band | B x 18+     | label_missing      | unknown   | 1
        race x age_band | A x 18+     | score_missing      | event     | 1
        """,
    ),
    Case(
        "of several reasons the first holds",
        """
        score:double | label:int | age:text | bmi:text
        NaN          | NULL      | 200      | fat
        NaN          | 1         | 200      | fat
        NaN          | 1         | young    | 20
        NaN          | 1         | 20       | fat
        NaN          | 1         | 20       | 30
        """,
        config=TWO_BANDS,
        tallies="""
        attribute | group    | reason             | label   | n
        overall   | all      | label_missing      | unknown | 1
        overall   | all      | group_out_of_range | event   | 1
        overall   | all      | group_not_a_number | event   | 2
        overall   | all      | score_nan          | event   | 1
        bmi_band  | unknown  | label_missing      | unknown | 1
        bmi_band  | unknown  | group_out_of_range | event   | 1
        bmi_band  | under 30 | group_not_a_number | event   | 1
        bmi_band  | unknown  | group_not_a_number | event   | 1
        bmi_band  | 30+      | score_nan          | event   | 1
        """,
    ),
]
