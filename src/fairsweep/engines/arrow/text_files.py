"""Text files in pieces of whole lines: Arrow reads the lines that are well written, and the few others one by one.

A line is a row, as Spark has it: no field holds a line break. Arrow would let a quote that is never closed take the
lines below with it, so lines with such quotes never reach it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from fairsweep.engines.arrow.conditions import Batch
from fairsweep.engines.arrow.reading import Piece, unreadable
from fairsweep.input import files as inputs
from fairsweep.input.files import BYTE_ORDER_MARK, REPLACEMENT

BLOCK_BYTES = 1 << 22
# A file is shared among threads in parts of this size; a packed one can only be read from its beginning.
PIECE_BYTES = 1 << 26
_LINE_END = re.compile(rb"[\r\n]")
# A line of nothing but spaces and control characters is no row.
_BLANK = bytes(range(ord(" ") + 1))
_FIRST_LINE = re.compile(rb"[^\x00- ][^\r\n]*")
_QUOTED = re.compile(r'"((?:[^"]|"")*+)(?:(")[\x00- ]*+)?')
# Spark doubles the quote here, if the field is the line's last.
_QUOTE_AFTER_SPACES = re.compile(r'"[\x00- ]++[^"]"[^,]*\Z')
_QUOTE, _COMMA, _LINE_FEED, _RETURN = b'",\n\r'


def pieces_of(file: Path, width: int) -> list[Piece]:
    """A text file in parts that begin and end with whole lines.

    Args:
        file: the file.
        width: how many fields its header has.
    """
    size = file.stat().st_size
    bounds = [0]
    if file.suffix != ".gz":
        with file.open("rb") as stream:
            for place in range(PIECE_BYTES, size, PIECE_BYTES):
                if place > bounds[-1]:
                    bounds.append(_line_after(stream, place))
    ends = [*bounds[1:], size]
    return [CsvPiece(str(file), width, start, end) for start, end in zip(bounds, ends, strict=True) if start < end]


def _line_after(stream: IO[bytes], place: int) -> int:
    """Where the next line begins."""
    stream.seek(place)
    while chunk := stream.read(1 << 16):
        found = _LINE_END.search(chunk)
        if found:
            return place + found.end()
        place += len(chunk)
    return place


@dataclass(frozen=True)
class CsvPiece:
    """Lines of a text file, every field of which is text.

    Attributes:
        path: the file.
        width: how many fields a row has.
        start: the first byte; at the start of the file, the header is skipped.
        end: the byte after the last; in a compressed file, a position in the compressed bytes.
    """

    path: str
    width: int
    start: int
    end: int
    rows = 0
    alike = True

    @property
    def size(self) -> int:
        """How many bytes are read."""
        return self.end - self.start

    def batches(self, wanted: Collection[int]) -> Iterator[Batch]:
        """The rows in batches; rows with too few or too many fields in batches of their own."""
        header = self.start == 0
        try:
            for block in self._blocks():
                lines = block
                if header:
                    first = _FIRST_LINE.search(block)
                    header, lines = first is None, block[first.end() :] if first else b""
                yield from self._batches(lines, wanted)
        except (OSError, EOFError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from None

    def _blocks(self) -> Iterator[bytes]:
        """Bytes that end with whole lines, however long these are."""
        held: list[bytes] = []
        waiting = 0
        packed = self.path.endswith(".gz")
        with pa.input_stream(self.path, compression="gzip") if packed else Path(self.path).open("rb") as stream:
            if not packed:
                stream.seek(self.start)
            place = self.start
            while chunk := stream.read(BLOCK_BYTES if packed else min(BLOCK_BYTES, self.end - place)):
                rest = chunk.removeprefix(BYTE_ORDER_MARK) if place == 0 else chunk
                place += len(chunk)
                last = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
                # A block is shorter than the longest line: only a line that began before may be too long.
                ended = _LINE_END.search(rest) if held else None
                if waiting + (ended.start() if ended else len(rest) - last) > inputs.LONGEST_LINE:
                    begin = place - len(rest) - waiting
                    raise inputs.long_line(Path(self.path), inputs.line_at(Path(self.path), begin))
                if last:
                    yield b"".join([*held, rest[:last]])
                    held, waiting = [], 0
                held.append(rest[last:])
                waiting += len(rest) - last
        yield b"".join(held)

    def _batches(self, lines: bytes, wanted: Collection[int]) -> Iterator[Batch]:
        plain, others = _parted(lines, _Lines.odd_quotes) if b'"' in lines else (lines, [])
        try:
            rows = self._parsed(plain, wanted)
        except pa.ArrowInvalid:
            plain, ragged = _parted(plain, self._of_another_width)
            others += ragged
            rows = self._parsed(plain, wanted)
        if rows is not None:
            yield from _split({i: _decoded(rows.column(str(i))) for i in wanted}, rows.num_rows)
        spelled = [fields(line.decode("utf-8", "replace")) for line in others if line.strip(_BLANK)]
        for malformed in (False, True):
            some = [row for row in spelled if (len(row) != self.width) is malformed]
            if some:
                yield from _split({i: _column(some, i) for i in wanted}, len(some), malformed=malformed)

    def _parsed(self, lines: bytes, wanted: Collection[int]) -> pa.Table | None:
        """Lines with as many fields as there are columns; None where there is no line.

        Raises:
            ArrowInvalid: where a line has too few or too many.
        """
        if not lines.strip(b"\r\n"):
            return None
        if lines.startswith(BYTE_ORDER_MARK):
            # Arrow would pass over it, which is for the beginning of a file only.
            lines = b"\n" + lines
        names = [str(i) for i in range(self.width)]
        kinds = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()), include_columns=[str(i) for i in wanted]
        )
        # One block, so that no line lies across two.
        options = arrow_csv.ReadOptions(column_names=names, block_size=len(lines) + 1, use_threads=False)
        return arrow_csv.read_csv(pa.BufferReader(lines), options, convert_options=kinds)

    def _of_another_width(self, text: _Lines) -> NDArray[np.bool_]:
        commas = np.flatnonzero(text.bytes == _COMMA)
        # Lines have no quotes around fields, or only such: what an odd number of these precedes is inside of one.
        around = text.quotes[text.with_quoted_field.take(text.line_of(text.quotes))]
        commas = commas[around.searchsorted(commas) % 2 == 0]
        fields_of_line = np.bincount(text.line_of(commas), minlength=len(text.ends)) + 1
        wrong: NDArray[np.bool_] = (fields_of_line != self.width) & (text.ends > text.starts)
        return wrong


class _Lines:
    """Where the lines of a text begin and end, and where its quotes are."""

    def __init__(self, text: bytes) -> None:
        self.bytes = np.frombuffer(text, dtype=np.uint8)
        ends = np.flatnonzero((self.bytes == _LINE_FEED) | (self.bytes == _RETURN))
        whole = not len(text) or (len(ends) > 0 and ends[-1] == len(text) - 1)
        self.ends = ends if whole else np.append(ends, len(text))
        self.starts = np.append(0, self.ends + 1)[:-1]
        self.quotes = np.flatnonzero(self.bytes == _QUOTE)
        self._ends_field = np.isin(np.arange(256), [_COMMA, _LINE_FEED, _RETURN])

    def line_of(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """The line number of each of some byte positions."""
        return self.ends.searchsorted(places)

    @property
    def with_quoted_field(self) -> NDArray[np.bool_]:
        """Lines where a field begins with a quote."""
        found = np.zeros(len(self.ends), dtype=bool)
        found[self.line_of(self.quotes[self._ends_field[self._beside(self.quotes, -1)]])] = True
        return found

    def odd_quotes(self) -> NDArray[np.bool_]:
        """Lines with a quoted field, and with a quote that neither is around a field nor doubled inside of one."""
        opening, closing = self.quotes[::2], self.quotes[1::2]
        # Cheaper, and so in nearly every file: quotes come in pairs that no line end parts.
        paired = (self.quotes.searchsorted(self.ends) % 2 == 0).all()
        if paired and not len(self._lone(opening, -1)) and not len(self._lone(closing, 1)):
            return np.zeros(len(self.ends), dtype=bool)
        line = self.line_of(self.quotes)
        second = (np.arange(len(line)) - line.searchsorted(line)) % 2 == 1
        wrong: NDArray[np.bool_] = np.bincount(line, minlength=len(self.ends)) % 2 == 1
        wrong[self.line_of(self._lone(self.quotes[~second], -1))] = True
        wrong[self.line_of(self._lone(self.quotes[second], 1))] = True
        return wrong & self.with_quoted_field

    def _lone(self, quotes: NDArray[np.intp], side: int) -> NDArray[np.intp]:
        """Quotes that on this side are next to neither the end of a field nor another quote."""
        neighbour = self._beside(quotes, side)
        lone: NDArray[np.intp] = quotes[~(self._ends_field[neighbour] | (neighbour == _QUOTE))]
        return lone

    def _beside(self, places: NDArray[np.intp], side: int) -> NDArray[np.uint8]:
        """The bytes before or after some positions; a line end at the limits of the text."""
        found = self.bytes.take(places + side, mode="clip")
        found[(places + side < 0) | (places + side >= len(self.bytes))] = _LINE_FEED
        return found


def _parted(text: bytes, odd: Callable[[_Lines], NDArray[np.bool_]]) -> tuple[bytes, list[bytes]]:
    """The lines of a text but the odd ones, and these."""
    lines = _Lines(text)
    rest, found, place = [], [], 0
    chosen = np.flatnonzero(odd(lines))
    for start, end in zip(lines.starts[chosen].tolist(), lines.ends[chosen].tolist(), strict=True):
        rest.append(text[place:start])
        found.append(text[start:end])
        place = end
    return b"".join([*rest, text[place:]]) if found else text, found


def fields(line: str) -> list[str]:
    """The fields of any line, as Spark reads them, also where its quotes are not well written.

    A quote that is never closed takes the rest of the line; text after a closing quote makes the quotes part of the
    field, and spaces there do not count.
    """
    if '"' not in line:
        return line.split(",")
    found, place = [], 0
    while True:
        value, place = _quoted(line, place) if line.startswith('"', place) else _unquoted(line, place)
        found.append(value)
        if place == len(line):
            return found
        place += 1


def _unquoted(line: str, start: int) -> tuple[str, int]:
    comma = line.find(",", start)
    end = comma if comma >= 0 else len(line)
    return line[start:end], end


def _quoted(line: str, start: int) -> tuple[str, int]:
    match = _QUOTED.match(line, start)
    if match is None:
        raise ValueError("no quote at that place")
    inside = match[1].replace('""', '"')
    if match[2] is None:
        return inside or '"', len(line)
    if match.end() == len(line) or line[match.end()] == ",":
        return inside, match.end()
    rest, end = _unquoted(line, match.start(2))
    again = '"' if _QUOTE_AFTER_SPACES.match(line, match.start(2)) else ""
    return f'"{inside}{rest}{again}', end


def _column(rows: Sequence[Sequence[str]], place: int) -> pa.DictionaryArray:
    values = [row[place] if place < len(row) else None for row in rows]
    return pa.array(values, pa.string()).dictionary_encode("encode")


def _split(columns: Mapping[int, pa.DictionaryArray], rows: int, *, malformed: bool = False) -> Iterator[Batch]:
    """Rows as they are, and those with bytes that are no UTF-8 as malformed: different names would become one."""
    broken = np.zeros(rows, dtype=bool)
    for column in columns.values():
        levels = pc.match_substring(column.dictionary, REPLACEMENT).fill_null(False).to_numpy(zero_copy_only=False)
        if levels.any():
            broken |= levels.take(column.indices.to_numpy())
    if malformed or not broken.any():
        yield Batch(columns, rows, malformed=malformed)
        return
    for worse, mask in ((False, ~broken), (True, broken)):
        if not mask.any():
            continue
        kept = {i: column.filter(pa.array(mask)) for i, column in columns.items()}
        yield Batch(kept, int(mask.sum()), malformed=worse)


def _decoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Bytes as text; invalid UTF-8 is replaced, level by level."""
    encoded = column.combine_chunks().dictionary_encode()
    try:
        levels = encoded.dictionary.cast(pa.string())
    except pa.ArrowInvalid:
        levels = pa.array([value.decode("utf-8", "replace") for value in encoded.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(encoded.indices, levels)
