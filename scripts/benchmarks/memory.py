"""Peak memory of a process and all that it started."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

_INTERVAL = 0.02  # seconds at least between two looks
# A look reads a file for every thread, of which Java has many; watching takes at most 2 % of a core.
_PAUSE = 50
_PROCESSES = Path("/proc")


class PeakMemory(threading.Thread):
    """Watches a process and its descendants until stopped.

    The peak is the highest sum, over the processes alive at one time, of the peak resident memory of each
    (`VmHWM`): exact for one process, an upper bound for several.
    """

    def __init__(self, pid: int) -> None:
        """Watch this process."""
        super().__init__(daemon=True, name="peak-memory")
        self._pid = pid
        self._ended = threading.Event()
        self.peak = 0

    def run(self) -> None:
        """Look every few hundredths of a second."""
        took = 0.0
        while not self._ended.wait(max(_INTERVAL, took * _PAUSE)):
            start = time.thread_time()
            self.peak = max(self.peak, sum(_resident(pid) for pid in _tree(self._pid)))
            took = time.thread_time() - start

    def stop(self) -> int:
        """The peak in bytes; 0 if the system does not report it."""
        self._ended.set()
        self.join()
        return self.peak


def _tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        found.append(parent)
        try:
            tasks = list((_PROCESSES / str(parent) / "task").iterdir())
            for task in tasks:
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # It has ended meanwhile.
    return found


def _resident(pid: int) -> int:
    try:
        status = (_PROCESSES / str(pid) / "status").read_text()
    except OSError:
        return 0
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak.group(1)) * 1024 if peak else 0
