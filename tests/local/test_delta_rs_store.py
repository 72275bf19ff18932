"""The store of delta-rs: the tables that Spark makes, checks that hold, and writers that meet."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType

from fairsweep.errors import StorageError, UsageError
from fairsweep.stores import publishing
from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS, TABLES
from fairsweep.tables.checksums import checksum
from fairsweep.tables.schema import SCHEMA_VERSION_PROPERTY
from tests.spark.made_up_runs import commit_at_once, made_up_run
from tests.spark.stored_tables import assert_documented_and_checked, assert_one_file_each_and_no_statistics

FIRST, SECOND = made_up_run("A"), made_up_run("A", model="sepsis")
REFUSED = made_up_run("A", model="stroke", status="refused")
LARGE_ROWS = 1_200_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("o'brien ${HOME} ü %s #?") / "new" / "results"


@pytest.fixture(scope="module")
def store(folder: Path) -> DeltaRsStore:
    """A warehouse with one batch: two models published, one refused."""
    store = DeltaRsStore(Place.warehouse(folder))
    outcome = store.publish([FIRST, SECOND, REFUSED])
    assert outcome == {FIRST.id: "published", SECOND.id: "published", REFUSED.id: "recorded"}
    return store


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_tables_are_documented_checked_and_readable_by_every_delta_reader(
    store: DeltaRsStore, folder: Path, table: Any
) -> None:
    assert_documented_and_checked(folder, table)


def test_each_run_has_one_file_in_each_table_and_no_statistics_of_its_values(store: DeltaRsStore, folder: Path) -> None:
    assert_one_file_each_and_no_statistics(folder, (FIRST, SECOND))


@pytest.mark.slow
def test_a_large_table_has_one_file_below_128_mb(tmp_path: Path) -> None:
    store = DeltaRsStore(Place.warehouse(tmp_path))
    store.ensure()
    few = FIRST.results["score_histograms"]
    rows = pa.concat_tables([few] * (LARGE_ROWS // few.num_rows))
    store.replace("score_histograms", [FIRST.id], rows)
    (file,) = (tmp_path / "score_histograms").rglob("*.parquet")
    assert file.stat().st_size < 128 << 20
    assert store.read("score_histograms", [FIRST.id]).num_rows == rows.num_rows


def _changed(table: str, **values: object) -> pa.Table:
    """The first run's rows under another id, one of them changed."""
    first, *others = FIRST.results[table].to_pylist()
    rows = [{**first, **values}, *others]
    return pa.Table.from_pylist([row | {"run_id": "d" * 32} for row in rows], schema=TABLES[table].arrow_schema)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("score_histograms", {"events": -987654321}),
        ("score_histograms", {"bucket": -2}),
        ("cells", {"cell_id": -987654321}),
        ("cells", {"window_end": date(1970, 1, 1)}),
        ("threshold_sweep", {"n": 987654321}),
        ("threshold_sweep", {"status": "987654321"}),
        ("threshold_sweep", {"treatment_equality": float("nan")}),
        ("threshold_sweep", {"treatment_equality": float("inf")}),
        ("threshold_sweep", {"prevalence": 987654321.0}),
        ("group_metrics", {"value": None}),
        ("group_metrics", {"verdict": "987654321"}),
        ("disparities", {"comparator": "987654321"}),
        ("disparities", {"difference": float("-inf")}),
        ("operating_points", {"cutoff_origin": "987654321"}),
        ("refused_counts", {"n": -987654321}),
    ],
)
def test_rows_that_violate_a_check_are_refused_without_naming_a_value(
    store: DeltaRsStore, table: str, values: dict[str, object]
) -> None:
    with pytest.raises(StorageError, match=rf"table {table} is not .* writable \(CHECK_VIOLATED\)") as caught:
        store.replace(table, ["d" * 32], _changed(table, **values))
    assert "987654321" not in str(caught.value)
    assert store.read(table, ["d" * 32]).num_rows == 0


def test_run_records_are_checked_in_the_merge_as_well(store: DeltaRsStore) -> None:
    wrong = {**made_up_run("Z").record, "is_current": True, "checksums": "{}", "rows_used": 91}
    with pytest.raises(StorageError, match=r"table runs is not .* writable \(CHECK_VIOLATED\)"):
        store.commit(publishing.changes([wrong]))
    assert len(store.find_runs("b" * 16)) == 3


def test_rows_of_another_run_and_ids_that_are_sql_are_never_written(store: DeltaRsStore) -> None:
    with pytest.raises(StorageError, match="CHECK_VIOLATED"):
        store.replace("cells", ["d" * 32], FIRST.results["cells"])
    for run_id in ("r1' OR '1'='1", "", "d" * 31 + "'"):
        with pytest.raises(ValueError, match="hexadecimal digits"):
            store.replace("cells", [run_id], FIRST.results["cells"])
    assert store.current("cells").num_rows == 2 * FIRST.results["cells"].num_rows


