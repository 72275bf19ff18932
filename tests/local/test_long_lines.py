"""Lines of gigabytes, which a few kilobytes can hold when packed: refused by their length, whoever reads them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairsweep.engines.arrow import text_files
from fairsweep.engines.arrow.sources import CsvSource
from fairsweep.errors import DataRefusedError, UsageError
from fairsweep.input import files as inputs
from tests.commands import called

HEADER = b"score,label,race\n"
ROW = b"0.9,1,A\n"
MILLION = 1_000_000
LONG = 24 * MILLION
CONFIG = """
model: {id: falls, version: "1"}
flag_is: help
input: {format: csv, path: %s}
columns: {score: score, label: label}
attributes: [race]
cutoffs: {start: 0, stop: 1, count: 11}
operating_points: [{name: deployed, rule: fixed, at: 0.5}]
"""


def packed(parts: Iterator[bytes], path: Path) -> Path:
    """The parts as a gzip file, which is small for parts that repeat."""
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for part in parts:
            stream.write(part)
    return path


def repeated(begin: bytes, unit: bytes, size: int, end: bytes = b"") -> Iterator[bytes]:
    yield begin
    block = unit * (MILLION // len(unit))
    for _ in range(size // MILLION):
        yield block
    yield end


LINES = {
    "a field without an end": (HEADER + ROW, b"secret", 3),
    "a quote without an end": (HEADER + 2 * ROW + b'0.9,1,"', b"secret ", 4),
    "nothing but zeros": (HEADER + ROW, b"\0", 3),
    "fields without an end": (HEADER + b"0.9,1,A\r\n\r\n", b"1,", 4),
}


@pytest.mark.parametrize(
    ("name", "kind"), [*(("scores.csv.gz", kind) for kind in LINES), ("scores.csv", "a quote without an end")]
)
def test_a_line_that_is_too_long_is_refused_with_its_number(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, unit, number = LINES[kind]
    path = tmp_path / name
    if path.suffix == ".gz":
        packed(repeated(begin, unit, LONG, b"\n" + ROW), path)
        assert path.stat().st_size < MILLION
    else:
        path.write_bytes(b"".join(repeated(begin, unit, LONG, b"\n" + ROW)))
    (tmp_path / "audit.yaml").write_text(CONFIG % name, encoding="utf-8")
    flags = ["--engine", "local", "--config", str(tmp_path / "audit.yaml"), "--warehouse", str(tmp_path / "wh")]
    assert called("audit", *flags) == 3
    told = capsys.readouterr().err
    assert f"line {number} is more than 16,777,216 bytes long" in told
    assert "secret" not in told


@pytest.mark.parametrize("kind", ["a quote without an end", "nothing but zeros"])
def test_init_and_check_hold_no_long_line(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin, unit, _ = LINES[kind]
    packed(repeated(begin, unit, LONG), tmp_path / "scores.csv.gz")
    (tmp_path / "audit.yaml").write_text(CONFIG % "scores.csv.gz", encoding="utf-8")
    assert called("check", "--config", str(tmp_path / "audit.yaml")) == 0, "it reads the header alone"
    out = tmp_path / "proposed.yaml"
    assert called("init", str(tmp_path / "scores.csv.gz"), "--flag-is", "help", "--out", str(out)) in {2, 3}
    assert "unexpected" not in capsys.readouterr().err


@pytest.mark.parametrize("unit", [b"x", b"\0", b" \n"])
def test_a_header_is_looked_for_in_the_first_million_bytes(unit: bytes, tmp_path: Path) -> None:
    packed(repeated(b"", unit, LONG, HEADER), tmp_path / "scores.csv.gz")
    with pytest.raises(UsageError, match=r"no header within the first 1,000,000 bytes|not text"):
        inputs.csv_header(tmp_path / "scores.csv.gz")


@pytest.mark.parametrize("length", [inputs.LONGEST_LINE, inputs.LONGEST_LINE + 1])
@pytest.mark.parametrize(("name", "before"), [("scores.csv.gz", 0), ("scores.csv", 0), ("scores.csv", 4_000_000)])
def test_the_longest_line_is_one_of_sixteen_mebibytes_wherever_it_begins(
    length: int, name: str, before: int, tmp_path: Path
) -> None:
    path, rows = tmp_path / name, before // len(ROW)
    line = b"0.9,1," + b"x" * (length - 6)
    content = HEADER + rows * ROW + line + b"\n" + ROW
    path.write_bytes(zlib.compress(content, 1, wbits=31) if path.suffix == ".gz" else content)

    def read() -> int:
        return sum(batch.rows for piece in CsvSource(str(path), path).pieces() for batch in piece.batches([0]))

    if length <= inputs.LONGEST_LINE:
        assert read() == rows + 2
        inputs.refuse_long_lines([path])
        return
    for refuses in (read, lambda: inputs.refuse_long_lines([path])):
        with pytest.raises(DataRefusedError, match=f"line {rows + 2:,}"):
            refuses()


def test_a_line_is_found_in_every_piece_of_a_plain_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "PIECE_BYTES", 9_000_000)
    path = tmp_path / "scores.csv"
    path.write_bytes(HEADER + 2_000_000 * ROW + b"x" * LONG + b"\n" + ROW)
    refused = 0
    for piece in CsvSource(str(path), path).pieces():
        try:
            list(piece.batches([0]))
        except DataRefusedError as error:
            refused += "line 2,000,002" in str(error)
    assert refused == 1
