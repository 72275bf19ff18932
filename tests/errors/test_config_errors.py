"""Every wrong config ends in problems that say where, what, what is allowed and what to do."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import pytest

from fairsweep.auditing.check import check
from fairsweep.auditing.column_checks import check_columns
from fairsweep.auditing.loading import load, load_mapping, parse
from fairsweep.cohort.outcomes import load_outcome
from fairsweep.cohort.spec import load_cohort
from fairsweep.errors import DataRefusedError, FairsweepError, UsageError
from fairsweep.init.verb import init


class Columns(NamedTuple):
    """An input of which only the columns are known."""

    columns: tuple[tuple[str, str], ...]
    input_name: str = "scores.parquet"


RIGHT = """\
model: {id: falls, version: "2010"}
flag_is: help
input: {format: csv, path: scores.csv}
columns: {score: risk, label: fell, member: id, scored_on: date}
attributes:
  - race
  - {name: sex, from: gender, reference: female, values: [female, male], missing: ["?"]}
  - {name: age_band, from: age, breaks: [18, 65, 75, 85]}
  - [race, sex]
cutoffs: {start: 0, stop: 1, count: 1001}
operating_points:
  - {name: paper, rule: population_gbe, target: 1.0}
  - {name: deployed, rule: fixed, at: 0.071}
