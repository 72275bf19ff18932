"""However an audit ends, readers see one whole run, and its last line says which."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairsweep import stopping
from fairsweep.cli import main as cli
from fairsweep.errors import StorageError
from fairsweep.stores.failpoints import FAILPOINTS
from tests.conftest import REPOSITORY
from tests.local.stopping_audits import Laboratory, ended

pytestmark = pytest.mark.timeout(900)
SIGNALS = {"SIGINT": 130, "SIGTERM": 143}
# Audits have no rows of cohorts.
OF_AUDITS = [name for name in FAILPOINTS if not name.startswith("cohort")]
QUICK = {("before_commit", "SIGTERM"), ("committed", "SIGINT")}


STOPPED = [
    pytest.param(place, sent, marks=[] if (place, sent) in QUICK else pytest.mark.slow)
    for place in OF_AUDITS
    for sent in SIGNALS
]


@pytest.mark.parametrize(("place", "sent"), STOPPED)
def test_an_interrupted_audit_says_whether_its_run_is_published(place: str, sent: str, tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    after = laboratory.put(1)
    code, errors = laboratory.audit(1, failpoint=f"{place}:{sent}")
    assert code == SIGNALS[sent]
    if place == "committed":
        assert errors[-1].startswith("error: interrupted; the run is published: falls 1 (run ")
        assert laboratory.seen() == after
    else:
        assert errors[-1] == "error: interrupted; nothing was published"
        assert laboratory.seen() == {}
    if (place, sent) in QUICK:
        return
    assert laboratory.audit(1)[0] == 0
    assert laboratory.seen() == after


@pytest.mark.slow
@pytest.mark.parametrize("sent", SIGNALS)
@pytest.mark.parametrize("place", ["tables_ensured", "committed"])
def test_spark_says_the_same(place: str, sent: str, tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, "spark")
    after = laboratory.put(1)
    code, errors = laboratory.audit(1, failpoint=f"{place}:{sent}")
    assert code == SIGNALS[sent]
    assert laboratory.seen() == (after if place == "committed" else {})
    assert ("the run is published" in errors[-1]) == (place == "committed")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "spark"])
def test_a_signal_at_any_time_leaves_one_whole_run_and_true_words(engine: str, tmp_path: Path) -> None:
    times = 6 if engine == "local" else 3
    assert faults_of_signals(Laboratory(tmp_path, engine), times, seed=52) == [[]] * times


@pytest.mark.soak
def test_52_signals_leave_one_whole_run_and_true_words(tmp_path: Path) -> None:
    assert faults_of_signals(Laboratory(tmp_path), times=52, seed=53) == [[]] * 52


def faults_of_signals(laboratory: Laboratory, times: int, seed: int) -> list[list[object]]:
    """The faults after each of some signals at random times: broken promises, then the pause and the output."""
    stream, faults = random.Random(seed), []
    before = laboratory.put(0)
    started = time.monotonic()
    code, _ = laboratory.audit(0)
    longest = time.monotonic() - started
    if code:
        return [["exit code of the first audit", code]]
    for time_of_it in range(1, times + 1):
        after = laboratory.put(time_of_it)
        process = laboratory.begin(time_of_it)
        pause = stream.uniform(0.2, 1.1) * longest
        time.sleep(pause)
        sent = stream.choice(list(SIGNALS))
        process.send_signal(getattr(signal, sent))
        _, said = process.communicate(timeout=300)
        seen, last = laboratory.seen(), said.splitlines()[-1] if said else ""
        if last.startswith("error: "):
            promises = {
                "no traceback": "Traceback" not in said,
                "the exit code of the signal": process.returncode == SIGNALS[sent],
                "readers see what the last line says": seen == (after if "the run is published" in last else before),
            }
        else:  # it had not begun, or was done with its work
            promises = {
                "one whole run": seen in (before, after),
                "exit code 0 only for a published run": bool(process.returncode) or seen == after,
            }
        broken: list[object] = [name for name, kept in promises.items() if not kept]
        faults.append([*broken, pause, said] if broken else [])
        before = after if seen == after else before
    return faults


def test_a_second_signal_ends_at_once_and_a_first_waits_for_libraries() -> None:
    program = (
        "import hashlib, sys\n"
        "from fairsweep import stopping\n"
        "with stopping.watched(lambda said: print(said, flush=True)):\n"
        "    print('ready', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'x', b'y', 400_000_000)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)  # until it is inside of the library
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert time.monotonic() - started < 5
    assert process.stdout.read() == "interrupted; nothing was published\n"


def test_a_commit_is_whole_and_its_run_is_remembered() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping.watched(print):
        with pytest.raises(stopping.Stopped) as caught:
            _commit_while_stopped()
        assert caught.value.number == signal.SIGTERM
        assert stopping.words() == "interrupted; the run is published: falls 1 (run 07)"
        stopping.publishing("falls 2 (run 08)")
        assert stopping.words() == "interrupted; 2 runs are published: falls 1 (run 07), falls 2 (run 08)"
    with stopping.watched(print):
        assert stopping.words() == "interrupted; nothing was published", "a command knows its own runs"
    assert signal.getsignal(signal.SIGINT) is before


def _commit_while_stopped() -> None:
    with stopping.whole():
        signal.raise_signal(signal.SIGTERM)
        assert "interrupted while publishing" in stopping.words()
        stopping.publishing("falls 1 (run 07)")


def test_an_interrupt_that_a_library_turns_into_its_own_error_is_still_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise RuntimeError("a socket was closed") from None
        return 0

    monkeypatch.setattr(cli, "_parsed_and_run", interrupted)
    assert cli.run([]) == 143
    assert capfd.readouterr().err == "error: interrupted; nothing was published\n"


class PanicException(BaseException):
    """As Rust's in Python: no `Exception`."""


