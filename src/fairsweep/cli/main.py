"""The command line: from arguments to a handler to an exit code. Known errors never show a traceback."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fairsweep import stopping
from fairsweep.errors import ExitCode, FairsweepError, Problem, StorageError, is_panic
from fairsweep.output.standard_error import kept_to_ourselves

_STOPPED, _READER_GONE = 128, 141  # what shells report for a signal, to which its number is added, and for SIGPIPE
# An error is a line or two, but it may quote a query or an argument of any length.
_LONGEST_LINE = 2_000


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command: the entry point of the console script, of jobs and of wheel tasks.

    Schedulers ignore the return value of an entry point, so every exit code other than 0 is raised.

    Raises:
        SystemExit: with the exit code, unless it is 0.
    """
    code = run(argv)
    if code:
        raise SystemExit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        argv: the command and its flags, by default those of the process.

    Returns:
        The exit code: one of `ExitCode`, 130 after SIGINT, 143 after SIGTERM, 141 when the reader of a pipe has gone.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    with kept_to_ourselves(), stopping.watched(_last_word):
        return _ended(given)


def _ended(given: Sequence[str]) -> int:
    """Run a command, report errors, and return the exit code."""
    verbose = not {"-v", "--verbose"}.isdisjoint(given)
    try:
        with _quiet_logs():
            return _parsed_and_run(given)
    except BrokenPipeError:
        _close_output()
        return _READER_GONE
    except BaseException as error:
        if not isinstance(error, Exception | KeyboardInterrupt) and not is_panic(error):
            raise
        return _reported(error, given, verbose=verbose)


def _reported(error: BaseException, given: Sequence[str], *, verbose: bool) -> int:
    """Report an error and return the exit code."""
    stopped = stopping.asked()
    if stopped is not None or isinstance(error, KeyboardInterrupt):
        # Interrupted libraries raise their own errors.
        _last_word(stopping.words())
        return _STOPPED + (stopped or signal.SIGINT)
    if is_panic(error):
        step = "run again; if the error stays, check the storage"
        error = StorageError(Problem("a library of the storage", "stopped by an internal error", "", step))
    if isinstance(error, FairsweepError):
        _report(error, as_json="--json" in given)
        return int(error.exit_code)
    _report_unexpected(error, verbose=verbose)
    return int(ExitCode.UNEXPECTED)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Disable Python's logging: Spark's client logs each error, including values of rows."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _parsed_and_run(given: Sequence[str]) -> int:
    from fairsweep.cli.arguments import parse
    from fairsweep.runs.commands import every_command

    commands = every_command()
    try:
        arguments = parse(given, commands)
    except SystemExit as done:  # argparse has printed the help
        return int(done.code or 0)
    return int(commands[arguments.command].run(arguments))


def _report(error: FairsweepError, *, as_json: bool) -> None:
    """Report every problem on a separate line."""
    for line in error.lines:
        _complain(f"error: {line}")
    if as_json:
        from fairsweep.output.json_output import of_error

        sys.stdout.write(of_error(error))


def _report_unexpected(error: BaseException, *, verbose: bool) -> None:
    """Report only the kind of error: an engine's message may quote values of rows, also below a traceback."""
    if verbose:
        sys.stderr.writelines(_traceback(error))
    _complain(f"error: unexpected {_kind(error)}" + ("" if verbose else "; run it again with -v to see the traceback"))


def _traceback(error: BaseException) -> Iterator[str]:
    """Where an error was raised, after the errors that caused it."""
    import traceback

    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _traceback(earlier)
        yield "\nand then\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{_kind(error)}\n"


def _kind(error: BaseException) -> str:
    condition = _condition(error)
    return f"{type(error).__name__}{f' {condition}' if condition else ''}"


def _condition(error: BaseException) -> str | None:
    """Spark's name for an error, which holds no values."""
    for name in ("getCondition", "getErrorClass"):
        ask = getattr(error, name, None)
        if callable(ask):
            condition = ask()
            return None if condition is None else str(condition)
    return None


def _last_word(said: str) -> None:
    _complain(f"error: {said}")


def _complain(line: str) -> None:
    """Write one line to standard error, without line breaks and control characters of values."""
    from fairsweep.output.wording import printable

    encoding = sys.stderr.encoding or "utf-8"
    if len(line) > _LONGEST_LINE:
        line = f"{line[:_LONGEST_LINE]}... ({len(line):,} characters)"
    shown = printable(" ".join(line.split())).encode(encoding, "replace").decode(encoding)
    sys.stderr.write(shown + "\n")


def _close_output() -> None:
    """Prevent the interpreter's error that it cannot flush at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
