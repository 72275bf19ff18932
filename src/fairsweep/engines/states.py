"""From the sparse counts of the one scan to the state of each model; the same for every engine.

Counts are an Arrow table with one row per model, rule, cell and bucket: the columns `KEYS`, a text column for each
single attribute (`group_columns`), `MEASURES`, and further measures. Rows of equal key may occur several times; they
are summed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fairsweep.core.groups import attribute_name, group_name
from fairsweep.core.histogram import UNSCORED_BUCKET, Cell, ScoreHistogram
from fairsweep.engines.mixed_radix import LARGEST_KEY
from fairsweep.engines.protocol import Histogram, LabelClass, ModelKey, ModelState, Tally

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.input.intake import Intake

# Grouping columns are named by position: users' names are not used inside the scan.
KEYS = ("model_id", "model_version", "rule", "bucket")
MEASURES = ("events", "non_events", "unknown")
LABEL_CLASSES: tuple[LabelClass, ...] = ("event", "non_event", "unknown")
EVENT, NON_EVENT, NOT_KNOWN = range(len(LABEL_CLASSES))
USED = -1
NO_MODEL = -1


class Places(NamedTuple):
    """Numbers the slots of a cell's rows: label and bucket of used rows, rule and label of all others.

    Attributes:
        buckets: how many buckets used rows have, one more than there are cutoffs.
        rules: how many rules there are.
    """

    buckets: int
    rules: int

    @property
    def size(self) -> int:
        """How many slots there are."""
        return 2 * self.buckets + len(LABEL_CLASSES) * self.rules

    @property
    def non_event(self) -> int:
        """The contribution of a used row without an event to its bucket."""
        return self.buckets

    @property
    def first_other(self) -> int:
        """The first slot of rows that are not used: each rule has one slot for each class of label."""
        return 2 * self.buckets

    def told(self, place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rule, bucket and class of label of some slots."""
        used = place < self.first_other
        rule, label = np.divmod(place - self.first_other, len(LABEL_CLASSES))
        non_event, bucket = np.divmod(place, self.buckets)
        return np.where(used, USED, rule), np.where(used, bucket, UNSCORED_BUCKET), np.where(used, non_event, label)

    def table(self, place: NDArray[np.int64], n: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Rule, bucket and measures of some slots that have `n` rows each."""
        rule, bucket, label = self.told(place)
        measures = {measure: np.where(label == code, n, 0) for code, measure in enumerate(MEASURES)}
        return {"rule": rule, "bucket": bucket, **measures}


def group_columns(intake: Intake) -> list[str]:
    """The names that the single attributes have inside the scan."""
    return [f"g{i}" for i in range(len(intake.groups))]


def grouping_sets(intake: Intake, *, joint: bool) -> list[tuple[int, ...]]:
    """The sets that state is kept for: one of all single attributes, or one for each requested grouping.

    Sums run within one set, so results never depend on the choice.
    """
    position = {name: i for i, (name, _) in enumerate(intake.groups)}
    if joint:
        return [tuple(range(len(intake.groups)))]
    return list(dict.fromkeys(tuple(sorted(position[name] for name in names)) for names in intake.groupings))


class LaidAside(NamedTuple):
    """The part of one model's counts that was not collected.

    Attributes:
        histograms: by grouping set; of these sets only the refused and unscored rows were collected.
        used: the used rows.
    """

    histograms: Mapping[tuple[int, ...], Histogram]
    used: int


NOTHING_ASIDE = LaidAside(MappingProxyType({}), 0)


def states(
    counts: pa.Table,
    intake: Intake,
    grid: CutoffGrid,
    sets: Sequence[tuple[int, ...]],
    aside: Mapping[ModelKey, LaidAside] = MappingProxyType({}),
) -> Mapping[ModelKey, ModelState]:
    """Split the collected counts by model, and each model's by grouping set, into histograms and tallies."""
    texts = {*KEYS[:2], *group_columns(intake)}
    whole = {name: counts[name].to_numpy() for name in counts.column_names if name not in texts}
    coded = [_Coded.of(counts[name]) for name in (*KEYS[:2], *group_columns(intake))]
    ids, versions, groups = coded[0], coded[1], coded[2:]
    model = ids.codes * len(versions.levels) + versions.codes
    codes = {
        ModelKey(ids.levels[i] or "", versions.levels[j] or ""): i * len(versions.levels) + j
        for i, j in (divmod(code, len(versions.levels)) for code in np.unique(model))
    }
    found: dict[ModelKey, ModelState] = {}
    # No row at all is a state too: the run that is refused for it has a record like any other.
    for key in sorted({*codes, *aside}) or [ModelKey("", "")]:
        mine = np.flatnonzero(model == codes.get(key, NO_MODEL))
        part = _Part(
            {name: array[mine] for name, array in whole.items()},
            [_Coded(group.codes[mine], group.levels) for group in groups],
        )
        found[key] = _state(part, intake, grid, sets, aside.get(key, NOTHING_ASIDE))
    return found


def rows(models: Mapping[ModelKey, ModelState]) -> int:
    """How many cells and buckets this process holds of some models."""
    return sum(len(histogram.here().cell) for state in models.values() for histogram in state.histograms)


def one_dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A text column as one array of codes into one dictionary."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], column.type)
    return whole


def renumbered(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Equal codes as equal small numbers."""
    import pyarrow as pa

    numbers: NDArray[np.int64] = pa.array(codes).dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers


class _Coded(NamedTuple):
    """A text column as codes into its levels; a level is None where the column is outside a row's grouping set."""

    codes: NDArray[np.int64]
    levels: list[str | None]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Coded:
        encoded = one_dictionary(column)
        levels: list[str | None] = encoded.dictionary.to_pylist()
        if encoded.null_count:
            levels.append(None)
        codes = encoded.indices.fill_null(len(levels) - 1).to_numpy(zero_copy_only=False)
        return cls(codes.astype(np.int64), levels)


class _Part(NamedTuple):
    """The collected counts of one model."""

    columns: Mapping[str, NDArray[np.int64]]
    groups: Sequence[_Coded]

    def within(self, positions: Sequence[int], sets: int) -> _Part:
        """The rows of one grouping set: those with a value in just its columns."""
        if sets == 1:
            return self
        inside = np.ones(len(self.columns["rule"]), dtype=bool)
        for j, group in enumerate(self.groups):
            present = np.array([level is not None for level in group.levels], dtype=bool)[group.codes]
            inside &= present == (j in positions)
        return _Part(
            {name: array[inside] for name, array in self.columns.items()},
            [_Coded(group.codes[inside], group.levels) for group in self.groups],
        )

    def cells(self, positions: Sequence[int]) -> tuple[list[Cell], NDArray[np.int64]]:
        """The distinct cells of the rows, and which one each row belongs to."""
        code, volume = np.zeros(len(self.columns["rule"]), dtype=np.int64), 1
        for j in positions:
            levels = len(self.groups[j].levels)
            if volume * levels > LARGEST_KEY:
                code, volume = renumbered(code), len(code)
            code = code * levels + self.groups[j].codes
            volume *= levels
        code = renumbered(code)
        first = np.zeros(int(code.max(initial=-1)) + 1, dtype=np.int64)
        first[code[::-1]] = np.arange(len(code))[::-1]
        cells = [tuple(self.groups[j].levels[self.groups[j].codes[i]] or "" for j in positions) for i in first]
        return cells, code


def _state(
    part: _Part, intake: Intake, grid: CutoffGrid, sets: Sequence[tuple[int, ...]], aside: LaidAside
) -> ModelState:
    histograms: list[Histogram] = []
    tallies: dict[Tally, int] = {}
    for positions in sets:
        mine = part.within(positions, len(sets))
        cells, cell = mine.cells(positions)
        kept = (mine.columns["rule"] == USED) | (mine.columns["rule"] >= intake.refusals)
        names = tuple(intake.groups[j][0] for j in positions)
        used_cells = np.unique(cell[kept])
        histograms.append(
            aside.histograms[positions]
            if positions in aside.histograms
            else ScoreHistogram.merged(
                grid,
                names,
                [cells[i] for i in used_cells],
                np.searchsorted(used_cells, cell[kept]),
                mine.columns["bucket"][kept],
                mine.columns["events"][kept],
                mine.columns["non_events"][kept],
                {name: column[kept] for name, column in mine.columns.items() if name not in (*KEYS, *MEASURES)},
            )
        )
        tallies |= _tallies(mine, names, [cells[i] for i in cell[mine.columns["rule"] != USED]], intake)
    first = part.within(sets[0], len(sets)).columns
    rows, rule = sum(first[name] for name in MEASURES), first["rule"]
    used, unscored, refused = (
        int(np.sum(rows, where=where))
        for where in (rule == USED, rule >= intake.refusals, (rule != USED) & (rule < intake.refusals))
    )
    used = used if sets[0] not in aside.histograms else aside.used
    return ModelState(
        histograms=tuple(histograms),
        tallies=tuple(tally._replace(n=n) for tally, n in sorted(tallies.items())),
        rows_input=used + unscored + refused,
        rows_used=used,
        rows_unscored=unscored,
        rows_refused=refused,
    )


def _tallies(part: _Part, names: tuple[str, ...], cells: Sequence[Cell], intake: Intake) -> dict[Tally, int]:
    """Refused and unscored rows of one grouping set, summed to the population and every requested grouping in it.

    Args:
        part: the rows of the set.
        names: its attributes.
        cells: the cell of each refused or unscored row.
        intake: the intake, for its reasons and groupings.
    """
    result: dict[Tally, int] = defaultdict(int)
    wanted = [grouping for grouping in intake.groupings if set(grouping) <= set(names)]
    for row, cell in zip(np.flatnonzero(part.columns["rule"] != USED), cells, strict=True):
        reason = intake.rules[part.columns["rule"][row]].reason
        value = dict(zip(names, cell, strict=True))
        places = [(), *wanted]
        for measure, label in zip(MEASURES, LABEL_CLASSES, strict=True):
            n = int(part.columns[measure][row])
            for grouping in places if n else ():
                group = group_name([value[name] for name in grouping])
                result[Tally(attribute_name(grouping), group, reason, label, 0)] += n
    return result
