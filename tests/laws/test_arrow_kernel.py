"""The Arrow kernel: conditions mean what they mean in plain Python, and its counts are those of a loop over rows."""

from __future__ import annotations

from collections import Counter as Loop
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsweep.auditing.loading import load_mapping
from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.groups import attribute_name, group_name
from fairsweep.core.histogram import ScoreHistogram
from fairsweep.engines.arrow import cells, set_counts
from fairsweep.engines.arrow.coded_columns import CodedColumn
from fairsweep.engines.arrow.conditions import Batch
from fairsweep.engines.arrow.kernel import Buckets, Counter
from fairsweep.engines.arrow.reading import TablePiece
from fairsweep.engines.arrow.values import numbers, texts
from fairsweep.engines.states import grouping_sets, states
from fairsweep.input.expressions import AsText, Case, Constant, Expression, Field, fields_of
from fairsweep.input.intake import Window, build
from tests import reference
from tests.examples import examples
from tests.laws.strategies import CONDITIONS, GRIDS, scores
from tests.laws.test_expressions import ARROW, COLUMNS, MALFORMED_ROWS, ROWS, holds, value

MANY, SOME = examples(150), examples(60)
WHOLE = [i for i, line in enumerate(MALFORMED_ROWS) if line is None]
TEXT_COLUMNS = [i for i, kind in enumerate(ARROW) if pa.types.is_string(kind)]


def columns(rows: list[int], *, encoded: bool = False) -> dict[int, pa.Array]:
    arrays = {
        i: pa.array([column[row] for row in rows], kind)
        for i, (column, kind) in enumerate(zip(COLUMNS, ARROW, strict=True))
    }
    return {i: array.dictionary_encode() if encoded and i in TEXT_COLUMNS else array for i, array in arrays.items()}


@MANY
@given(condition=CONDITIONS, encoded=st.booleans(), order=st.permutations(WHOLE))
def test_conditions_agree_with_plain_python(condition: Expression, encoded: bool, order: list[int]) -> None:
    found = np.broadcast_to(Batch(columns(order, encoded=encoded), len(order)).holds(condition), len(order))
    assert [bool(one) for one in found] == [holds(condition, row) for row in order]


@SOME
@given(condition=CONDITIONS)
def test_conditions_agree_with_plain_python_on_malformed_rows(condition: Expression) -> None:
    row = next(i for i in range(len(ROWS)) if i not in WHOLE)
    found = np.broadcast_to(Batch(columns([row]), 1, malformed=True).holds(condition), 1)
    assert bool(found[0]) is holds(condition, row)


@MANY
@given(data=st.data(), position=st.sampled_from(TEXT_COLUMNS))
def test_the_group_of_a_row_is_that_of_plain_python(data: st.DataObject, position: int) -> None:
    own = CONDITIONS.filter(lambda condition: fields_of(condition) <= {position})
    branches = data.draw(st.lists(st.tuples(own, st.sampled_from("AB").map(Constant)), min_size=1, max_size=3))
    otherwise: Any = data.draw(st.sampled_from([AsText(Field(position)), Constant("C")]))
    group = Case(tuple(branches), otherwise)
    batch = Batch(columns(WHOLE), len(WHOLE))
    groups = batch.groups(group)
    levels = batch.levels_of_rows(groups.field)
    codes = np.broadcast_to(groups.codes if levels is None else groups.codes[levels], len(WHOLE))
    assert groups.names.take(pa.array(codes)).to_pylist() == [value(group, row) or "" for row in WHOLE]


@MANY
@given(data=st.data(), grid=GRIDS)
def test_a_bucket_is_the_number_of_cutoffs_that_the_score_reaches(data: st.DataObject, grid: CutoffGrid) -> None:
    found = data.draw(st.lists(scores(grid), min_size=1, max_size=20))
    assert Buckets(grid).of(np.array(found)).tolist() == grid.bucket(found).tolist()


@MANY
@given(
    values=st.one_of(
        st.lists(st.none() | st.integers(-3, 3)),
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
        st.lists(st.none() | st.booleans()),
        st.lists(st.none() | st.text(max_size=2)),
        st.lists(st.none() | st.floats(allow_nan=False)),
        st.lists(st.none() | st.dates()),
    )
)
def test_levels_and_codes_give_the_column_back(values: list[Any]) -> None:
    array = pa.array(values)
    for column in (array, pa.chunked_array([array[:2], array[2:]])):
        coded = CodedColumn.of(column)
        levels = coded.levels.to_pylist()
        assert (levels if coded.codes is None else [levels[code] for code in coded.codes]) == values


