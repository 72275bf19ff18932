"""The demo's population gives the published example's figures, recounted here with numpy and pandas alone."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from fairsweep.synthetic import falls

AT = 0.071
ATTRIBUTES = ["sex", "age_band", "race", "dual_status", "disability"]
FINGERPRINT = "a5a2047fb7b5a978ff5d42e7d1d08400d410dcf94b2b64c93105a50bea120e25"


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return falls.population()


@pytest.fixture(scope="module")
def members(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    frame["flagged"] = frame["score"] >= AT
    frame["true_positive"] = frame["flagged"] & (frame["event"] == 1)
    frame["age_band"] = pd.cut(frame["age"], [17, 64, 74, 84, 120], labels=["18-64", "65-74", "75-84", "85+"])
    return frame


@pytest.fixture(scope="module")
def sweep(members: pd.DataFrame) -> pd.DataFrame:
    """Flagged and true positives at every cutoff of the grid, by counting, one cutoff at a time."""
    score, event = members["score"].to_numpy(), members["event"].to_numpy() == 1
    event_score = score[event]
    rows = [((score >= k / 1000).sum(), (event_score >= k / 1000).sum()) for k in range(1001)]
    return pd.DataFrame(rows, columns=["flagged", "true_positives"])


def _counts(members: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    counts = members.groupby(by, observed=True).agg(
        n=("event", "size"), events=("event", "sum"), flagged=("flagged", "sum"), tp=("true_positive", "sum"),
        expected=("score", "sum"),
    )  # fmt: skip
    counts["gbe"] = counts["flagged"] / counts["events"]
    return counts


def test_columns_types_and_values_are_the_announced_ones(table: pa.Table) -> None:
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("score", "double"), ("event", "int32"), ("sex", "string"), ("race", "string"), ("age", "int32"),
        ("dual_status", "string"), ("disability", "bool"),
    ]  # fmt: skip
    assert table.num_rows == 1_000_000
    assert sum(column.null_count for column in table.columns) == 0
    values = {name: set(table[name].unique().to_pylist()) for name in table.column_names}
    assert values["event"] == {0, 1}
    assert values["sex"] == {"female", "male"}
    assert values["race"] == {"White", "Black", "Hispanic", "Asian", "North American Native", "Other"}
    assert values["age"] == set(range(18, 101))
    assert values["dual_status"] == {"none", "partial", "full"}
    assert values["disability"] == {False, True}
    assert 0 < min(values["score"]) < max(values["score"]) < 1


def test_sexes_give_the_published_counts_and_rates(members: pd.DataFrame) -> None:
    sexes = _counts(members, "sex")
    assert sexes[["n", "events", "flagged"]].T.to_dict("list") == {
        "female": [543_253, 5_297, 5_731],
        "male": [456_747, 3_133, 2_742],
    }
    assert sexes["gbe"].round(3).to_dict() == {"female": 1.082, "male": 0.875}
    assert (100 * sexes["events"] / sexes["n"]).round(3).to_dict() == {"female": 0.975, "male": 0.686}
    rate = sexes["flagged"] / sexes["n"]
    assert round(rate["male"] / rate["female"], 3) == 0.569
    assert round(100 * members["event"].mean(), 3) == 0.843
    assert round(members["flagged"].sum() / members["event"].sum(), 4) == 1.0051


def test_population_gbe_is_nearest_one_at_0_071(members: pd.DataFrame, sweep: pd.DataFrame) -> None:
    events = int(members["event"].sum())
    ranked = sorted((abs(flagged - events), flagged < events, k / 1000) for k, flagged in enumerate(sweep["flagged"]))
    assert ranked[0] == (8_473 - 8_430, False, AT)
    assert ranked[1][0] > 5 * ranked[0][0], "the neighbouring cutoffs are clearly worse"


def test_age_bands_are_short_at_65_74_and_over_served_at_both_ends(members: pd.DataFrame) -> None:
    bands = _counts(members, "age_band")
    gbe = bands["gbe"].to_dict()
    assert bands["n"].idxmax() == "65-74"
    assert gbe["65-74"] < 0.8
    assert 0.95 < gbe["75-84"] < 1.05
    assert gbe["18-64"] > 1.15
    assert gbe["85+"] > 1.15


def test_breach_at_65_74_is_far_beyond_chance(members: pd.DataFrame) -> None:
    band = members[members["age_band"] == "65-74"]
    flagged, events, found = (int(band[name].sum()) for name in ["flagged", "event", "true_positive"])
    error = math.sqrt((flagged + events - 2 * found) / (flagged * events))
    assert math.log(0.8 * events / flagged) / error > 4, "four standard errors of ln GBE below the floor"


def test_true_positives_are_few_and_fairly_divided(members: pd.DataFrame) -> None:
    assert members["true_positive"].sum() == 764
    for attribute in ["sex", "age_band"]:
        groups = _counts(members, attribute)
        assert (groups["tp"] / groups["flagged"]).between(0.08, 0.10).all(), attribute
        assert (groups["tp"] / groups["events"]).between(0.05, 0.14).all(), attribute


def test_every_sex_and_age_cell_has_its_declared_counts(members: pd.DataFrame) -> None:
    counted = _counts(members, ["sex", "age_band"])[["n", "events", "flagged", "tp"]].T.to_dict("list")
    assert counted == {
        (cell.sex, cell.age_band): [cell.members, cell.events, cell.flagged, cell.true_positives]
        for cell in falls.CELLS
    }


def test_scores_add_up_to_the_events_overall_and_in_every_cell(members: pd.DataFrame) -> None:
    assert members["score"].sum() == pytest.approx(8_430, abs=1e-6)
    cells = _counts(members, ["sex", "age_band"])
    assert cells["expected"].to_numpy() == pytest.approx(cells["events"].to_numpy(), abs=1e-6)


def test_event_rate_follows_the_score_over_its_whole_range(members: pd.DataFrame) -> None:
    ranked = members.sort_values("score", kind="stable")
    deciles = ranked.groupby(np.arange(len(ranked)) // 100_000).agg(
        observed=("event", "mean"), predicted=("score", "mean")
    )
    assert (np.diff(deciles["observed"]) > 0).all()
    assert deciles["observed"].to_numpy() == pytest.approx(deciles["predicted"].to_numpy(), rel=0.05, abs=3e-5)
    flagged = ranked[ranked["flagged"]]
    thirds = flagged.groupby(np.arange(len(flagged)) * 3 // len(flagged))["event"].mean()
    assert (np.diff(thirds) > 0).all()


def test_curves_fall_without_jumps(sweep: pd.DataFrame) -> None:
    flagged, true_positives = sweep["flagged"].to_numpy(), sweep["true_positives"].to_numpy()
    assert (flagged[0], true_positives[0]) == (1_000_000, 8_430)
    drop = -np.diff(flagged)
    assert (drop >= 0).all()
    assert (-np.diff(true_positives) >= 0).all()
    assert (np.abs(np.diff(drop[10:150])) <= 0.2 * drop[10:149] + 20).all(), "also across 0.071"


def test_no_score_lies_so_near_the_cutoff_that_a_comparison_could_differ(members: pd.DataFrame) -> None:
    score = members["score"].to_numpy()
    assert np.abs(score - AT).min() > 1e-6
    assert (score > AT).sum() == (score.astype(np.float32) >= np.float32(AT)).sum() == 8_473


def test_every_group_has_events_and_plausible_shares(members: pd.DataFrame) -> None:
    for attribute in ATTRIBUTES:
        groups = _counts(members, attribute)
        assert groups["events"].min() >= 36, attribute
        assert groups["gbe"].between(0.6, 1.5).all(), attribute
    share = members["race"].value_counts(normalize=True)
    assert share.index.tolist() == ["White", "Black", "Hispanic", "Asian", "Other", "North American Native"]
    assert 0.7 < share.iloc[0] < 0.85
    assert share.iloc[-1] > 0.005


def test_attributes_go_together_as_in_medicare(members: pd.DataFrame) -> None:
    under_65, dual = members["age"] < 65, members["dual_status"] != "none"
    disabled, event = members["disability"], members["event"]
    assert disabled[under_65].all()
    assert disabled[~under_65].mean() < 0.2
    assert dual[under_65].mean() > 2 * dual[~under_65].mean()
    assert dual[members["race"] == "Black"].mean() > 2 * dual[members["race"] == "White"].mean()
    assert event[~under_65 & disabled].mean() > 1.2 * event[~under_65 & ~disabled].mean()
    assert event[dual].mean() > event[~dual].mean()
    assert event.groupby(members["race"]).mean().idxmax() == "White"


def test_rows_are_mixed(members: pd.DataFrame) -> None:
    blocks = members.groupby(np.arange(len(members)) // 10_000)
    assert blocks["event"].sum().between(40, 140).all()
    for attribute in ["sex", "age_band", "race"]:
        largest = members[attribute].mode()[0]
        share = (members[attribute] == largest).groupby(np.arange(len(members)) // 10_000).mean()
        assert np.ptp(share) < 0.05, attribute
    assert abs(np.corrcoef(members["score"], np.arange(len(members)))[0, 1]) < 0.005


def test_population_is_the_same_on_every_machine_and_library_version(table: pa.Table) -> None:
    digest = hashlib.sha256()
    for name in ["score", "event", "age"]:
        digest.update(np.ascontiguousarray(table[name].to_numpy()).tobytes())
    for name in ["sex", "race", "dual_status"]:
        digest.update("\n".join(table[name].to_pylist()).encode())
    digest.update(bytes(table["disability"].to_pylist()))
    assert digest.hexdigest() == FINGERPRINT


def test_written_files_read_back_and_are_left_alone_when_already_there(
    table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(falls, "population", lambda: table)  # the same rows, built once for this file
    parquet_path, config_path = falls.write(tmp_path / "new" / "folder")
    assert pq.read_table(parquet_path).equals(table)
    groups = pq.ParquetFile(parquet_path).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [250_000] * 4
    assert sorted(path.name for path in parquet_path.parent.iterdir()) == ["demo.yaml", "falls.parquet"]
    assert config_path.parent / yaml.safe_load(config_path.read_text())["input"]["path"] == parquet_path

    written = parquet_path.stat().st_mtime_ns
    config_path.write_text("changed")
    falls.write(parquet_path.parent)
    assert parquet_path.stat().st_mtime_ns == written
    assert config_path.read_text() == falls.config_text()


def test_example_config_is_the_one_the_package_carries() -> None:
    example = Path(__file__).parents[2] / "conf" / "demo.yaml"
    assert example.read_text(encoding="utf-8") == falls.config_text()


def test_config_asks_for_the_published_audit() -> None:
    config = yaml.safe_load(falls.config_text())
    assert config["model"] == {"id": "falls", "version": "2010"}
    assert config["flag_is"] == "help"
    assert config["columns"] == {"score": "score", "label": "event"}
    assert config["cutoffs"] == {"start": 0, "stop": 1, "count": 1001}
    assert config["operating_points"] == [{"name": "paper", "rule": "population_gbe", "target": 1.0}]
    assert config["verdict"] == {"floor": 0.8, "alpha": 0.05}
    assert config["privacy"] == {"minimum_cell_size": 0}
