"""Lines of text with a few styles, broken to a width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    pass

Style = Literal["plain", "title", "strong", "dim", "bad", "doubtful", "good"]


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = "plain"


Line = tuple[Span, ...]


@dataclass(frozen=True)
class Page:
    """The layout of lines: columns of text, and whether drawings may use Unicode."""

    width: int = 100
    unicode: bool = False


def flowing(sentence: str, page: Page, indent: int = 0, style: Style = "plain") -> Iterator[Line]:
    """A sentence, broken between words."""
    line = ""
    for word in _words(sentence, page.width - indent - 2):
        longer = f"{line} {word}" if line else word
        if line.strip() and width_of(longer) > page.width - indent:
            yield (Span(" " * indent), Span(line, style))
            longer = f"  {word}"
        line = longer
    yield (Span(" " * indent), Span(line, style))


def _words(sentence: str, width: int) -> Iterator[str]:
    """The words, those that are wider than a line in pieces."""
    from rich.cells import chop_cells

    for word in sentence.split(" "):
        yield from chop_cells(word, width) if width_of(word) > width else [word]


def wrapped(clauses: Sequence[str], page: Page, indent: int = 0, style: Style = "plain") -> Iterator[Line]:
    """A sentence of clauses, broken between them rather than within."""
    line = ""
    for clause in [*(f"{clause};" for clause in clauses[:-1]), f"{clauses[-1]}."]:
        longer = f"{line} {clause}".strip()
        if line and width_of(longer) > page.width - indent:
            yield from flowing(line, page, indent, style)
            longer = clause
        line = longer
    yield from flowing(line, page, indent, style)


def width_of(text: str) -> int:
    """How many columns the text takes; some characters take two, some none."""
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """The text filled with spaces to a width in columns."""
    return text + " " * (width - width_of(text))
