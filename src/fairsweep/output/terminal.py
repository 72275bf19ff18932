"""Where the words go: a terminal gets colour and drawings, a pipe plain text of a fixed width."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from fairsweep.output.lines import Line, Page, Span, Style

if TYPE_CHECKING:
    from rich.console import Console


_PIPE_WIDTH, _NARROWEST, _WIDEST = 100, 60, 120
_STYLES: Mapping[Style, str] = {
    "plain": "",
    "title": "bold",
    "strong": "bold",
    "dim": "dim",
    "bad": "bold red",
    "doubtful": "yellow",
    "good": "green",
}


@dataclass(frozen=True)
class Terminal:
    """A text stream that may be a terminal.

    Attributes:
        console: what prints, with or without colour.
        page: what lines are laid out for.
    """

    console: Console
    page: Page

    @classmethod
    def on(cls, stream: TextIO | None = None) -> Terminal:
        """The terminal or pipe behind a stream, by default the standard output."""
        from rich.console import Console

        file = stream or sys.stdout
        console = Console(file=file, highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            return cls(console, Page(_PIPE_WIDTH, unicode=False))
        width = max(_NARROWEST, min(console.width, _WIDEST))
        return cls(console, Page(width, unicode=console.encoding.lower().startswith("utf")))

    def show(self, lines: Iterable[Line]) -> None:
        """Print lines; a character that the stream cannot write becomes a question mark."""
        from rich.text import Text

        encoding = self.console.encoding
        for line in lines:
            shown = Text()
            for span in line:
                writable = span.text.encode(encoding, "replace").decode(encoding)
                shown.append(writable, _STYLES[span.style])
            shown.rstrip()
            self.console.print(shown, soft_wrap=True)

    def say(self, text: str, style: Style = "plain") -> None:
        """Print text as it is, line by line."""
        self.show((Span(line, style),) for line in text.split("\n"))
