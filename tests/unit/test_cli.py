"""The command line: flags, exit codes, what goes to which stream."""

from __future__ import annotations

import json
import logging
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from fairsweep.auditing.verb import AuditOutcome
from fairsweep.cli import main as cli
from fairsweep.errors import DataRefusedError, Problem, StorageError, UsageError
from fairsweep.runs.options import RunOptions
from tests.conftest import REPOSITORY
from tests.spark.made_up_runs import made_up_run
from tests.unit.published_run import COMPAS, MadeUpRun

BREACHED = MadeUpRun({"race": COMPAS["race"]})
FAIR = MadeUpRun({"race": {"A": (80, 20, 20, 900), "B": (90, 20, 10, 900)}})
CONFIG = ["audit", "--config", "audit.yaml"]
REFUSED = {"model_id": "m", "model_version": "1", "status": "refused", "error": "input is bad; mend it"}


class Told(NamedTuple):
    """What a command printed and returned."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*argv: str) -> Told:
        code = cli.run(argv)
        printed = capsys.readouterr()
        return Told(code, printed.out, printed.err)

    return command


class Verb:
    """Stands in for the verb: it returns or raises what it is told, and keeps what it was called with."""

    def __init__(self) -> None:
        self.outcome: AuditOutcome | BaseException = outcome_of(FAIR)
        self.options = RunOptions()

    def __call__(self, config: Path, options: RunOptions) -> AuditOutcome:
        self.options = options
        options.progress("Counting")
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Verb:
    stand_in = Verb()
    monkeypatch.setattr("fairsweep.auditing.verb.audit_config", stand_in)
    return stand_in


def outcome_of(run: MadeUpRun, state: str = "published", **others: Any) -> AuditOutcome:
    return AuditOutcome(run.tables(), state, warehouse="/tmp/w", **others)


def problem(place: str) -> Problem:
    return Problem(place, "`x`", "y", "do z")


HEAVY = ("numpy", "pandas", "pyarrow", "pyspark", "scipy", "pydantic", "matplotlib", "rich", "yaml")


@pytest.mark.parametrize("argv", [["--help"], ["audit", "--help"], ["audit", "--confg", "x"]])
def test_help_and_usage_errors_load_nothing_heavy(argv: list[str]) -> None:
    program = (
        "import sys\n"
        "from fairsweep.cli.main import run\n"
        f"run({argv!r})\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version_is_told_without_a_command(run: Run) -> None:
    told = run("--version")
    assert (told.code, told.err) == (0, "")
    assert re.fullmatch(r"fairsweep [0-9]+\.[0-9]+\.[0-9]+\n", told.out)


@pytest.mark.parametrize(("command", "file"), [("check", "audit"), ("cohort", "cohort")])
def test_the_schema_for_editors_is_printed_without_a_config(run: Run, command: str, file: str) -> None:
    told = run(command, "--json-schema")
    assert (told.code, told.err) == (0, "")
    assert told.out == (REPOSITORY / "conf" / "schema" / f"{file}.schema.json").read_text(encoding="utf-8")


def test_help_names_every_command_and_exit_code(run: Run) -> None:
    told = run("--help")
    assert told.code == 0
    for word in ("init", "check", "audit", "sql", "tables", "demo", "Exit codes"):
        assert word in told.out


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (
            ["audti"],
            "command is `audti`; allowed: audit, check, cohort, demo, init, sql, tables; did you mean `audit`?",
        ),
        (["tables", "craete"], "did you mean `create`?"),
        ([*CONFIG, "--widow-start", "2026-01-01"], "flag of `audit` is `--widow-start`; did you mean `--win"),
        ([*CONFIG, "--warehous=w"], "did you mean `--warehouse`?"),
        ([*CONFIG, "--engine", "sparc"], "--engine is `sparc`; allowed: auto, spark, local; did you mean `spark`?"),
        (
            [*CONFIG, "--fail-on", "beach"],
            "allowed: breach, below_floor, not_assessed; did you mean `breach`?",
        ),
        (
            [*CONFIG, "--window-start", "31.1.2026"],
            "--window-start is `31.1.2026`; allowed: a day as YYYY-MM-DD",
        ),
        ([*CONFIG, "--window-start=2026-02-01", "--window-end=2026-02-01"], "--window-end is `2026-02-01`"),
        ([*CONFIG, "--warehouse", "w", "--schema", "s"], "--warehouse is given together with --catalog or --schema"),
        ([*CONFIG, "--catalog", "c"], "--schema is missing"),
        (["audit"], "the following arguments are required: --config; see `fairsweep audit --help`"),
        (["audit", "audit.yaml", "--config", "x"], "write `--config audit.yaml`"),
        (["init", "x.csv", "--flag-is", "hlep"], "did you mean `help`?"),
        ([], "no command given; see `fairsweep --help`"),
    ],
)
def test_wrong_command_lines_say_what_was_probably_meant(run: Run, argv: list[str], complaint: str) -> None:
    told = run(*argv)
    assert told.code == 2
    assert told.err.startswith("error: ")
    assert complaint in told.err
    assert told.out == ""


def test_flags_reach_the_verb_in_both_spellings(run: Run, verb: Verb) -> None:
    where = ["--engine", "spark", "--catalog=c", "--schema", "s", "--master=local[2]"]
    window = ["--window-start=2026-01-01", "--window-end", "2026-02-01"]
    run(*CONFIG, *where, *window, "--force", "--set", "verdict.alpha=0.01", "--set=a=b")
    given = verb.options
    assert (given.engine, given.catalog, given.schema, given.warehouse) == ("spark", "c", "s", None)
    assert (given.window_start, given.window_end) == (date(2026, 1, 1), date(2026, 2, 1))
    assert given.overrides == ("verdict.alpha=0.01", "a=b")
    assert (given.force, given.master, given.remote) == (True, "local[2]", None)


def test_audit_prints_results_then_where_they_are_then_the_next_command(run: Run, verb: Verb) -> None:
    verb.outcome = outcome_of(BREACHED, warnings=("race: 1 group not declared",))
    told = run(*CONFIG, "--warehouse", "my tables")
    assert told.code == 0
    lines = told.out.splitlines()
    assert "  Other (n 377): 59 flagged per 100 who needed it" in lines
    assert lines[-3:] == [
        "Warning: race: 1 group not declared",
        "Tables: /tmp/w",
        """Next: fairsweep sql "SELECT * FROM v_open_breaches" --warehouse 'my tables'""",
    ]
    assert told.err == "Counting\n"


def test_json_puts_the_tables_alone_on_the_standard_output(run: Run, verb: Verb) -> None:
    verb.outcome = outcome_of(BREACHED, warnings=("look",))
    told = run(*CONFIG, "--json")
    tables = json.loads(told.out)
    assert tables["runs"][0]["model_id"] == "compas"
    assert len(tables["group_metrics"]) == 7 * 16
    assert "warning: look" in told.err
    assert told.err.splitlines()[-1].startswith("Next: ")


@pytest.mark.parametrize("state", ["published", "already_done"])
@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ((), 0),
        (("breach",), 4),
        (("below_floor",), 4),
        (("not_assessed",), 0),
        (("not_assessed", "breach"), 4),
    ],
)
def test_gate_ends_with_4_and_names_the_groups(
    run: Run, verb: Verb, state: str, conditions: tuple[str, ...], code: int
) -> None:
    verb.outcome = outcome_of(BREACHED, state)
    told = run(*CONFIG, *(f"--fail-on={condition}" for condition in conditions))
    assert told.code == code
    named = [line for line in told.err.splitlines() if line.startswith("--fail-on")]
    met = f"--fail-on {conditions[-1]}: compas 2016, paper, race: Other" if code else None
    assert named == ([met] if code else [])
    assert ("Already done" in told.out) == (state == "already_done")


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (UsageError([problem("a"), problem("b")]), 2),
        (DataRefusedError([problem("a"), problem("b")]), 3),
        (StorageError([problem("a"), problem("b")]), 5),
    ],
)
def test_known_errors_are_one_line_per_problem_without_a_traceback(
    run: Run, verb: Verb, raised: UsageError, code: int
) -> None:
    verb.outcome = raised
    told = run(*CONFIG, "--json", "-v", "--fail-on", "breach")
    assert told.code == code
    expected = [f"error: {place} is `x`; allowed: y; do z" for place in "ab"]
    assert told.err.splitlines()[1:] == expected
    assert json.loads(told.out)["error"][1] == {
        "place": "b",
        "value": "`x`",
        "allowed": "y",
        "next_step": "do z",
    }


def test_refused_model_ends_with_3_even_where_the_gate_is_met(run: Run, verb: Verb) -> None:
    verb.outcome = outcome_of(BREACHED, refused=(REFUSED,))
    told = run(*CONFIG, "--fail-on", "breach")
    assert told.code == 3
    assert "error: m 1 refused: input is bad; mend it" in told.err.splitlines()
    assert "Other (n 377): 59 flagged per 100 who needed it" in told.out, "the accepted model is still told"


def test_job_in_which_every_model_is_refused_shows_no_results(run: Run, verb: Verb) -> None:
    nothing = {name: table.slice(0, 0) for name, table in BREACHED.tables().items()}
    verb.outcome = AuditOutcome(nothing, "published", (REFUSED,), "/tmp/w")
    told = run(*CONFIG)
    assert told.code == 3
    assert "flagged" not in told.out
    assert told.out.splitlines()[-1] == 'Next: fairsweep sql "SELECT * FROM v_run_health"'


def test_json_shows_refused_runs_among_the_runs(run: Run, verb: Verb) -> None:
    record = {**made_up_run("A", model="m", status="refused").record, "error": "input is bad; mend it"}
    verb.outcome = outcome_of(BREACHED, refused=(record,))
    told = run(*CONFIG, "--json")
    assert told.code == 3
    tables = json.loads(told.out)
    shown = {row["model_id"]: (row["status"], row["is_current"], row["error"]) for row in tables["runs"]}
    assert shown == {"compas": ("succeeded", True, None), "m": ("refused", False, "input is bad; mend it")}
    assert {row["model_id"] for row in tables["group_metrics"]} == {"compas"}


class CastInvalidInputError(Exception):
    """As Spark's: the message quotes the value of a row, the condition does not."""

    def getCondition(self) -> str:  # noqa: N802
        return "CAST_INVALID_INPUT"


