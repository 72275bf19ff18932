"""Members as numbers, and cells as single texts: equal exactly if members or cells are equal, and small to send."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# The separator of the texts of a cell, and its escaped forms inside a text.
_BETWEEN, _WRITTEN = "|", (("\\", "\\e"), ("|", "\\p"))
WORD = 8
# A longer text is represented by its digest of this length.
LONGEST_TEXT = 63
# By how many bytes of a word are text, from 0 to 8, and -1 behind the text's end: which bits are kept, and the 1 that
# follows the text, so that one with zeros at its end is not taken for a shorter one.
_KEPT = np.array([*((1 << 8 * n) - 1 for n in range(WORD + 1)), 0], dtype=np.uint64)
_END = np.array([*(1 << 8 * n for n in range(WORD)), 0, 0], dtype=np.uint64)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def numbers(values: pa.Array) -> list[NDArray[np.int64]]:
    """The numbers that together represent each value, in the order of the rows; arbitrary where there is no value.

    A whole number represents itself, and a text is represented by its bytes, eight per number. If other rows need more
    numbers, further zeros are added, which do not change the value.
    """
    if pa.types.is_integer(values.type):
        return [values.fill_null(0).cast(pa.int64(), safe=False).to_numpy()]
    texts = values.cast(pa.large_binary()).fill_null(b"")
    data, ends = _parts(texts)
    lengths = np.diff(ends)
    if int(lengths.max(initial=0)) > LONGEST_TEXT:
        data, ends = _parts(pa.array([_short(text) for text in texts.to_pylist()], pa.large_binary()))
        lengths = np.diff(ends)
    # Eight bytes from every byte on; behind the last one are zeros.
    padded = np.append(data, np.zeros(WORD, dtype=np.uint8))
    words = np.ndarray(len(padded) - WORD + 1, "<u8", padded, strides=(1,))
    found = []
    for place in range(0, int(lengths.max(initial=0)) + 1, WORD):
        left = np.clip(lengths - place, -1, WORD)
        word = words[np.minimum(ends[:-1] + place, len(words) - 1)]
        found.append(((word & _KEPT[left]) | _END[left]).astype(np.int64))
    return found


def parts_of(who: list[NDArray[np.int64]], parts: int) -> NDArray[np.unsignedinteger[Any]]:
    """A number below `parts` for each row, the same for all rows of a member; further zeros make no difference."""
    *others, last = who
    with np.errstate(over="ignore"):
        mixed = last.view(np.uint64) * _ODD
        for number in reversed(others):
            mixed = ((mixed ^ (mixed >> _HALF)) + number.view(np.uint64)) * _ODD
    part = ((mixed >> _HALF) * np.uint64(parts)) >> _HALF
    return part.astype(np.uint8 if parts <= 1 << 8 else np.uint16)


def _parts(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all texts, and where each begins and the last ends."""
    _, ends, data = texts.buffers()
    places = np.frombuffer(ends, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data or b"", dtype=np.uint8), places


def _short(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=LONGEST_TEXT).digest() if len(text) > LONGEST_TEXT else text


def joined(columns: Sequence[pa.Array]) -> pa.Array:
    """Texts next to each other as one, from which `taken_apart` has them again."""
    for sign, instead in _WRITTEN:
        columns = [pc.replace_substring(column, sign, instead) for column in columns]
    return pc.binary_join_element_wise(*columns, _BETWEEN)


def taken_apart(texts: pa.Array, columns: int) -> list[pa.Array]:
    """The columns of what `joined` put together."""
    parts = pc.split_pattern(texts, _BETWEEN).flatten()
    places = np.arange(len(texts)) * columns
    found = [parts.take(pa.array(places + i)) for i in range(columns)]
    for sign, instead in reversed(_WRITTEN):
        found = [pc.replace_substring(column, instead, sign) for column in found]
    return found
