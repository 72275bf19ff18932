"""Groups: unknown, missing, declared and undeclared values, their types, and intersections."""

from tests.spec.tables import Case

RACE_AND_SEX = """
attributes:
  - race
  - {name: sex, from: gender, reference: female, values: [female, male], missing: ["?", UNK]}
  - [race, sex]
"""
ONLY_TOGETHER = "attributes: [[race, gender]]"
DECLARED = """
attributes:
  - {name: race, values: [A, B, never seen], reference: never seen}
"""
TRUE_AND_DATES = "attributes: [member, since, code, [member, code]]"

LONGEST = "\N{OLD ITALIC LETTER A}" * 1_000  # characters outside of the basic plane are one each
SPACES = " " * 900

CASES = [
    Case(
        "NULL and blank values are the group unknown",
        """
        score:double | label:int | race:text
        0.9          | 1         | NULL
        0.9          | 1         | ''
        0.1          | 1         | '  '
        0.9          | 0         | unknown
        0.9          | 1         | ' A '
        0.9          | 1         | A
        0.9          | 1         | a
        """,
        expected="""
        attribute | group   | cutoff | n | tp | fp | fn
        race      | A       | 0.5    | 2 | 2  | 0  | 0
        race      | a       | 0.5    | 1 | 1  | 0  | 0
        race      | unknown | 0.5    | 4 | 2  | 1  | 1
        """,
    ),
    Case(
        "values of the missing list are the group unknown, of that attribute only",
        """
        score:double | label:int | race:text | gender:text
        0.9          | 1         | UNK       | UNK
        0.9          | 1         | ?         | ' ? '
        0.1          | 1         | A         | female
        0.9          | 0         | A         | NULL
        0.9          | 0         | A         | male
        """,
        config=RACE_AND_SEX,
        expected="""
        attribute  | group         | cutoff | n | tp | fp | fn
        race       | UNK           | 0.5    | 1 | 1  | 0  | 0
        race       | ?             | 0.5    | 1 | 1  | 0  | 0
        race       | A             | 0.5    | 3 | 0  | 2  | 1
        sex        | female        | 0.5    | 1 | 0  | 0  | 1
        sex        | male          | 0.5    | 1 | 0  | 1  | 0
        sex        | unknown       | 0.5    | 3 | 2  | 1  | 0
        race x sex | UNK x unknown | 0.5    | 1 | 1  | 0  | 0
        race x sex | ? x unknown   | 0.5    | 1 | 1  | 0  | 0
        race x sex | A x female    | 0.5    | 1 | 0  | 0  | 1
        race x sex | A x unknown   | 0.5    | 1 | 0  | 1  | 0
        race x sex | A x male      | 0.5    | 1 | 0  | 1  | 0
        """,
    ),
    Case(
        "a declared value that is absent is listed and empty, but not in an intersection",
        """
        score:double | label:int | race:text | gender:text
        0.9          | 1         | A         | male
        """,
        config=RACE_AND_SEX,
        expected="""
        attribute  | group    | cutoff | n | group_benefit_equality | accuracy
        sex        | female   | 0.5    | 0 | empty                  | empty
        sex        | male     | 0.5    | 1 | 1                      | 1
        race x sex | A x male | 0.5    | 1 | 1                      | 1
        """,
    ),
    Case(
        "a value that is not declared is kept as its own group, with a warning",
        """
        score:double | label:int | race:text
        0.9          | 1         | A
        0.9          | 1         | new
        0.9          | 1         | NULL
        """,
        config=DECLARED,
        warned="race: 1 group(s) not in its declared values: new",
        expected="""
        attribute | group      | cutoff | n | group_benefit_equality
        race      | A          | 0.5    | 1 | 1
        race      | B          | 0.5    | 0 | empty
        race      | never seen | 0.5    | 0 | empty
        race      | new        | 0.5    | 1 | 1
        race      | unknown    | 0.5    | 1 | 1
        """,
    ),
    Case(
        "a reference that is neither declared nor in the data refuses the run",
        """
        score:double | label:int | race:text
        0.9          | 1         | A
        """,
        config="attributes: [{name: race, reference: white}]",
        refused=("the reference of race",),
    ),
    Case(
        "a reference that only the data has is fine",
        """
        score:double | label:int | race:text
        0.9          | 1         | white
        """,
        config="attributes: [{name: race, reference: white}]",
    ),
    Case(
        "booleans, dates and integers are groups",
        """
        score:double | label:int | member:boolean | since:date | code:bigint
        0.9          | 1         | true           | 2020-02-29 | -7
        0.9          | 1         | false          | 1969-01-05 | 9007199254740993
        0.9          | 1         | NULL           | NULL       | NULL
        """,
        config=TRUE_AND_DATES,
        expected="""
        attribute     | group                    | cutoff | n
        member        | true                     | 0.5    | 1
        member        | false                    | 0.5    | 1
        member        | unknown                  | 0.5    | 1
        since         | 2020-02-29               | 0.5    | 1
        since         | 1969-01-05               | 0.5    | 1
        since         | unknown                  | 0.5    | 1
        code          | -7                       | 0.5    | 1
        code          | 9007199254740993         | 0.5    | 1
        code          | unknown                  | 0.5    | 1
        member x code | true x -7                | 0.5    | 1
        member x code | false x 9007199254740993 | 0.5    | 1
        member x code | unknown x unknown        | 0.5    | 1
        """,
    ),
    Case(
        "an attribute that only an intersection uses is not reported alone",
        """
        score:double | label:int | race:text | gender:text
        0.9          | 1         | A         | f
        0.1          | 1         | A         | f
        """,
        config=ONLY_TOGETHER,
        expected="""
        attribute     | group | cutoff | n | tp | fn
        overall       | all   | 0.5    | 2 | 1  | 1
        race x gender | A x f | 0.5    | 2 | 1  | 1
        """,
    ),
    Case(
        "a value that itself contains the joiner is quoted, so that no two groups share a name",
        """
        score:double | label:int | race:text | gender:text
        0.9          | 1         | a x b     | c
        0.9          | 0         | a         | b x c
        0.1          | 1         | a x       | b
        0.1          | 0         | a         | x b
        0.9          | 1         | x         | f
        0.1          | 1         | "x"       | f
        """,
        config=ONLY_TOGETHER,
        expected='''
        attribute     | group         | cutoff | n | tp | fp | fn | tn
        race x gender | "a x b" x c   | 0.5    | 1 | 1  | 0  | 0  | 0
        race x gender | a x "b x c"   | 0.5    | 1 | 0  | 1  | 0  | 0
        race x gender | "a x" x b     | 0.5    | 1 | 0  | 0  | 1  | 0
        race x gender | a x "x b"     | 0.5    | 1 | 0  | 0  | 0  | 1
        race x gender | "x" x f       | 0.5    | 1 | 1  | 0  | 0  | 0
        race x gender | """x""" x f   | 0.5    | 1 | 0  | 0  | 1  | 0
        ''',
    ),
    Case(
        "joined names may be as they are where nothing is ambiguous",
        """
        score:double | label:int | race:text | gender:text
        0.9          | 1         | 4x4       | it's "f"
        """,
        config=ONLY_TOGETHER,
        expected="""
        attribute     | group          | cutoff | n
        race x gender | 4x4 x it's "f" | 0.5    | 1
        """,
    ),
    Case(
        "a group value of more than 1,000 characters is refused, and never the name of a group",
        f"""
        score:double | label:int | race:text
        0.9          | 1         | A
        0.9          | 1         | {LONGEST}
        0.9          | 1         | '{SPACES}{LONGEST}{SPACES}'
        0.9          | 1         | {LONGEST}b
        0.9          | 0         | {"c" * 200_000}
        NULL         | 1         | {LONGEST}b
        0.9          | NULL      | {LONGEST}b
        """,
        config="limits: {maximum_refused_share: 1}",
        expected=f"""
        attribute | group     | cutoff | n
        overall   | all       | 0.5    | 3
        race      | A         | 0.5    | 1
        race      | {LONGEST} | 0.5    | 2
        """,
        tallies="""
        attribute | group   | reason         | label     | n
        race      | unknown | group_too_long | event     | 2
        race      | unknown | group_too_long | non_event | 1
        race      | unknown | label_missing  | unknown   | 1
        """,
    ),
    Case(
        "a group value that is too long loses its own attribute alone, in intersections too",
        f"""
        score:double | label:int | race:text     | gender:text
        0.9          | 1         | A             | f
        0.1          | 1         | {"A" * 1_001} | f
        """,
        config="{attributes: [race, gender, [race, gender]], limits: {maximum_refused_share: 1}}",
        expected="""
        attribute     | group | cutoff | n
        race          | A     | 0.5    | 1
        gender        | f     | 0.5    | 1
        race x gender | A x f | 0.5    | 1
        """,
        tallies="""
        attribute     | group       | reason         | label | n
        overall       | all         | group_too_long | event | 1
        race          | unknown     | group_too_long | event | 1
        gender        | f           | group_too_long | event | 1
        race x gender | unknown x f | group_too_long | event | 1
        """,
    ),
    Case(
        "a banded value is judged as a number, however long it is written",
        f"""
        score:double | label:int | age:text
        0.9          | 1         | {"0" * 2_000}70
        0.9          | 1         | {"old" * 1_000}
        """,
        config="{attributes: [{name: age_band, from: age, breaks: [65]}], limits: {maximum_refused_share: 1}}",
        expected="""
        attribute | group    | cutoff | n
        age_band  | 65+      | 0.5    | 1
        """,
        tallies="""
        attribute | group   | reason             | label | n
        age_band  | unknown | group_not_a_number | event | 1
        """,
    ),
]