def test_unexpected_errors_show_their_kind_and_never_a_value(run: Run, verb: Verb) -> None:
    verb.outcome = CastInvalidInputError("the value 'member 123-45-6789' cannot be cast")
    told = run(*CONFIG)
    assert told.code == 1
    complaint = "error: unexpected CastInvalidInputError CAST_INVALID_INPUT; run it again with -v"
    assert told.err.splitlines()[-1].startswith(complaint)
    assert "123-45-6789" not in told.err + told.out
    assert "Traceback" not in told.err
    verbose = run(*CONFIG, "-v").err
    assert "Traceback" in verbose
    assert "in __call__" in verbose, "where it was raised"
    assert "123-45-6789" not in verbose


def test_interrupt_ends_with_130(run: Run, verb: Verb) -> None:
    verb.outcome = KeyboardInterrupt()
    told = run(*CONFIG)
    assert told.code == 130
    assert "Traceback" not in told.err


def test_error_stays_one_line_whatever_the_value_holds(run: Run, verb: Verb) -> None:
    verb.outcome = UsageError(Problem("columns.score", "`a\n\x1b[2Jb`", "", ""))
    assert run(*CONFIG).err.splitlines()[1:] == ["error: columns.score is `a ?[2Jb`"]


CSV = "risk,fell,sex\n" + "".join(f"0.{k % 10},{k % 2},{'fm'[k % 3 == 0]}\n" for k in range(200))