def test_a_panic_of_a_library_is_a_known_error_of_the_storage(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from fairsweep.stores.delta_rs_errors import own_errors

    def stopped(_: object) -> int:
        raise PanicException("member 123-45-6789")

    monkeypatch.setattr(cli, "_parsed_and_run", stopped)
    assert cli.run([]) == 5
    assert capfd.readouterr().err.startswith("error: a library of the storage is stopped by an internal error; run")
    with pytest.raises(StorageError, match="PanicException"), own_errors("table runs"):
        raise PanicException("member 123-45-6789")


# Blocks of 1,024 bytes that a file may have: a disk that is full in another place of the run each time.
SIZES = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_full_disk_ends_with_5_and_what_was_there_stays(size: int, tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    before, after = laboratory.put(0), laboratory.put(1)
    assert laboratory.audit(0)[0] == 0
    limit = ("bash", "-c", f"trap '' XFSZ; ulimit -f {size}; exec \"$@\"", "limited")
    code, errors = laboratory.audit(1, before=limit)
    assert code == 5, errors
    assert "no space left" in errors[-1]
    assert laboratory.seen() == before
    assert laboratory.audit(1)[0] == 0
    assert laboratory.seen() == after


@pytest.mark.slow
def test_pairs_of_writers_at_once_leave_one_whole_run(tmp_path: Path) -> None:
    assert faults_of_pairs(Laboratory(tmp_path), 3) == [[]] * 3


@pytest.mark.soak
def test_40_pairs_of_writers_at_once_leave_one_whole_run(tmp_path: Path) -> None:
    assert faults_of_pairs(Laboratory(tmp_path), 40) == [[]] * 40


def faults_of_pairs(laboratory: Laboratory, pairs: int) -> list[list[str]]:
    """The broken promises of each of some pairs of audits that publish at the same time."""
    faults = []
    for pair in range(pairs):
        seeds = (2 * pair, 2 * pair + 1)
        expected = [laboratory.put(seed) for seed in seeds]
        processes = [laboratory.begin(seed) for seed in seeds]
        always_a_run = True
        while any(process.poll() is None for process in processes):
            if pair:
                always_a_run = always_a_run and bool(laboratory.seen())
            time.sleep(0.2)
        promises = {
            "readers always see a run": always_a_run,
            "both end with 0": [ended(process)[0] for process in processes] == [0, 0],
            "one whole run": laboratory.seen() in expected,
        }
        faults.append([name for name, kept in promises.items() if not kept])
    return faults


@pytest.mark.soak
def test_42_kills_leave_one_whole_run(tmp_path: Path) -> None:
    laboratory, stream = Laboratory(tmp_path), random.Random(42)
    before = laboratory.put(0)
    started = time.monotonic()
    assert laboratory.audit(0)[0] == 0
    longest = time.monotonic() - started
    for kill in range(1, 43):
        after = laboratory.put(kill)
        process = laboratory.begin(kill)
        time.sleep(stream.uniform(0.3, 1.1) * longest)
        process.kill()
        process.communicate(timeout=60)
        assert laboratory.seen() in (before, after)
        assert laboratory.audit(kill)[0] == 0
        assert laboratory.seen() == after
        before = after


@pytest.mark.slow
def test_a_full_disk_shows_no_panic_where_python_writes_and_every_other_line(tmp_path: Path) -> None:
    program = f"""
import logging, os, resource, signal, sys
from pathlib import Path
import fairsweep as fs
from tests.spark.small_audits import people
result = fs.audit(people(3_000), score="score", label="label", attributes=["race", "age"], flag_is="help")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
result.write({str(tmp_path / "first")!r})
largest = max(file.stat().st_size for file in Path({str(tmp_path / "first")!r}).rglob("*.parquet"))
resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, largest // 2))
handler = logging.StreamHandler(sys.stderr)
logging.getLogger("fairsweep").addHandler(handler)
os.environ["RUST_BACKTRACE"] = "1"
for _ in range(2):
    try:
        result.write({str(tmp_path / "second")!r})
    except fs.FairsweepError as error:
        print(error, file=sys.stderr)
os.write(2, b"the end\\n")
"""
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stderr.splitlines()
    assert [line for line in lines if "no space left" not in line] == ["the end"], done.stderr
    assert len(lines) == 3
