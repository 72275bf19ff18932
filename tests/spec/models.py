"""When a model is published or refused, and several models in one table."""

from tests.spec.tables import Case

SEVERAL = """
columns: {score: score, label: label, model_id: id, model_version: version}
"""
AGE_AND_RACE = """
attributes:
  - race
  - {name: age_band, from: age, breaks: [18], range: [0, 120]}
"""
SEVERAL_ROWS = f"""
score:double | label:int | race:text | id:text | version:int
0.9          | 1         | A         | falls   | 1
0.1          | 1         | A         | falls   | 1
0.9          | 1         | A         | falls   | 2
0.9          | 0         | B         | ' falls '| 2
0.9          | 1         | A         | NULL    | 1
0.9          | 1         | A         | '  '    | 1
0.9          | 0         | A         | falls   | NULL
0.9          | 0         | A         | a b     | 1
0.9          | 0         | A         | {"m" * 128} | 1
0.9          | 0         | A         | {"m" * 129} | 1
"""

CASES = [
    Case(
        "each model of a table has its own results",
        SEVERAL_ROWS,
        config=SEVERAL,
        model=("falls", "1"),
        expected="""
        attribute | group | cutoff | n | tp | fn
        overall   | all   | 0.5    | 2 | 1  | 1
        race      | A     | 0.5    | 2 | 1  | 1
        """,
    ),
    Case(
        "versions are models of their own",
        SEVERAL_ROWS,
        config=SEVERAL,
        model=("falls", "2"),
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 1 | 1  | 0
        race      | B     | 0.5    | 1 | 0  | 1
        """,
    ),
    Case(
        "rows without a model id are refused together",
        SEVERAL_ROWS,
        config=SEVERAL,
        model=("unknown", "1"),
        refused=("columns.model_id",),
    ),
    Case(
        "an id of 128 characters is one, and a longer one is none",
        SEVERAL_ROWS,
        config=SEVERAL,
        model=("m" * 128, "1"),
        expected="""
        attribute | group | cutoff | n
        overall   | all   | 0.5    | 1
        """,
    ),
    Case(
        "rows without a model version are refused",
        SEVERAL_ROWS,
        config=SEVERAL,
        model=("falls", "unknown"),
        refused=("columns.model_version",),
    ),
    Case(
        "a name that is no id is refused",
        SEVERAL_ROWS,
        config=SEVERAL,
        model=("a b", "1"),
        refused=("columns.model_id",),
    ),
    Case(
        "exactly the allowed share may be refused",
        """
        score:double | label:int | race:text | times
        0.9          | 1         | A         | 19
        0.9          | NULL      | B         | 1
        """,
        tallies="""
        attribute | group | reason        | label   | n
        overall   | all   | label_missing | unknown | 1
        """,
    ),
    Case(
        "a larger share refuses the run",
        """
        score:double | label:int | race:text | times
        0.9          | 1         | A         | 18
        0.9          | NULL      | B         | 1
        """,
        refused=("input",),
        tallies="""
        attribute | group | reason        | label   | n
        overall   | all   | label_missing | unknown | 1
        """,
    ),
    Case(
        "unscored rows do not count towards the limits",
        """
        score:double | label:int | race:text | times
        0.9          | 1         | A         | 100
        NULL         | 1         | A         | 100
        """,
        tallies="""
        attribute | group | reason        | label | n
        overall   | all   | score_missing | event | 100
        """,
    ),
    Case(
        "a group of 100 may lose a tenth of its rows, and another nothing more",
        """
        score:double | label:int | race:text        | times
        0.9          | 1         | everybody else   | 1000
        0.9          | 1         | a tenth          | 90
        0.9          | NULL      | a tenth          | 10
        0.9          | 1         | more             | 89
        0.9          | NULL      | more             | 11
        0.9          | 1         | more but smaller | 88
        0.9          | NULL      | more but smaller | 11
        """,
        refused=("race: `more`",),
        tallies="""
        attribute | group            | reason        | label   | n
        race      | a tenth          | label_missing | unknown | 10
        race      | more             | label_missing | unknown | 11
        race      | more but smaller | label_missing | unknown | 11
        """,
    ),
    Case(
        "a group loses rows also by what another attribute says of them",
        """
        score:double | label:int | race:text | age:int | times
        0.9          | 1         | A         | 20      | 80
        0.9          | 1         | A         | 999     | 20
        0.9          | 1         | B         | 20      | 900
        """,
        config=AGE_AND_RACE,
        refused=("race: `A`",),
        tallies="""
        attribute | group   | reason             | label | n
        race      | A       | group_out_of_range | event | 20
        age_band  | unknown | group_out_of_range | event | 20
        """,
    ),
    Case(
        "an empty table has no rows",
        """
        score:double | label:int | race:text | nothing:text
        """,
        refused=("no rows",),
    ),
]
