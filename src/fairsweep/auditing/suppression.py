"""What may be shown of a run, decided once: data without rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fairsweep.core.groups import SEPARATOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsweep.core.inference.intervals import FloatArray
    from fairsweep.engines.protocol import Tally


class Kept(NamedTuple):
    """What stays of the groups that are hidden at an operating point, `[groups of all attributes]`.

    Attributes:
        value: the rounded value; NaN where none is told.
        step: what it is rounded to.
        verdict: whether the verdict may be told, because all margins are those of enough members.
    """

    value: FloatArray
    step: FloatArray
    verdict: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Disclosure:
    """What may be shown of one run.

    Attributes:
        minimum: no smaller count of members but 0 is shown; 0 where everything is.
        grid: by attribute, at which cutoffs of the grid each group is shown, `[groups, cutoffs]`.
        points: for attributes that are too large for that, the same at the operating points alone.
        places: where the operating points are on the grid, rising.
        rounding: by operating point, what stays of hidden groups.
        unscored: the attributes whose people without a score may be told.
        lines: by attribute, the reasons and labels whose refused and unscored rows may be told.
        rows: which of a run record's numbers of rows may be told.
        run_before: the run whose figures may not be told from these.
        reason: why something is hidden, where it is not the numbers of members.
    """

    minimum: int = 0
    grid: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    points: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    places: tuple[int, ...] = ()
    rounding: Mapping[str, Kept] = field(default_factory=dict)
    unscored: frozenset[str] = frozenset()
    lines: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    rows: frozenset[str] = frozenset()
    run_before: str | None = None
    reason: str | None = None

    def at(self, attribute: str, indices: Sequence[int], groups: int) -> NDArray[np.bool_]:
        """Which of an attribute's groups are shown at some cutoffs, `[groups, len(indices)]`."""
        if not self.minimum:
            return np.ones((groups, len(indices)), dtype=bool)
        if attribute in self.grid:
            return self.grid[attribute][:, list(indices)]
        shown = np.zeros((groups, len(indices)), dtype=bool)
        for j, k in enumerate(indices):
            if k in self.places and attribute in self.points:
                shown[:, j] = self.points[attribute][:, self.places.index(k)]
        return shown

    def lists(self, attribute: str) -> bool:
        """Whether an attribute's groups may be named.

        Of an intersection that shows nothing not even its groups are: which combinations there are can tell that one
        attribute follows from another, and then their differences are counts.
        """
        if not self.minimum or SEPARATOR not in attribute:
            return True
        shown = self.grid.get(attribute, self.points.get(attribute))
        return shown is not None and bool(shown.any())

    def kept(self, operating_point: str, groups: int) -> Kept:
        """What stays of hidden groups."""
        nothing = np.full(groups, np.nan)
        return self.rounding.get(operating_point, Kept(nothing, nothing, np.zeros(groups, dtype=bool)))

    def tells_unscored(self, attribute: str) -> bool:
        """Whether the people without a score of an attribute's groups may be told."""
        return not self.minimum or attribute in self.unscored

    def tallies(self, tallies: Sequence[Tally]) -> list[Tally]:
        """The refused and unscored rows that may be told."""
        if not self.minimum:
            return list(tallies)
        # The scan also tallies combinations that a search asks for and nobody listed: of these nothing is reported.
        return [tally for tally in tallies if (tally.reason, tally.label) in self.lines.get(tally.attribute, ())]

    def tells_rows(self, column: str) -> bool:
        """Whether a number of rows in the run record may be told."""
        return not self.minimum or column in self.rows

    def told(self) -> str:
        """What is hidden and why, and how much is shown, as the JSON of a run record."""
        found = {}
        for name, shown in {**self.points, **self.grid}.items():
            cutoffs = shown.sum(axis=1)
            found[name] = {
                "groups": len(shown) if self.lists(name) else None,
                "groups_shown": int((cutoffs > 0).sum()),
                "cutoffs": shown.shape[1],
                "cutoffs_shown_of_most": int(cutoffs.max(initial=0)),
            }
        reason = self.reason or f"a cell of 1 to {self.minimum - 1} members could be derived"
        told = {"reason": reason, "attributes": found, "run_before": self.run_before}
        return json.dumps(told if self.minimum else {}, sort_keys=True)


EVERYTHING = Disclosure()
"""Small cells are shown."""
