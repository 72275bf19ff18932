"""Damaged files of a warehouse: never "no rows", always exit 5, the table, the file, and a command that mends it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from fairsweep.errors import StorageError, UsageError
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import AUDIT_TABLES, RESTRICTED_TABLES, RUNS
from fairsweep.tables.checksums import checksum
from tests import damage
from tests.damage import Harm
from tests.spark.made_up_runs import made_up_run

FIRST, SECOND, LAST = (made_up_run("A", model=name) for name in ("falls", "sepsis", "stroke"))
TABLE, OTHER = "group_metrics", "cells"
FORCE = "run again with --force: `fairsweep audit --config FILE --force`"


def with_slow(quick: Iterable[Any], every: Iterable[Any]) -> list[Any]:
    """Parameters of which only some run in the quick suite."""
    kept = list(quick)
    return [pytest.param(one, marks=[] if one in kept else pytest.mark.slow) for one in every]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with three runs, published one after another."""
    folder = tmp_path_factory.mktemp("whole") / "results"
    for run in (FIRST, SECOND, LAST):
        opened(folder).publish([run])
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(whole, tmp_path / "o'brien ü" / "results"))


def opened(folder: Path) -> DeltaRsStore:
    return DeltaRsStore(Place.warehouse(folder))


def reads(table: str) -> list[Callable[[DeltaRsStore], object]]:
    """The ways in which rows of current runs are read; no query reads restricted tables."""
    queries: list[Callable[[DeltaRsStore], object]] = [
        lambda store: store.query(f"SELECT * FROM {table}"),
        lambda store: store.query(f"SELECT count(*) FROM {table.upper()}"),
    ]
    return [*([] if table in RESTRICTED_TABLES else queries), lambda store: store.current(table)]


def assert_refused(folder: Path, table: str, *said: str) -> None:
    """Every reader of a table ends with an error of the storage that says all of this."""
    for read in reads(table):
        with pytest.raises(StorageError) as caught:
            read(opened(folder))
        for text in (table, *said):
            assert text in str(caught.value)


def assert_whole(folder: Path, tables: Sequence[str] = AUDIT_TABLES) -> None:
    store = opened(folder)
    for table in tables:
        expected = checksum(pa.concat_tables([run.results[table] for run in (FIRST, SECOND, LAST)]))
        assert checksum(store.current(table)) == expected, table
        if table not in RESTRICTED_TABLES:
            assert checksum(store.query(f"SELECT * FROM {table}")) == expected, table
    store.verify([FIRST.id, SECOND.id, LAST.id])


def mended_by_force(folder: Path) -> None:
    """The last run says that --force repairs it, and it does."""
    store = opened(folder)
    with pytest.raises(StorageError, match="run again with --force"):
        store.publish([LAST])
    assert store.publish([LAST], force=True) == {LAST.id: "published"}
    assert_whole(folder)


# --- files of rows


TABLES_TRIED = with_slow([TABLE], [TABLE, OTHER, "threshold_sweep"])
FILES: dict[Harm, str] = {damage.emptied: "has 0 bytes, not", damage.cut: "bytes, not", damage.deleted: "is missing"}


@pytest.mark.parametrize("table", TABLES_TRIED)
@pytest.mark.parametrize("harm", with_slow([damage.cut], FILES))
def test_a_damaged_file_of_rows_is_named_and_force_replaces_it(folder: Path, table: str, harm: Harm) -> None:
    path = damage.rows(folder / table, LAST.id)
    harm(path)
    assert_refused(
        folder, table, f"{table} of run {LAST.id} (audit of stroke 1.10) is damaged", path.name, FILES[harm], FORCE
    )
    assert opened(folder).query("SELECT * FROM operating_points").num_rows == 3
    mended_by_force(folder)


def test_a_view_over_a_damaged_table_is_refused_and_others_answer(folder: Path) -> None:
    damage.emptied(damage.commits(folder / TABLE)[-1])
    for view in ("v_open_breaches", "v_run_health", "v_group_benefit_equality"):
        with pytest.raises(StorageError, match=TABLE):
            opened(folder).query(f"SELECT count(*) FROM {view}")
    assert opened(folder).query("SELECT * FROM v_disparities").num_rows == 12