privacy: {minimum_cell_size: 0}
"""
EVENLY = "{start: 0, stop: 1, count: 1001}"
# What is replaced in the right config (the first occurrence) | by what | the place | words of the problem
WRONG: tuple[tuple[str, str, str, str], ...] = (
    ("flag_is: help", "flag_is: hlep", "flag_is (line 2)", "did you mean `help`?"),
    ("flag_is: help", "flag_is: true", "flag_is (line 2)", "the truth value true"),
    ("flag_is: help\n", "", "flag_is", "missing"),
    ("flag_is: help", "flag_si: help", "flag_si (line 2)", "did you mean `flag_is`?"),
    ("flag_is: help", "flag_is: help\nflag_is: sanction", "flag_is (line 2)", "written again in line 3"),
    ('model: {id: falls, version: "2010"}\n', "", "model", "missing"),
    ('"2010"', "2010", "model.version (line 1)", 'quote it: "2010"'),
    ('"2010"', "1.10", "model.version (line 1)", 'quote it: "1.10"'),
    (', version: "2010"', "", "model.version (line 1)", "missing"),
    ("id: falls", "id: \"x' OR '1'='1\"", "model.id (line 1)", "1 to 128 of A-Z"),
    ("id: falls", f"id: {'a' * 129}", "model.id (line 1)", "1 to 128 of A-Z"),
    ("id: falls", "id: ''", "model.id (line 1)", "1 to 128"),
    ("id: falls", 'id: "a\\tb"', "model.id (line 1)", "a\\tb"),
    ("id: falls", "id: [a]", "model.id (line 1)", "a list"),
    ('{id: falls, version: "2010"}', "falls", "model (line 1)", "a mapping"),
    ("member: id", "model_id: m, model_version: v", "model (line 1)", "columns.model_id"),
    ("member: id", "model_id: m", "columns.model_version (line 4)", "missing"),
    ("format: csv", "format: cvs", "input.format (line 3)", "did you mean `csv`?"),
    ("format: csv, ", "", "input.format (line 3)", "missing"),
    ("input: {format: csv, path: scores.csv}\n", "", "input", "missing"),
    ("path: scores.csv", "path: scores.csv, version: 3", "input.version (line 3)", "files carry no versions"),
    ("path: scores.csv", "path: scores.csv, table: a.b", "input.table (line 3)", "path only"),
    ("format: csv, path: scores.csv", "format: delta", "input.path (line 3)", "missing"),
    ("format: csv, path: scores.csv", "format: table", "input.table (line 3)", "missing"),
    ("csv, path: scores.csv", "table, table: a.b.c.d", "input.table (line 3)", "one to three names"),
    ("csv, path: scores.csv", "table, table: 'a; drop'", "input.table (line 3)", "one to three names"),
    ("csv, path: scores.csv", "delta, path: x, version: -1", "input.version (line 3)", "at least 0"),
    ("csv, path: scores.csv", "delta, path: x, version: '1'", "input.version (line 3)", "without quotes"),
    ("path: scores.csv", "path: http://a/b.csv", "input.path (line 3)", "scheme `http`"),
    ("path: scores.csv", "path: s3c://a/b.csv", "input.path (line 3)", "did you mean"),
    ("path: scores.csv", "path: 's3a://key:secret@b/c'", "input.path (line 3)", "a path with a password"),
    ("path: scores.csv", "path: 'part-*.csv'", "input.path (line 3)", "name the folder"),
    ("path: scores.csv", "path: 'a?b=c'", "input.path (line 3)", "`a?...`, which holds one of"),
    ("path: scores.csv", "path: 5", "input.path (line 3)", "the number 5"),
    ("score: risk, ", "", "columns.score (line 4)", "missing"),
    ("score: risk", "scores: risk, score: r", "columns.scores (line 4)", "did you mean `score`?"),
    ("score: risk", "score: fell", "columns.label (line 4)", "which columns.score reads already"),
    ("score: risk", "score: ''", "columns.score (line 4)", "blank text"),
    ("score: risk", "score: 5", "columns.score (line 4)", "quote one that looks like a number"),
    ("attributes:", "event_labels: 1\nattributes:", "event_labels (line 5)", "a list"),
    ("attributes:", "event_labels: []\nattributes:", "event_labels (line 5)", "an empty list"),
    ("attributes:", "event_labels: [1, 1.0]\nattributes:", "event_labels[1] (line 5)", "again"),
    ("attributes:", "event_labels: [.nan]\nattributes:", "event_labels[0] (line 5)", "a finite number"),
    ("attributes:", "event_labels: ['']\nattributes:", "event_labels[0] (line 5)", "blank text"),
    ("attributes:", "non_event_labels: [0, '1']\nattributes:", "non_event_labels[1] (line 5)",
     "also in event_labels"),
    ("- race\n", "- overall\n", "attributes[0].name (line 6)", "means everybody"),
    ("- race\n", "- race x age\n", "attributes[0].name (line 6)", "a name without ` x `"),
    ("- race\n", "- 5\n", "attributes[0] (line 6)", "the number 5"),
    ("- race\n", "-\n", "attributes[0] (line 6)", "empty"),
    ("- race\n", "- sex\n", "attributes[1].name (line 7)", "`sex` again"),
    ("- race\n", "- risk\n", "attributes[0].from (line 6)", "which columns.score reads already"),
    ("- race\n", "- {name: race, form: r}\n", "attributes[0].form (line 6)", "did you mean `from`?"),
    ("- race\n", "- {from: r}\n", "attributes[0].name (line 6)", "missing"),
    ("- race\n", "- {name: race, from: age, breaks: [18, 65, 75, 85]}\n", "attributes[2].from (line 8)",
     "`race`"),
    ("breaks: [18, 65, 75, 85]}", "breaks: [18, 65], reference: 65-74}", "attributes[2].reference (line 8)",
     "`under 18`, `18-64`, `65+`"),
    ("reference: female", "reference: '?'", "attributes[1].reference (line 7)", "also in missing"),
    ("[female, male]", "[female, female]", "attributes[1].values[1] (line 7)", "again"),
    ("[female, male]", "[female, '?']", "attributes[1].values[1] (line 7)", "also in missing"),
    ("[female, male]", "[female, 01]", "attributes[1].values[1] (line 7)", 'quote it: "01"'),
    ("[female, male]", "[female, 1.5]", "attributes[1].values[1] (line 7)", 'quote it: "1.5"'),
    ("[female, male]", "[female, ' ']", "attributes[1].values[1] (line 7)", "blank text"),
    ("[female, male]", "[]", "attributes[1].values (line 7)", "an empty list"),
    ("[18, 65, 75, 85]", "[18, 75, 65]", "attributes[2].breaks[2] (line 8)", "65 after 75"),
    ("[18, 65, 75, 85]", "[18, 18]", "attributes[2].breaks[1] (line 8)", "strictly increase"),
    ("[18, 65, 75, 85]", "[18, 64.5]", "attributes[2].breaks[1] (line 8)", "a whole number"),
    ("[18, 65, 75, 85]", "[18, '65']", "attributes[2].breaks[1] (line 8)", "without quotes"),
    ("[18, 65, 75, 85]", "[18], range: [20, 120]", "attributes[2].breaks[0] (line 8)", "outside range"),
    ("[18, 65, 75, 85]", "[18], range: [120, 0]", "attributes[2].range (line 8)", "[120, 0]"),
    ("breaks: [18, 65, 75, 85]", "range: [0, 120]", "attributes[2].range (line 8)", "without breaks"),
    ("[18, 65, 75, 85]", "[18], values: [a]", "attributes[2].values (line 8)", "together with breaks"),
    ("- [race, sex]", "- [race]", "attributes[3] (line 9)", "two attributes or more"),
    ("- [race, sex]", "- [race, race]", "attributes[3][1] (line 9)", "again"),
    ("- [race, sex]", "- [race, fell]", "attributes[3][1] (line 9)", "which columns.label reads already"),
    ("- [race, sex]", "- [race, sex]\n  - [sex, race]", "attributes[4] (line 10)", "each intersection once"),
    (EVENLY, "{values: [0.5, 0.3]}", "cutoffs.values[1] (line 10)", "sort them"),
    (EVENLY, "{values: [0.5, 0.50]}", "cutoffs.values[1] (line 10)", "remove the repeated"),
    (EVENLY, "{values: [0.5, .inf]}", "cutoffs.values[1] (line 10)", "a finite number"),
    (EVENLY, "{values: [.nan]}", "cutoffs.values[0] (line 10)", "a finite number"),
    (EVENLY, "{values: []}", "cutoffs.values (line 10)", "an empty list"),
    (EVENLY, "{values: ['0.5']}", "cutoffs.values[0] (line 10)", "without quotes"),
    (EVENLY, "{}", "cutoffs (line 10)", "start, stop and count, or values"),
    (EVENLY, "{values: [1], count: 3}", "cutoffs (line 10)", "values beside count"),
    ("count: 1001", "count: 0", "cutoffs.count (line 10)", "from 1 to 100,001"),
    ("count: 1001", "count: 1e3", "cutoffs.count (line 10)", "write 1000"),
    (", count: 1001", "", "cutoffs.count (line 10)", "missing"),
    ("stop: 1,", "stop: -1,", "cutoffs.stop (line 10)", "a stop above the start"),
    ("stop: 1,", "stop: 1e999,", "cutoffs.stop (line 10)", "a finite number"),
    ("stop: 1,", "stop: 0.1234567890123456789,", "cutoffs.stop (line 10)", "15 significant digits"),
    ("start: 0, stop: 1,", "start: 1, stop: 1.000000000000001,", "cutoffs.count (line 10)",
     "differ as doubles"),
    ("name: paper", "name: deployed", "operating_points[1].name (line 13)", "again"),
    ("name: paper", "name: a b", "operating_points[0].name (line 12)", "1 to 64"),
    ("population_gbe, target: 1.0", "population_gbe", "operating_points[0].target (line 12)",
     "`target: 1.0`"),
    ("target: 1.0", "target: 0", "operating_points[0].target (line 12)", "a number above 0"),
    ("target: 1.0", "target: 1, at: 1", "operating_points[0].at (line 12)", "with `target` only"),
    ("at: 0.071", "rate: 0.03", "operating_points[1].at (line 13)", "missing"),
    ("fixed, at: 0.071", "alert_rate, rate: 1", "operating_points[1].rate (line 13)", "below 1"),
    ("rule: fixed", "rule: fixd", "operating_points[1].rule (line 13)", "did you mean `fixed`?"),
    ("minimum_cell_size: 0", "minimum_cell_size: 1", "privacy.minimum_cell_size (line 14)", "from 2 to 100"),
    ("privacy:", "verdict: {floor: 1}\nprivacy:", "verdict.floor (line 14)", "below 1"),
    ("privacy:", "verdict: {alpha: 0.5}\nprivacy:", "verdict.alpha (line 14)", "below 0.5"),
    ("privacy:", "verdict: {floor: '0.8'}\nprivacy:", "verdict.floor (line 14)", "without quotes"),
    ("privacy:", "limits: {maximum_refused_share: 5}\nprivacy:", "limits.maximum_refused_share (line 14)",
     "0 to 1"),
    ("privacy:", "limits: {joint_state_rows: 0}\nprivacy:", "limits.joint_state_rows (line 14)",
     "at least 1"),
    ("privacy:", "spark: {counting: fast}\nprivacy:", "spark.counting (line 14)", "auto, catalyst"),
)  # fmt: skip


def problems_of(text: str | bytes, overrides: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(UsageError) as caught:
        parse(text, source="falls.yaml", folder=Path(), overrides=overrides)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def test_the_right_config_has_no_problem() -> None:
    assert parse(RIGHT, source="falls.yaml", folder=Path()).flag_is == "help"


@pytest.mark.parametrize(
    ("old", "new", "place", "words"), WRONG, ids=[f"{place}: {new[:40]}" for _, new, place, _ in WRONG]
)
def test_a_wrong_config_says_where_and_what_to_do(old: str, new: str, place: str, words: str) -> None:
    assert old in RIGHT
    problems = problems_of(RIGHT.replace(old, new, 1))
    fitting = [problem for problem in problems if problem.startswith(f"falls.yaml: {place}")]
    assert fitting, problems
    assert any(words in problem for problem in fitting), fitting
    assert "pydantic" not in " ".join(problems)
    assert "Input should" not in " ".join(problems)


def test_one_mistake_is_one_problem() -> None:
    more = {new for old, new, _, _ in WRONG if len(problems_of(RIGHT.replace(old, new, 1))) > 1}
    # Here a key is misspelt, or the wrong one is given: the right one is missing as well.
    assert more == {"flag_si: help", "rate: 0.03"}


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = RIGHT
    for old, new in (
        ("flag_is: help", "flag_is: hlep"),
        ("score: risk", "score: fell"),
        ("- race\n", "- sex\n"),
        ("[18, 65, 75, 85]", "[18, 18]"),
        ("stop: 1,", "stop: 0,"),
        ("name: paper", "name: deployed"),
        ("minimum_cell_size: 0", "minimum_cell_size: -1"),
    ):
        text = text.replace(old, new, 1)
    places = [problem.split(" (line")[0].removeprefix("falls.yaml: ") for problem in problems_of(text)]
    assert places == [
        "flag_is", "columns.label", "attributes[2].breaks[1]", "attributes[1].name", "cutoffs.stop",
        "operating_points[1].name", "privacy.minimum_cell_size",
    ]  # fmt: skip


# A hostile or broken document | words of its problem
HOSTILE: tuple[tuple[str | bytes, str], ...] = (
    ("a: &a [x]\nb: *a", "an anchor"),
    ("b: *a", "an alias"),
    ("a: !!python/object/apply:os.system [ls]", "a tag"),
    ("a: !env HOME", "a tag"),
    ("<<: {a: 1}", "a merge key"),
    ("? [a, b]\n: 1", "a key that is a list or a mapping"),
    ("a: 1\n---\nb: 2", "a second document"),
    ("[" * 5_000, "nested too deeply"),
    ("a: " + "{a: " * 5_000, "nested too deeply"),
    ("[" * 10_000, "nested too deeply"),
    ("- " * 10_000 + "x", "nested too deeply"),
    (b"a: " + b"x" * 10_000_000, "too large: 10,000,003 bytes; allowed: at most 256,000 bytes"),
    ("a: [" + "1, " * 80_000 + "]", "number 2,001; allowed: at most 2,000"),
    ("a:\n" + "- [1]\n" * 1_001, "number 2,001; allowed: at most 2,000"),
    ("".join(f"k{i}: {i}\n" for i in range(2_001)), "number 2,001; allowed: at most 2,000"),
    (b"a: \xff\xfe", "not UTF-8 at byte 4"),
    ('a: "\\0"', "a control character"),
    ('a: "\\ud800"', "a control character"),
    ('a: "\\UFFFFFFFF"', "not YAML"),
    ("a: \x00", "not YAML"),
    ("a: [1, 2", "line 1, column 9"),
    ("flag_is: help\n  bad: indent", "line 2, column 6"),
    ("a: b: c", "line 1, column 5"),
    ("a: @x", "needs quotes"),
    ("- a\n- b", "`key: value` lines"),
    ("just text", "`key: value` lines"),
    (f"a: {'9' * 5_000}", "a number that is too long"),
    ("a: 1e999999999", "a number that is too long"),
    ("%YAML 9.9\n---\na: 1", "not YAML"),
    ("", "missing"),
    ("# nothing\n", "missing"),
    ("model: {id: '\x1b[31m', version: 1}", "not YAML"),
    ('model: {id: "\\e[31m", version: "1"}', "a control character"),
)


@pytest.mark.parametrize(("text", "words"), HOSTILE, ids=[str(text)[:30] for text, _ in HOSTILE])
def test_hostile_yaml_is_refused_before_anything_is_built(text: str | bytes, words: str) -> None:
    problems = problems_of(text)
    assert any(words in problem for problem in problems), problems
    assert all(len(problem) < 400 and problem.isprintable() for problem in problems)


def test_a_config_is_refused_for_its_size_before_it_is_checked() -> None:
    started = monotonic()
    for text in (RIGHT + "\n" + "# " + "x" * 256_000, RIGHT + "further: [" + "x," * 100_000 + "]"):
        (problem,) = problems_of(text)
        assert "at most 2" in problem
    many = [f"a{i}=[{'1, ' * 100}]" for i in range(20)]
    with pytest.raises(UsageError, match=r"too large: 2,0\d\d keys and items of lists; allowed: at most 2,000"):
        parse(RIGHT, source="falls.yaml", folder=Path(), overrides=many)
    assert monotonic() - started < 5, "no item was checked"


def test_a_list_of_1900_values_is_right() -> None:
    values = ", ".join(f"v{i}" for i in range(1_900))
    text = RIGHT.replace("  - race\n", f"  - {{name: race, values: [{values}]}}\n", 1)
    spec = parse(text, source="falls.yaml", folder=Path())
    assert len(spec.base_attributes[0].values or ()) == 1_900


def test_of_very_many_problems_50_are_shown() -> None:
    text = RIGHT.replace("  - race\n", f"  - {{name: race, values: [{'1.5, ' * 1_500}]}}\n", 1)
    with pytest.raises(UsageError) as caught:
        parse(text, source="falls.yaml", folder=Path())
    assert len(caught.value.problems) > 1_000
    lines = str(caught.value).splitlines()
    assert lines[-1] == f"and {len(caught.value.problems) - 50:,} more"
    assert len(lines) == 51


def test_a_group_value_in_a_config_is_at_most_1000_characters() -> None:
    for key in ("values", "missing"):
        item = f"  - {{name: race, {key}: [{'v' * 1_001}, {'v' * 1_000}]}}\n"
        (problem,) = problems_of(RIGHT.replace("  - race\n", item, 1))
        assert f"{key}[0]" in problem
        assert "a text of 1,001 characters; allowed: at most 1,000 characters" in problem


@pytest.fixture(params=["fifo", "socket", "device", "folder"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Something at a path that is no file, and what it is called."""
    path = tmp_path / "special.csv"
    if request.param == "fifo":
        os.mkfifo(path)
        yield path, "a FIFO"
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            yield path, "a socket"
    elif request.param == "device":
        yield Path("/dev/zero"), "a device"
    else:
        path.mkdir()
        yield path, "a folder"


