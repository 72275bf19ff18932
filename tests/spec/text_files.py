"""Text files: every field is text until a rule reads it."""

from datetime import date

from tests.spec.tables import Case

JANUARY = (date(2026, 1, 1), date(2026, 2, 1))
ANY = "limits: {maximum_refused_share: 1}"

CASES = [
    Case(
        "ragged rows are malformed, quotes are doubled, spaces are stripped",
        """
score,label,race
0.9,1,A
 0.9 , 1.0 ," A "
0.9,1,"A, or ""B"" "
0.9,1
0.9,1,A,more

"0.9","0","A"
0.9,1,""
0.9,1,
,1,A
""",
        config=ANY,
        csv=True,
        expected="""
        attribute | group     | cutoff | n | tp | fp | unscored_events
        overall   | all       | 0.5    | 6 | 5  | 1  | 1
        race      | A         | 0.5    | 3 | 2  | 1  | 1
        race      | A, or "B" | 0.5    | 1 | 1  | 0  | 0
        race      | unknown   | 0.5    | 2 | 2  | 0  | 0
        """,
        tallies="""
        attribute | group   | reason        | label   | n
        overall   | all     | malformed_row | unknown | 2
        overall   | all     | score_missing | event   | 1
        race      | unknown | malformed_row | unknown | 2
        race      | A       | score_missing | event   | 1
        """,
    ),
    Case(
        "a number has one syntax, in scores, labels and ages",
        """
score,label,age
1e5,1,18
.5,1,18
5.,1,18.
 7 ,1,+18
+0.5,1e0,1.8e1
-1,1,18
1d,1,18
1f,0,18
0x1p3,1,18
inf,0,18
Infinity,1,18
nan,1,18
"1,000",1,18
1e,1,18
0.9,1.,18
0.9,1d,18
0.9,inf,18
0.9,1,18d
0.9,1,0x12
0.9,1,inf
""",
        config="""
        attributes: [{name: age_band, from: age, breaks: [18]}]
        limits: {maximum_refused_share: 1}
        """,
        csv=True,
        expected="""
        attribute | group | cutoff | n | tp | fp | fn | unscored_events | unscored_non_events
        overall   | all   | 0.5    | 9 | 6  | 2  | 1  | 6               | 2
        age_band  | 18+   | 0.5    | 9 | 6  | 2  | 1  | 6               | 2
        """,
        tallies="""
        attribute | group   | reason             | label     | n
        age_band  | 18+     | score_not_a_number | event     | 6
        age_band  | 18+     | score_not_a_number | non_event | 2
        age_band  | unknown | group_not_a_number | event     | 3
        """,
    ),
    Case(
        "a repeated header keeps its name the first time",
        """
race,score,race,label,race
A,0.9,B,1,C
A,0.1,C,1,
""",
        config="attributes: [race, race.1, race.2]",
        csv=True,
        expected="""
        attribute | group   | cutoff | n | tp | fn
        race      | A       | 0.5    | 2 | 1  | 1
        race.1    | B       | 0.5    | 1 | 1  | 0
        race.1    | C       | 0.5    | 1 | 0  | 1
        race.2    | C       | 0.5    | 1 | 1  | 0
        race.2    | unknown | 0.5    | 1 | 0  | 1
        """,
    ),
    Case(
        "words that other readers take for NULL or true are text",
        """
score,label,race
0.9,yes,NULL
0.9,no,NA
0.9,YES,null
""",
        config='event_labels: ["yes"]',
        csv=True,
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | NULL  | 0.5    | 1 | 1  | 0
        race      | NA    | 0.5    | 1 | 0  | 1
        race      | null  | 0.5    | 1 | 0  | 1
        """,
    ),
    Case(
        "a malformed row is in every window, and the day is text",
        """
score,label,race,day
0.9,1,A,2026-01-01
0.9,1,A,2027-01-01
0.9,1
0.9,1,A,soon
""",
        config="""
        columns: {score: score, label: label, scored_on: day}
        limits: {maximum_refused_share: 1}
        """,
        csv=True,
        window=JANUARY,
        expected="""
        attribute | group | cutoff | n
        race      | A     | 0.5    | 1
        """,
        tallies="""
        attribute | group | reason            | label   | n
        overall   | all   | malformed_row     | unknown | 1
        overall   | all   | scored_on_missing | event   | 1
        """,
    ),
    Case(
        "names of columns may hold anything",
        """
the `score`,select,a.b,"x, y",Müller
0.9,1,A,B,C
""",
        config="""
        columns: {score: the `score`, label: select}
        attributes: [a.b, "x, y", Müller]
        """,
        csv=True,
        expected="""
        attribute | group | cutoff | n
        a.b       | A     | 0.5    | 1
        x, y      | B     | 0.5    | 1
        Müller    | C     | 0.5    | 1
        """,
    ),
    Case("a file with a header and no rows has no rows", "score,label,race\n", csv=True, refused=("no rows",)),
    Case(
        "a group value of more than 1,000 characters in a text file is refused",
        f"""
score,label,race
0.9,1,{"x" * 1_000}
0.9,1,{"x" * 1_001}
0.9,0,"{"y," * 50_000}"
0.9,1,A
""",
        csv=True,
        config="limits: {maximum_refused_share: 1}",
        expected=f"""
        attribute | group         | cutoff | n
        overall   | all           | 0.5    | 2
        race      | A             | 0.5    | 1
        race      | {"x" * 1_000} | 0.5    | 1
        """,
        tallies="""
        attribute | group   | reason         | label     | n
        race      | unknown | group_too_long | event     | 1
        race      | unknown | group_too_long | non_event | 1
        """,
    ),
]
