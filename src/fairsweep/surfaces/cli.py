"""The command line: from arguments to a handler to an exit code. Known errors never show a traceback."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from fairsweep.errors import ExitCode, FairsweepError

_INTERRUPTED, _READER_GONE = 130, 141  # what shells report for SIGINT and SIGPIPE


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command: the entry point of the console script, of jobs and of wheel tasks.

    Schedulers ignore what an entry point returns, so any other end than 0 is an exception.

    Raises:
        SystemExit: with the exit code, unless it is 0.
    """
    code = run(argv)
    if code:
        raise SystemExit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Run a command and tell its exit code.

    Args:
        argv: the command and its flags, by default those of the process.

    Returns:
        The exit code: one of `ExitCode`, 130 when interrupted, 141 when the reader of a pipe has gone.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    verbose = not {"-v", "--verbose"}.isdisjoint(given)
    try:
        with nullcontext() if verbose else _quiet_logs():
            return _parsed_and_run(given)
    except FairsweepError as error:
        _report(error, as_json="--json" in given)
        return int(error.exit_code)
    except KeyboardInterrupt:
        _complain("error: interrupted; nothing of an unfinished run is visible")
        return _INTERRUPTED
    except BrokenPipeError:
        _close_output()
        return _READER_GONE
    except Exception as error:  # noqa: BLE001  (the last place where an error can be told in one line)
        _report_unexpected(error, verbose=verbose)
        return int(ExitCode.UNEXPECTED)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Python logs only what is fatal: Spark's client logs each error, with the values of rows that it quotes."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _parsed_and_run(given: Sequence[str]) -> int:
    from fairsweep.surfaces.arguments import parse

    try:
        arguments = parse(given)
    except SystemExit as done:  # argparse has printed the help
        return int(done.code or 0)
    from fairsweep.surfaces import commands

    return int(commands.run(arguments))


def _report(error: FairsweepError, *, as_json: bool) -> None:
    """Every problem on a line of its own."""
    for line in error.lines:
        _complain(f"error: {line}")
    if as_json:
        from fairsweep.surfaces.records import of_error

        sys.stdout.write(of_error(error))


def _report_unexpected(error: Exception, *, verbose: bool) -> None:
    """The kind of error only: the message of an engine may quote values of rows."""
    if verbose:
        import traceback

        traceback.print_exception(error)
    condition = _condition(error)
    kind = f"{type(error).__name__}{f' {condition}' if condition else ''}"
    _complain(f"error: unexpected {kind}" + ("" if verbose else "; run it again with -v to see the traceback"))


def _condition(error: Exception) -> str | None:
    """Spark's name for an error, which holds no values."""
    for name in ("getCondition", "getErrorClass"):
        ask = getattr(error, name, None)
        if callable(ask):
            condition = ask()
            return None if condition is None else str(condition)
    return None


def _complain(line: str) -> None:
    """One line on the standard error, whatever line breaks or control characters a value brings."""
    from fairsweep.surfaces.wording import printable

    encoding = sys.stderr.encoding or "utf-8"
    shown = printable(" ".join(line.split())).encode(encoding, "replace").decode(encoding)
    sys.stderr.write(shown + "\n")


def _close_output() -> None:
    """Keep the interpreter from complaining that it cannot flush at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