@contextmanager
def no_turns() -> Iterator[None]:
    """Threads race each other as processes do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "_taking_turns", lambda *_: threading.Lock())
        yield


@pytest.mark.slow
def test_the_same_run_from_eight_threads_that_take_no_turns_leaves_one_output(tmp_path: Path) -> None:
    racing = made_up_run("B")
    with no_turns(), ThreadPoolExecutor(8) as pool:
        stores = [DeltaRsStore(Place.warehouse(tmp_path)) for _ in range(8)]
        list(pool.map(lambda store: store.publish([racing]), stores))
    store = DeltaRsStore(Place.warehouse(tmp_path))
    assert store.current(RUNS).column("run_id").to_pylist() == [racing.id]
    for table in AUDIT_TABLES:
        assert checksum(pa.table(DeltaTable(tmp_path / table).to_pyarrow_table())) == checksum(racing.results[table])


def test_commits_at_once_conflict_so_that_one_run_is_current(tmp_path: Path) -> None:
    store = DeltaRsStore(Place.warehouse(tmp_path))
    store.ensure()
    runs = [made_up_run(str(i)) for i in range(6)]
    assert commit_at_once(store, runs) == [True] * len(runs)
    assert len(store.find_runs("b" * 16)) == len(runs)
    assert store.current(RUNS).num_rows == 1
    assert DeltaTable(tmp_path / RUNS).version() == len(runs)


def test_stores_that_create_the_same_tables_at_once_all_find_them(tmp_path: Path) -> None:
    stores = [DeltaRsStore(Place.warehouse(tmp_path / "new")) for _ in range(8)]
    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(lambda store: store.ensure(), stores))
    assert all(DeltaTable(tmp_path / "new" / name).version() == 0 for name in TABLES)
    assert stores[0].publish([REFUSED]) == {REFUSED.id: "recorded"}


def _of_version(version: str | None) -> Callable[[Path], None]:
    properties = {} if version is None else {SCHEMA_VERSION_PROPERTY: version}

    def make(folder: Path) -> None:
        schema = pa.schema([("id", pa.int32())])
        DeltaTable.create(folder, schema, configuration=properties, raise_if_key_not_exists=False)

    return make


def _parquet(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "members.parquet").write_bytes(b"PAR1")


def _deletion_vectors(folder: Path) -> None:
    DeltaRsStore(Place.warehouse(folder.parent)).ensure()
    log = folder / "_delta_log" / f"{1:020}.json"
    features = '{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],'
    log.write_text('{"protocol":' + features + '"writerFeatures":["deletionVectors","checkConstraints"]}}\n')


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_of_version("99"), r"table runs is of schema version 99; allowed: schema version"),
        (_of_version(None), r"table runs is not a table of Fairsweep"),
        (_parquet, r"runs is a folder with other files"),
        (_deletion_vectors, r"table runs is made with a feature of Delta that delta-rs lacks; use --engine spark"),
    ],
)
def test_tables_of_others_of_a_newer_version_or_with_unknown_features_are_left_alone(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / RUNS)
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(StorageError, match=message):
        DeltaRsStore(Place.warehouse(tmp_path)).publish([FIRST])
    assert [path for path in before if not path.exists()] == []
    assert not list(tmp_path.rglob(f"run_id={FIRST.id}/*")) or "feature" in message


@pytest.mark.parametrize("wrong", ["s3://bucket/results", "abfss://c@a/x", "a[b]", "a%20b", "a\\b", "a|b", "a^b"])
def test_places_that_delta_rs_cannot_write_to_are_refused_with_the_way_out(tmp_path: Path, wrong: str) -> None:
    place = Place.warehouse(wrong if ":" in wrong else tmp_path / wrong)
    with pytest.raises(UsageError, match=r"--warehouse.*with --engine local; use --engine spark"):
        DeltaRsStore(place)
    assert not list(tmp_path.iterdir())


def test_a_file_uri_and_its_path_are_the_same_folder(tmp_path: Path) -> None:
    DeltaRsStore(Place.warehouse(f"file://{tmp_path}/w")).publish([FIRST])
    assert DeltaRsStore(Place.warehouse(tmp_path / "w")).publish([FIRST]) == {FIRST.id: "already_done"}


def test_a_full_disk_is_a_known_error_and_what_was_there_stays(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the same write fails in the same place."""
    store = DeltaRsStore(Place.warehouse(tmp_path))
    store.publish([FIRST])
    rows = pa.concat_tables([made_up_run("B").results["threshold_sweep"]] * 3_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"table threshold_sweep is not readable or writable|no space left"):
            store.replace("threshold_sweep", [made_up_run("B").id], rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.verify([FIRST.id])
    assert store.publish([made_up_run("B")]) == {made_up_run("B").id: "published"}


def test_later_columns_of_a_newer_program_are_passed_over(tmp_path: Path) -> None:
    store = DeltaRsStore(Place.warehouse(tmp_path))
    store.publish([FIRST])
    for table in TABLES:
        every = DeltaTable(tmp_path / table)
        every.alter.add_columns([Field("later", PrimitiveType("double"))])
    assert checksum(store.current("cells")) == checksum(FIRST.results["cells"])
    assert store.publish([SECOND]) == {SECOND.id: "published"}
    assert store.query("SELECT DISTINCT run_id FROM group_metrics").num_rows == 2
    assert store.publish([FIRST], force=True) == {FIRST.id: "published"}
