"""Text files without Spark: which lines are rows, whatever blocks and pieces they are read in."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from fairsweep.engines.arrow import text_files
from fairsweep.engines.arrow.conditions import Batch
from fairsweep.engines.arrow.sources import CsvSource
from fairsweep.errors import UsageError
from fairsweep.input.expressions import AsText, Field

HEADER = b"score,label,race\n"
Row = tuple[bool, str | None, str | None, str | None]


def rows_of(path: Path) -> list[Row]:
    """Every row as (malformed, score, label, race), sorted; blank fields are None."""
    found: list[Row] = []
    for piece in CsvSource(str(path), path).pieces():
        for batch in piece.batches(range(3)):
            score, label, race = (_texts(batch, i) for i in range(3))
            found += [(batch.malformed, *row) for row in zip(score, label, race, strict=True)]
    return sorted(found, key=str)


def _texts(batch: Batch, position: int) -> list[str | None]:
    groups = batch.groups(AsText(Field(position)))
    codes = groups.codes[batch.levels_of_rows(groups.field)]
    return [name or None for name in groups.names.take(pa.array(codes)).to_pylist()]


def used(*races: str | None) -> list[Row]:
    return sorted(((False, "0.9", "1", race) for race in races), key=str)


# Each says what Spark makes of it too; `tests/spark/test_text_files.py` asks.
LINES: list[tuple[bytes, list[Row]]] = [
    (b'0.9,1,"A, ""B"""\n0.9,1,""\n0.9,1," A "', used('A, "B"', None, "A")),
    (b'0.9,1,5\' 10" tall\n0.9,1,A"B"C\n0.9,1, "A"', used("5' 10\" tall", 'A"B"C', '"A"')),
    (b'0.9,1,"A\n0.9,1,B', used("A", "B")),
    (b'0.9,1,"A"B\n0.9,1,"A" B\n0.9,1,"A"\t\n0.9,1,""A', used('"A"B', '"A" B', "A", '""A')),
    (b'0.9,1,"""\n0.9,1,"\n0.9,1,"" B"', used('"', '"', '"" B""')),
    (b'0.9,1,"A\nB"\n0.9,1,C', [*used("A", "C"), (True, 'B"', None, None)]),
    (b'0.9,"1,A\n0.9,1,B', [*used("B"), (True, "0.9", "1,A", None)]),
    (b"0.9,1\n0.9,1,A,\n0.9,1,B", [*used("B"), (True, "0.9", "1", "A"), (True, "0.9", "1", None)]),
    (b"0.9,1,A\r\n0.9,1,B\r0.9,1,C\n\r\n \t\n\x00\n", used("A", "B", "C")),
    (b"# 1,2\n#1,1,A", [(False, "#1", "1", "A"), (True, "# 1", "2", None)]),
    (b"0.9,1,\xff\n0.9,\xfe", [(True, "0.9", "1", "\ufffd"), (True, "0.9", "\ufffd", None)]),
]


@pytest.mark.parametrize(("block", "piece"), [(1 << 22, 1 << 26), (1, 1 << 26), (5, 11)], ids=str)
def test_a_line_is_a_row_in_any_blocks_and_pieces(
    block: int, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    monkeypatch.setattr(text_files, "PIECE_BYTES", piece)
    for number, (lines, expected) in enumerate(LINES):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(b"\n \n" + HEADER + lines)
        assert rows_of(file) == sorted(expected, key=str), lines
        packed = tmp_path / f"{number}.csv.gz"
        packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + HEADER) + gzip.compress(lines))
        assert rows_of(packed) == sorted(expected, key=str), lines


def test_a_row_can_be_longer_than_a_block(tmp_path: Path) -> None:
    long = "x" * (text_files.BLOCK_BYTES + 7)
    (tmp_path / "long.csv").write_bytes(HEADER + f"0.9,1,{long}\n0.9,1,A\n".encode())
    assert rows_of(tmp_path / "long.csv") == used(long, "A")


def test_no_more_than_a_block_of_malformed_rows_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 1_000)
    (tmp_path / "ragged.csv").write_bytes(HEADER + b"0.9,1\n" * 5_000)
    (piece,) = CsvSource("ragged.csv", tmp_path / "ragged.csv").pieces()
    sizes = [batch.rows for batch in piece.batches([0])]
    assert sum(sizes) == 5_000
    assert max(sizes) < 200


def test_a_packed_file_that_breaks_off_is_a_known_error(tmp_path: Path) -> None:
    packed = gzip.compress(HEADER + bytes(range(256)).hex().encode() * 5_000)
    (tmp_path / "cut.csv.gz").write_bytes(packed[:-300])
    with pytest.raises(UsageError, match=r"cut\.csv\.gz.*not readable"):
        rows_of(tmp_path / "cut.csv.gz")
