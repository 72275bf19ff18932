"""SIGINT and SIGTERM end a command in order, never inside a commit; the command reports what was published."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Some programs send one signal twice, to a process and to its group.
_AT_ONCE_SECONDS = 0.1


class Stopped(KeyboardInterrupt):
    """A signal has asked the process to end."""

    def __init__(self, number: int) -> None:
        """Take the number of the signal."""
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Watch:
    """The state of the running command; there is one per process."""

    def __init__(self) -> None:
        self.active = False
        self.published: dict[str, None] = {}
        self.commits = 0
        self.waiting: int | None = None
        self.asked: int | None = None

    def begin(self) -> None:
        self.__init__()  # type: ignore[misc]
        self.active = True

    def stop(self, number: int, _: FrameType | None = None) -> None:
        """The handler of the first signal."""
        self.asked = number
        if self.commits:
            self.waiting = number
        else:
            raise Stopped(number)


_watch = _Watch()


def publishing(*runs: str) -> None:
    """Remember that readers see these runs now."""
    if _watch.active:
        _watch.published |= dict.fromkeys(runs)


@contextmanager
def whole() -> Iterator[None]:
    """Protect a commit and its record: a signal that arrives meanwhile takes effect afterwards."""
    _watch.commits += 1
    try:
        yield
    finally:
        _watch.commits -= 1
        number, _watch.waiting = _watch.waiting, None
        if number is not None:
            raise Stopped(number)


def asked() -> int | None:
    """The signal that requested the end, even if a library has turned it into another error since."""
    return _watch.asked if _watch.active else None


def words() -> str:
    """The message of an interrupted command."""
    if _watch.commits:
        return "interrupted while publishing; run it again to find out whether the run is published"
    published = list(_watch.published)
    if not published:
        return "interrupted; nothing was published"
    more = f" and {len(published) - 3:,} more" if len(published) > 3 else ""
    what = "the run is published" if len(published) == 1 else f"{len(published):,} runs are published"
    return f"interrupted; {what}: {', '.join(published[:3])}{more}"


def again() -> None:
    """Restore the signal handlers if a library has replaced them."""
    if _watch.active and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, _watch.stop)


@contextmanager
def watched(say: Callable[[str], None]) -> Iterator[None]:
    """Handle signals while a command runs: the first raises `Stopped`, the second ends the process at once.

    Args:
        say: shows a last message, from another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    _watch.begin()
    before = {number: signal.signal(number, _watch.stop) for number in SIGNALS}
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # While the main thread is inside a library, Python does not run its handlers.
    threading.Thread(target=_end_at_the_second, args=(reading, say), name="fairsweep-signals", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)
        _watch.active = False


def _end_at_the_second(reading: int, say: Callable[[str], None]) -> None:
    """Wait for signals until the other end of the pipe is closed."""
    first: float | None = None
    while arrived := os.read(reading, 64):
        for number in arrived:
            if number not in SIGNALS:
                continue
            now = time.monotonic()
            first = now if first is None else first
            if now - first > _AT_ONCE_SECONDS:
                with suppress(Exception):
                    say(words())
                os._exit(128 + number)
    os.close(reading)
