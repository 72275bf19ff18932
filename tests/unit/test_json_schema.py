"""What editors check: schemas accept each config that the loader accepts, and refuse obvious mistakes as it does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from jsonschema import Draft202012Validator

from fairsweep.auditing.loading import load, parse
from fairsweep.cohort.outcomes import load_outcome
from fairsweep.cohort.spec import load_cohort
from fairsweep.config import documents
from fairsweep.config.overrides import apply
from fairsweep.errors import UsageError
from tests.conftest import REPOSITORY

CONF = REPOSITORY / "conf"
SYNTHETIC = REPOSITORY / "src" / "fairsweep" / "synthetic"
LOADERS: dict[str, Callable[[Path], Any]] = {"audit": load, "cohort": load_cohort, "outcome": load_outcome}
EXAMPLES = [
    *(("audit", CONF / name) for name in ("compas.yaml", "demo.yaml", "databricks/audit.yaml")),
    ("audit", SYNTHETIC / "case_study_audit.yaml"),
    ("cohort", SYNTHETIC / "case_study_cohort.yaml"),
    *(("outcome", path) for path in sorted((CONF / "outcomes").glob("*.yaml"))),
]
AUDIT = """\
model: {id: falls, version: "2010"}
flag_is: help
input: {format: csv, path: scores.csv}
columns: {score: risk, label: fell}
attributes: [race, {name: age_band, from: age, breaks: [18, 65]}, [race, sex]]
cutoffs: {start: 0, stop: 1, count: 1001}
operating_points: [{name: paper, rule: population_gbe, target: 1.0}]
"""
COHORT = (SYNTHETIC / "case_study_cohort.yaml").read_text(encoding="utf-8")
OUTCOME = (CONF / "outcomes" / "fall_injury_30_days.yaml").read_text(encoding="utf-8")
TEXTS = {"audit": AUDIT, "cohort": COHORT, "outcome": OUTCOME}


class Case(NamedTuple):
    """A config with some of its values replaced."""

    config: str
    changes: tuple[str, ...]


# Other ways of writing a config, and values at their bounds
ACCEPTED = (
    Case("audit", ("attributes=[{name: sex, from: gender, reference: 1, values: [1, true, F], missing: ['?', 9]}]",)),
    Case("audit", ("attributes=[{name: age, breaks: [18], range: [0, 120]}]",)),
    Case("audit", ("cutoffs={values: [0.071, 1, 2.5]}",)),
    Case("audit", ("cutoffs={start: -1.5, stop: 5, count: 100001}",)),
    Case("audit", ("operating_points=[{name: a, rule: fixed, at: -0.5}, {name: b, rule: alert_rate, rate: 0.03}]",)),
    Case("audit", ("input={format: delta, path: x, version: 0}",)),
    Case("audit", ("input={format: table, table: 'main.`odd name`.scores'}",)),
    Case("audit", ("model=~", "columns.model_id=m", "columns.model_version=v")),
    Case("audit", ("event_labels=[1, 0.5, yes, true]", "non_event_labels=[0]")),
    Case("audit", ("discover=[race, sex]",)),
    Case("audit", ("discover={attributes: [race], ways: 3, minimum_events: 1}",)),
    Case("audit", ("training_population={race: {White: 0.7, Black: 0.3}}",)),
    Case("audit", ("columns.member=id", "unit=prediction", "score_kind=probability")),
    Case("audit", ("columns.weight=w", "weight_kind=exposure")),
    Case("audit", ("privacy={minimum_cell_size: 0, allowed_attributes: [race]}",)),
    Case("audit", ("privacy={minimum_cell_size: 2}", "verdict={floor: 0.9, alpha: 0.499}")),
    Case("audit", ("limits={maximum_refused_share: 1, joint_state_rows: 1}", "spark={counting: arrow}")),
    Case("audit", ("columns.member=~", "unit=~")),
    Case("cohort", ("members.attributes=[sex, {name: race, from: r, choices: [A, B], source: imputed}]",)),
    Case("cohort", ("histories=[{input: {format: csv, path: x}, attributes: [plan]}]",)),
    Case("cohort", ("as_of=~", "members.pool_ages_from=90", "predictions.keep=first")),
    Case("cohort", ("blends[0].when={sex: {is_in: [F]}}", "blends[0].scale={factor: 0.8}")),
    Case("cohort", ("rules={prior_enrollment_days: 0, gap_days: 3660, deaths: exclude, treatments: all}",)),
    Case("outcome", ("horizon={months: 3, offset: 7}", "title=One line")),
    Case("outcome", ("events=[{name: a, settings: [other], codes: {drg: {exact: ['470', s72.001a]}}}]",)),
    Case("outcome", ("events=[{name: a, settings: [inpatient], codes: {icd10cm: {prefix: [W]}}, position: primary}]",)),
    Case(
        "outcome",
        (
            "combination=sequence",
            "events=[{name: a, settings: [inpatient]}, {name: b, settings: [inpatient]}]",
            "within={at_most: 30}",
        ),
    ),
)
AUDITS = [case for case in ACCEPTED if case.config == "audit"]
# One mistake each, and the place that both must name
MISTAKES = (
    ("audit", "flag_si=help", "flag_si"),
    ("audit", "flag_is=hlep", "flag_is"),
    ("audit", "flag_is=true", "flag_is"),
    ("audit", "model.version=2010", "model.version"),
    ("audit", "model.id='a b'", "model.id"),
    ("audit", "input.format=cvs", "input.format"),
    ("audit", "input.pth=x", "input.pth"),
    ("audit", "input={format: delta, path: x, version: -1}", "input.version"),
    ("audit", "input={format: table, table: a.b.c.d}", "input.table"),
    ("audit", "columns.score=5", "columns.score"),
    ("audit", "columns.score=' '", "columns.score"),
    ("audit", "columns.scores=x", "columns.scores"),
    ("audit", "attributes=race", "attributes"),
    ("audit", "attributes=[]", "attributes"),
    ("audit", "attributes=[5]", "attributes[0]"),
    ("audit", "attributes=[[race]]", "attributes[0]"),
    ("audit", "attributes=[{name: race, form: r}]", "attributes[0].form"),
    ("audit", "attributes=[{from: r}]", "attributes[0].name"),
    ("audit", "attributes=[{name: a, values: []}]", "attributes[0].values"),
    ("audit", "attributes=[{name: a, values: [1.5]}]", "attributes[0].values[0]"),
    ("audit", "attributes=[{name: a, breaks: [64.5]}]", "attributes[0].breaks[0]"),
    ("audit", "attributes=[{name: a, breaks: [18], range: [0]}]", "attributes[0].range"),
    ("audit", "event_labels=1", "event_labels"),
    ("audit", "cutoffs={}", "cutoffs"),
    ("audit", "cutoffs={start: 0, stop: 1}", "cutoffs.count"),
    ("audit", "cutoffs.count=0", "cutoffs.count"),
    ("audit", "cutoffs.count=100002", "cutoffs.count"),
    ("audit", "cutoffs.start='0'", "cutoffs.start"),
    ("audit", "cutoffs={values: ['0.5']}", "cutoffs.values[0]"),
    ("audit", "operating_points[0].rule=fixd", "operating_points[0].rule"),
    ("audit", "operating_points[0].target=0", "operating_points[0].target"),
    ("audit", "operating_points=[{name: a, rule: fixed}]", "operating_points[0].at"),
    ("audit", "operating_points=[{name: a, rule: alert_rate, rate: 1}]", "operating_points[0].rate"),
    ("audit", "operating_points[0].name='a b'", "operating_points[0].name"),
    ("audit", "unit=row", "unit"),
    ("audit", "verdict.floor=1", "verdict.floor"),
    ("audit", "verdict.alpha=0.5", "verdict.alpha"),
    ("audit", "privacy.minimum_cell_size=1", "privacy.minimum_cell_size"),
    ("audit", "privacy.minimum_cell_size=101", "privacy.minimum_cell_size"),
    ("audit", "limits.maximum_refused_share=5", "limits.maximum_refused_share"),
    ("audit", "limits.joint_state_rows=0", "limits.joint_state_rows"),
    ("audit", "spark.counting=fast", "spark.counting"),
    ("audit", "discover={attributes: [race], ways: 4}", "discover.ways"),
    ("audit", "training_population={race: {White: 7}}", "training_population.race.White"),
    ("cohort", "member={}", "member"),
    ("cohort", "rules.deaths=drop", "rules.deaths"),
    ("cohort", "rules.gap_days=-1", "rules.gap_days"),
    ("cohort", "as_of=5", "as_of"),
    ("cohort", "predictions.keep=any", "predictions.keep"),
    ("cohort", "claims.settings[0].setting=icu", "claims.settings[0].setting"),
    ("cohort", "claims.settings=[]", "claims.settings"),
    ("cohort", "claims.columns.diagnosis=[a]", "claims.columns.diagnosis"),
    ("cohort", "members.attributes[0]={name: sex, sorce: imputed}", "members.attributes[0].sorce"),
    ("cohort", "blends[0].scale={factor: 0}", "blends[0].scale.factor"),
    ("cohort", "blends[0].when={age: {above: 3}}", "blends[0].when.age.above"),
    ("cohort", "outcome.horizon.month=3", "outcome.horizon.month"),
    ("cohort", "outcome.events[0].settings=[icu]", "outcome.events[0].settings[0]"),
    ("outcome", "events[0].codes.icd10={}", "events[0].codes.icd10"),
    ("outcome", "horizon.days=0", "horizon.days"),
    ("outcome", "events[0].position=first", "events[0].position"),
    ("outcome", "combination=both", "combination"),
    ("outcome", "limits=[]", "limits"),
)  # fmt: skip


def validator(config: str) -> Any:
    schema = json.loads((CONF / "schema" / f"{config}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def tree_of(text: str, *overrides: str) -> dict[str, Any]:
    tree: dict[str, Any] = documents.read(text, "a test").value
    apply(tree, overrides)
    return tree


def changed(case: Case) -> dict[str, Any]:
    return tree_of(TEXTS[case.config], *case.changes)


def loaded(config: str, tree: dict[str, Any], folder: Path) -> Any:
    file = folder / f"{config}.yaml"
    file.write_text(json.dumps(tree, default=float), encoding="utf-8")
    return LOADERS[config](file)


def places_of(error: Any) -> Iterator[str]:
    """Where a schema finds an error, and where its alternatives do, written as the loader writes places."""
    at = re.sub(r"^\.", "", "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path))
    inside = f"{at}." if at else ""
    yield at
    if error.validator == "required":
        yield from (f"{inside}{key}" for key in error.validator_value if key not in error.instance)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        yield from (f"{inside}{key}" for key in error.instance if key not in known)
    for within in error.context:
        yield from places_of(within)


@pytest.mark.parametrize(("config", "path"), EXAMPLES, ids=lambda value: getattr(value, "name", value))
def test_every_example_is_valid(config: str, path: Path) -> None:
    assert LOADERS[config](path)
    validator(config).validate(tree_of(path.read_text(encoding="utf-8")))


def test_every_example_in_conf_is_tried_and_names_its_schema() -> None:
    tried = {path for _, path in EXAMPLES}
    for path in CONF.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
        assert (path in tried) == ("flag_is" in text or "horizon" in text)
        # `fairsweep demo` writes its config elsewhere, where there is no schema beside it.
        assert (named is not None) == (path in tried and path.name != "demo.yaml")
        assert named is None or (path.parent / named[1]).is_file()


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: ", ".join(case.changes))
def test_what_the_loader_accepts_is_valid(case: Case, tmp_path: Path) -> None:
    assert loaded(case.config, changed(case), tmp_path)
    validator(case.config).validate(changed(case))


@pytest.mark.parametrize("case", AUDITS, ids=lambda case: ", ".join(case.changes))
def test_an_audit_written_out_with_its_defaults_is_valid(case: Case, tmp_path: Path) -> None:
    written_out = loaded("audit", changed(case), tmp_path).as_mapping()
    assert [error.message for error in validator("audit").iter_errors(written_out)] == []


def test_an_outcome_can_be_the_path_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "falls.yaml").write_text(OUTCOME, encoding="utf-8")
    tree = tree_of(COHORT, "outcome=falls.yaml", "claims.columns.diagnosis_system=system")
    assert loaded("cohort", tree, tmp_path).outcome.name == "fall_injury_30_days"
    validator("cohort").validate(tree)


@pytest.mark.parametrize(("config", "change", "place"), MISTAKES, ids=[change for _, change, _ in MISTAKES])
def test_a_mistake_is_refused_at_its_place_by_the_schema_and_by_the_loader(
    config: str, change: str, place: str, tmp_path: Path
) -> None:
    tree = tree_of(TEXTS[config], change)
    found = [name for error in validator(config).iter_errors(tree) for name in places_of(error)]
    assert place in found
    with pytest.raises(UsageError) as caught:
        loaded(config, tree, tmp_path)
    assert any(f": {place} (line" in problem.place for problem in caught.value.problems), str(caught.value)


# A key without which no config is whole
REQUIRED = (
    *(("audit", key) for key in ("flag_is", "input", "columns", "attributes", "cutoffs", "operating_points")),
    *(("cohort", key) for key in ("outcome", "members", "claims", "predictions")),
    *(("outcome", key) for key in ("name", "title", "source", "limits", "horizon", "events")),
)


@pytest.mark.parametrize(("config", "key"), REQUIRED)
def test_a_missing_key_is_refused_by_the_schema_and_by_the_loader(config: str, key: str, tmp_path: Path) -> None:
    tree = tree_of(TEXTS[config])
    del tree[key]
    assert [error.message for error in validator(config).iter_errors(tree)] == [f"'{key}' is a required property"]
    with pytest.raises(UsageError, match=f"{key} is missing"):
        loaded(config, tree, tmp_path)


def test_columns_are_missing_for_any_input_but_a_cohort() -> None:
    tree = yaml.safe_load(AUDIT)
    del tree["columns"], tree["model"]
    tree["input"] = {"format": "cohort", "path": "warehouse"}
    validator("audit").validate(tree)
    assert parse(json.dumps(tree), source="audit.yaml", folder=Path()).columns.score == "score"
