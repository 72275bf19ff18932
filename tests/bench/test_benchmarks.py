"""The benchmark itself: its data, that every peer gives our answer, and that a wrong answer is found. No timing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from scripts.benchmarks import data, providers
from scripts.benchmarks.__main__ import main
from scripts.benchmarks.answers import Answer, difference
from scripts.benchmarks.comparing import Outcome, Sample
from scripts.benchmarks.contestants import CONTESTANTS, Command, Contestant, Job, Work
from scripts.benchmarks.figures import ALL, FIGURES, JOINT, SINGLES, Figure
from scripts.benchmarks.running import Measured

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS, SEED = 20_000, 3
FEW = (0.02, 0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def work(folder: Path) -> Work:
    path = data.ensure(folder, ROWS, SEED)
    return Work(path, path, folder, 1001, JOINT)


def answers(name: str, work: Work) -> Sequence[Answer]:
    job = CONTESTANTS[name].prepared(work)
    assert isinstance(job, Job)
    return job.answers(job.run())


def test_rows_do_not_depend_on_how_they_are_cut_into_pieces() -> None:
    whole = data.rows_between(SEED, 0, 250_000)
    pieces = [data.rows_between(SEED, *ends) for ends in ((0, 1), (1, 130_000), (130_000, 250_000))]
    assert [row for piece in pieces for row in piece["score"].to_pylist()] == whole["score"].to_pylist()
    assert data.rows_between(SEED, 99_999, 100_002).equals(whole.slice(99_999, 3).combine_chunks())


def test_the_same_seed_gives_the_same_file_and_another_one_other_rows(folder: Path, tmp_path: Path) -> None:
    first, again, other = (
        pq.read_table(data.ensure(place, ROWS, seed)) for place, seed in ((folder, 3), (tmp_path, 3), (tmp_path, 4))
    )
    assert first.equals(again)
    assert first["score"].to_pylist() != other["score"].to_pylist()
    assert other.num_rows == ROWS


def test_the_population_is_as_uneven_as_it_says(work: Work) -> None:
    file = pq.ParquetFile(work.path)
    rows = file.read().to_pandas()
    assert rows["score"].between(0, 1).all()
    assert rows["score"].is_unique
    assert rows["label"].mean() == pytest.approx(0.05, abs=0.01)
    for name, levels in data.ATTRIBUTES.items():
        shares = rows[name].value_counts(normalize=True)
        assert shares.to_dict() == pytest.approx(levels, abs=0.02)
        column = file.metadata.row_group(0).column(file.schema_arrow.get_field_index(name))
        assert "RLE_DICTIONARY" in column.encodings


def test_wide_files_begin_with_the_same_columns() -> None:
    wide = data.rows_between(SEED, 0, 1_000, wide=True)
    assert wide.select(data.rows_between(SEED, 0, 1).column_names).equals(data.rows_between(SEED, 0, 1_000))
    assert wide.num_columns == 2 + 20


@pytest.mark.parametrize(
    ("peer", "package"), [("duckdb", "duckdb"), ("polars", "polars")], ids=["DuckDB", "Polars"]
)  # fmt: skip
def test_every_cell_of_all_attributes_has_our_counts_at_every_cutoff(peer: str, package: str, work: Work) -> None:
    pytest.importorskip(package, reason="installed by scripts/bench")
    assert difference(answers("local", work), answers(peer, work)) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peer", "package", "groupings"),
    [
        ("pandas", "pandas", SINGLES),
        ("scikit-learn", "sklearn", SINGLES),
        ("fairlearn", "fairlearn", SINGLES),
        ("frame", "pandas", SINGLES),
        ("aequitas", "aequitas", SINGLES),
        ("aif360", "aif360", (("sex",),)),
    ],
)
def test_peers_of_a_few_cutoffs_count_the_same_groups(
    peer: str, package: str, groupings: tuple[tuple[str, ...], ...], work: Work
) -> None:
    pytest.importorskip(package, reason="installed by scripts/bench")
    few = replace(work, cutoffs=FEW[:1] if peer in {"fairlearn", "frame"} else FEW, groupings=groupings)
    assert difference(answers("local", few), answers(peer, few)) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contestant", "cutoffs"),
    [("catalyst", 1001), ("spark-scan", 11), ("spark-lean-scan", 11), ("spark-sums", 11), ("mllib", 101)],
)
def test_spark_counts_the_same_groups(spark: SparkSession, contestant: str, cutoffs: int, work: Work) -> None:
    assert spark.range(1).count() == 1
    asked = replace(work, cutoffs=cutoffs, groupings=JOINT if contestant == "catalyst" else (("sex",),))
    assert difference(answers("local", asked), answers(contestant, asked)) is None


def test_what_differs_is_named() -> None:
    cutoffs = np.array([0.0, 0.5])
    counts = np.array([[[1, 2, 0, 0], [1, 0, 0, 2]], [[0, 4, 0, 0], [0, 1, 0, 3]]])
    ours = Answer(("sex",), (("female",), ("male",)), cutoffs, counts)
    changed = counts.copy()
    changed[1, 1] = [0, 2, 0, 2]
    table = [
        (ours, None),
        (replace(ours, counts=changed), r"'male'.* cutoff .*0\.5.*ours tp 0, fp 1, fn 0, tn 3; theirs tp 0, fp 2"),
        (replace(ours, cells=(("female",), ("men",))), r"'male'.*only in ours"),
        (replace(ours, cutoffs=np.array([0.1, 0.6])), "no cutoff is common"),
        (replace(ours, attributes=("race",)), "nothing of ours compares"),
        (Answer((), ((),), cutoffs[:1], counts.sum(axis=0, keepdims=True)[:, :1]), None),
        (Answer((), ((),), cutoffs[:1], counts[:1, :1]), "cutoff"),
    ]
    for theirs, expected in table:
        found = difference([ours], [theirs])
        assert (found is None) == (expected is None), found
        assert expected is None or re.search(expected, found or "")


@pytest.mark.slow
@pytest.mark.parametrize(("peer", "code"), [("pandas", 0), ("altered", 1)])
def test_a_wrong_answer_ends_the_benchmark_with_an_error(
    peer: str, code: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CONTESTANTS, "altered", Contestant("Altered", "tests.bench.altered_peer:prepare"))
    figure = FIGURES["pandas-loop"]
    monkeypatch.setitem(FIGURES, "tried", replace(figure, numerator=replace(figure.numerator, contestant=peer)))
    arguments = ["tried", "--rows", str(ROWS), "--rounds", "1", "--folder", str(folder), "--seed", str(SEED)]
    assert main([*arguments, "--output", str(folder / "page")]) == code
    said = capsys.readouterr()
    assert ("the answers differ: {'sex': 'female'} at cutoff" in said.err) == (code == 1)
    assert f"| `tried` | {figure.says} |" in said.out
    written = {path.name: path.stat().st_size for path in (folder / "page").iterdir()}
    assert min(written[name] for name in ("benchmarks.md", "benchmarks.svg", "benchmarks.png")) > 0


def test_a_row_of_the_sweep_costs_what_more_rows_cost() -> None:
    figure = FIGURES["published-row"]
    taken = [Measured([5.0, 4.0, 9.0]), Measured([1.0, 2.0, 3.0])]
    samples = [Sample(side, 100, 500, measured) for side, measured in zip(figure.sides, taken, strict=True)]
    outcome = Outcome("published-row", figure, tuple(samples))
    assert outcome.ratio == pytest.approx((5.0 - 2.0) / (500 * (2_001 - 11)) * 1e6)
    assert not outcome.reached


@pytest.mark.slow
def test_whole_audits_answer_for_every_grouping(work: Work, tmp_path: Path) -> None:
    audit = CONTESTANTS["audit-local"].prepared(replace(work, scratch=tmp_path, groupings=ALL))
    assert isinstance(audit, Command)
    subprocess.run(audit.arguments, check=True, capture_output=True)
    found = audit.answers()
    assert [answer.attributes for answer in found] == list(ALL)
    assert difference(found, answers("local", work)) is None


def test_every_provider_has_twenty_rows_all_over_the_file(folder: Path) -> None:
    rows = pq.read_table(providers.ensure(folder, 4_000, SEED)).to_pandas()
    assert (rows.groupby("provider").size() == 20).all()
    assert rows["provider"].nunique() == 200
    assert rows.iloc[:2_000]["provider"].nunique() == 200


def test_a_million_groups_are_left_out_of_quick_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def compared(name: str, figure: Figure, *_: object) -> Outcome:
        asked.append(name)
        return Outcome(name, figure)

    monkeypatch.setattr("scripts.benchmarks.__main__.compare", compared)
    assert main(["groups", "--quick", "--folder", str(folder)]) == 0
    assert main(["groups", "--folder", str(folder)]) == 0
    assert asked == ["groups-20000", "groups-100000", "groups-20000", "groups-100000", "groups-1000000"]
    assert "at most 1.2, and under 200 µs a group" in capsys.readouterr().out