@pytest.mark.timeout(20)
def test_what_is_no_file_is_named_and_never_waited_for(special: tuple[Path, str], tmp_path: Path) -> None:
    path, name = special
    (tmp_path / "scores.csv").write_text("risk,fell,race,gender,age,id,date\n")
    config = tmp_path / "falls.yaml"
    config.write_text(RIGHT.replace("scores.csv", str(path)))
    reading: list[Callable[[], object]] = [lambda: load(path), lambda: load_cohort(path), lambda: load_outcome(path)]
    if name != "a folder":
        reading += [lambda: check(config), lambda: init(path, "help", tmp_path / "new.yaml")]
    for read in reading:
        with pytest.raises(UsageError, match=name):
            read()
    with pytest.raises(UsageError, match=name):
        init(tmp_path / "scores.csv", "help", path, force=True)


def test_a_password_in_a_path_is_never_shown() -> None:
    text = RIGHT.replace("scores.csv", "'s3a://key:hunter2@bucket/x'")
    assert "hunter2" not in "\n".join(problems_of(text))


# An override | place | words
OVERRIDES = (
    ("model.version=1.10", "--set model.version", 'quote it: "1.10"'),
    ("inputt.path=x", "--set inputt", "did you mean `input`?"),
    ("operating_points.1.at=x", "--set operating_points[1].at", "a finite number"),
    ("operating_points[9].at=1", "--set operating_points[9]", "0 to 2"),
    ("flag_is.a=1", "--set flag_is.a", "set flag_is as a whole"),
    ("[0]=1", "--set [0]", "begin with a key"),
    ("flag_is", "--set", "key=value"),
    ("=1", "--set", "key=value"),
    ("flag_is={a: 1, a: 2}", "--set flag_is.a", "written again"),
    ("flag_is=[", "--set flag_is: line 1", "not YAML"),
    ("flag_is=!!python/name:os.system x", "--set flag_is: line 1", "a tag"),
    (".".join("a" * 5_000) + "=1", "--set", "key=value"),
)  # fmt: skip