def test_init_then_check_lead_to_an_audit(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("falls.csv").write_text(CSV)
    written = run("init", "falls.csv", "--flag-is", "help")
    assert written.code == 0, written.err
    assert "Wrote audit.yaml" in written.out
    assert written.out.splitlines()[-1] == "Next: fairsweep check --config audit.yaml"
    checked = run("check", "--config", "audit.yaml", "--warehouse", "w")
    assert checked.code == 0, checked.err
    assert "audit.yaml is valid." in checked.out
    assert checked.out.splitlines()[-1] == "Next: fairsweep audit --config audit.yaml --warehouse w"
    told = json.loads(run("check", "--config", "audit.yaml", "--json").out)
    assert told["check"][0]["config"]["flag_is"] == "help"


def test_check_shows_every_problem_of_a_config(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "audit.yaml"
    config.write_text("flag_iss: help\ncolumns: {score: s, lable: l}\n")
    told = run("check", "--config", str(config))
    assert told.code == 2
    assert "did you mean `flag_is`?" in told.err
    assert "did you mean `label`?" in told.err
    assert "Traceback" not in told.err


def test_query_prints_its_rows_in_their_own_order(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def query(sql: str, options: RunOptions) -> pa.Table:
        asked.append((sql, options.warehouse))
        return pa.table({"group_value": ["b", "a"], "n": [1, 200]})

    monkeypatch.setattr("fairsweep.sql.verb.query", query)
    told = run("sql", "SELECT 1", "--warehouse", "w")
    assert asked == [("SELECT 1", "w")]
    assert told.out.splitlines() == [
        "group_value    n",
        "b              1",
        "a            200",
        'Next: fairsweep sql "SELECT * FROM v_run_health" --warehouse w',
    ]
    rows = json.loads(run("sql", "SELECT 1", "--json").out)["result"]
    assert rows == [{"group_value": "b", "n": 1}, {"group_value": "a", "n": 200}]


def test_logs_of_an_engine_are_silent(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def noisy(config: Path, options: RunOptions) -> AuditOutcome:
        logging.getLogger("SQLQueryContextLogger").error("member 123-45-6789")
        return outcome_of(FAIR)

    monkeypatch.setattr("fairsweep.auditing.verb.audit_config", noisy)
    run(*CONFIG)
    assert caplog.text == ""
    run(*CONFIG, "-v")
    assert caplog.text == ""


def test_ddl_is_a_script_that_ends_with_a_comment(run: Run, tmp_path: Path) -> None:
    told = run("tables", "ddl", "--warehouse", str(tmp_path / "w"))
    assert told.code == 0, told.err
    assert "CREATE TABLE IF NOT EXISTS" in told.out
    assert told.out.splitlines()[-1] == f"-- Next: fairsweep tables create --warehouse {tmp_path / 'w'}"


def test_job_returns_on_success_and_raises_the_code_otherwise(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["audit.py", "--config", "audit.yaml", "--fail-on=breach"])
    runpy.run_path("jobs/audit.py", run_name="__main__")
    verb.outcome = outcome_of(BREACHED)
    with pytest.raises(SystemExit) as left:
        runpy.run_path("jobs/audit.py", run_name="__main__")
    assert left.value.code == 4
    assert "race: Other" in capsys.readouterr().err
