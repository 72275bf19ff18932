"""Damaged files of a warehouse as Spark meets them: exit 5 with the table and what mends it, as without Spark."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from fairsweep.engines.spark.cohort_source import CohortSource
from fairsweep.errors import StorageError
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables.catalogue import RUNS
from fairsweep.tables.checksums import checksum
from tests import damage
from tests.spark.made_up_runs import made_up_run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.usefixtures("interpreted"), pytest.mark.timeout(600)]
FIRST, LAST = made_up_run("A", model="falls"), made_up_run("A", model="stroke")
TABLE = "group_metrics"
Open = Callable[[], SparkDeltaStore]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with two runs, written without Spark, which is faster; Spark goes on with it."""
    folder = tmp_path_factory.mktemp("whole") / "results"
    for run in (FIRST, LAST):
        DeltaRsStore(Place.warehouse(folder)).publish([run])
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage, which no session has seen before."""
    return Path(shutil.copytree(whole, tmp_path / "o'brien ü" / "results"))


@pytest.fixture
def opened(spark: SparkSession, folder: Path) -> Open:
    return lambda: SparkDeltaStore(spark.newSession(), Place.warehouse(folder))


def _only_checkpoint(table: Path) -> Path:
    """The checkpoint that Spark needs; with all commits it does without."""
    DeltaTable(table).create_checkpoint()
    for path in damage.commits(table)[:-1]:
        path.unlink()
    return damage.checkpoint(table)


ROWS: dict[str, Callable[[Path], None]] = {
    "last commit emptied": lambda table: damage.emptied(damage.commits(table)[-1]),
    "last commit deleted": lambda table: damage.deleted(damage.commits(table)[-1]),
    "last commit cut after a line": lambda table: damage.cut_after_a_line(damage.commits(table)[-1]),
    "file emptied": lambda table: damage.emptied(damage.rows(table, LAST.id)),
    "file cut": lambda table: damage.cut(damage.rows(table, LAST.id)),
    "file deleted": lambda table: damage.deleted(damage.rows(table, LAST.id)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", ROWS)
def test_lost_rows_are_refused_and_force_writes_them_again(folder: Path, opened: Open, case: str) -> None:
    ROWS[case](folder / TABLE)
    with pytest.raises(StorageError, match=rf"{TABLE}.*run again with --force: `fairsweep audit"):
        opened().query(f"SELECT count(*) FROM {TABLE}")
    with pytest.raises(StorageError, match=rf"{TABLE}.*--force"):
        opened().publish([LAST])
    assert opened().publish([LAST], force=True) == {LAST.id: "published"}
    rows = opened().query(f"SELECT * FROM {TABLE}")
    assert checksum(rows) == checksum(pa.concat_tables([run.results[TABLE] for run in (FIRST, LAST)]))


@pytest.mark.slow
@pytest.mark.parametrize("table", ["threshold_sweep", "operating_points"])
@pytest.mark.parametrize("case", ["last commit deleted", "file cut"])
def test_every_table_is_compared(folder: Path, opened: Open, table: str, case: str) -> None:
    ROWS[case](folder / table)
    with pytest.raises(StorageError, match=rf"{table}.*--force"):
        opened().current(table)
    with pytest.raises(StorageError, match=rf"{table}.*--force"):
        opened().query(f"SELECT * FROM {table}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda table: damage.cut(damage.commits(table)[-1]), "00002.json` is cut off"),
        (lambda table: damage.deleted(damage.commits(table)[1]), "00001.json` is missing"),
        (lambda table: damage.emptied(_only_checkpoint(table)), "00002.checkpoint.parquet` is empty"),
        (lambda table: shutil.rmtree(table / "_delta_log"), "`_delta_log` has no commit"),
    ],
)
def test_a_log_that_cannot_be_read_is_moved_away_and_written_again(
    folder: Path, tmp_path: Path, opened: Open, harm: Callable[[Path], None], said: str
) -> None:
    harm(folder / TABLE)
    attempts: list[Callable[[], object]] = [
        lambda: opened().query(f"SELECT * FROM {TABLE}"),
        lambda: opened().publish([LAST], force=True),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError) as caught:
            attempt()
        for text in (TABLE, said, f"move the folder {folder / TABLE} away", "--force"):
            assert text in str(caught.value)
    (folder / TABLE).rename(tmp_path / "away")
    with pytest.raises(StorageError, match="0 rows, 80 expected"):
        opened().query(f"SELECT * FROM {TABLE}")
    for run in (FIRST, LAST):
        opened().publish([run], force=True)
    assert opened().query(f"SELECT * FROM {TABLE}").num_rows == 160


def _cut_records(table: Path) -> None:
    for path in table.glob("*.parquet"):
        damage.cut(path)


@pytest.mark.slow
def test_bits_that_cannot_be_decoded_are_the_storages_and_other_values_are_found_by_verify(
    folder: Path, opened: Open
) -> None:
    path = damage.rows(folder / TABLE, LAST.id)
    before = path.read_bytes()
    damage.overwritten(path)
    with pytest.raises(StorageError, match=rf"(?s){TABLE}.*--force"):
        opened().query(f"SELECT * FROM {TABLE}")
    path.write_bytes(before)
    damage.flipped_to_other_values(path)
    with pytest.raises(StorageError, match=rf"{TABLE} of run {LAST.id}.*--force"):
        opened().verify([LAST.id])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda table: damage.emptied(damage.commits(table)[-1]), "00002.json` is empty"),
        (lambda table: damage.deleted(damage.commits(table)[1]), "00001.json` is missing"),
        (_cut_records, "cannot be read"),
        (
            lambda table: DeltaTable(table).update(updates={"minimum_cell_size": "11"}, predicate="model_id = 'falls'"),
            f"run {FIRST.id} is damaged",
        ),
        (shutil.rmtree, "table runs is missing"),
    ],
)
def test_damage_of_runs_is_refused_by_every_reader(
    folder: Path, opened: Open, harm: Callable[[Path], None], said: str
) -> None:
    harm(folder / RUNS)
    reads: list[Callable[[], object]] = [
        lambda: opened().query(f"SELECT * FROM {TABLE}"),
        lambda: opened().current(RUNS),
    ]
    for read in reads:
        with pytest.raises(StorageError, match=said):
            read()


@pytest.mark.slow
def test_what_spark_has_written_is_refused_as_well(spark: SparkSession, tmp_path: Path) -> None:
    """It keeps checksums beside local files, which the damage here has removed or not."""
    whole = tmp_path / "whole"
    for run in (FIRST, LAST):
        SparkDeltaStore(spark, Place.warehouse(whole)).publish([run])
    files: list[tuple[str, Callable[[Path], Path]]] = [
        (TABLE, lambda folder: damage.commits(folder / TABLE)[-1]),
        (TABLE, lambda folder: damage.rows(folder / TABLE, LAST.id)),
        (RUNS, lambda folder: damage.commits(folder / RUNS)[-1]),
    ]
    for number, (table, path) in enumerate(files):
        folder = Path(shutil.copytree(whole, tmp_path / f"copy{number}"))
        path(folder).write_bytes(b"")
        with pytest.raises(StorageError, match=table):
            SparkDeltaStore(spark, Place.warehouse(folder)).query(f"SELECT * FROM {TABLE}")
        with pytest.raises(StorageError, match=table):
            DeltaRsStore(Place.warehouse(folder)).query(f"SELECT * FROM {TABLE}")


@pytest.mark.slow
@pytest.mark.parametrize("case", ["last commit deleted", "file cut", "file deleted"])
def test_an_audit_of_a_damaged_cohort_is_refused(spark: SparkSession, tmp_path: Path, case: str) -> None:
    run = made_up_run("A", verb="cohort")
    DeltaRsStore(Place.warehouse(tmp_path / "whole")).publish([run])
    assert CohortSource(spark, str(tmp_path / "whole"), None).inspect().input_version
    folder = Path(shutil.copytree(tmp_path / "whole", tmp_path / "copy"))
    if case.startswith("file"):
        path = damage.rows(folder / "cohort", run.id)
        (damage.cut if case == "file cut" else damage.deleted)(path)
    else:
        ROWS[case](folder / "cohort")
    with pytest.raises(StorageError, match=r"cohort.*run again with --force: `fairsweep cohort --config FILE --force`"):
        CohortSource(spark, str(folder), None).inspect()