@pytest.mark.parametrize(("override", "place", "words"), OVERRIDES, ids=[o[:40] for o, _, _ in OVERRIDES])
def test_a_wrong_override_names_itself(override: str, place: str, words: str) -> None:
    problems = problems_of(RIGHT, (override,))
    assert any(problem.startswith(place) and words in problem for problem in problems), problems


def test_plain_data_is_checked_like_a_file() -> None:
    config: dict[str, Any] = {
        "flag_is": "help",
        "columns": {"score": "a", "label": "b"},
        "atributes": ["race"],
    }
    with pytest.raises(UsageError) as caught:
        load_mapping(config, "audit(...)")
    text = str(caught.value)
    for words in (
        "audit(...): atributes",
        "did you mean `attributes`?",
        "audit(...): cutoffs",
        "audit(...): model",
    ):
        assert words in text, text


def test_config_files_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "absent.yaml", "not there"),
        (tmp_path, "a folder"),
        (Path("\0"), "not"),
        (Path("/dev/zero"), "a device"),
    ):
        with pytest.raises(UsageError) as caught:
            load(path)
        assert words in str(caught.value)


# The files of an input (name -> bytes) | the path | the error | words
INPUTS: tuple[tuple[dict[str, bytes], str, type[FairsweepError], str], ...] = (
    ({}, "absent.csv", UsageError, "not there"),
    ({"d/_SUCCESS": b"", "d/.x": b"a"}, "d", UsageError, "without data files"),
    ({"e.csv": b""}, "e.csv", DataRefusedError, "no header and no rows"),
    ({"e.csv": b"\xef\xbb\xbf\n \n"}, "e.csv", DataRefusedError, "no header and no rows"),
    ({"g.csv.gz": b"not gzip"}, "g.csv.gz", UsageError, "not readable"),
    ({"u.csv": b"a,\xff\n"}, "u.csv", UsageError, "not UTF-8"),
    ({"q.csv": b'a,"b\n'}, "q.csv", UsageError, "broken quotes"),
    ({"z.csv": b"PAR1\0\0"}, "z.csv", UsageError, "not text"),
    ({"l.csv": b"a" * 1_200_000}, "l.csv", UsageError, "no header within the first 1,000,000 bytes"),
    ({"d/1.csv": b"risk,fell\n", "d/2.csv": b"risk,x\n"}, "d", UsageError, "another header"),
    ({"c.csv": b"risk,fell,race,gendre,age,id,date\n"}, "c.csv", UsageError,
     "falls.yaml: attributes[1].from is `gender`, which is not a column of c.csv; did you mean `gendre`?"),
    ({"n.csv": b"name,outcome\n"}, "n.csv", UsageError, "choose one of `name`, `outcome`"),
    ({"d/part": b""}, "d/part/", DataRefusedError, "no header and no rows"),
    ({}, "/dev/null", UsageError, "a device; allowed: a file or a folder"),
)  # fmt: skip
# Without a header the first row stands in its place, and nobody's values are shown.
HEADLESS = (b"0.71,Smith,1950-02-03\n0.2,Miller,1951-02-03\n", b"Smith:71:F\n", b"Smith,1950-02-03\n", b"Smith, 71 \n")


