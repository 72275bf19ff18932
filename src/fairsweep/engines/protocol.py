"""The interface of every engine: inspect without reading a row, then count in one scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from fairsweep.core.cutoffs import CutoffGrid
from fairsweep.core.histogram import Cell, ScoreHistogram
from fairsweep.input.intake import Intake
from fairsweep.input.source_columns import SourceColumn
from fairsweep.tables.distributed import DistributedRows

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.core.counts import ConfusionCounts

# More distinct labels than a message can list.
MOST_LABELS_SEEN = 21
LabelClass = Literal["event", "non_event", "unknown"]


OfBlock = Callable[[ScoreHistogram, int], "pa.Table"]
"""What is made of a block: the histogram of some neighbouring cells, and the place of the first among all."""


class Histogram(Protocol):
    """The counts of a grouping set by cell and bucket, wherever they are.

    A `ScoreHistogram` is in this process. One that is too large for it stays with the engine, in blocks of whole cells
    that tasks work on. Each answers for itself, so that no caller asks where the counts are.
    """

    @property
    def grid(self) -> CutoffGrid:
        """The cutoffs that the buckets lie between."""
        ...

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the attributes that a cell has values for; empty for everybody."""
        ...

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, sorted."""
        ...

    @property
    def jobs(self) -> int:
        """How many jobs of the engine it takes to read."""
        ...

    @property
    def cutoffs_here(self) -> Sequence[int]:
        """The indices of the cutoffs at which this process can hold the counts of every cell: all, or none."""
        ...

    def here(self) -> ScoreHistogram:
        """The cells that this process has: all of them, or none where tasks have them."""
        ...

    def whole(self) -> ScoreHistogram:
        """The histogram with all its measures, in this process.

        Raises:
            TypeError: where tasks have it, which count rows and nothing else.
        """
        ...

    def by(self, attributes: tuple[str, ...]) -> Histogram:
        """The histogram of coarser cells: the sum over all attributes not named; everybody's is in this process."""
        ...

    def counts_at(self, cutoff_indices: Sequence[int]) -> ConfusionCounts:
        """Confusion counts of every cell at some cutoffs, `[cells, len(cutoff_indices)]`."""
        ...

    def distributed_rows(self, of_block: OfBlock, schema: pa.Schema) -> Sequence[DistributedRows]:
        """Rows of a result table that tasks make of every block; none where this process has the cells."""
        ...

    def collected(self, of_block: OfBlock, schema: pa.Schema) -> pa.Table:
        """What is made of every block, in this process."""
        ...


@dataclass(frozen=True)
class Inspection:
    """The properties of an input that are known before a row is read.

    Attributes:
        columns: the columns in their order; repeated names have a suffix `.1`, `.2`.
        input_name: the name of the input for people: a path or a table name.
        input_version: the version of its content (each engine has its own hashing), or None if it can only be derived
            from the counted rows.
    """

    columns: tuple[SourceColumn, ...]
    input_name: str
    input_version: str | None


class ModelKey(NamedTuple):
    """One model of a table that may hold several."""

    model_id: str
    model_version: str


class RowsOf(NamedTuple):
    """A number of rows, and of how many distinct members they are at least."""

    rows: int
    members: int

    def is_few(self, minimum: int) -> bool:
        """Whether there are rows, but of too few members to be shown."""
        return self.rows > 0 and self.members < minimum

    @classmethod
    def pooled(cls, parts: Iterable[RowsOf]) -> RowsOf:
        """Several together; a member may be in each of them."""
        found = list(parts)
        return cls(sum(one.rows for one in found), max((one.members for one in found), default=0))


class Tally(NamedTuple):
    """Refused or unscored rows of one group and reason; the population is attribute `overall`, group `all`."""

    attribute: str
    group_value: str
    reason: str
    label: LabelClass
    n: int


@dataclass(frozen=True)
class ModelState:
    """All that the scan kept of one model.

    Attributes:
        histograms: one per grouping set, each of all used and unscored rows.
        tallies: refused and unscored rows by attribute, group, reason and label.
        rows_input: rows inside the window.
        rows_used: rows with a usable score and label.
        rows_unscored: rows with a label and no usable score.
        rows_refused: rows refused by a reason.
    """

    histograms: tuple[Histogram, ...]
    tallies: tuple[Tally, ...]
    rows_input: int
    rows_used: int
    rows_unscored: int
    rows_refused: int


@dataclass(frozen=True)
class Counted:
    """The materialised result of the one scan.

    Attributes:
        models: the state of each model found.
        counting: which implementation counted: `catalyst` or `arrow`.
        counting_reason: why that one.
    """

    models: Mapping[ModelKey, ModelState]
    counting: str
    counting_reason: str


class Engine(Protocol):
    """An executor of the scan."""

    @property
    def name(self) -> str:
        """The word for it in `--engine` and `runs.engine`."""
        ...

    def inspect(self) -> Inspection:
        """Schema and pinned version of the input; reads no row."""
        ...

    def count(self, intake: Intake, grid: CutoffGrid) -> Counted:
        """The one scan."""
        ...

    def labels_seen(self, intake: Intake) -> Sequence[str]:
        """Distinct labels, at most 21, for the audit that found no event; the only other read of the rows."""
        ...

    def close(self) -> None:
        """Remove the rows that counting has spilled; its histograms are not used after this."""
        ...
