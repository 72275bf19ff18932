"""What disks and people do to the files of a warehouse: emptied, cut, deleted, with a bit flipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

Harm = Callable[[Path], None]


def emptied(path: Path) -> None:
    path.write_bytes(b"")
    _without_checksum(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _without_checksum(path)


def cut_after_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    _without_checksum(path)


def overwritten(path: Path) -> None:
    """All but the beginning and the end is zeros, as after a crash of a file system."""
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:8] + bytes(size - 16) + path.read_bytes()[-8:])
    _without_checksum(path)


def with_an_action_renamed(path: Path) -> None:
    """A bit of a commit's `add` is flipped: readers pass over what they do not know."""
    path.write_text(path.read_text().replace('{"add":', '{"adf":'))
    _without_checksum(path)


def deleted(path: Path) -> None:
    path.unlink()
    _without_checksum(path)


def _without_checksum(path: Path) -> None:
    """Spark's file systems keep a checksum beside local files, which others do not."""
    for name in (f".{path.name}.crc", f"{path.stem}.crc", f".{path.stem}.crc.crc"):
        path.with_name(name).unlink(missing_ok=True)


def flipped_to_other_values(path: Path) -> None:
    """Flip the first bit of a Parquet file that makes it decode to other values without an error."""
    before, whole = path.read_bytes(), pq.ParquetFile(path).read()
    for content in _flips(before):
        path.write_bytes(content)
        try:
            found = pq.ParquetFile(path).read()
            found.validate(full=True)
        except (OSError, ValueError, NotImplementedError):
            continue
        if found.num_rows == whole.num_rows and not found.equals(whole):
            _without_checksum(path)
            return
    raise AssertionError(f"no bit of {path.name} can be flipped unseen")


def flipped_to_nonsense(path: Path) -> None:
    """Flip the first bit after which the file cannot be decoded."""
    before = path.read_bytes()
    for content in _flips(before):
        path.write_bytes(content)
        try:
            pq.ParquetFile(path).read()
        except OSError:
            _without_checksum(path)
            return
        except (ValueError, NotImplementedError):
            continue
    raise AssertionError(f"every bit of {path.name} can be flipped unseen")


def _flips(content: bytes) -> Iterator[bytes]:
    for place in range(4, len(content) - 8):
        for bit in (1, 16):
            found = bytearray(content)
            found[place] ^= bit
            yield bytes(found)


def commits(table: Path) -> list[Path]:
    """The commits of a table's log, the first creates it."""
    return sorted((table / "_delta_log").glob("*.json"))


def checkpoint(table: Path) -> Path:
    (path,) = (table / "_delta_log").glob("*.checkpoint.parquet")
    return path


def rows(table: Path, run_id: str) -> Path:
    """The one file that a run has in a result table."""
    (path,) = (table / f"run_id={run_id}").glob("*.parquet")
    return path