CONFIG: dict[str, Any] = {
    "model": {"id": "m", "version": "1"}, "flag_is": "help", "columns": {"score": "score", "label": "label"},
    "event_labels": [1], "attributes": ["race", {"name": "age", "breaks": [18, 65]}, "plan", ["race", "plan"]],
    "cutoffs": {"values": [0.1, 0.29, 0.5, 0.7]}, "operating_points": [{"name": "p", "rule": "fixed", "at": 0.5}],
    "privacy": {"minimum_cell_size": 0},
}  # fmt: skip
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "score": st.none() | st.sampled_from([0.1, 0.29, 0.5, float("nan"), float("inf"), -1.0, 2.0])
            | st.floats(0, 1),
            "label": st.none() | st.sampled_from([0, 1, 2]),
            "race": st.none() | st.sampled_from(["A", " A", "B", "", "unknown"]) | st.text("xyz", max_size=3),
            "age": st.none() | st.integers(0, 120),
            "plan": st.none() | st.booleans(),
        }
    ),
    max_size=60,
)  # fmt: skip


@pytest.mark.parametrize("joint", [True, False], ids=["joint", "separate"])
@pytest.mark.parametrize("most_dense", [cells.MOST_DENSE, 0], ids=["dense", "sparse"])
@pytest.mark.parametrize("most_together", [set_counts.MOST_TOGETHER, 300, 0], ids=["together", "outgrown", "apart"])
def test_counts_in_any_batches_are_those_of_a_loop(
    joint: bool, most_dense: int, most_together: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(set_counts, "MOST_DENSE", most_dense)
    monkeypatch.setattr(set_counts, "MOST_TOGETHER", most_together)
    monkeypatch.setattr(cells, "_FEWEST_TO_MERGE", 3)
    spec = load_mapping(CONFIG)
    kinds = {"score": pa.float64(), "label": pa.int32(), "race": pa.string(), "age": pa.int16(), "plan": pa.bool_()}
    intake = build(spec, list(kinds), Window())
    sets = grouping_sets(intake, joint=joint)

    @SOME
    @given(batches=st.lists(PEOPLE, min_size=1, max_size=4))
    def check(batches: list[list[dict[str, Any]]]) -> None:
        counter = Counter(intake, spec.grid(), sets)
        for rows in batches:
            table = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})
            for batch in TablePiece(table).batches(intake.fields):
                counter.add(batch)
        found = states(counter.table(), intake, spec.grid(), sets)
        everybody = [row for rows in batches for row in rows]
        if not everybody:
            assert [state.rows_input for state in found.values()] == [0]
            return
        (state,) = found.values()
        expected = reference.audit(everybody, CONFIG, None)[("m", "1")]
        rows_of = {name: getattr(state, f"rows_{name}") for name in ("input", "used", "unscored", "refused")}
        assert rows_of == {name: expected.rows[name] for name in rows_of}
        assert {tally[:4]: tally.n for tally in state.tallies} == expected.tallies
        for place in [("race",), ("age",), ("plan",), ("race", "plan")]:
            histogram = next(h for h in state.histograms if set(place) <= set(h.attributes)).by(place)
            assert isinstance(histogram, ScoreHistogram)
            swept = histogram.counts()
            for cell, group in zip(histogram.cells, range(len(histogram.cells)), strict=True):
                loop = expected.counts[attribute_name(place), group_name(cell)]
                for k, at in enumerate(loop):
                    names = ("tp", "fp", "fn", "tn", "unscored_events", "unscored_non_events")
                    got = {n: int(a[group, k]) for n, a in zip(names, swept.arrays, strict=True)}
                    assert Loop(got) == Loop({n: at[n] for n in names})

    check()


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (0, pa.date32(), "1970-01-01"),
        (-719_529, pa.date32(), "-0001-12-31"),
        (2_932_897, pa.date32(), "+10000-01-01"),
        (100_000_000, pa.date32(), "+275760-09-13"),
        (1_500_000, pa.timestamp("us"), "1970-01-01 00:00:01.5"),
        (-1, pa.timestamp("ms", "America/New_York"), "1969-12-31 23:59:59.999"),
        (-62_135_596_800, pa.timestamp("s", "UTC"), "0001-01-01 00:00:00"),
        (1 << 62, pa.timestamp("us"), "+148108-07-06 14:00:27.387904"),
    ],
)
def test_dates_and_times_of_any_year_are_written_as_spark_writes_them(
    value: int, kind: pa.DataType, written: str
) -> None:
    stored = pa.array([value, None], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    assert texts(stored).to_pylist() == [written, None]


def test_dates_and_times_are_no_numbers() -> None:
    for kind in (pa.date32(), pa.timestamp("us", "UTC"), pa.timestamp("s")):
        found = numbers(pa.array([0, 1], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)).missing
        assert found is not None
        assert found.all(), kind
