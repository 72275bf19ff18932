"""Operating points: the cutoff that a rule finds, and the floor there."""

from tests.spec.tables import Case

RULES = """
cutoffs: {start: 1, stop: 5, count: 5}
operating_points:
  - {name: paper, rule: population_gbe, target: 1.0}
  - {name: half, rule: alert_rate, rate: 0.5}
  - {name: few, rule: alert_rate, rate: 0.01}
  - {name: between, rule: fixed, at: 2.5}
"""

CASES = [
    Case(
        "rules find cutoffs: nearest, at or above the target, lowest; a fixed one joins the grid",
        """
        score:int | label:int | race:text | times
        1         | 0         | A         | 2
        2         | 1         | A         | 1
        3         | 1         | B         | 2
        3         | 0         | B         | 1
        5         | 1         | B         | 1
        5         | 0         | A         | 1
        """,
        config=RULES,
        points="""
        point   | cutoff | status
        paper   | 2.5    | defined
        half    | 4      | defined
        few     | NULL   | no_cutoff
        between | 2.5    | defined
        """,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | tn | group_benefit_equality
        overall   | all   | 2.5    | 8 | 3  | 2  | 1  | 2  | 5/4
        overall   | all   | 4      | 8 | 1  | 1  | 3  | 3  | 1/2
        """,
    ),
    Case(
        "of two cutoffs equally near the target the one above it is taken, then the lowest",
        """
        score:int | label:int | race:text | times
        1         | 1         | A         | 1
        3         | 1         | A         | 2
        4         | 0         | B         | 2
        5         | 1         | B         | 1
        """,
        config=RULES,
        points="""
        point   | cutoff | status
        paper   | 2      | defined
        half    | 4      | defined
        few     | NULL   | no_cutoff
        between | 2.5    | defined
        """,
    ),
    Case(
        "without an event there is no population_gbe",
        """
        score:int | label:int | race:text
        1         | 0         | A
        """,
        config=RULES,
        points="""
        point   | cutoff | status
        paper   | NULL   | no_events
        half    | 2      | defined
        few     | 2      | defined
        between | 2.5    | defined
        """,
    ),
    Case(
        "where nobody is scored no rule finds a cutoff",
        """
        score:int | label:int | race:text
        NULL      | 1         | A
        """,
        config=RULES,
        points="""
        point   | cutoff | status
        paper   | NULL   | empty
        half    | NULL   | empty
        few     | NULL   | empty
        between | 2.5    | defined
        """,
        tallies="""
        attribute | group | reason        | label | n
        overall   | all   | score_missing | event | 1
        """,
    ),
    Case(
        "a group exactly on the floor is not below it",
        """
        score:double | label:int | race:text    | times
        0.9          | 1         | on the floor | 4
        0.1          | 1         | on the floor | 1
        0.9          | 1         | below        | 3
        0.1          | 1         | below        | 1
        0.9          | 0         | above        | 2
        """,
        expected="""
        attribute | group        | cutoff | n | group_benefit_equality
        race      | on the floor | 0.5    | 5 | 4/5
        race      | below        | 0.5    | 4 | 3/4
        race      | above        | 0.5    | 2 | no_events
        """,
    ),
    Case(
        "where flags outnumber events the floor is relative",
        """
        score:double | label:int | race:text | times
        0.9          | 1         | A         | 1
        0.9          | 0         | A         | 8
        0.9          | 1         | B         | 1
        0.9          | 0         | B         | 7
        0.1          | 1         | C         | 1
        """,
        expected="""
        attribute | group | cutoff | n | group_benefit_equality
        overall   | all   | 0.5    | 18 | 17/3
        race      | A     | 0.5    | 9 | 9
        race      | B     | 0.5    | 8 | 8
        race      | C     | 0.5    | 1 | 0
        """,
    ),
]
