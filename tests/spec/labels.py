"""Labels: numbers and texts, and rows that are refused because nobody can tell what happened."""

from tests.spec.tables import Case

YES_AND_NO = """
event_labels: ["yes", "maybe"]
limits: {maximum_refused_share: 1}
"""
DECLARED = """
event_labels: [1]
non_event_labels: [0]
limits: {maximum_refused_share: 1}
"""
ANY = "limits: {maximum_refused_share: 1}"

CASES = [
    Case(
        "a text label is compared as text",
        """
        score:double | label:text | race:text
        0.9          | yes        | A
        0.9          | ' maybe '  | A
        0.9          | Yes        | A
        0.1          | no         | A
        0.9          | ''         | A
        0.9          | '  '       | A
        NULL         | NULL       | A
        """,
        config=YES_AND_NO,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | tn | unscored_events
        race      | A     | 0.5    | 4 | 2  | 1  | 0  | 1  | 0
        """,
        tallies="""
        attribute | group | reason        | label   | n
        overall   | all   | label_missing | unknown | 3
        race      | A     | label_missing | unknown | 3
        """,
    ),
    Case(
        "a number in text is compared as a number",
        """
        score:double | label:text | race:text
        0.9          | 1.0        | A
        0.9          | ' +1 '     | A
        0.9          | 10e-1      | A
        0.9          | 1d         | A
        0.9          | true       | A
        0.9          | 0.0        | A
        0.9          | nan        | A
        """,
        config=ANY,
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 7 | 3  | 4
        """,
    ),
    Case(
        "a label that is neither event nor non-event is refused",
        """
        score:double | label:text | race:text
        0.9          | 1          | A
        0.9          | 0.0        | A
        0.9          | 2          | A
        NULL         | unknown    | A
        NULL         | 1.0        | B
        """,
        config=DECLARED,
        expected="""
        attribute | group | cutoff | n | tp | fp | unscored_events
        race      | A     | 0.5    | 2 | 1  | 1  | 0
        race      | B     | 0.5    | 0 | 0  | 0  | 1
        """,
        tallies="""
        attribute | group | reason           | label   | n
        race      | A     | label_undeclared | unknown | 2
        race      | B     | score_missing    | event   | 1
        """,
    ),
    Case(
        "NULL and NaN labels are refused, also without a score",
        """
        score:double | label:double | race:text
        0.9          | 1            | A
        0.9          | 0            | A
        0.9          | NaN          | A
        0.9          | NULL         | A
        NaN          | NULL         | B
        """,
        config=ANY,
        expected="""
        attribute | group | cutoff | n | tp | fp | unscored_events
        race      | A     | 0.5    | 2 | 1  | 1  | 0
        """,
        tallies="""
        attribute | group | reason        | label   | n
        race      | A     | label_missing | unknown | 2
        race      | B     | label_missing | unknown | 1
        """,
    ),
    Case(
        "a DECIMAL label is a number",
        """
        score:double | label:decimal(3,2) | race:text
        0.9          | 1.00               | A
        0.9          | 0.99               | A
        0.9          | NULL               | A
        """,
        config=ANY,
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 2 | 1  | 1
        """,
        tallies="""
        attribute | group | reason        | label   | n
        race      | A     | label_missing | unknown | 1
        """,
    ),
    Case(
        "a boolean label is true",
        """
        score:double | label:boolean | race:text
        0.9          | true          | A
        0.9          | false         | A
        0.9          | NULL          | A
        """,
        config="event_labels: [true]\nlimits: {maximum_refused_share: 1}",
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 2 | 1  | 1
        """,
        tallies="""
        attribute | group | reason        | label   | n
        race      | A     | label_missing | unknown | 1
        """,
    ),
    Case(
        "a boolean label is 1",
        """
        score:double | label:boolean | race:text
        0.9          | true          | A
        0.9          | false         | A
        """,
        config="event_labels: [1]\nnon_event_labels: [0]",
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 2 | 1  | 1
        """,
    ),
    Case(
        "an integer label is also its digits",
        """
        score:double | label:int | race:text
        0.9          | 2         | A
        0.9          | 1         | A
        """,
        config='event_labels: ["2"]',
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 2 | 1  | 1
        """,
    ),
    Case(
        "an audit that finds no event says which labels it saw",
        """
        score:double | label:text | race:text
        0.9          | Y          | A
        0.1          | N          | A
        """,
        config='event_labels: ["yes"]',
        warned="labels seen: `N`, `Y`",
        expected="""
        attribute | group | cutoff | n | fp | tn | group_benefit_equality
        race      | A     | 0.5    | 2 | 1  | 1  | no_events
        """,
    ),
    Case(
        "a truth value is the text true or false, and a text that only looks so is named with what to write",
        """
        score:double | label:text | race:text
        0.9          | True       | A
        0.1          | False      | A
        """,
        config="event_labels: [true]",
        warned='event_labels is `true`; labels seen: `False`, `True`; write event_labels: ["True"]',
        expected="""
        attribute | group | cutoff | n | fp | tn | group_benefit_equality
        race      | A     | 0.5    | 2 | 1  | 1  | no_events
        """,
    ),
]
