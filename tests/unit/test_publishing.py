"""The write order, over a store in memory and one of delta-rs: conflicts, re-runs, refusals, threads."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any, Protocol

import pyarrow as pa
import pytest

from fairsweep.errors import StorageError
from fairsweep.stores import publishing
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.memory import MemoryStore
from fairsweep.stores.places import Place
from fairsweep.stores.protocol import Outcome, Run, Store, WriteConflictError
from fairsweep.tables.catalogue import AUDIT_TABLES
from fairsweep.tables.checksums import checksum
from tests.spark.made_up_runs import made_up_run

JANUARY, FEBRUARY = (date(2026, 1, 1), date(2026, 2, 1)), (date(2026, 2, 1), date(2026, 3, 1))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


class NewStore(Protocol):
    """Makes an empty store of the kind under test, with a behaviour of the test's own on top."""

    def __call__(self, behaviour: type = object) -> Any: ...


# tests/local/test_delta_rs_store.py tries the second one quickly.
@pytest.fixture(params=["memory", pytest.param("delta_rs", marks=pytest.mark.slow)])
def new_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewStore:
    def make(behaviour: type = object) -> Any:
        if request.param == "memory":
            return type("Tested", (behaviour, MemoryStore) if behaviour is not object else (MemoryStore,), {})()
        bases = (behaviour, DeltaRsStore) if behaviour is not object else (DeltaRsStore,)
        return type("Tested", bases, {})(Place.warehouse(tmp_path_factory.mktemp("o'brien ${HOME} ü")))

    return make


def contested(table: str, times: int, meanwhile: Callable[[], object] = lambda: None) -> type:
    """Another writer is first, as often as it is told, and does something meanwhile."""

    class Contested:
        left = times

        def meet(self, met: str) -> None:
            if met == table and self.left:
                self.left -= 1
                meanwhile()
                raise WriteConflictError(met)

        def replace(self, table: str, *rows: Any) -> None:
            self.meet(table)
            super().replace(table, *rows)  # type: ignore[misc]

        def commit(self, changes: pa.Table) -> None:
            self.meet("runs")
            super().commit(changes)  # type: ignore[misc]

    return Contested


def shown(store: Store) -> list[str]:
    return sorted(store.current("runs").column("run_id").to_pylist())


def assert_shows(store: Store, *runs: Run) -> None:
    """Readers see exactly these runs in every table."""
    assert shown(store) == sorted(run.id for run in runs)
    for table in AUDIT_TABLES:
        expected = pa.concat_tables([run.results[table] for run in runs])
        assert checksum(store.current(table)) == checksum(expected), table


def test_a_later_run_of_the_same_window_supersedes_and_every_other_window_stays(new_store: NewStore) -> None:
    store = new_store()
    first, later = made_up_run("A", window=JANUARY), made_up_run("B", window=JANUARY)
    other, another = made_up_run("A", window=FEBRUARY), made_up_run("A", model="sepsis", window=JANUARY)
    assert store.publish([first, another]) == {first.id: "published", another.id: "published"}
    store.publish([other])
    store.publish([later])
    assert_shows(store, later, other, another)


def test_a_run_asked_for_again_is_already_done_and_becomes_current_again(new_store: NewStore) -> None:
    store, a, b = new_store(), made_up_run("A"), made_up_run("B")
    store.publish([a])
    store.publish([b])
    assert store.publish([a]) == {a.id: "already_done"}
    assert_shows(store, a)
    store.confirm(store.find_runs("b" * 16)[1:])
    assert_shows(store, b)


def test_damaged_results_are_found_and_only_force_replaces_them(new_store: NewStore) -> None:
    store, run = new_store(), made_up_run("A")
    store.publish([run])
    store.replace("cells", [run.id], run.results["cells"].slice(1))
    attempts: tuple[Callable[[], object], ...] = (lambda: store.publish([run]), lambda: store.verify([run.id]))
    for attempt in attempts:
        with pytest.raises(
            StorageError,
            match=r"cells of run .* is not as it was written: 4 rows, 5 expected; run again with --force",
        ):
            attempt()
    assert store.publish([run], force=True) == {run.id: "published"}
    store.verify([run.id])
    assert_shows(store, run)


@pytest.mark.parametrize("status", ["refused", "failed"])
def test_a_run_without_results_leaves_its_record_and_replaces_nothing(new_store: NewStore, status: str) -> None:
    store, good, bad = new_store(), made_up_run("A"), made_up_run("B", status=status)
    store.publish([good])
    assert store.publish([bad]) == {bad.id: "recorded"}
    again = Run({**good.record, "status": status}, {})
    assert store.publish([again]) == {good.id: "recorded"}
    assert_shows(store, good)
    records = {record["run_id"]: record for record in store.find_runs("b" * 16)}
    assert {run_id: record["status"] for run_id, record in records.items()} == {
        good.id: "succeeded",
        bad.id: status,
    }
    assert records[bad.id]["checksums"] is None


