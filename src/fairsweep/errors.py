"""The errors and their exit codes. Every problem has a place, a value, what is allowed, and the next step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from pathlib import PurePath

LONGEST_SHOWN = 80
MOST_SHOWN = 50


class ExitCode(IntEnum):
    """The exit code of a command or job. Retrying after 2 to 4 gives the same result."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    DATA_REFUSED = 3
    GATE = 4
    STORAGE = 5


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: its place, the value found there, what is allowed, and the next step.

    Values from a config may be shown; values of single rows never are.
    """

    place: str
    value: str
    allowed: str
    next_step: str

    def __str__(self) -> str:
        found = f" is {self.value}" if self.value else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        next_step = f"; {self.next_step}" if self.next_step else ""
        return f"{self.place}{found}{allowed}{next_step}"


class FairsweepError(Exception):
    """A known error, shown without a traceback."""

    exit_code: ExitCode = ExitCode.UNEXPECTED

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        """Take all problems, so that they can be fixed at once."""
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """The problems as text, one per line; at most `MOST_SHOWN`."""
        shown = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        more = len(self.problems) - len(shown)
        return shown if not more else [*shown, f"and {more:,} more"]


class UsageError(FairsweepError):
    """The command line, the config or the input's schema is wrong."""

    exit_code = ExitCode.USAGE


class DataRefusedError(FairsweepError):
    """The rows themselves cannot be audited."""

    exit_code = ExitCode.DATA_REFUSED


class StorageError(FairsweepError):
    """Results could not be written or read back, after retries."""

    exit_code = ExitCode.STORAGE


def is_panic(error: BaseException) -> bool:
    """Whether a library written in Rust has panicked; Python's `Exception` does not include panics."""
    return type(error).__name__ == "PanicException"


def quoted(value: object) -> str:
    """A value from a config in backticks, shortened; of a long path, the end is kept.

    >>> quoted("gendre")
    '`gendre`'
    """
    text = str(value)
    return f"`...{text[3 - LONGEST_SHOWN :]}`" if _is_long_path(value, text) else f"`{shortened(text)}`"


def shortened(text: str) -> str:
    """The beginning of a text that is too long to show."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def _is_long_path(value: object, text: str) -> bool:
    return isinstance(value, PurePath) and len(text) > LONGEST_SHOWN


def install_step(extra: str) -> str:
    """The next step if a package of an extra is missing; valid in a clone and for an installed package.

    >>> install_step("plot")
    'install the extra `plot` of fairsweep: in a clone of it, `pip install ".[plot]"`'
    """
    return f'install the extra `{extra}` of fairsweep: in a clone of it, `pip install ".[{extra}]"`'


def did_you_mean(value: str, allowed: Sequence[str]) -> str:
    """Suggest the closest allowed word, or list the allowed words.

    >>> did_you_mean("gendre", ["gender", "race"])
    'did you mean `gender`?'
    """
    lowered = {name.lower(): name for name in allowed}
    # Two exchanged letters in a word of three letters give a likeness of two thirds; longer words must be closer.
    likeness = 0.65 if len(value) <= 4 else 0.7
    close = get_close_matches(value.lower(), list(lowered), n=1, cutoff=likeness)
    if close:
        return f"did you mean `{lowered[close[0]]}`?"
    shown = ", ".join(f"`{name}`" for name in list(allowed)[:20])
    return f"choose one of {shown}" + (", ..." if len(allowed) > 20 else "") if shown else "remove it"


SPARK_ENDED = Problem(
    "Spark", "gone, perhaps because it ran out of memory", "",
    "run again; if the error stays, give it more memory (spark.driver.memory, by default 2g)",
)  # fmt: skip


def has_spark_ended(error: BaseException) -> bool:
    """Whether an error shows that Spark's process has ended."""
    return isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError"
