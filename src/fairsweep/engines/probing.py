"""Estimates of the state from the first rows of an input: which grouping sets to keep, and whether the state fits.

Estimates decide only the way of counting, never a result; except that a request whose state cannot fit is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import expm1, prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsweep.engines.mixed_radix import LARGEST_KEY
from fairsweep.errors import DataRefusedError, Problem

if TYPE_CHECKING:
    from fairsweep.config.sections import LimitsSpec
    from fairsweep.input.intake import Intake

Codes = NDArray[np.int64]

# So few rows are counted at once: a look at the first of them would be a query of its own, which takes a second where
# Spark has just started. Every engine counts them by one set of all attributes.
FEW_ROWS = 4_000
# Of fewer rows it means nothing that they are all different.
FEWEST_PROBED = 1_000
# The share of rows in groups with two rows, from which on the number of groups can be estimated.
ENOUGH_TWICE = 0.01
# Rows are ordered by group if the group changes from row to row hardly more often than there are groups.
ONE_AFTER_ANOTHER = 1.1
# The assumed number of rows if it is unknown.
ROWS_SUPPOSED = 20_000_000
_STEP = "use fewer cutoffs, fewer attributes or coarser groups"


class Sample(NamedTuple):
    """The first rows.

    Attributes:
        groups: for each single attribute the code of each row's group.
        bucket: each row's bucket.
        rows_input: how many rows the input has; None if this is unknown before they are read.
        more: the codes of more rows, if available.
    """

    groups: Sequence[Codes]
    bucket: Codes
    rows_input: int | None = None
    more: Callable[[], Sequence[Codes]] | None = None

    def joint_is_small(self, cutoffs: int, limits: LimitsSpec) -> bool:
        """Whether one set of all attributes is likely to stay small."""
        if self.rows_input is not None and self.rows_input <= FEW_ROWS:
            return self.rows_input <= limits.joint_state_rows
        if len(self.groups) < 2:
            return True
        rows = len(self.bucket)
        if rows >= FEWEST_PROBED and len(_sizes(self._cells(range(len(self.groups))))) > rows // 2:
            return False
        levels = (len(np.unique(codes)) for codes in self.groups)
        return prod(max(level, 1) for level in levels) * (cutoffs + 2) <= limits.joint_state_rows

    def state_rows(self, sets: Sequence[tuple[int, ...]], cutoffs: int) -> int:
        """About how many cells and buckets the state of some grouping sets will have.

        As many as `rows_input` rows meet of the combinations of cell and bucket, were these equally likely.
        """
        rows = max(self.rows_input or 0, len(self.bucket))
        buckets = min(_classes(_sizes(self.bucket)), cutoffs + 2)
        total = 0.0
        for positions in sets:
            combinations = max(_classes(_sizes(self._cells(positions))) * buckets, 1.0)
            total -= combinations * expm1(-rows / combinations)
        return round(total)

    def most_cells(self, positions: Sequence[int]) -> float:
        """About how many cells some attributes have, were the rows in no order."""
        sizes = _sizes(self._cells(positions))
        return max(min(_classes(sizes), len(sizes) + self._to_come), len(sizes))

    def sure_cells(self, positions: Sequence[int]) -> float:
        """The number of cells that some attributes certainly have, or an estimate if many cells occur twice.

        If rows are in an order in which each group has one row before any has two, no more can be estimated.
        """
        sizes = _sizes(self._cells(positions))
        told = self.rows_input is not None and np.sum(sizes == 2) >= ENOUGH_TWICE * np.sum(sizes)
        return self.most_cells(positions) if told else len(sizes)

    def possible_cells(self, positions: Sequence[int]) -> float:
        """The number of cells that some attributes may have, if the remaining rows come in any order.

        If rows are ordered by group, new groups appear later as often as at first.
        """
        cell = self._cells(positions)
        sizes, seen, rows = _sizes(cell), len(cell), max(self.rows_input or ROWS_SUPPOSED, len(cell))
        possible = min(_classes(sizes), len(sizes) + rows - seen)
        if seen and np.count_nonzero(np.diff(cell)) < ONE_AFTER_ANOTHER * len(sizes):
            return max(possible, len(sizes) * rows / seen)
        return possible

    @property
    def description(self) -> str:
        """How many rows these are."""
        seen = max(len(self.bucket), *(len(codes) for codes in self.groups), 0)
        return f"the first {seen:,} of {self.rows_input:,} rows" if self.rows_input else f"the first {seen:,} rows"

    @property
    def _to_come(self) -> int:
        return max((self.rows_input or 0) - len(self.groups[0]), 0)

    def _cells(self, positions: Sequence[int]) -> Codes:
        """A code for each row's cell."""
        cell = np.zeros(len(self.groups[0]) if self.groups else len(self.bucket), dtype=np.int64)
        for position in positions:
            codes = self.groups[position]
            volume = int(codes.max(initial=0)) + 1
            if int(cell.max(initial=0)) * volume >= LARGEST_KEY:
                cell = np.unique(cell, return_inverse=True)[1]
            cell = cell * volume + codes
        return cell