@pytest.mark.parametrize(("files", "path", "error", "words"), INPUTS, ids=[words[:30] for *_, words in INPUTS])
def test_an_input_that_cannot_be_audited_is_a_problem(
    tmp_path: Path, files: dict[str, bytes], path: str, error: type[FairsweepError], words: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    config = tmp_path / "falls.yaml"
    config.write_text(RIGHT.replace("scores.csv", path))
    with pytest.raises(error) as caught:
        check(config)
    assert words in str(caught.value)


@pytest.mark.parametrize("content", HEADLESS)
def test_a_row_in_the_place_of_the_header_is_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scores.csv").write_bytes(content)
    config = tmp_path / "falls.yaml"
    config.write_text(RIGHT)
    with pytest.raises(UsageError) as caught:
        check(config)
    assert "which is not a column of scores.csv; begin the file with a line of column names" in str(caught.value)
    assert "Smith" not in str(caught.value)


# The type of the labels | event_labels, non_event_labels | the places of what cannot be compared
LABELS: tuple[tuple[str, tuple[str, str], list[str]], ...] = (
    ("double", ("[1]", "[0.5]"), []),
    ("double", ("['1']", "[0]"), ["event_labels[0]"]),
    ("float", ("[1, '2', true]", "[0, '3']"), ["event_labels[1]", "event_labels[2]", "non_event_labels[1]"]),
    ("integer", ("['1']", "['0']"), []),
    ("decimal", ("['1.00']", "['0.00']"), []),
    ("text", ("['1.5', true]", "[0]"), []),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "labels", "places"), LABELS)
