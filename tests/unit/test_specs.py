"""A checked config holds what was written, its defaults, and nothing that depends on how it was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from fairsweep.auditing.check import check
from fairsweep.auditing.column_checks import check_columns, window_of
from fairsweep.auditing.loading import load, load_mapping, parse
from fairsweep.auditing.spec import AuditSpec
from fairsweep.config.sections import InputSpec
from fairsweep.engines.protocol import Inspection
from fairsweep.errors import UsageError
from fairsweep.input.files import csv_header, files_version, local_path, peek
from fairsweep.input.intake import Window
from fairsweep.input.source_columns import ColumnType, SourceColumn

CONF = Path(__file__).resolve().parents[2] / "conf"


def config(**changes: object) -> dict[str, Any]:
    """A right config with some sections replaced."""
    return {
        "model": {"id": "falls", "version": "2010"},
        "flag_is": "help",
        "columns": {"score": "risk", "label": "fell"},
        "attributes": ["race", {"name": "age_band", "from": "age", "breaks": [18, 65, 75, 85]}],
        "cutoffs": {"start": 0, "stop": 1, "count": 11},
        "operating_points": [{"name": "paper", "rule": "population_gbe", "target": 1.0}],
        "privacy": {"minimum_cell_size": 0},
        **changes,
    }


def spec_of(**changes: object) -> AuditSpec:
    return load_mapping(config(**changes))


def from_yaml(text: str, **changes: object) -> AuditSpec:
    """A config whose sections come from YAML text."""
    whole = json.dumps(config(input={"format": "csv", "path": "x"}, **changes))
    return parse(whole, source="x.yaml", folder=Path(), overrides=[text])


def test_cutoffs_are_the_doubles_nearest_to_the_decimals_as_written() -> None:
    spec = from_yaml("cutoffs={start: 0.1, stop: 0.7, count: 7}")
    assert spec.grid().values.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert from_yaml("cutoffs={values: [0.071, 0.29]}").grid().values.tolist() == [0.071, 0.29]
    assert from_yaml("cutoffs={start: 5, stop: 5, count: 1}").grid().values.tolist() == [5.0]


def test_a_fixed_cutoff_off_the_grid_joins_it_and_parameters_stay_decimals() -> None:
    points = [
        {"name": "deployed", "rule": "fixed", "at": 0.071},
        {"name": "a", "rule": "alert_rate", "rate": 0.03},
    ]
    spec = spec_of(operating_points=points)
    assert spec.grid().index_of(0.071) == 1
    assert len(spec.grid()) == 12
    assert [point.parameter for point in spec.operating_points] == ["0.071", "0.03"]


# Breaks | their bands
BANDS = (
    ([18, 65, 75, 85], ("under 18", "18-64", "65-74", "75-84", "85+")),
    ([65], ("under 65", "65+")),
    ([0, 1, 3], ("under 0", "0", "1-2", "3+")),
    ([-10, -5, 5], ("under -10", "-10 to -6", "-5 to 4", "5+")),
)  # fmt: skip


@pytest.mark.parametrize(("breaks", "bands"), BANDS)
def test_bands_are_named_by_their_whole_numbers(breaks: list[int], bands: tuple[str, ...]) -> None:
    spec = spec_of(attributes=[{"name": "age", "breaks": breaks, "reference": bands[1]}])
    assert spec.base_attributes[0].labels() == bands


def test_groupings_follow_the_config_and_plain_columns_of_intersections_are_read_too() -> None:
    spec = spec_of(attributes=["race", ["sex", "race"], {"name": "sex", "from": "gender"}, ["race", "payer"]])
    assert [grouping.name for grouping in spec.groupings] == ["race", "sex x race", "sex", "race x payer"]
    assert [(one.name, one.column) for one in spec.base_attributes] == [
        ("race", "race"), ("sex", "gender"), ("payer", "payer"),
    ]  # fmt: skip


def test_group_values_are_text_whatever_they_were_written_as() -> None:
    spec = from_yaml('attributes=[{name: dual, values: [1, true, " x "], reference: 1, missing: [9, Yes]}]')
    dual = spec.base_attributes[0]
    assert (dual.values, dual.reference, dual.missing) == (("1", "true", "x"), "1", ("9", "Yes"))


def test_labels_given_as_numbers_are_numbers() -> None:
    spec = from_yaml('event_labels=[1.0, Yes, true, 0.5, " x "]')
    assert spec.event_labels == (1, "Yes", True, 0.5, "x")
    assert [type(label) for label in spec.event_labels] == [int, str, bool, float, str]


# Two ways of writing a config that mean the same
SAME: tuple[tuple[dict[str, object], dict[str, object]], ...] = (
    ({"attributes": ["race"]}, {"attributes": [{"name": "race", "from": "race"}]}),
    ({}, {"verdict": {"floor": 0.8}}),
    ({}, {"event_labels": [1.0]}),
    ({}, {"cutoffs": {"start": 0.0, "stop": 1.0, "count": 11}}),
    ({}, {"spark": {"counting": "catalyst"}}),
    ({}, {"limits": {"driver_state_rows": 5}}),
    ({"input": {"format": "csv", "path": "a"}}, {"input": {"format": "csv", "path": "b"}}),
)
DIFFERENT: tuple[dict[str, object], ...] = (
    {"flag_is": "sanction"},
    {"event_labels": ["1"]},
    {"verdict": {"alpha": 0.01}},
    {"limits": {"maximum_refused_share": 0.5}},
    {"limits": {"full_sweep_groups": 5}},
    {"cutoffs": {"start": 0, "stop": 1, "count": 12}},
)


def test_the_fingerprint_changes_with_the_meaning_only() -> None:
    for one, other in SAME:
        assert spec_of(**one).fingerprint_json() == spec_of(**other).fingerprint_json()
    prints = [spec_of(**changes).fingerprint_json() for changes in ({}, *DIFFERENT)]
    assert len(set(prints)) == len(prints)


def test_a_spec_written_out_loads_back_as_itself_and_cannot_be_changed() -> None:
    spec = from_yaml("cutoffs={values: [0.1, 0.25]}", attributes=["race", ["race", "sex"]], non_event_labels=[0])
    assert load_mapping(json.loads(spec.config_json())) == spec
    with pytest.raises(ValidationError):
        spec.flag_is = "sanction"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        AuditSpec.model_validate(config(event_labels=[0], non_event_labels=[0]))
    assert "flag_is" in AuditSpec.model_json_schema()["properties"]


def test_paths_start_at_the_config_and_overrides_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    path = tmp_path / "conf" / "a.yaml"
    for written, overrides, expected in (
        ("../x.csv", [], str(tmp_path / "x.csv")),
        ("/data/x.csv", [], "/data/x.csv"),
        ("s3://bucket/x", [], "s3://bucket/x"),
        ("x.csv", ["input.path=y.csv"], str(here / "y.csv")),
        ("x.csv", ["input={format: csv, path: ../y.csv}"], str(tmp_path / "y.csv")),
    ):
        path.write_text(json.dumps(config(input={"format": "csv", "path": written})))
        assert load(path, overrides).source.path == expected


# An override | where its value must stand in the config as it was checked | the value
OVERRIDES: tuple[tuple[str, tuple[str | int, ...], object], ...] = (
    ("operating_points.0.target=0.9", ("operating_points", 0, "target"), 0.9),
    ("verdict.floor=0.9", ("verdict", "floor"), 0.9),
    ("attributes[2]=sex", ("attributes", 2, "name"), "sex"),
    ("attributes[1].breaks[0]=20", ("attributes", 1, "breaks"), [20, 65, 75, 85]),
    ('model={id: a, version: "1.10"}', ("model", "version"), "1.10"),
    ("attributes[0]={name: a, from: b=c}", ("attributes", 0, "from"), "b=c"),
)


@pytest.mark.parametrize(("override", "path", "value"), OVERRIDES)
def test_overrides_reach_every_part(override: str, path: tuple[str | int, ...], value: object) -> None:
    found: Any = from_yaml(override).as_mapping()
    for step in path:
        found = found[step]
    assert found == value


ODD_NAMES = ("a.b", "a b", "a`b", "größe", "select", "a'b", 'a"b', "${x}", "a,b", "日本", "a;--")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_column_names_are_names(name: str) -> None:
    spec = spec_of(columns={"score": name, "label": "fell"}, attributes=[{"name": "group", "from": f"{name}2"}])
    columns = [SourceColumn(column, "text") for column in (name, f"{name}2", "fell")]
    check_columns(spec, Inspection(tuple(columns), "x.csv", None))
    assert (spec.columns.score, spec.base_attributes[0].column) == (name, f"{name}2")


def inspected(**types: ColumnType) -> Inspection:
    columns: dict[str, ColumnType] = {"risk": "double", "fell": "integer", "race": "text", "age": "integer"}
    return Inspection(tuple(SourceColumn(*pair) for pair in (columns | types).items()), "dir/scores", None)


# A column's type | whether it serves | words of the problem
TYPES: tuple[tuple[dict[str, ColumnType], str], ...] = (
    ({}, ""), ({"risk": "text"}, ""), ({"risk": "decimal"}, ""), ({"risk": "float"}, ""),
    ({"risk": "boolean"}, "columns.score is `risk`, a column of type boolean"),
    ({"risk": "date"}, "columns.score"), ({"fell": "other"}, "columns.label"), ({"fell": "boolean"}, ""),
    ({"race": "integer"}, ""), ({"race": "boolean"}, ""), ({"race": "date"}, ""),
    ({"race": "double"}, "attributes[0] is `race`, a column of type double; allowed: a column of text"),
    ({"race": "decimal"}, "use breaks"), ({"race": "timestamp_ntz"}, "type timestamp ntz"),
    ({"age": "double"}, ""), ({"age": "text"}, ""), ({"age": "date"}, "attributes[1].from"),
)  # fmt: skip


@pytest.mark.parametrize(("types", "words"), TYPES, ids=[str(types) for types, _ in TYPES])
def test_column_types_are_checked_before_a_row_is_read(types: dict[str, ColumnType], words: str) -> None:
    if not words:
        check_columns(spec_of(), inspected(**types))
        return
    with pytest.raises(UsageError) as caught:
        check_columns(spec_of(), inspected(**types))
    assert words in str(caught.value)
    assert len(caught.value.problems) == 1


def test_cutoffs_that_float_scores_cannot_tell_apart_are_a_problem() -> None:
    spec = spec_of(cutoffs={"values": [0.1, 0.1 + 1e-12]})
    check_columns(spec, inspected())
    with pytest.raises(UsageError, match="too close for scores of type float"):
        check_columns(spec, inspected(risk="float"))


def test_a_window_is_half_open_days() -> None:
    spec = spec_of(columns={"score": "risk", "label": "fell", "scored_on": "day"})
    assert window_of(spec, None, None) == Window()
    window = window_of(spec, "2026-01-01", "2026-02-01")
    assert (window.start.isoformat(), window.end.isoformat()) == ("2026-01-01", "2026-02-01")


# A first line | its names
HEADERS = (
    (b"\xef\xbb\xbfa,b\r\n1,2", ("a", "b")),
    (b"\n  \n a , b\n", ("a", "b")),
    (b"x,x,y,x\n", ("x", "x.1", "y", "x.2")),
    (b"x,x,x.1\n", ("x", "x.2", "x.1")),
    (b'"a,b","c""d",\n', ("a,b", 'c"d', "column_3")),
    (b"a,b", ("a", "b")),
    (b"a,b\r1,2\r", ("a", "b")),
)  # fmt: skip


@pytest.mark.parametrize(("content", "names"), HEADERS)
def test_headers_are_read_as_the_rows_will_be(tmp_path: Path, content: bytes, names: tuple[str, ...]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    assert csv_header(path) == names


def test_arrow_types_have_their_kind(tmp_path: Path) -> None:
    kinds: dict[str, tuple[pa.DataType, ColumnType]] = {
        "a": (pa.string(), "text"), "b": (pa.dictionary(pa.int32(), pa.string()), "text"),
        "c": (pa.bool_(), "boolean"), "d": (pa.int8(), "integer"), "e": (pa.uint64(), "integer"),
        "f": (pa.decimal128(5, 2), "decimal"), "g": (pa.float32(), "float"), "h": (pa.float64(), "double"),
        "i": (pa.date32(), "date"), "j": (pa.timestamp("us", tz="UTC"), "timestamp"),
        "k": (pa.timestamp("us"), "timestamp_ntz"), "l": (pa.list_(pa.int32()), "other"),
    }  # fmt: skip
    schema = pa.schema([(name, kind) for name, (kind, _) in kinds.items()])
    pq.write_table(schema.empty_table(), tmp_path / "x.parquet")
    source = spec_of(input={"format": "parquet", "path": str(tmp_path)}).source
    columns = peek(source)
    assert columns is not None
    assert dict(columns) == {name: kind for name, (_, kind) in kinds.items()}


def test_delta_tables_are_read_at_their_version(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    table = tmp_path / "table"
    deltalake.write_deltalake(table, pa.table({"a": [1.5]}))
    deltalake.write_deltalake(table, pa.table({"b": ["x"]}), mode="overwrite", schema_mode="overwrite")
    for version, columns in ((None, (("b", "text"),)), (1, (("b", "text"),)), (0, (("a", "double"),))):
        assert peek(InputSpec(format="delta", path=str(table), version=version)) == columns
    for path, chosen, words in (
        (table, 2, "0 to 1"),
        (tmp_path, None, "_delta_log"),
        (tmp_path / "absent", None, "not there"),
    ):
        with pytest.raises(UsageError, match=words):
            peek(InputSpec(format="delta", path=str(path), version=chosen))


def test_only_local_paths_are_looked_at() -> None:
    for path, expected in (("/a/b", "/a/b"), ("file:///a b", "/a b"), ("file:/a", "/a"), ("s3://b/c", None),
                           ("dbfs:/a", None), ("/Volumes/absent/x", None)):  # fmt: skip
        found = local_path(path)
        assert (None if found is None else str(found)) == expected


def test_the_version_of_files_changes_with_names_sizes_and_times(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("a")
    versions = [files_version(folder)]
    changes: tuple[Callable[[], object], ...] = (
        lambda: (folder / "b.csv").write_text("b"),
        lambda: (folder / "b.csv").rename(folder / "c.csv"),
        lambda: (folder / "c.csv").write_text("longer"),
    )
    for change in changes:
        change()
        versions.append(files_version(folder))
    (folder / "_SUCCESS").write_text("")
    assert files_version(folder) == versions[-1]
    assert len(set(versions)) == len(versions)
    folder.rename(tmp_path / "moved")
    assert files_version(tmp_path / "moved") == versions[-1]


def test_the_example_config_fits_the_published_table(data_folder: Path) -> None:
    path = data_folder / "compas" / "compas-scores-two-years.csv.gz"
    summary = check(CONF / "compas.yaml", [f"input.path={path}"])
    assert summary.columns is not None
    assert "decile_score.1" in dict(summary.columns)
    assert summary.spec.grid().values.tolist() == list(range(1, 11))
    assert f"--set input.path={path}" in summary.next_command


def test_an_input_that_only_spark_can_open_is_left_to_spark(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(config(input={"format": "table", "table": "main.risk.`odd name`"})))
    summary = check(path)
    assert summary.columns is None
    assert "when Spark opens it" in summary.notes[0]