# How many groups some sets of attributes have in all rows, each set given by positions of the intake's groups.
CountGroups = Callable[[Sequence[Sequence[int]]], Sequence[int]]


def refuse_results(intake: Intake, sample: Sample, cutoffs: int, count_groups: CountGroups | None = None) -> None:
    """Refuse an audit whose result tables will not fit this process, before its rows are counted.

    Args:
        intake: the rules for every row.
        sample: the first rows.
        cutoffs: how many cutoffs there are.
        count_groups: called if the first rows are not enough, and a count would be long or large; it takes one pass.

    Raises:
        DataRefusedError: with the number of rows of the result tables.
    """
    if intake.results is None or not sample.groups:
        return
    position = {name: i for i, (name, _) in enumerate(intake.groups)}
    places = {names: [position[name] for name in names] for names in intake.results.reported}

    def rows(cells: Callable[[Sequence[int]], float]) -> int:
        return sum(size.rows(names, round(cells(at)), cutoffs) for names, at in places.items())

    size = intake.results
    if rows(sample.most_cells) > size.limit:
        # More rows give a better estimate and take longer. A wrong refusal would be worse than one after the count.
        few = sample if sample.more is None else sample._replace(groups=sample.more())
        size.refuse_above(rows(few.sure_cells), f", by {few.description}")
    if count_groups is not None and rows(sample.possible_cells) > size.limit:
        met = dict(zip(places, count_groups(list(places.values())), strict=True))
        size.refuse_above(
            sum(size.rows(names, n, cutoffs) for names, n in met.items()),
            f", by about {max(met.values()):,} groups in it",
        )


def _sizes(codes: Codes) -> Codes:
    """How many rows each code that occurs has."""
    return np.unique(codes, return_counts=True)[1]


def _classes(sizes: Codes) -> float:
    """Estimate of the number of classes, seen or not (Chao, Scandinavian Journal of Statistics 11, 1984)."""
    once, twice = int(np.sum(sizes == 1)), int(np.sum(sizes == 2))
    return len(sizes) + once * (once - 1) / (2 * (twice + 1))


def refuse_above(limit: int, state_rows: int, sample: Sample | None = None) -> None:
    """Refuse a state that is larger than it may be.

    Args:
        limit: how many cells and buckets it may have.
        state_rows: how many it has.
        sample: what their number is estimated from, before the rows are counted.

    Raises:
        DataRefusedError: with their number.
    """
    if state_rows <= limit:
        return
    found = f"{state_rows:,} cells and buckets"
    if sample is not None:
        found = f"about {found}, by {sample.description}"
    step = f"{_STEP}, or raise the limit if there is enough memory"
    raise DataRefusedError(Problem("limits.maximum_state_rows", f"exceeded: {found}", f"at most {limit:,}", step))


def too_large_for_one_process(limits: LimitsSpec, step: str) -> Problem:
    """Why a state is refused that would have to be held in one process.

    Args:
        limits: of which the smaller holds.
        step: what else can count it.
    """
    limit = min(limits.driver_state_rows, limits.maximum_state_rows)
    name = "driver_state_rows" if limit == limits.driver_state_rows else "maximum_state_rows"
    found = f"exceeded: more than {limit:,} cells and buckets"
    return Problem(f"limits.{name}", found, "at most that many", f"{_STEP}, or {step}")