def test_text_labels_are_not_compared_with_fractions(kind: str, labels: tuple[str, str], places: list[str]) -> None:
    columns = (("risk", "double"), ("fell", kind), ("race", "text"))
    text = RIGHT[: RIGHT.index("attributes:")] + RIGHT[RIGHT.index("cutoffs:") :]
    overrides = (f"event_labels={labels[0]}", f"non_event_labels={labels[1]}", "attributes=[race]", "columns.member=~")
    spec = parse(text, source="falls.yaml", folder=Path(), overrides=(*overrides, "columns.scored_on=~"))
    if not places:
        check_columns(spec, Columns(columns))
        return
    with pytest.raises(UsageError) as caught:
        check_columns(spec, Columns(columns))
    assert [problem.place for problem in caught.value.problems] == places
    assert all("allowed: numbers; write it as a number" in str(problem) for problem in caught.value.problems)


def test_windows_are_checked_beside_the_columns(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("risk,fell,race,gender,age,id\n")
    config = tmp_path / "falls.yaml"
    config.write_text(RIGHT)
    for start, end, words in (
        ("2026-02-30", None, "a day as in 2026-01-31"),
        ("20260101", None, "a day as in 2026-01-31"),
        ("2026-01-02", "2026-01-02", "a day after the start"),
    ):
        with pytest.raises(UsageError) as caught:
            check(config, window_start=start, window_end=end)
        assert words in str(caught.value)
        assert "`date`, which is not a column of scores.csv" in str(caught.value)
    with pytest.raises(UsageError, match="name the column with the day of the score"):
        check(config, ["columns={score: risk, label: fell}"], window_end="2026-01-01")
