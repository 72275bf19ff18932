"""Types of scores: FLOAT, DOUBLE, DECIMAL, INT and BIGINT."""

from tests.spec.tables import Case

DECILES = """
cutoffs: {start: 1, stop: 10, count: 10}
operating_points: [{name: five, rule: fixed, at: 5}]
"""
DECIMAL_CUTOFFS = """
cutoffs: {values: [0.29, 0.7]}
operating_points: [{name: low, rule: fixed, at: 0.29}]
"""
LARGE_CUTOFFS = """
cutoffs: {values: [9007199254740992, 9007199254740994]}
operating_points: [{name: large, rule: fixed, at: 9007199254740992}]
"""

CASES = [
    Case(
        "FLOAT scores are compared with cutoffs rounded to FLOAT",
        """
        score:float | label:int | race:text
        0.29        | 1         | A
        0.7         | 1         | A
        0.28999996  | 1         | A
        NaN         | 0         | A
        inf         | 0         | A
        """,
        config=DECIMAL_CUTOFFS,
        expected="""
        attribute | group | cutoff              | n | tp | fn | unscored_non_events
        race      | A     | 0.28999999165534973 | 3 | 2  | 1  | 2
        race      | A     | 0.699999988079071   | 3 | 1  | 2  | 2
        """,
        tallies="""
        attribute | group | reason         | label     | n
        race      | A     | score_nan      | non_event | 1
        race      | A     | score_infinite | non_event | 1
        """,
        points="""
        point | cutoff              | status
        low   | 0.28999999165534973 | defined
        """,
    ),
    Case(
        "DOUBLE scores are compared with the decimals as doubles",
        """
        score:double        | label:int | race:text
        0.29                | 1         | A
        0.28999999165534973 | 1         | A
        0.7                 | 1         | A
        0.699999988079071   | 1         | A
        """,
        config=DECIMAL_CUTOFFS,
        expected="""
        attribute | group | cutoff | tp | fn
        race      | A     | 0.29   | 3  | 1
        race      | A     | 0.7    | 1  | 3
        """,
    ),
    Case(
        "DECIMAL scores are compared as doubles",
        """
        score:decimal(5,3) | label:int | race:text
        0.290              | 1         | A
        0.289              | 1         | A
        0.700              | 1         | A
        NULL               | 1         | A
        """,
        config=DECIMAL_CUTOFFS,
        expected="""
        attribute | group | cutoff | tp | fn | unscored_events
        race      | A     | 0.29   | 2  | 1  | 1
        race      | A     | 0.7    | 1  | 2  | 1
        """,
        tallies="""
        attribute | group | reason        | label | n
        race      | A     | score_missing | event | 1
        """,
    ),
    Case(
        "INT scores are deciles",
        """
        score:int | label:int | race:text
        1         | 0         | A
        5         | 1         | A
        10        | 1         | A
        0         | 0         | A
        NULL      | 0         | A
        """,
        config=DECILES,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | tn | unscored_non_events | group_benefit_equality
        race      | A     | 5      | 4 | 2  | 0  | 0  | 2  | 1                   | 1
        """,
        tallies="""
        attribute | group | reason        | label     | n
        race      | A     | score_missing | non_event | 1
        """,
    ),
    Case(
        "BIGINT scores are compared as doubles",
        """
        score:bigint     | label:int | race:text
        9007199254740991 | 1         | A
        9007199254740992 | 1         | A
        9007199254740993 | 1         | A
        9007199254740994 | 1         | A
        """,
        config=LARGE_CUTOFFS,
        expected="""
        attribute | group | cutoff           | tp | fn
        race      | A     | 9007199254740992 | 3  | 1
        race      | A     | 9007199254740994 | 1  | 3
        """,
    ),
]
