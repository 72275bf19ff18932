"""A state that is too large for the driver is swept in Spark, and gives the same tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

import fairsweep as fs
from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.state_versions import state_version
from fairsweep.auditing.verb import AuditOutcome, audit
from fairsweep.engines.arrow import sources as files
from fairsweep.engines.local import LocalEngine
from fairsweep.engines.protocol import Counted
from fairsweep.engines.spark import choosing
from fairsweep.engines.spark import spilling as laying_aside
from fairsweep.engines.spark.engine import SparkEngine
from fairsweep.engines.spark.opening import source_of
from fairsweep.errors import DataRefusedError, UsageError
from fairsweep.input.intake import Window, build
from fairsweep.runs.connecting import store_beside
from fairsweep.runs.options import RunOptions
from fairsweep.stores import spark_delta
from fairsweep.stores.access import SCRATCH_FOLDER
from fairsweep.stores.places import Place
from fairsweep.stores.scratch import Scratch
from fairsweep.stores.spark_delta import SparkDeltaStore
from fairsweep.tables.catalogue import AUDIT_TABLES, RUNS, TABLES
from tests.spark.small_audits import bare, config_of, people, stored

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = {"driver_state_rows": 20_000_000}
# What the driver then holds: nothing; or everybody's small sets, but not the larger ones.
ASIDE = {"driver_state_rows": 1, "joint_state_rows": 1}
PARTLY = {"driver_state_rows": 150, "joint_state_rows": 1}
JOINT = {"driver_state_rows": 60}
OTHER_SEX = {"attributes": ["race", {"name": "sex", "values": ["female", "male", "other"]}]}
POINTS_ALONE = {"cutoffs": {"values": [0.3]}, "operating_points": [{"name": "given", "rule": "fixed", "at": 0.3}]}
ATTRIBUTES = [f"a{i}" for i in range(6)]
TWO_MODELS = {
    "columns": {"score": "score", "label": "label", "model_id": "model", "model_version": "version"},
    "model": None,
}


def rows_of_all_kinds() -> pd.DataFrame:
    """With refused and unscored rows, two models, and a declared group that nobody is in."""
    made = people(1_500)
    made["label"] = made["label"].astype("Int64").mask(made.index % 97 == 0)
    made["model"] = ["one" if i % 3 else "two" for i in made.index]
    made["version"] = "1"
    return made


def published(
    spark: SparkSession, place: Path, source: dict[str, Any], form: str, limits: dict[str, int], **changes: Any
) -> tuple[AuditOutcome, dict[str, pa.Table]]:
    """What an audit returns, and the tables that it leaves."""
    spec = load_mapping(config_of(input=source, limits=limits, **changes))
    warehouse = Place.warehouse(place)
    engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits, form, Scratch(spark, warehouse))
    store = store_beside(spark, warehouse, tuple(TABLES))
    outcome = audit(spec, Window(), engine, store, RunOptions())
    names = (RUNS, *AUDIT_TABLES)
    return outcome, {n: store.current(n).sort_by([(k, "ascending") for k in TABLES[n].key]) for n in names}


# Who counts does not change what becomes of the counts: each way of it goes with one form here, and with both in soaks.
@pytest.mark.parametrize(
    ("form", "limits", "changes"),
    [
        pytest.param("catalyst", ASIDE, {}, id="every set-catalyst"),
        pytest.param("arrow", PARTLY, TWO_MODELS, id="the larger sets of two models-arrow"),
        pytest.param("arrow", JOINT, OTHER_SEX, id="joint-arrow"),
        pytest.param("arrow", ASIDE, {}, id="every set-arrow", marks=pytest.mark.soak),
        pytest.param("catalyst", PARTLY, TWO_MODELS, id="two models-catalyst", marks=pytest.mark.soak),
        pytest.param("catalyst", JOINT, OTHER_SEX, id="joint-catalyst", marks=pytest.mark.soak),
        pytest.param("catalyst", ASIDE | {"full_sweep_groups": 1}, POINTS_ALONE, id="all cutoffs are operating points"),
    ],
)
def test_what_stays_in_spark_gives_the_same_tables(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    limits: dict[str, int],
    changes: dict[str, Any],
) -> None:
    source = stored(rows_of_all_kinds(), tmp_path, "parquet")
    here = {**limits, "driver_state_rows": 20_000_000}
    expected, wanted = published(spark, tmp_path / "here", source, form, here, **changes)
    # Several blocks, whose checksums are taken by tasks.
    monkeypatch.setattr(laying_aside, "BLOCK_ROWS", 200)
    monkeypatch.setattr(spark_delta, "MOST_ROWS_READ", 10)
    outcome, found = published(spark, tmp_path / "aside", source, form, limits, **changes)
    assert not any("too many to be shown here" in warning for warning in expected.warnings)
    assert any("score_histograms: some of its rows are too many" in warning for warning in outcome.warnings)
    for name, table in bare(wanted).items():
        rows, told = bare(found)[name].to_pylist(), table.to_pylist()
        if name == "ranking":  # told where a histogram is in this process
            ranked = {(row["model_id"], row["attribute"]) for row in rows}
            told = [row for row in told if (row["model_id"], row["attribute"]) in ranked]
        assert rows == told, name
    assert found["runs"]["counting"].to_pylist() == wanted["runs"]["counting"].to_pylist()
    assert found["runs"]["run_id"].to_pylist() == wanted["runs"]["run_id"].to_pylist()
    scratch = tmp_path / "aside" / SCRATCH_FOLDER
    assert list(scratch.iterdir()) == []
    assert scratch.stat().st_mode & 0o777 == 0o700
    again, _ = published(spark, tmp_path / "aside", source, form, limits, **changes)
    assert again.state == "already_done"


def test_a_frame_has_the_same_version_wherever_its_state_is(spark: SparkSession, tmp_path: Path) -> None:
    spark.createDataFrame(pa.Table.from_pandas(people(), preserve_index=False)).createOrReplaceTempView("large_people")
    source = {"format": "table", "table": "large_people"}
    _, here = published(spark, tmp_path / "here", source, "catalyst", HERE)
    _, aside = published(spark, tmp_path / "aside", source, "catalyst", ASIDE)
    assert aside["runs"]["input_version"].to_pylist() == here["runs"]["input_version"].to_pylist()


def test_the_smallest_sets_come_to_the_driver(spark: SparkSession, tmp_path: Path) -> None:
    spec = load_mapping(config_of(input=stored(people(), tmp_path, "parquet"), limits=PARTLY))
    scratch = Scratch(spark, Place.warehouse(tmp_path / "place"))
    engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits, "catalyst", scratch)
    intake = build(spec, [column.name for column in engine.inspect().columns], Window())
    (state,) = engine.count(intake, spec.grid()).models.values()
    apart = {h.attributes: not h.here().cells for h in state.histograms}
    assert apart == {("race",): True, ("sex",): False, ("age_band",): True, ("race", "sex"): True}
    engine.close()


@pytest.mark.parametrize("form", ["catalyst", "arrow", "local"])
def test_a_state_that_cannot_fit_is_refused_with_an_estimate_before_the_rows_are_counted(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    rows = pd.concat([people(3_000, seed) for seed in range(3)]).assign(provider=range(9_000))
    changes: dict[str, Any] = {"attributes": ["provider"], "limits": {"maximum_state_rows": 5_000}}
    spec = load_mapping(config_of(input=stored(rows, tmp_path, "parquet"), **changes))
    engine = (
        LocalEngine(files.source_of(spec.source), spec.limits)
        if form == "local"
        else SparkEngine(spark, source_of(spark, spec.source), spec.limits, form)
    )
    with pytest.raises(DataRefusedError) as caught:
        audit(spec, Window(), engine, SparkDeltaStore(spark, Place.warehouse(tmp_path / "place")), RunOptions())
    (problem,) = caught.value.problems
    assert problem.place == "limits.maximum_state_rows"
    assert problem.value.startswith("exceeded: about 9,") or problem.value.startswith("exceeded: about 8,")
    assert problem.value.endswith("of 9,000 rows")


def rows_that_change() -> pd.DataFrame:
    """First rows that are alike, and later ones of very many groups in each of six columns."""
    alike, later = 10_100, 1_200
    columns = {f"a{i}": ["first"] * alike + [f"{i} {j}" for j in range(later)] for i in range(6)}
    label = [int(j % 3 == 0) for j in range(alike + later)]
    return pd.DataFrame({"score": [0.35] * alike + [j / later for j in range(later)], "label": label, **columns})


@pytest.mark.parametrize("form", ["catalyst", "arrow"])
def test_counts_that_the_first_rows_did_not_announce_are_made_again_and_stay_in_spark(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    source = stored(rows_that_change(), tmp_path, "parquet")
    attributes = {"attributes": ["a0", "a1"], "privacy": {"minimum_cell_size": 0, "allowed_attributes": ["a0", "a1"]}}
    limits = {"joint_state_rows": 1, "full_sweep_groups": 10}
    _, wanted = published(spark, tmp_path / "here", source, form, limits, **attributes)
    limits |= {"driver_state_rows": 100}
    _, found = published(spark, tmp_path / "aside", source, form, limits, **attributes)
    assert found["runs"]["counting_reason"].to_pylist() == ["asked for" + choosing.COUNTED_TWICE]
    assert wanted["runs"]["counting_reason"].to_pylist() == ["asked for"]
    for name in ("threshold_sweep", "group_metrics", "score_histograms", "refused_counts"):
        assert bare(found)[name].to_pylist() == bare(wanted)[name].to_pylist(), name


def test_more_combinations_than_the_kernel_tells_apart_are_left_to_catalyst(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "WORTHWHILE_ROWS", 0)
    spec = load_mapping(config_of(input=stored(rows_that_change(), tmp_path, "parquet"), attributes=ATTRIBUTES))

    def counted(form: str) -> Counted:
        engine = SparkEngine(spark, source_of(spark, spec.source), spec.limits, form)
        intake = build(spec, [column.name for column in engine.inspect().columns], Window())
        return engine.count(intake, spec.grid())

    found, wanted = counted("auto"), counted("catalyst")
    assert (found.counting, found.counting_reason) == ("catalyst", choosing.TOO_MANY_CELLS)
    groupings = [grouping.attributes for grouping in spec.groupings]
    assert state_version(found, groupings) == state_version(wanted, groupings)
    with pytest.raises(UsageError, match=choosing.TOO_MANY_CELLS):
        counted("arrow")


def test_one_process_refuses_what_only_a_cluster_may_hold(spark: SparkSession, tmp_path: Path) -> None:
    spec = load_mapping(config_of(input=stored(people(), tmp_path, "parquet"), limits=ASIDE))
    for engine, step in (
        (LocalEngine(files.source_of(spec.source), spec.limits), "--engine spark"),
        (SparkEngine(spark, source_of(spark, spec.source), spec.limits), "with a warehouse"),
    ):
        with pytest.raises(DataRefusedError, match=r"limits\.driver_state_rows") as caught:
            audit(spec, Window(), engine, SparkDeltaStore(spark, Place.warehouse(tmp_path / "place")), RunOptions())
        assert step in caught.value.problems[0].next_step


@pytest.mark.parametrize("further", [{}, {"columns": {"member": "member"}}], ids=["rows", "members"])
def test_too_many_groups_one_after_another_are_refused_before_their_rows_are_counted(
    further: dict[str, Any], spark: SparkSession
) -> None:
    frame = spark.range(20_000).selectExpr(
        "id div 4 AS provider", "id div 2 AS member", "0.5D AS score", "CAST(id % 3 = 0 AS INT) AS label",
        "IF(id < 2000, 'a', 'b') AS site",
    )  # fmt: skip
    config = config_of(columns=further.get("columns"), attributes=["provider", ["provider", "site"]], privacy=None)
    with pytest.raises(DataRefusedError, match=r"by about (4,9|5,0)\d\d groups in it"):
        fs.audit(frame, score="score", label="label", **config, limits={"driver_result_rows": 500_000})
