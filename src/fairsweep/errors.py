"""One tree of errors: each has an exit code, and each problem says where, what, what is allowed and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from pathlib import PurePath

LONGEST_SHOWN = 80
MOST_SHOWN = 50


class ExitCode(IntEnum):
    """What a command or job ends with. 2 to 4 are not worth retrying."""

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
        """Take every problem found, so that they can be mended at once."""
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """The problems as people read them: each on a line, of very many the first."""
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
    """Whether a library written in Rust has stopped at a fault of its own, which Python does not take for an error."""
    return type(error).__name__ == "PanicException"


def quoted(value: object) -> str:
    """Show a value from a config as a person would quote it, shortened; of a path its end is kept.

    >>> quoted("gendre")
    '`gendre`'
    """
    text = str(value)
    return f"`...{text[3 - LONGEST_SHOWN :]}`" if _is_long_path(value, text) else f"`{shortened(text)}`"


def shortened(text: str) -> str:
    """The beginning of a text that is too long for a sentence."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def _is_long_path(value: object, text: str) -> bool:
    return isinstance(value, PurePath) and len(text) > LONGEST_SHOWN


def install_step(extra: str) -> str:
    """What to do where a package that an extra of this one brings is missing; true of a clone and of an index.

    >>> install_step("plot")
    'install the extra `plot` of fairsweep: in a clone of it, `pip install ".[plot]"`'
    """
    return f'install the extra `{extra}` of fairsweep: in a clone of it, `pip install ".[{extra}]"`'


def did_you_mean(value: str, allowed: Sequence[str]) -> str:
    """Suggest the closest allowed word, or list what there is.

    >>> did_you_mean("gendre", ["gender", "race"])
    'did you mean `gender`?'
    """
    lowered = {name.lower(): name for name in allowed}
    # Two letters exchanged in a word of three leave a likeness of two thirds; in longer words that is another word.
    likeness = 0.65 if len(value) <= 4 else 0.7
    close = get_close_matches(value.lower(), list(lowered), n=1, cutoff=likeness)
    if close:
        return f"did you mean `{lowered[close[0]]}`?"
    shown = ", ".join(f"`{name}`" for name in list(allowed)[:20])
    return f"choose one of {shown}" + (", ..." if len(allowed) > 20 else "") if shown else "remove it"


SPARK_ENDED = Problem(
    "Spark", "gone, perhaps for lack of memory", "",
    "run again; if it stays so, give it more memory (spark.driver.memory, 2g where nobody says otherwise)",
)  # fmt: skip


def has_spark_ended(error: BaseException) -> bool:
    """Whether an error tells that Spark's process is gone."""
    return isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError"
