"""Terminals, pipes, JSON, progress and the other shapes that results take."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fairsweep.auditing import gate
from fairsweep.auditing import text as summary
from fairsweep.auditing.findings import Tables
from fairsweep.errors import Problem, UsageError
from fairsweep.output import json_output as records
from fairsweep.output import listing, progress
from fairsweep.output.lines import Page
from fairsweep.output.terminal import Terminal
from tests.unit.published_run import COMPAS, MadeUpRun, joined

SHORT = MadeUpRun({"race": {"A": (80, 20, 20, 900), "B": (10, 5, 90, 900)}})


class Tty(io.TextIOWrapper):
    """A terminal that remembers what it was shown."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 90 columns that can show colours, whatever the tests run in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")


def show(terminal: Terminal, tables: Tables) -> None:
    terminal.show(summary.lines(tables, terminal.page))


@pytest.mark.usefixtures("plain_environment")
def test_pipe_gets_plain_ascii_of_a_fixed_width() -> None:
    pipe = io.StringIO()
    show(Terminal.on(pipe), MadeUpRun(COMPAS).tables())
    shown = pipe.getvalue()
    assert "\x1b" not in shown
    assert shown.isascii()
    assert max(map(len, shown.split("\n"))) <= 100
    assert shown == summary.text(MadeUpRun(COMPAS).tables()) + "\n"


@pytest.mark.usefixtures("plain_environment")
def test_terminal_gets_colour_drawings_and_its_own_width() -> None:
    terminal = Tty()
    show(Terminal.on(terminal), MadeUpRun(COMPAS).tables())
    assert "\x1b[1;31mOther" in terminal.shown, "a breach is red"
    assert "●" in terminal.shown
    plain = summary.lines(MadeUpRun(COMPAS).tables(), Page(90, unicode=True))
    words = "\n".join("".join(span.text for span in line).rstrip() for line in plain)
    assert words in without_colour(terminal.shown)


@pytest.mark.usefixtures("plain_environment")
def test_terminal_without_unicode_gets_ascii_and_question_marks() -> None:
    terminal = Tty("ascii")
    show(Terminal.on(terminal), MadeUpRun({"race": {"é": (80, 20, 20, 900)}}).tables())
    assert "?: 100 flagged per 100" in without_colour(terminal.shown)
    assert "o" in terminal.shown


