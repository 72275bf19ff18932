"""A capability is a folder: whoever adds one touches no other file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fairsweep
from fairsweep.cli import main as cli
from fairsweep.runs.commands import every_command

TOY = """
from fairsweep.errors import ExitCode
from fairsweep.runs.commands import Command


def _add_flags(parser):
    parser.add_argument("--greeting", default="hello")


def _run(arguments):
    print(arguments.greeting)
    return ExitCode.DONE


COMMANDS = (Command("toy", "greets", _add_flags, _run),)
"""


@pytest.fixture
def _toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A toy."""\n', encoding="utf-8")
    (folder / "command.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(fairsweep, "__path__", [*fairsweep.__path__, str(tmp_path)])
    yield
    for name in [name for name in sys.modules if name.startswith("fairsweep.toy")]:
        del sys.modules[name]


@pytest.mark.usefixtures("_toy")
def test_a_folder_with_a_command_is_a_capability(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "toy" in shown
    assert "greets" in shown
    assert cli.run(["toy", "--greeting=good day"]) == 0
    assert capsys.readouterr().out == "good day\n"
    assert cli.run(["toy", "--greetin=x"]) == 2
    assert "did you mean `--greeting`" in capsys.readouterr().err


def test_every_command_has_its_place_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(every_command()) == {"audit", "check", "cohort", "demo", "init", "sql", "tables"}
    assert cli.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command.help.split(",")[0] in " ".join(shown.split()) for command in every_command().values())
