"""`init` proposes a config that passes `check`, from few rows, and shows no member's values."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep.auditing.check import check
from fairsweep.auditing.loading import load
from fairsweep.auditing.spec import AuditSpec
from fairsweep.errors import DataRefusedError, FairsweepError, UsageError
from fairsweep.init.proposing import Wishes
from fairsweep.init.verb import init

SECRET = 0.123456789


def table(**columns: list[object]) -> pa.Table:
    """Sixty made-up members."""
    score: list[object] = [SECRET, *(i / 64 for i in range(1, 60))]
    return pa.table(
        {
            "member_id": [f"m{i:05}" for i in range(60)],
            "risk_score": score,
            "fell_30_days": [i % 7 == 0 for i in range(60)],
            "race": ["A", "B", "?"] * 20,
            "gender": ["f", "m"] * 30,
            "age": [float(20 + i) for i in range(60)],
            **columns,
        }
    )


NOTHING_NAMED = Wishes()


def proposed(
    folder: Path, data: pa.Table, *, kind: str = "parquet", wishes: Wishes = NOTHING_NAMED
) -> tuple[AuditSpec, str]:
    path = folder / f"falls data.{kind}"
    if kind == "csv":
        data.to_pandas().to_csv(path, index=False)
    elif kind == "delta":
        pytest.importorskip("deltalake").write_deltalake(path, data)
    else:
        pq.write_table(data, path)
    summary = init(path, "help", folder / "audit.yaml", wishes=wishes, force=True)
    check(summary.config)
    return load(summary.config), summary.config.read_text()


@pytest.mark.parametrize("kind", ["csv", "parquet", "delta"])
def test_a_proposal_names_the_columns_and_passes_check(tmp_path: Path, kind: str) -> None:
    spec, text = proposed(tmp_path, table(), kind=kind)
    assert (spec.columns.score, spec.columns.label) == ("risk_score", "fell_30_days")
    assert [grouping.name for grouping in spec.groupings] == ["race", "gender", "age_band", "race x gender"]
    assert spec.base_attributes[0].missing == ("?",)
    assert spec.base_attributes[2].breaks == (18, 65, 75, 85)
    assert spec.flag_is == "help"
    assert (spec.model.id if spec.model else "") == "falls-data"
    assert len(spec.grid()) == 1001
    for value in (str(SECRET), "m00001"):
        assert value not in text


# Scores | the cutoffs proposed: first, last, how many
SCORES: tuple[tuple[list[float], tuple[float, float, int]], ...] = (
    ([1, 4, 9], (1, 10, 10)),
    ([0, 1], (0, 1, 2)),
    ([0, 37, 99], (0, 100, 101)),
    ([0.25, 0.5, 0.75], (0, 1, 1001)),
    ([-3.5, 0.5, 12.25], (-10, 20, 1001)),
    ([5.5], (5, 6, 1001)),
)  # fmt: skip


@pytest.mark.parametrize(("scores", "expected"), SCORES)
def test_cutoffs_span_the_scores(tmp_path: Path, scores: list[float], expected: tuple[float, float, int]) -> None:
    values: list[object] = [scores[i % len(scores)] for i in range(60)]
    spec, _ = proposed(tmp_path, table(risk_score=values), wishes=Wishes(score="risk_score"))
    grid = spec.grid().values
    assert (grid[0], grid[-1], len(grid)) == expected


# Labels | the events proposed | the non-events
LABELS: tuple[tuple[list[object], tuple[object, ...], tuple[object, ...] | None], ...] = (
    ([0, 1], (1,), (0,)),
    ([0], (1,), (0,)),
    (["Yes", "No"], ("Yes",), ("No",)),
    (["NO", ">30", "<30"], ("<30",), None),
    (["alive", "alive", "gone"], ("gone",), ("alive",)),
    ([True, False], ("true",), ("false",)),
    ([1.0, 0.0], (1,), (0,)),
)


@pytest.mark.parametrize(("labels", "events", "others"), LABELS)
def test_events_are_proposed_by_the_usual_words_or_as_the_rarer(
    tmp_path: Path, labels: list[object], events: tuple[object, ...], others: tuple[object, ...] | None
) -> None:
    spec, _ = proposed(tmp_path, table(fell_30_days=[labels[i % len(labels)] for i in range(60)]))
    assert (spec.event_labels, spec.non_event_labels) == (events, others)


def test_odd_names_are_quoted(tmp_path: Path) -> None:
    odd = 'risk "score": #1'
    spec, _ = proposed(tmp_path, table().rename_columns(["id", odd, "outcome", "race x", "sex: m/f", "age"]))
    assert spec.columns.score == odd
    assert [one.column for one in spec.base_attributes] == ["race x", "sex: m/f", "age"]


def test_what_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    plain = table().rename_columns(["a", "b", "c", "d", "e", "f"])
    path = tmp_path / "x.parquet"
    pq.write_table(plain.drop_columns(["b"]), path)
    with pytest.raises(UsageError) as caught:
        init(path, "help", tmp_path / "a.yaml", wishes=Wishes(attributes=("dd",)))
    for words in ("--score COLUMN", "--label COLUMN", "--attribute is `dd`"):
        assert words in str(caught.value)
    assert not (tmp_path / "a.yaml").exists()
    spec, _ = proposed(tmp_path, plain, wishes=Wishes("b", "c", ("d", "e")))
    assert (spec.columns.score, spec.columns.label, len(spec.groupings)) == ("b", "c", 2)


def test_a_config_is_never_replaced_unasked(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "x.parquet")
    out = tmp_path / "a.yaml"
    out.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        init(tmp_path / "x.parquet", "help", out)
    assert out.read_text() == "mine"
    assert init(tmp_path / "x.parquet", "sanction", out, force=True).config == out
    assert load(out).flag_is == "sanction"


# A file's name and content | what --flag-is says | the error | its words
REFUSED: tuple[tuple[str, bytes, str, type[FairsweepError], str], ...] = (
    ("x.csv", b"score,label,race\n", "help", DataRefusedError, "no rows"),
    ("x.csv", b"", "help", DataRefusedError, "no header"),
    ("x.csv", b"a,b\n", "hlep", UsageError, "help, sanction"),
    ("x.xlsx", b"PK", "help", UsageError, "of a kind that its name does not show"),
    ("x.parquet", b"PAR1", "help", UsageError, "not a Parquet file"),
    ("x.csv.gz", b"plain", "help", UsageError, "not readable"),
    ("x.csv", b"score,label,race\n1,2,\xff\n", "help", UsageError, "UTF-8"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "content", "flag_is", "error", "words"), REFUSED)
def test_an_input_that_cannot_be_read_is_a_problem(
    tmp_path: Path, name: str, content: bytes, flag_is: str, error: type[FairsweepError], words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error) as caught:
        init(tmp_path / name, flag_is, tmp_path / "a.yaml")
    assert words in str(caught.value)


@pytest.mark.parametrize("wishes", [NOTHING_NAMED, Wishes(score="risk", label="fell", attributes=("race",))])
def test_a_row_in_the_place_of_the_header_is_not_shown(tmp_path: Path, wishes: Wishes) -> None:
    (tmp_path / "x.csv").write_text("0.71,Smith,1\n0.2,Miller,0\n")
    with pytest.raises(UsageError, match="begin the file with a line of column names") as caught:
        init(tmp_path / "x.csv", "help", tmp_path / "a.yaml", wishes=wishes)
    assert "Smith" not in str(caught.value)


# A real file | its score | its label
REAL = (
    ("compas/compas-scores-two-years.csv.gz", "decile_score", "two_year_recid"),
    ("diabetes130/quickstart_tree_scored.csv.gz", "score", "y_true"),
    ("aequitas/compas_for_aequitas.csv", "score", "label_value"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "score", "label"), REAL)
def test_real_inputs_are_recognised(data_folder: Path, tmp_path: Path, name: str, score: str, label: str) -> None:
    summary = init(data_folder / name, "sanction", tmp_path / "a.yaml")
    assert (summary.proposal.score.name, summary.proposal.label.name) == (score, label)
    assert "race" in {profile.name for profile in summary.proposal.attributes}
    check(summary.config)
