"""The command line in this process."""

from __future__ import annotations

from fairsweep.cli.main import run


def called(*arguments: str) -> int:
    """The exit code of a command."""
    return run(arguments)