def test_bits_that_cannot_be_decoded_are_the_storages_and_not_the_querys(folder: Path) -> None:
    path = damage.rows(folder / TABLE, LAST.id)
    damage.flipped_to_nonsense(path)
    with pytest.raises(StorageError, match=rf"{TABLE}.*--force"):
        opened(folder).query(f"SELECT * FROM {TABLE}")
    mended_by_force(folder)


@pytest.mark.parametrize("table", with_slow([TABLE], [TABLE, "score_histograms", OTHER]))
def test_bits_that_decode_to_other_values_are_found_by_verify(folder: Path, table: str) -> None:
    damage.flipped_to_other_values(damage.rows(folder / table, LAST.id))
    with pytest.raises(StorageError, match=rf"{table} of run {LAST.id}.*have other values; .*--force"):
        opened(folder).verify([LAST.id])
    opened(folder).verify([FIRST.id, SECOND.id])
    mended_by_force(folder)


def test_errors_of_the_querys_own_values_stay_its_own(folder: Path) -> None:
    with pytest.raises(UsageError, match="stopped by ConversionException; check the values"):
        opened(folder).query(f"SELECT CAST(group_value AS INT) FROM {TABLE}")


# --- the log of a result table


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("table", TABLES_TRIED)
@pytest.mark.parametrize(
    "harm", with_slow([damage.emptied, damage.deleted], [damage.emptied, damage.deleted, damage.cut_after_a_line])
)
def test_a_lost_last_commit_is_lost_rows_and_force_writes_them_again(folder: Path, table: str, harm: Harm) -> None:
    harm(damage.commits(folder / table)[-1])
    lost = f"{LAST.results[table].num_rows} expected"
    assert_refused(folder, table, f"{table} of run {LAST.id} (audit of stroke 1.10) is not", lost, FORCE)
    mended_by_force(folder)


@pytest.mark.slow
@pytest.mark.parametrize("harm", [damage.emptied, damage.cut_after_a_line])
def test_a_lost_commit_in_the_middle_names_the_run_that_it_published(folder: Path, harm: Harm) -> None:
    harm(damage.commits(folder / TABLE)[2])
    assert_refused(folder, TABLE, f"{TABLE} of run {SECOND.id} (audit of sepsis 1.10) is not", FORCE)
    opened(folder).publish([SECOND], force=True)
    assert_whole(folder)


def _after_a_checkpoint(harm: Harm) -> Callable[[Path], None]:
    def work(table: Path) -> None:
        DeltaTable(table).create_checkpoint()
        harm(damage.checkpoint(table))

    return work


def _with_only_the_checkpoint(harm: Harm) -> Callable[[Path], None]:
    def work(table: Path) -> None:
        DeltaTable(table).create_checkpoint()
        for path in damage.commits(table)[:-1]:
            path.unlink()
        harm(damage.checkpoint(table))

    return work


UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "last commit cut": (lambda table: damage.cut(damage.commits(table)[-1]), "00003.json` is cut off"),
    "middle commit cut": (lambda table: damage.cut(damage.commits(table)[1]), "00001.json` is cut off"),
    "middle commit deleted": (lambda table: damage.deleted(damage.commits(table)[1]), "00001.json` is missing"),
    "first commit emptied": (lambda table: damage.emptied(damage.commits(table)[0]), "00000.json` is empty"),
    "checkpoint emptied": (_after_a_checkpoint(damage.emptied), "00003.checkpoint.parquet` is empty"),
    "checkpoint cut": (_after_a_checkpoint(damage.cut), "00003.checkpoint.parquet` is cut off"),
    "checkpoint deleted": (_after_a_checkpoint(damage.deleted), "00003.checkpoint.parquet` is missing"),
    "all but the last commit gone": (_with_only_the_checkpoint(damage.deleted), "is missing"),
    "checkpoint overwritten": (_after_a_checkpoint(damage.overwritten), "not readable"),
    "all commits deleted": (lambda table: shutil.rmtree(table / "_delta_log"), "`_delta_log` has no commit"),
}


