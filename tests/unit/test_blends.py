"""Blends in a cohort's config: what is right, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fairsweep.cohort.spec import CohortSpec, load_cohort
from fairsweep.errors import UsageError
from tests.unit.test_outcomes import STAY

BLEND: dict[str, Any] = {
    "model": {"id": "blend", "version": "1"},
    "when": {"age": {"at_least": 65}},
    "use": "medicare",
    "otherwise": "medicaid",
    "scale": {"seam": {"age": {"at_least": 60, "below": 70}}},
}


def loaded(folder: Path, blend: dict[str, Any], *overrides: str, **changes: Any) -> CohortSpec:
    config = {
        "outcome": STAY,
        "members": {
            "input": {"format": "csv", "path": "members.csv"},
            "columns": {"birth_date": "born"},
            "attributes": [{"name": "sex", "source": "self_reported"}],
        },
        "claims": {
            "input": {"format": "csv", "path": "claims.csv"},
            "settings": [{"setting": "inpatient", "column": "type", "values": ["IP"]}],
        },
        "predictions": {
            "input": {"format": "csv", "path": "predictions.csv"},
            "columns": {"model_id": "model", "model_version": "version"},
        },
        "blends": [blend],
        **changes,
    }
    file = folder / "cohort.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return load_cohort(file, overrides)


def test_a_blend_is_data_and_its_fingerprint_does_not_depend_on_where_inputs_lie(tmp_path: Path) -> None:
    spec = loaded(tmp_path, BLEND)
    assert spec.attributes == ("age_band", "sex")
    assert '"source":"self_reported"' in spec.config_json()
    with pytest.raises(UsageError, match="self_reported, administrative, imputed"):
        loaded(tmp_path, BLEND, "members.attributes[0].source=guessed")
    assert [key for key, _ in spec.blends[0].conditions] == [("when",), ("scale", "seam")]
    moved = loaded(tmp_path, BLEND, "claims.input.path=elsewhere.csv")
    assert moved.claims.input.path == str(Path.cwd() / "elsewhere.csv")
    assert moved.fingerprint_json() == spec.fingerprint_json()
    assert moved.config_json() != spec.config_json()
    assert loaded(tmp_path, BLEND, "blends[0].when.age.at_least=66").fingerprint_json() != spec.fingerprint_json()


@pytest.mark.parametrize(
    ("changes", "place", "said"),
    [
        ({"otherwise": "medicare"}, "blends[0].otherwise", "the same as use"),
        ({"when": {}}, "blends[0].when", "a mapping of age or attributes"),
        ({"when": {"age": {}}}, "blends[0].when.age", "no test"),
        ({"when": {"age": {"is_in": ["65"]}}}, "blends[0].when.age", "at_least, below"),
        ({"when": {"sex": {"at_least": 1}}}, "blends[0].when.sex", "is_in"),
        ({"when": {"gender": {"is_in": ["f"]}}}, "blends[0].when.gender", "age, age_band, sex"),
        ({"scale": {}}, "blends[0].scale", "seam or factor"),
        ({"scale": {"factor": 0}}, "blends[0].scale.factor", "a number above 0"),
        ({"scale": {"factor": 2, "seam": {"age": {"below": 70}}}}, "blends[0].scale", "both"),
        ({"when": {"age": {"at_least": "65 or 1=1"}}}, "blends[0].when.age.at_least", "a whole number"),
    ],
)
def test_a_wrong_blend_is_told_where_and_what_is_allowed(
    changes: dict[str, Any], place: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as told:
        loaded(tmp_path, BLEND | changes)
    problem = told.value.problems[0]
    assert problem.place.partition(" (line")[0].endswith(place)
    assert said in str(problem)
    assert problem.next_step


def test_blends_need_several_models_and_inputs_that_are_no_cohort(tmp_path: Path) -> None:
    one = {"input": {"format": "cohort", "path": "warehouse"}}
    with pytest.raises(UsageError) as told:
        loaded(tmp_path, BLEND, model={"id": "m", "version": "1"}, predictions=one)
    places = [problem.place.rpartition(": ")[2].partition(" (line")[0] for problem in told.value.problems]
    assert places == ["predictions.input.format", "blends[0]"]


def test_an_input_without_a_column_is_told_before_spark_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fairsweep.cli.main import run

    loaded(tmp_path, BLEND)
    for name, header in {"members": "member_id,born", "claims": "member_id,type", "predictions": "member_id"}.items():
        (tmp_path / f"{name}.csv").write_text(f"{header}\n")
    assert run(["cohort", "--config", str(tmp_path / "cohort.yaml"), "--warehouse", str(tmp_path / "w")]) == 2
    said = capsys.readouterr().err
    for column in ("members.attributes[0]", "claims.columns.claim_id", "predictions.columns.scored_on"):
        assert column in said
    assert "Starting Spark" not in said
