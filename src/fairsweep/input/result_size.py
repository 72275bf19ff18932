"""How many rows the result tables of an audit will have, and the refusal of more than one process can hold.

Intakes carry it to Spark's tasks: only the standard library and numpy may be imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fairsweep.core.metrics import METRICS
from fairsweep.errors import DataRefusedError, Problem

# Measured on whole local audits of 0.9 to 20 million rows: peak resident memory, in addition to a fixed 0.4 GB.
BYTES_PER_ROW = 500
_STEP = (
    "use fewer cutoffs (`cutoffs: {count: ...}`), a lower limits.full_sweep_groups, fewer operating points or coarser "
    "groups, or raise the limit if there is enough memory"
)


class ResultSize(NamedTuple):
    """The inputs of the number of rows of the result tables, other than groups and cutoffs.

    Attributes:
        reported: the attributes of everything that is reported, with the single ones that have a reference marked.
        points: how many operating points there are.
        full_sweep_groups: up to how many groups an attribute has rows at every cutoff.
        limit: how many rows this process may hold.
    """

    reported: Mapping[tuple[str, ...], bool]
    points: int
    full_sweep_groups: int
    limit: int

    def rows(self, attributes: tuple[str, ...], groups: int, cutoffs: int) -> int:
        """The rows that an attribute has in `threshold_sweep`, `group_metrics` and `disparities`.

        Args:
            attributes: one of those reported, or none for the overall population.
            groups: how many groups it has.
            cutoffs: how many cutoffs there are.
        """
        swept = cutoffs if groups <= self.full_sweep_groups else self.points
        # Each metric itself, against the rest and the population, and against the reference if there is one.
        each = 1 + (2 if attributes else 0) + self.reported.get(attributes, False)
        return groups * (swept + self.points * len(METRICS) * each)

    def refuse_above(self, rows: int, seen: str = "") -> None:
        """Refuse more rows than this process may hold.

        Args:
            rows: how many there will be.
            seen: the basis of the estimate, if the rows of the input are not counted yet.

        Raises:
            DataRefusedError: with their number, and the memory that they would take.
        """
        if rows <= self.limit:
            return
        memory = max(rows * BYTES_PER_ROW / 1e9, 0.1)
        size = f"{memory:,.0f} GB" if memory >= 10 else f"{memory:.1f} GB"
        found = f"exceeded: about {rows:,} rows in the result tables, which take about {size} of memory{seen}"
        raise DataRefusedError(Problem("limits.driver_result_rows", found, f"at most {self.limit:,}", _STEP))