@pytest.mark.parametrize("case", with_slow(["middle commit deleted"], UNREADABLE))
def test_a_log_that_cannot_be_read_is_moved_away_and_written_again(folder: Path, tmp_path: Path, case: str) -> None:
    harm, said = UNREADABLE[case]
    harm(folder / TABLE)
    assert_refused(folder, TABLE, said, f"move the folder {folder / TABLE} away", "run again with --force")
    with pytest.raises(StorageError, match="move the folder"):
        opened(folder).publish([LAST], force=True)

    (folder / TABLE).rename(tmp_path / "away")
    assert_refused(folder, TABLE, f"{TABLE} of run {FIRST.id}", "0 rows, 80 expected", FORCE)
    with pytest.raises(StorageError, match="--force"):
        opened(folder).publish([LAST])
    for run in (FIRST, SECOND, LAST):
        opened(folder).publish([run], force=True)
    assert_whole(folder)


@pytest.mark.slow
def test_a_checkpoint_that_decodes_to_another_log_is_found_by_what_it_lacks(folder: Path) -> None:
    """Whatever bit is flipped: readers have all rows, or end with an error."""
    DeltaTable(folder / TABLE).create_checkpoint()
    path = damage.checkpoint(folder / TABLE)
    whole, expected = path.read_bytes(), 3 * FIRST.results[TABLE].num_rows
    ends = set()
    for place in range(4, len(whole) - 8, max(1, len(whole) // 150)):
        content = bytearray(whole)
        content[place] ^= 4
        path.write_bytes(content)
        try:
            assert opened(folder).current(TABLE).num_rows == expected
            ends.add("whole")
        except StorageError:
            ends.add("refused")
    assert ends == {"whole", "refused"}


def test_a_table_that_is_gone_is_missing_rows(folder: Path) -> None:
    shutil.rmtree(folder / TABLE)
    assert_refused(folder, TABLE, "0 rows, 80 expected", FORCE)


# --- runs


def _flip_record(column: str, value: str) -> Callable[[Path], None]:
    """What a flipped bit could have made of a record: another value, and nobody has said so."""

    def work(table: Path) -> None:
        DeltaTable(table).update(updates={column: value}, predicate=f"run_id = '{LAST.id}'")

    return work


DAMAGED_RUNS: dict[str, tuple[Callable[[Path], None], str]] = {
    "last commit emptied": (lambda table: damage.emptied(damage.commits(table)[-1]), "00003.json` is empty"),
    "middle commit emptied": (lambda table: damage.emptied(damage.commits(table)[2]), "00002.json` is empty"),
    "last commit cut": (lambda table: damage.cut(damage.commits(table)[-1]), "00003.json` is cut off"),
    "last commit cut after a line": (
        lambda table: damage.cut_after_a_line(damage.commits(table)[-1]),
        "00003.json` adds 0 of 1 files",
    ),
    "middle commit deleted": (lambda table: damage.deleted(damage.commits(table)[2]), "00002.json` is missing"),
    "checkpoint emptied": (_after_a_checkpoint(damage.emptied), "00003.checkpoint.parquet` is empty"),
    "checkpoint deleted": (_after_a_checkpoint(damage.deleted), "00003.checkpoint.parquet` is missing"),
    "an action renamed": (
        lambda table: damage.with_an_action_renamed(damage.commits(table)[-1]),
        "has a line that is no action of Delta",
    ),
    "rows emptied": (lambda table: damage.emptied(_newest(table)), "has 0 bytes"),
    "rows cut": (lambda table: damage.cut(_newest(table)), "bytes, not"),
    "rows deleted": (lambda table: damage.deleted(_newest(table)), "is missing"),
    "rows scrambled": (lambda table: damage.flipped_to_nonsense(_newest(table)), "not readable"),
    "gone": (shutil.rmtree, "missing in"),
    "minimum_cell_size": (_flip_record("minimum_cell_size", "11"), f"run {LAST.id} is damaged: its record differs"),
    "engine": (_flip_record("engine", "'spark'"), f"run {LAST.id} is damaged: its record differs"),
    "model_id": (_flip_record("model_id", "'strokf'"), f"run {LAST.id} is damaged: its record differs"),
    "hidden": (_flip_record("hidden", "'{}'"), f"run {LAST.id} is damaged: its record differs"),
    "record_checksum": (_flip_record("record_checksum", "NULL"), f"run {LAST.id} is damaged: its record differs"),
    "is_current": (_flip_record("is_current", "false"), "audit of stroke 1.10 is damaged: 0 current runs (none)"),
}


def _newest(table: Path) -> Path:
    """The file of the newest record."""
    paths = [Path(unquote(uri)) for uri in DeltaTable(table).file_uris()]
    return max(paths, key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize(
    "case", with_slow(["last commit emptied", "rows cut", "minimum_cell_size", "is_current", "gone"], DAMAGED_RUNS)
)
def test_damage_of_runs_is_refused_by_every_reader(folder: Path, case: str) -> None:
    harm, said = DAMAGED_RUNS[case]
    harm(folder / RUNS)
    for table in (RUNS, TABLE):
        for read in reads(table):
            with pytest.raises(StorageError) as caught:
                read(opened(folder))
            assert said in str(caught.value)
            assert "--force" in str(caught.value) or "docs/repair.md" in str(caught.value)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    "case",
    with_slow(["minimum_cell_size"], ["minimum_cell_size", "engine", "hidden", "record_checksum", "is_current"]),
)
def test_a_damaged_record_of_a_current_run_is_mended_by_force(folder: Path, case: str) -> None:
    DAMAGED_RUNS[case][0](folder / RUNS)
    if case != "is_current":
        with pytest.raises(StorageError, match=f"run {LAST.id} is damaged.*{FORCE}"):
            opened(folder).publish([LAST])
    opened(folder).publish([LAST], force=True)
    assert_whole(folder)


@pytest.mark.slow
def test_two_current_runs_of_a_window_are_refused_until_one_is_forced(folder: Path) -> None:
    other = made_up_run("B", model="stroke")
    opened(folder).publish([other])
    DeltaTable(folder / RUNS).update(updates={"is_current": "true"}, predicate=f"run_id = '{LAST.id}'")
    with pytest.raises(StorageError, match=r"stroke 1.10 is damaged: 2 current runs .*--force"):
        opened(folder).current(TABLE)
    opened(folder).publish([LAST], force=True)
    assert_whole(folder)


# --- what docs/repair.md says of runs


@pytest.mark.slow
def test_a_lost_last_commit_of_runs_is_removed_and_the_run_made_again(folder: Path) -> None:
    damage.emptied(damage.commits(folder / RUNS)[-1])
    for path in (folder / RUNS / "_delta_log").glob("*00000000000000000003.*"):
        path.unlink()
    assert opened(folder).query("SELECT * FROM runs").num_rows == 2
    assert opened(folder).publish([LAST]) == {LAST.id: "published"}
    assert_whole(folder)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["rows emptied", "rows deleted", "rows scrambled"])
def test_rows_of_runs_are_restored_from_the_version_before(folder: Path, case: str) -> None:
    DAMAGED_RUNS[case][0](folder / RUNS)
    runs = DeltaTable(folder / RUNS)
    runs.restore(runs.version() - 1)
    assert opened(folder).query("SELECT * FROM runs").num_rows == 2
    assert opened(folder).publish([LAST]) == {LAST.id: "published"}
    assert_whole(folder)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["middle commit deleted", "checkpoint emptied", "rows emptied", "last commit emptied"])
