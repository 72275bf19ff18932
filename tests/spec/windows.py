"""Windows: `[start, end)` in days of UTC, on dates, timestamps and text."""

from datetime import date

from tests.spec.tables import Case

DATED = """
columns: {score: score, label: label, scored_on: day}
limits: {maximum_refused_share: 1}
"""
JANUARY = (date(2026, 1, 1), date(2026, 2, 1))

CASES = [
    Case(
        "a window holds its first day and not its end",
        """
        score:double | label:int | race:text | day:date
        0.9          | 1         | A         | 2025-12-31
        0.9          | 1         | A         | 2026-01-01
        0.9          | 0         | A         | 2026-01-31
        0.9          | 1         | A         | 2026-02-01
        0.9          | 1         | A         | NULL
        NULL         | 0         | A         | NULL
        NULL         | NULL      | A         | NULL
        0.9          | NULL      | A         | 2026-02-01
        """,
        config=DATED,
        window=JANUARY,
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 2 | 1  | 1
        """,
        tallies="""
        attribute | group | reason            | label     | n
        overall   | all   | scored_on_missing | event     | 1
        overall   | all   | scored_on_missing | non_event | 1
        overall   | all   | label_missing     | unknown   | 1
        """,
    ),
    Case(
        "without a window the day does not matter",
        """
        score:double | label:int | race:text | day:date
        0.9          | 1         | A         | 2025-12-31
        0.9          | 0         | A         | NULL
        """,
        config=DATED,
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 2 | 1  | 1
        """,
    ),
    Case(
        "timestamps are days of UTC",
        """
        score:double | label:int | race:text | day:timestamp
        0.9          | 1         | A         | 2025-12-31T23:59:59.999999+00:00
        0.9          | 1         | A         | 2026-01-01T00:00:00+00:00
        0.9          | 1         | A         | 2025-12-31T23:30:00-01:00
        0.9          | 0         | A         | 2026-02-01T00:30:00+01:00
        0.9          | 1         | A         | 2026-02-01T00:00:00+00:00
        0.9          | 1         | A         | NULL
        """,
        config=DATED,
        window=JANUARY,
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 3 | 2  | 1
        """,
        tallies="""
        attribute | group | reason            | label | n
        overall   | all   | scored_on_missing | event | 1
        """,
    ),
    Case(
        "timestamps without a zone are UTC",
        """
        score:double | label:int | race:text | day:timestamp_ntz
        0.9          | 1         | A         | 2025-12-31T23:59:59.999999
        0.9          | 1         | A         | 2026-01-01T00:00:00
        0.9          | 0         | A         | 2026-01-31T23:59:59.999999
        0.9          | 1         | A         | 2026-02-01T00:00:00
        """,
        config=DATED,
        window=JANUARY,
        expected="""
        attribute | group | cutoff | n | tp | fp
        race      | A     | 0.5    | 2 | 1  | 1
        """,
    ),
    Case(
        "text days are ISO, with or without a time and an offset",
        """
        score:double | label:int | race:text | day:text
        0.9          | 1         | A         | 2026-01-01
        0.9          | 1         | A         | ' 2026-01-31 '
        0.9          | 1         | A         | 2026-01-15 10:30:00
        0.9          | 1         | A         | 2026-01-15T10:30:00.5
        0.9          | 1         | A         | 2025-12-31T23:30:00-01:00
        0.9          | 1         | A         | 2026-02-01T00:00:00Z
        0.9          | 1         | A         | 2025-12-31 23:59:59
        0.9          | 1         | A         | 2026-02-30
        0.9          | 1         | A         | 2026-1-5
        0.9          | 1         | A         | 20260105
        0.9          | 1         | A         | 05/01/2026
        0.9          | 1         | A         | January
        0.9          | 1         | A         | ''
        0.9          | 1         | A         | NULL
        """,
        config=DATED,
        window=JANUARY,
        expected="""
        attribute | group | cutoff | n
        race      | A     | 0.5    | 5
        """,
        tallies="""
        attribute | group | reason            | label | n
        race      | A     | scored_on_missing | event | 7
        """,
    ),
    Case(
        "a window that no row is in has no rows",
        """
        score:double | label:int | race:text | day:date
        0.9          | 1         | A         | 2020-01-01
        """,
        config=DATED,
        window=(date(2020, 1, 2), date(2020, 1, 3)),
        refused=("no rows",),
    ),
]
