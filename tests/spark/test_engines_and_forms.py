"""Every engine and form of counting gives the same tables, on every kind of file and of Delta table."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.spec import AuditSpec
from fairsweep.auditing.verb import AuditOutcome, audit
from fairsweep.engines import probing
from fairsweep.engines.arrow import sources as files
from fairsweep.engines.local import LocalEngine
from fairsweep.engines.protocol import Engine
from fairsweep.engines.spark import choosing, coding, counting, counting_job
from fairsweep.engines.spark.engine import SparkEngine
from fairsweep.engines.spark.opening import source_of
from fairsweep.errors import UsageError
from fairsweep.input.intake import Window, build
from fairsweep.runs.options import RunOptions
from fairsweep.stores.memory import MemoryStore
from fairsweep.tables.catalogue import RUNS
from tests.spark.small_audits import bare, config_of, confusion, people, recounted_people

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Make = Callable[["SparkSession", Path, pd.DataFrame], dict[str, Any]]


def one_file(_: SparkSession, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / "one.parquet", row_group_size=300)
    return {"format": "parquet", "path": str(folder / "one.parquet")}


def several_files(_: SparkSession, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    (folder / "several").mkdir()
    for k in range(3):
        rows.iloc[k::3].to_parquet(folder / "several" / f"part-{k}.parquet")
    (folder / "several" / "_SUCCESS").touch()
    return {"format": "parquet", "path": str(folder / "several")}


def delta(spark: SparkSession, folder: Path, rows: pd.DataFrame, *parts: str, **properties: str) -> Path:
    place = folder / "delta"
    writer = spark.createDataFrame(pa.Table.from_pandas(rows, preserve_index=False)).coalesce(2).write.format("delta")
    for key, value in properties.items():
        writer = writer.option(f"delta.{key}", value)
    (writer.partitionBy(*parts) if parts else writer).save(str(place))
    return place


def plain_delta(spark: SparkSession, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    return {"format": "delta", "path": str(delta(spark, folder, rows))}


def partitioned_delta(spark: SparkSession, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    return {"format": "delta", "path": str(delta(spark, folder, rows, "race", "age"))}


def older_version(spark: SparkSession, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    place = delta(spark, folder, rows)
    spark.createDataFrame(rows.head(50)).write.format("delta").mode("append").save(str(place))
    return {"format": "delta", "path": str(place), "version": 0}


def deletion_vectors(spark: SparkSession, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    extra = rows.head(70).assign(age=17)
    place = delta(
        spark, folder, pd.concat([rows.assign(age=rows["age"].clip(18)), extra]), enableDeletionVectors="true"
    )
    return _changed(spark, place, "DELETE FROM {} WHERE age = 17")


def column_mapping(spark: SparkSession, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    place = delta(spark, folder, rows.rename(columns={"race": "colour"}), **{"columnMapping.mode": "name"})
    return _changed(spark, place, "ALTER TABLE {} RENAME COLUMN colour TO race")


def _changed(spark: SparkSession, place: Path, statement: str) -> dict[str, Any]:
    name = f"changed_{abs(hash(str(place)))}"
    spark.sql(f"CREATE TABLE {name} USING delta LOCATION '{place}'")
    spark.sql(statement.format(name))
    spark.sql(f"DROP TABLE {name}")
    return {"format": "delta", "path": str(place)}


READABLE = [
    one_file,
    plain_delta,
    *(pytest.param(make, marks=pytest.mark.slow) for make in (several_files, partitioned_delta, older_version)),
]
LEFT_TO_SPARK: list[tuple[Make, str]] = [(deletion_vectors, "deletion vectors"), (column_mapping, "column mapping")]


def named(make: Any) -> str:
    return make.__name__ if callable(make) else str(make)


def outcome_of(spec: AuditSpec, engine: Engine) -> AuditOutcome:
    return audit(spec, Window(), engine, MemoryStore(), RunOptions())


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("make", READABLE, ids=named)
def test_every_engine_and_form_gives_the_same_tables(make: Make, spark: SparkSession, tmp_path: Path) -> None:
    rows = people()
    spec = load_mapping(config_of(input=make(spark, tmp_path, rows)))
    engines: dict[tuple[str, str], Engine] = {
        ("spark", "catalyst"): SparkEngine(spark, source_of(spark, spec.source), spec.limits, "catalyst"),
        ("spark", "arrow"): SparkEngine(spark, source_of(spark, spec.source), spec.limits, "arrow"),
        ("local", "arrow"): LocalEngine(files.source_of(spec.source), spec.limits),
    }
    outcomes = {name: outcome_of(spec, engine) for name, engine in engines.items()}
    first = outcomes["spark", "catalyst"]
    assert confusion(first.tables) == recounted_people(rows)
    for (engine, form), outcome in outcomes.items():
        (run,) = outcome.tables[RUNS].to_pylist()
        assert (run["engine"], run["counting"]) == (engine, form)
        assert run["run_id"] == first.tables[RUNS]["run_id"].to_pylist()[0]
        assert bare(outcome.tables) == bare(first.tables), (engine, form)


LONG = [
    pytest.param(one_file, "prediction"),
    pytest.param(one_file, None, marks=pytest.mark.slow),
    pytest.param(plain_delta, None, marks=pytest.mark.slow),
    pytest.param(plain_delta, "member", marks=pytest.mark.slow),
]


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(("make", "unit"), LONG, ids=named)
def test_a_group_value_that_is_too_long_is_refused_by_every_form(
    make: Make, unit: str | None, spark: SparkSession, tmp_path: Path
) -> None:
    rows = people().assign(who=lambda frame: [f"m{i}" for i in frame.index])
    # One is among the rows that Spark looks at first, and the others are not.
    rows.loc[[5, 1_100, 1_150], "race"] = ["x" * 2_000_000, "y" * 1_001, "z" * 1_000]
    columns = {"score": "score", "label": "label"} | ({} if unit is None else {"member": "who"})
    units = {} if unit is None else {"unit": unit}
    spec = load_mapping(config_of(input=make(spark, tmp_path, rows), columns=columns, **units))
    engines: dict[str, Engine] = {
        form: SparkEngine(spark, source_of(spark, spec.source), spec.limits, form) for form in ("catalyst", "arrow")
    } | {"local": LocalEngine(files.source_of(spec.source), spec.limits)}
    outcomes = {name: outcome_of(spec, engine) for name, engine in engines.items()}
    for outcome in outcomes.values():
        tallies = [r for r in outcome.tables["refused_counts"].to_pylist() if r["reason"] == "group_too_long"]
        refused = [row for row in tallies if row["attribute"] == "race"]
        assert {row["group_value"] for row in refused} == {"unknown"}
        assert sum(row["n"] for row in refused) == 2
        groups = set(outcome.tables["threshold_sweep"]["group_value"].to_pylist())
        assert max(map(len, groups)) < 1_100
        assert "z" * 1_000 in groups
        assert bare(outcome.tables) == bare(outcomes["local"].tables)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "reason"), LEFT_TO_SPARK, ids=named)
def test_what_the_kernel_cannot_read_exactly_is_left_to_catalyst(
    make: Make, reason: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "WORTHWHILE_ROWS", 0)
    rows = people()
    spec = load_mapping(config_of(input=make(spark, tmp_path, rows)))
    outcome = outcome_of(spec, SparkEngine(spark, source_of(spark, spec.source), spec.limits, "auto"))
    assert confusion(outcome.tables) == recounted_people(rows)
    (run,) = outcome.tables[RUNS].to_pylist()
    assert run["counting"] == "catalyst"
    assert reason in run["counting_reason"]
    with pytest.raises(UsageError, match=reason):
        outcome_of(spec, SparkEngine(spark, source_of(spark, spec.source), spec.limits, "arrow"))
    with pytest.raises(UsageError, match=reason):
        files.source_of(spec.source)


def test_automatic_counting_takes_the_kernel_for_many_rows_and_catalyst_for_few(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_mapping(config_of(input=one_file(spark, tmp_path, people())))
    few = outcome_of(spec, SparkEngine(spark, source_of(spark, spec.source), spec.limits))
    monkeypatch.setattr(choosing, "WORTHWHILE_ROWS", 2_000)
    many = outcome_of(spec, SparkEngine(spark, source_of(spark, spec.source), spec.limits))
    assert [one.tables[RUNS]["counting"].to_pylist() for one in (few, many)] == [["catalyst"], ["arrow"]]


def test_many_tasks_sum_their_counts_in_spark(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairsweep.engines.spark import tasks

    rows = people()
    spec = load_mapping(config_of(input=one_file(spark, tmp_path, rows)))
    monkeypatch.setattr(tasks, "FEWEST_TASK_BYTES", 1)
    monkeypatch.setattr(tasks, "MOST_TASK_BYTES", 1)
    monkeypatch.setattr(tasks, "MOST_SUMMED_HERE", 2)
    outcome = outcome_of(spec, SparkEngine(spark, source_of(spark, spec.source), spec.limits, "arrow"))
    assert confusion(outcome.tables) == recounted_people(rows)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("separate", [False, True], ids=["joint", "separate"])
@pytest.mark.parametrize(
    ("probed", "most"), [(1, 48), (1_000, 2), (1, 0)], ids=["levels not met", "levels too many", "nothing coded"]
)
def test_levels_that_were_not_met_or_are_too_many_count_like_any_other(
    probed: int, most: int, separate: bool, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_job, "FEW_ROWS", 0)
    monkeypatch.setattr(counting, "PROBED_ROWS", probed)
    monkeypatch.setattr(coding, "MOST_LEVELS", most)
    rows = people()
    limits = {"joint_state_rows": 1} if separate else {}
    spec = load_mapping(config_of(input=one_file(spark, tmp_path, rows), limits=limits))
    outcome = outcome_of(spec, SparkEngine(spark, source_of(spark, spec.source), spec.limits, "catalyst"))
    assert confusion(outcome.tables) == recounted_people(rows)


@pytest.mark.parametrize("few", [0, probing.FEW_ROWS], ids=["first rows", "no look at them"])
def test_a_column_whose_first_values_are_null_keeps_the_later_ones(
    few: int, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_job, "FEW_ROWS", few)
    rows = people()
    rows["race"] = rows["race"].mask(rows.index < counting.PROBED_ROWS + 100)
    spec = load_mapping(config_of(input=one_file(spark, tmp_path, rows)))
    outcome = outcome_of(spec, SparkEngine(spark, source_of(spark, spec.source), spec.limits, "catalyst"))
    expected = outcome_of(spec, LocalEngine(files.source_of(spec.source), spec.limits))
    assert len({group for attribute, group, *_ in confusion(outcome.tables) if attribute == "race"}) > 2
    assert confusion(outcome.tables) == confusion(expected.tables)


@pytest.mark.slow
@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("form", ["catalyst", "arrow", "local"])
def test_rows_appended_while_a_delta_table_is_read_are_not_counted(
    form: str, spark: SparkSession, tmp_path: Path
) -> None:
    rows = people()
    spec = load_mapping(config_of(input=plain_delta(spark, tmp_path, rows)))
    engine: Engine = (
        LocalEngine(files.source_of(spec.source), spec.limits)
        if form == "local"
        else SparkEngine(spark, source_of(spark, spec.source), spec.limits, form)
    )
    engine.inspect()
    spark.createDataFrame(rows.head(100)).write.format("delta").mode("append").save(spec.source.path)
    assert confusion(outcome_of(spec, engine).tables) == recounted_people(rows)


def test_files_that_are_gone_or_broken_are_known_errors(spark: SparkSession, tmp_path: Path) -> None:
    spec = load_mapping(config_of(input=several_files(spark, tmp_path, people())))
    engine = LocalEngine(files.source_of(spec.source), spec.limits)
    engine.inspect()
    broken = tmp_path / "several" / "part-1.parquet"
    broken.write_bytes(broken.read_bytes()[:-100])
    with pytest.raises(UsageError, match=r"part-1\.parquet.*not readable"):
        outcome_of(spec, engine)
    shutil.rmtree(tmp_path / "several")
    with pytest.raises(UsageError):
        outcome_of(spec, engine)


def engines_of(spark: SparkSession, spec: AuditSpec) -> Iterator[Engine]:
    yield SparkEngine(spark, source_of(spark, spec.source), spec.limits, "catalyst")
    yield LocalEngine(files.source_of(spec.source), spec.limits)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("form", ["csv", "parquet", "delta"])
def test_a_path_may_hold_any_character(form: str, spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "ä b%41#+',:日本 20%"
    folder.mkdir()
    rows, path = people(300), folder / f"of %C3 {form}"
    if form == "delta":
        spark.createDataFrame(rows).write.format("delta").save(f"file://{path}")
    else:
        rows.to_csv(path, index=False) if form == "csv" else rows.to_parquet(path)
    spec = load_mapping(config_of(input={"format": form, "path": str(path)}))
    # delta-rs takes a percent sign in a path for the beginning of a code.
    for engine in islice(engines_of(spark, spec), 1 if form == "delta" else 2):
        assert confusion(outcome_of(spec, engine).tables) == recounted_people(rows), engine.name


def test_names_that_differ_in_case_only_are_different_columns(spark: SparkSession, tmp_path: Path) -> None:
    rows = people(300)
    rows["Race"] = rows["sex"]
    rows.to_parquet(tmp_path / "case.parquet")
    changes = {"attributes": ["race", {"name": "other", "from": "Race"}]}
    spec = load_mapping(config_of(input={"format": "parquet", "path": str(tmp_path / "case.parquet")}, **changes))
    wanted = recounted_people(rows)
    for engine in engines_of(spark, spec):
        found = confusion(outcome_of(spec, engine).tables)
        for name, group, cutoff in found:
            place = (("sex" if name == "other" else name), group, cutoff)
            assert found[name, group, cutoff] == wanted[place], engine.name


def test_bytes_that_are_no_utf_8_make_a_row_malformed(spark: SparkSession, tmp_path: Path) -> None:
    lines = ["score,label,race,note", "0.9,1,M\xfcller,x", "0.9,1,M\xf6ller,x", "0.1,0,A,x", "0.2,1,A,\xe4"]
    (tmp_path / "latin.csv").write_bytes("\n".join(lines).encode("latin-1"))
    changes = {"attributes": ["race"], "limits": {"maximum_refused_share": 1}}
    spec = load_mapping(config_of(input={"format": "csv", "path": str(tmp_path / "latin.csv")}, **changes))
    for engine in engines_of(spark, spec):
        tables = outcome_of(spec, engine).tables
        assert {(name, group) for name, group, _ in confusion(tables)} == {("overall", "all"), ("race", "A")}
        refused = [row for row in tables["refused_counts"].to_pylist() if row["attribute"] == "overall"]
        assert [(row["reason"], row["n"]) for row in refused] == [("malformed_row", 2)], engine.name


def test_labels_of_malformed_rows_are_not_told(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("score,label,race\n0.9,yes,A\n0.9,Smith\n0.9,no,A,B\n0.1,no,A\n")
    changes = {"attributes": ["race"], "limits": {"maximum_refused_share": 1, "maximum_refused_share_per_group": 1}}
    spec = load_mapping(config_of(input={"format": "csv", "path": str(tmp_path / "labels.csv")}, **changes))
    intake = build(spec, ["score", "label", "race"], Window())
    for engine in engines_of(spark, spec):
        engine.inspect()
        assert engine.labels_seen(intake) == ["no", "yes"], engine.name