ODD = (
    "\x00", "\x1b[31m", "\x7f", "\x85", "\x9b", "\u061c", "\u200b", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a",
    "\u202e", "\u2066", "\u2069", "\ufeff", "\U000e0041",
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_json_escapes_what_a_terminal_obeys_and_means_the_same(odd: str) -> None:
    value, table = f"é{odd}ü\n", pa.table({f"a{odd}": [f"é{odd}ü\n"], "list": [[odd]]})
    problem = Problem("config", value, "", "")
    for text, content in (
        (
            "".join(records.of_tables({f"t{odd}": table}, in_order=True)),
            {f"t{odd}": [{f"a{odd}": value, "list": [odd]}]},
        ),
        (records.of_rows(odd, [{odd: value}]), {odd: [{odd: value}]}),
        (records.of_error(UsageError(problem)), {"error": [vars(problem)]}),
    ):
        assert json.loads(text) == content
        assert all(character.isprintable() for character in text.replace("\n", ""))
        assert "é" in text


def test_long_values_are_clipped_in_tables_and_summaries_and_whole_in_json() -> None:
    long, table = "L" * 1_000, MadeUpRun({"race": {"L" * 1_000: (80, 20, 20, 900)}}).tables()
    rows = pa.table({"value": [long, "short"], long: [1, 2], "list": [["a" * 150, "b" * 150], []]})
    shown = "\n".join("".join(span.text for span in line) for line in listing.lines(rows, None))
    assert f"{'L' * 200}... (1,000 characters)" in shown
    assert f"{'L' * 201}" not in shown
    assert f"{'a' * 150}, {'b' * 48}... (302 characters)" in shown
    summed = " ".join(summary.text(table).split())
    assert "(1,000 characters)" in summed
    assert "L" * 201 not in summed.replace(" ", "")
    (row, _) = json.loads("".join(records.of_tables({"result": rows}, in_order=True)))["result"]
    assert row["value"] == long


def without_colour(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_json_is_one_object_of_sorted_tables_and_rows() -> None:
    day, time = date(2026, 1, 31), datetime(2026, 1, 31, 12, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        {"run_id": "b", "value": 0.5, "day": day, "time": time, "points": ["x", "y"], "flag": True},
        {"run_id": "a", "value": float("nan"), "day": None, "time": None, "points": None, "flag": False},
    ]
    tables = {"zeta": pa.Table.from_pylist(rows), "alpha": pa.table({"n": pa.array([], pa.int64())})}
    told = json.loads("".join(records.of_tables(tables)))
    assert list(told) == ["alpha", "zeta"]
    assert told["alpha"] == []
    expected_time = "2026-01-31T12:00:00+00:00"
    assert told["zeta"] == [
        {"run_id": "a", "value": None, "day": None, "time": None, "points": None, "flag": False},
        {
            "run_id": "b",
            "value": 0.5,
            "day": "2026-01-31",
            "time": expected_time,
            "points": ["x", "y"],
            "flag": True,
        },
    ]


def test_json_does_not_depend_on_the_order_of_rows() -> None:
    tables = MadeUpRun(COMPAS).tables()
    turned = {name: table.take(pa.array(reversed(range(table.num_rows)), pa.int64())) for name, table in tables.items()}
    assert "".join(records.of_tables(tables)) == "".join(records.of_tables(turned))


@pytest.mark.parametrize(
    ("flag_is", "conditions", "groups"),
    [
        ("help", ("breach",), {"Other"}),
        ("help", ("below_floor",), {"Other"}),
        ("help", ("not_assessed",), set()),
        ("help", (), set()),
        ("sanction", ("breach",), set()),
        ("sanction", ("below_floor",), {"Native American x Male", "African-American x Female"}),
    ],
)
def test_gate_names_the_groups_that_meet_a_condition(
    flag_is: str, conditions: tuple[str, ...], groups: set[str]
) -> None:
    names = ("race",) if flag_is == "help" else ("race", "race x sex")
    run = MadeUpRun({name: COMPAS[name] for name in names}, "help" if flag_is == "help" else "sanction")
    assert {one.group_value for one in gate.met(run.tables(), conditions)} == groups


def test_gate_counts_groups_without_a_verdict_but_not_everybody() -> None:
    # On the relative basis everybody is never assessed; that is no group's fault.
    run = MadeUpRun({"race": {"A": (300, 3000, 200, 5000), "none": (0, 3, 0, 9)}})
    found = gate.met(run.tables(), ("not_assessed", "breach"))
    assert [(one.condition, one.attribute, one.group_value) for one in found] == [("not_assessed", "race", "none")]


def test_gate_looks_at_every_model() -> None:
    found = gate.met(joined([SHORT, MadeUpRun(SHORT.groups, model_id="other")]), ("breach",))
    assert [one.model_id for one in found if one.group_value == "B"] == ["compas", "other"]


def test_log_gets_one_line_per_step_and_seconds_when_verbose() -> None:
    for verbose, begins in ((False, "counting\n"), (True, "   0.0 s  counting\n")):
        log = io.StringIO()
        with progress.shown(verbose=verbose, stream=log) as step:
            step("counting")
        assert log.getvalue() == begins


@pytest.mark.usefixtures("plain_environment")
def test_terminal_keeps_the_steps_that_are_done() -> None:
    terminal = Tty()
    with progress.shown(stream=terminal) as step:
        step("reading")
        step("counting")
    shown = without_colour(terminal.shown)
    assert shown.index("s  reading") < shown.index("s  counting")


ROWS = pa.table({"model": ["a", "b"], "gbe": [0.875, None], "points": [["x"], []], "ok": [True, False]})


def listed(table: pa.Table, width: int | None, at_most: int | None = None) -> list[str]:
    return ["".join(span.text for span in line) for line in listing.lines(table, width, at_most)]


def test_query_rows_stand_in_columns_where_they_fit() -> None:
    assert listed(ROWS, 80) == [
        "model    gbe  points  ok",
        "a      0.875  x       true",
        "b       NULL          false",
    ]


def test_query_rows_stand_one_below_another_where_they_do_not_fit() -> None:
    assert listed(ROWS, 20, 1) == [
        "model   a",
        "gbe     0.875",
        "points  x",
        "ok      true",
        "",
        "and 1 more row",
    ]
    assert listed(ROWS.slice(0, 0), None) == ["model  gbe  points  ok", "no rows"]


def test_columns_of_one_name_are_all_told() -> None:
    twice = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["n", "n", "n.1"])
    assert listed(twice, None) == ["n  n  n.1", "1  2    3"]
    told = json.loads("".join(records.of_tables({"result": twice}, in_order=True)))
    assert told == {"result": [{"n": 1, "n.2": 2, "n.1": 3}]}


def test_plot_draws_each_group_with_its_band_and_the_marks() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import pandas as pd

    from fairsweep.auditing.plots import plot

    sweep = pd.DataFrame(
        [
            {"attribute": "sex", "group_value": group, "cutoff": cutoff, "n": n}
            | {"group_benefit_equality": value, "gbe_ci_low": value - 0.1, "gbe_ci_high": value + 0.1}
            for group, n, value in (("f", 10, 0.9), ("m", 20, 1.1))
            for cutoff in (0.2, 0.1)
        ]
    )
    axes = plot(sweep, "sex")
    assert axes.get_legend_handles_labels()[1] == ["m (n 20)", "f (n 10)"]
    assert len(axes.collections) == 2
    levels = [line.get_ydata() for line in axes.get_lines()]
    assert [np.asarray(level).tolist() for level in levels[2:]] == [[0.8, 0.8], [1.0, 1.0]]
    assert np.asarray(axes.get_lines()[0].get_xdata()).tolist() == [0.1, 0.2]
    with pytest.raises(UsageError, match="did you mean `sex`"):
        plot(sweep, "sexx")
