"""How many rows result tables have: estimated as they come out, and refused before and after counting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

import fairsweep as fs
from fairsweep.auditing.loading import load_mapping
from fairsweep.engines.arrow.accumulating import Judge
from fairsweep.engines.arrow.kernel import Counter
from fairsweep.engines.probing import Sample, refuse_results
from fairsweep.errors import DataRefusedError
from fairsweep.input.intake import Window, build

POINTS = [{"name": name, "rule": "fixed", "at": at} for name, at in (("low", 0.1), ("high", 0.5))]
COUNTED = ("threshold_sweep", "group_metrics", "disparities", "score_histograms")


def config(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "attributes": ["provider", {"name": "sex", "reference": "f"}, ["provider", "sex"]], "flag_is": "help",
        "operating_points": POINTS, "cutoffs": {"start": 0, "stop": 1, "count": 51},
        "privacy": {"minimum_cell_size": 0, "allowed_attributes": ["provider"]},
    }  # fmt: skip
    return given | changes


def people(rows: int, providers: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "risk": rng.random(rows),
            "fell": rng.integers(0, 2, rows),
            "provider": [f"p{i % providers}" for i in range(rows)],
            "sex": rng.choice(["f", "m"], rows),
        }
    )


def audited(rows: pd.DataFrame, **changes: Any) -> Any:
    return fs.audit(rows, score="risk", label="fell", **config(**changes))


@pytest.mark.parametrize("full_sweep_groups", [1_000, 20])
def test_the_number_of_rows_is_foretold_within_a_tenth(full_sweep_groups: int) -> None:
    rows = people(2_000, 40)
    found = audited(rows, limits={"full_sweep_groups": full_sweep_groups}).tables
    made = sum(found[name].num_rows for name in COUNTED)
    with pytest.raises(DataRefusedError, match=r"limits\.driver_result_rows is exceeded") as refusal:
        audited(rows, limits={"full_sweep_groups": full_sweep_groups, "driver_result_rows": made // 2})
    (problem,) = refusal.value.problems
    assert problem.allowed == f"at most {made // 2:,}"
    told = int(problem.value.split(" rows")[0].split()[-1].replace(",", ""))
    assert made / 1.3 <= told <= made * 1.1
    assert "by the first" in problem.value, "before the rows are counted"
    assert audited(rows, limits={"full_sweep_groups": full_sweep_groups, "driver_result_rows": int(made * 1.1)})


def test_groups_that_the_first_rows_do_not_show_are_refused_once_they_are_counted() -> None:
    rows = people(30_000, 1).assign(provider=lambda frame: [f"p{max(i - 15_000, 0) // 5}" for i in frame.index])
    with pytest.raises(DataRefusedError, match=r"limits\.driver_result_rows is exceeded") as refusal:
        audited(rows, limits={"driver_result_rows": 200_000})
    assert "by the first" not in str(refusal.value)
    assert "cutoffs" in str(refusal.value)
    assert "limits.full_sweep_groups" in str(refusal.value)


def in_no_order(groups: int, rows: int) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, groups, rows)


def in_turns(groups: int, rows: int) -> NDArray[np.int64]:
    return np.arange(rows) % groups


def sorted_by_group(groups: int, rows: int) -> NDArray[np.int64]:
    return np.arange(rows) // 20


@pytest.mark.parametrize(
    ("order", "groups", "rows_input", "refused"),
    [
        (in_no_order, 1_000_000, 20_000_000, True),
        (in_turns, 1_000_000, 20_000_000, True),
        (sorted_by_group, 1_000_000, 20_000_000, False),  # refused once they are counted
        (in_no_order, 100_000, 2_000_000, False),
        (in_turns, 100_000, 2_000_000, False),
        (in_turns, 300_000, 6_000_000, False),
        (in_no_order, 1_000_000, None, False),
        (in_no_order, 9_000, 10_000, False),
    ],
)
def test_a_million_groups_are_refused_by_their_first_rows_and_no_fewer(
    order: Callable[[int, int], NDArray[np.int64]], groups: int, rows_input: int | None, *, refused: bool
) -> None:
    spec = load_mapping(
        config(attributes=["provider"], columns={"score": "risk", "label": "fell"}, event_labels=[1],
               model={"id": "m", "version": "1"}, operating_points=POINTS[:1])
    )  # fmt: skip
    intake = build(spec, ["risk", "fell", "provider"], Window())
    at_hand = order(groups, min(1 << 19, rows_input or 100_000))
    few = at_hand[:10_000]
    sample = Sample([few], np.zeros(len(few), dtype=np.int64), rows_input, lambda: [at_hand])
    if not refused:
        refuse_results(intake, sample, 51)
        return
    with pytest.raises(DataRefusedError) as refusal:
        refuse_results(intake, sample, 51)
    (problem,) = refusal.value.problems
    told = int(problem.value.split(" rows")[0].split()[-1].replace(",", ""))
    assert 0.5 < told / (49 * groups) < 2


@pytest.mark.parametrize(
    ("order", "rows_input", "asked"),
    [
        (sorted_by_group, 20_000_000, True),
        (sorted_by_group, None, True),
        (sorted_by_group, 200_000, False),
        (lambda groups, rows: np.arange(rows) * 5 // rows, 20_000_000, False),
        (lambda groups, rows: in_no_order(5, rows), 20_000_000, False),
    ],
)
def test_all_rows_are_asked_for_their_groups_where_the_first_stand_by_group(
    order: Callable[[int, int], NDArray[np.int64]], rows_input: int | None, *, asked: bool
) -> None:
    intake = build(load_mapping(config(attributes=["provider"], columns={"score": "risk", "label": "fell"},
                                       event_labels=[1], model={"id": "m", "version": "1"})),
                   ["risk", "fell", "provider"], Window())  # fmt: skip
    few = order(1_000_000, 10_000)
    sample = Sample([few], np.zeros(len(few), dtype=np.int64), rows_input)
    if not asked:
        refuse_results(intake, sample, 51, lambda _: pytest.fail("the groups need not be counted"))
        return
    refuse_results(intake, sample, 51, lambda sets: [1_000 for _ in sets])
    with pytest.raises(DataRefusedError, match="by about 1,000,000 groups in it"):
        refuse_results(intake, sample, 51, lambda sets: [1_000_000 for _ in sets])


def test_members_of_too_many_groups_are_refused_before_their_rows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "add", lambda *_: pytest.fail("a row was judged"))
    rows = people(100_000, 1).assign(provider=lambda frame: frame.index // 20, member=lambda frame: frame.index // 2)
    changes = {"attributes": ["provider", "sex"], "operating_points": POINTS[:1], "columns": {"member": "member"}}
    with pytest.raises(DataRefusedError, match=r"by about 5,00\d groups in it"):
        audited(rows, limits={"driver_result_rows": 49 * 3_000}, **changes)


@pytest.mark.parametrize("further", ["members", "weights", "probabilities"])
def test_measures_of_many_groups_never_fill_the_whole_grid(further: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attribute with operating points alone needs sums between them, not at each of a hundred thousand cutoffs."""
    from fairsweep.core.histogram import ScoreHistogram

    asked: list[int] = []
    dense = ScoreHistogram.dense

    def watched(self: ScoreHistogram, name: str) -> Any:
        asked.append(len(self.cells))
        return dense(self, name)

    monkeypatch.setattr(ScoreHistogram, "dense", watched)
    rng = np.random.default_rng(3)
    rows = people(3_000, 60).assign(member=rng.integers(0, 2_000, 3_000), weight=rng.uniform(0.5, 2, 3_000).round(2))
    changes: dict[str, dict[str, Any]] = {
        "members": {"columns": {"member": "member"}, "unit": "prediction"},
        "weights": {"columns": {"weight": "weight"}, "weight_kind": "sampling"},
        "probabilities": {"score_kind": "probability"},
    }
    given = {"attributes": ["provider", "sex"], "privacy": {"allowed_attributes": ["provider"]}, **changes[further]}
    result = audited(rows, limits={"full_sweep_groups": 10}, **given)
    assert result.tables["group_metrics"].num_rows > 0
    assert asked
    assert max(asked) <= 2


def test_a_count_ends_as_soon_as_its_groups_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups that stand one after another are not foretold by the first rows, yet most of the file is never read."""
    batches: list[int] = []
    add = Counter.add

    def watched(self: Counter, batch: Any) -> None:
        batches.append(batch.rows)
        add(self, batch)

    monkeypatch.setattr(Counter, "add", watched)
    size = 3_000_000
    rows = pa.table(
        {"risk": np.full(size, 0.5), "fell": np.ones(size, dtype=np.int64), "provider": np.arange(size) // 20}
    )
    changes = {"attributes": ["provider"], "operating_points": POINTS[:1], "cutoffs": [0.1]}
    with pytest.raises(DataRefusedError, match="groups of the rows counted so far"):
        audited(rows, limits={"driver_result_rows": 49 * 3_000}, **changes)
    assert sum(batches) < size
