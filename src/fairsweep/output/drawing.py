"""Intervals drawn in text, all on one axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, log

# A ratio scale, symmetric about 1, because half as many flags is as far from equal as twice as many. The
# limits keep 0.8 and 1.0 apart on a narrow terminal; values beyond them are drawn as an arrow.
_FURTHEST = 2.5


@dataclass(frozen=True)
class Strokes:
    """The characters of a drawing."""

    left: str
    line: str
    right: str
    point: str
    mark: str
    crossing: str
    below: str
    above: str


ASCII = Strokes("|", "-", "|", "o", ":", "+", "<", ">")
UNICODE = Strokes("├", "─", "┤", "●", "┊", "┼", "◂", "▸")


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis, one character wide per step.

    Attributes:
        low: the value of the first column.
        high: the value of the last column.
        width: how many columns there are.
        marks: values with a vertical mark, in rising order.
        strokes: the characters to draw with.
    """

    low: float
    high: float
    width: int
    marks: tuple[float, ...]
    strokes: Strokes

    @classmethod
    def over(cls, values: Iterable[float | None], marks: Sequence[float], width: int, strokes: Strokes) -> Axis:
        """An axis that holds the marks with some air, and the values as far as they are within its limits."""
        shown = [value for value in values if value is not None and isfinite(value)]
        lowest, highest = min(marks), max(marks)
        low = min(max(1 / _FURTHEST, min([*shown, 0.85 * lowest])), lowest)
        high = max(min(_FURTHEST, max([*shown, 1.2 * highest])), highest)
        return cls(low, high, width, tuple(sorted(marks)), strokes)

    def column(self, value: float) -> int:
        """The column of a value; -1 and `width` are off the axis."""
        if value < self.low * (1 - 1e-9):
            return -1
        if value > self.high * (1 + 1e-9):
            return self.width
        return round((log(value) - log(self.low)) / (log(self.high) - log(self.low)) * (self.width - 1))

    def labels(self) -> str:
        """The marks' values above their columns, as short as necessary; labels that do not fit are omitted."""
        full, fits = self._labels([_named(mark) for mark in self.marks])
        return full if fits else self._labels([f"{mark:.3g}".removeprefix("0") for mark in self.marks])[0]

    def _labels(self, texts: Sequence[str]) -> tuple[str, bool]:
        """The labels in one line, and whether all of them fit after more important ones."""
        cells, fits = [" "] * self.width, True
        # The mark at 1 is the one that must be there.
        for mark, text in sorted(zip(self.marks, texts, strict=True), key=lambda pair: (pair[0] != 1.0, pair[0])):
            shift = 0 if mark > 1 else len(text) - 1 if mark < 1 else len(text) // 2
            start = max(0, min(self.column(mark) - shift, self.width - len(text)))
            if any(cell != " " for cell in cells[max(0, start - 1) : start + len(text) + 1]):
                fits = False
            else:
                cells[start : start + len(text)] = text
        return "".join(cells), fits

    def draw(self, low: float | None, value: float | None, high: float | None) -> str:
        """The marks, an interval and its point; without a value the marks alone, without limits the point."""
        cells = [" "] * self.width
        marked = {self.column(mark) for mark in self.marks}
        for column in marked:
            cells[column] = self.strokes.mark
        if value is None:
            return "".join(cells)
        if low is not None and high is not None:
            first, last = self.column(low), self.column(high)
            for column in range(max(first, 0), min(last, self.width - 1) + 1):
                cells[column] = self.strokes.crossing if column in marked else self.strokes.line
            self._end(cells, first, self.strokes.left)
            self._end(cells, last, self.strokes.right)
        self._end(cells, self.column(value), self.strokes.point)
        return "".join(cells)

    def _end(self, cells: list[str], column: int, stroke: str) -> None:
        """A stroke in its column, or an arrow at the edge if it is beyond the axis."""
        if column < 0:
            cells[0] = self.strokes.below
        elif column >= self.width:
            cells[-1] = self.strokes.above
        else:
            cells[column] = stroke


def _named(mark: float) -> str:
    return f"{mark:.1f}" if mark == round(mark, 1) else f"{mark:.4g}"