def test_accepted_models_of_a_batch_are_published_and_refused_ones_recorded_in_one_commit(new_store: NewStore) -> None:
    store, commits = new_store(), 0
    commit = store.commit

    def counting(changes: pa.Table) -> None:
        nonlocal commits
        commits += 1
        commit(changes)

    store.commit = counting
    good, bad = made_up_run("A"), made_up_run("A", model="sepsis", status="refused")
    assert store.publish([good, bad]) == {good.id: "published", bad.id: "recorded"}
    assert commits == 1
    assert_shows(store, good)


def test_the_record_holds_rows_and_checksums_of_every_table(new_store: NewStore) -> None:
    store, run = new_store(), made_up_run("A")
    store.publish([run])
    [record] = store.find_runs("b" * 16)
    expected = {table: list(checksum(run.results[table])) for table in AUDIT_TABLES}
    assert json.loads(record["checksums"]) == expected


@pytest.mark.parametrize("table", ["cells", "runs"])
def test_conflicts_are_retried_and_give_up_after_ten(new_store: NewStore, table: str) -> None:
    run = made_up_run("A")
    busy = new_store(contested(table, 9))
    busy.publish([run])
    assert_shows(busy, run)
    hopeless = new_store(contested(table, 10))
    with pytest.raises(StorageError, match=f"{table} is contested by other writers, 10 times"):
        hopeless.publish([run])
    assert shown(hopeless) == []


@pytest.mark.parametrize("table", ["cells", "runs"])
def test_a_run_that_another_runner_publishes_meanwhile_is_already_done(new_store: NewStore, table: str) -> None:
    run = made_up_run("A")

    def other_runner() -> None:
        # Another process takes no turns with this one.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(publishing, "_taking_turns", lambda *_: threading.Lock())
            store.publish([run])

    store = new_store(contested(table, 1, other_runner))
    assert store.publish([run]) == {run.id: "already_done"}
    assert_shows(store, run)


def test_a_write_that_stores_something_else_is_not_published(new_store: NewStore) -> None:
    class Forgetful:
        def replace(self, table: str, run_ids: Sequence[str], rows: pa.Table, _: Any) -> None:
            some = rows.slice(1) if table == "disparities" else rows
            super().replace(table, run_ids, some)  # type: ignore[misc]

    store, run = new_store(Forgetful), made_up_run("A")
    with pytest.raises(StorageError, match=r"disparities of run .* is not as it was written: 3 rows, 4 expected"):
        store.publish([run])
    assert shown(store) == []


def test_leftovers_of_a_killed_attempt_are_replaced(new_store: NewStore) -> None:
    store, run = new_store(), made_up_run("A")
    store.ensure()
    store.replace("cells", [run.id], pa.concat_tables([run.results["cells"]] * 2))
    store.replace("refused_counts", [run.id], run.results["refused_counts"])
    without = Run(run.record, {name: rows for name, rows in run.results.items() if name != "refused_counts"})
    store.publish([without])
    assert store.current("refused_counts").num_rows == 0
    assert checksum(store.current("cells")) == checksum(run.results["cells"])


def test_the_same_run_from_eight_threads_is_published_once(new_store: NewStore) -> None:
    store, run = new_store(), made_up_run("A")
    with ThreadPoolExecutor(8) as pool:
        outcomes: list[dict[str, Outcome]] = list(pool.map(lambda _: store.publish([run]), range(8)))
    assert Counter(outcome[run.id] for outcome in outcomes) == {"published": 1, "already_done": 7}
    assert_shows(store, run)


@pytest.mark.quick_cases(1)
def test_eight_runs_of_one_window_at_once_leave_one_current(new_store: NewStore) -> None:
    store, runs = new_store(), [made_up_run(str(i)) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: store.publish([run]), runs))
    [current] = shown(store)
    assert_shows(store, next(run for run in runs if run.id == current))
    assert len(store.find_runs("b" * 16)) == 8


@pytest.mark.parametrize("run_id", ["", "r1' OR '1'='1", "ABCDEF0123456789", "a" * 15, "a" * 65, "a" * 32 + "\n"])
def test_run_ids_are_hexadecimal(new_store: NewStore, run_id: str) -> None:
    run = made_up_run("A")
    with pytest.raises(ValueError, match="16 to 64 hexadecimal digits"):
        new_store().publish([Run({**run.record, "run_id": run_id}, {})])


def test_faults_of_the_program_are_refused_before_anything_is_written(new_store: NewStore) -> None:
    run, refused = made_up_run("A"), made_up_run("A", status="refused")
    for runs, message in (
        ([run, made_up_run("B")], "different ids"),
        ([Run(refused.record, run.results)], "did not succeed"),
        ([Run(run.record, {"runs": run.results["cells"]})], "cannot publish"),
        ([Run(run.record, {"cells": made_up_run("B").results["cells"]})], "rows of another run"),
        ([Run(run.record, {"cells": run.results["cells"].drop_columns(["cell_id"])})], "lack the columns"),
    ):
        store = new_store()
        with pytest.raises(ValueError, match=message):
            store.publish(runs)
        assert store.find_runs("b" * 16) == []
        store.ensure()
        assert store.current("cells").num_rows == 0