def test_runs_moved_away_are_made_again(folder: Path, tmp_path: Path, case: str) -> None:
    DAMAGED_RUNS[case][0](folder / RUNS)
    (folder / RUNS).rename(tmp_path / "away")
    with pytest.raises(StorageError, match="table runs is missing"):
        opened(folder).query("SELECT * FROM runs")
    for run in (FIRST, SECOND, LAST):
        assert opened(folder).publish([run]) == {run.id: "published"}
    assert_whole(folder)


@pytest.mark.slow
def test_a_checkpoint_of_which_all_commits_are_there_is_deleted(folder: Path) -> None:
    DAMAGED_RUNS["checkpoint emptied"][0](folder / RUNS)
    damage.checkpoint(folder / RUNS).unlink()
    (folder / RUNS / "_delta_log" / "_last_checkpoint").unlink()
    assert_whole(folder)


@pytest.mark.slow
def test_a_damaged_record_of_no_current_run_is_deleted(folder: Path) -> None:
    other = made_up_run("B", model="stroke")
    opened(folder).publish([other])
    DAMAGED_RUNS["engine"][0](folder / RUNS)
    with pytest.raises(StorageError, match=rf"run {LAST.id} is damaged.*remove the record as docs/repair.md says"):
        opened(folder).current(TABLE)
    DeltaTable(folder / RUNS).delete(f"run_id = '{LAST.id}'")
    assert opened(folder).current(RUNS).num_rows == 3
    assert json.loads(opened(folder).find_runs("b" * 16)[0]["checksums"])
