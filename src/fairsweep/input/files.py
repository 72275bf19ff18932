"""Inputs in files that this process can read: their files, columns and version. No row is read."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fairsweep.errors import DataRefusedError, Problem, UsageError, quoted
from fairsweep.file_kinds import FOLDER, REGULAR, kind_of
from fairsweep.input.source_columns import ColumnType, SourceColumn

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fairsweep.config.sections import InputSpec

LONGEST_HEADER = 1_000_000
# A line is held whole, several times over; one that is longer is no row, and a small packed file can hold gigabytes.
LONGEST_LINE = 1 << 24
_BLOCK = 1 << 16
_LINE_END = re.compile(rb"[\r\n]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The replacement of invalid UTF-8; with it, different names could become equal.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def local_path(path: str) -> Path | None:
    """The path on this machine's file systems, or None where only Spark can look."""
    if path.startswith("file:"):
        return Path(re.sub("^file:(//[^/]*)?", "", path))
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path):
        return None
    local = Path(path)
    # Databricks volumes look like local folders, but not on every kind of compute.
    return None if path.startswith("/Volumes/") and not local.exists() else local


def local_files(path: Path) -> list[Path]:
    """The data files at a path, sorted: the file, or all in the folder but those named `_*` or `.*`.

    Raises:
        UsageError: where there is nothing, or no data file.
    """
    try:
        kind = kind_of(path)
        if kind == REGULAR:
            return [path]
        if kind != FOLDER:
            step = "check the path; relative to the config's folder, or with --set to the current folder"
            found = kind or "not there"
            raise UsageError(Problem(f"input.path {quoted(path)}", found, "a file or a folder", step))
        files = sorted(file for file in path.rglob("*") if _is_data(file.relative_to(path)) and file.is_file())
    except OSError as error:
        raise _unreadable(path, error) from None
    if not files:
        step = "put files in it; names that begin with _ or . are ignored"
        raise UsageError(Problem(f"input.path {quoted(path)}", "a folder without data files", "files", step))
    return files


def _is_data(relative: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in relative.parts)


def files_version(path: Path) -> str:
    """The version of files: sha256 of sorted relative paths, sizes and times in milliseconds."""
    digest = hashlib.sha256()
    for file in local_files(path):
        relative = file.name if file == path else file.relative_to(path).as_posix()
        facts = file.stat()
        digest.update(f"{relative}\0{facts.st_size}\0{facts.st_mtime_ns // 1_000_000}\n".encode())
    return digest.hexdigest()


def peek(source: InputSpec) -> tuple[SourceColumn, ...] | None:
    """The columns of an input, or None if only Spark can read them.

    Raises:
        UsageError: if the input does not exist or cannot be read.
        DataRefusedError: if it is empty, without even a header.
    """
    path = local_path(source.path) if source.path is not None else None
    if path is None or source.format == "cohort":
        return None
    if source.format == "delta":
        return _delta_columns(path, source.version)
    files = local_files(path)
    if any("=" in part for part in files[0].relative_to(path).parts[:-1]):
        return None  # Spark makes further columns of the folders' names.
    if source.format == "parquet":
        return parquet_columns(files[0])
    return tuple(SourceColumn(name, "text") for name in common_header(files))


def csv_header(path: Path) -> tuple[str, ...]:
    """The column names of a CSV file: UTF-8, comma, doubled quotes; blank first lines are skipped.

    The first column with a repeated name keeps it, later ones get `.1`, `.2`; an empty name becomes
    `column_<position>`.

    Raises:
        UsageError: if the header cannot be read.
        DataRefusedError: if the file holds no header.
    """
    header = _header(path)
    if header is None:
        raise _without_header(path)
    return header


def _header(path: Path) -> tuple[str, ...] | None:
    """The column names, or None where the file holds nothing."""
    with _reading(path) as stream:
        try:
            line = next((line for line in _lines(path, stream) if line.strip()), None)
        except UnicodeDecodeError:
            raise _wrong_header(path, "not UTF-8", "UTF-8 text", "save it as UTF-8") from None
    if line is None:
        return None
    if "\0" in line:
        raise _wrong_header(path, "not text", "CSV, plain or .gz", "check input.format")
    try:
        names = next(csv.reader([line], strict=True))
    except csv.Error:
        raise _wrong_header(path, "broken quotes", "doubled quotes", "correct the first line") from None
    return distinct_names([name.strip(" ") for name in names])


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that differ; a suffix never takes the name that another column has of its own."""
    own = [name or f"column_{place}" for place, name in enumerate(names, start=1)]
    taken: set[str] = set()
    result = []
    for name in own:
        unique, repeat = name, 0
        while unique in taken or (repeat and unique in own):
            repeat += 1
            unique = f"{name}.{repeat}"
        taken.add(unique)
        result.append(unique)
    return tuple(result)


def common_header(files: Sequence[Path]) -> tuple[str, ...]:
    """The header that all files share; empty files, which some writers leave behind, have none."""
    headers = [(file, header) for file in files if (header := _header(file)) is not None]
    if not headers:
        raise _without_header(files[0])
    first_file, first = headers[0]
    for file, header in headers[1:]:
        if header != first:
            different = next((n for n, o in zip(header, first, strict=False) if n != o), None)
            where = f"at {quoted(different)}" if different else f"with {len(header)} columns"
            found = f"another header than {quoted(first_file.name)}, {where}"
            raise _wrong_header(file, found, "the same header in every file", "audit the files one by one")
    return first


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                yield packed  # type: ignore[misc]
        else:
            with path.open("rb") as plain:
                yield plain
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from None


def _lines(path: Path, stream: BinaryIO) -> Iterator[str]:
    """The first lines as text; however long the file, little more than the header is read."""
    held, start = stream.read(_BLOCK).removeprefix(BYTE_ORDER_MARK), 0
    read = len(held)
    while True:
        found = _LINE_END.search(held, start)
        if found:
            yield held[start : found.start()].decode()
            start = found.end()
            continue
        more = stream.read(_BLOCK)
        if not more:
            yield held[start:].decode()
            return
        if read > LONGEST_HEADER:
            found_text = f"no header within the first {LONGEST_HEADER:,} bytes"
            raise _wrong_header(path, found_text, "CSV with a header", "check input.format")
        held, start = held[start:] + more, 0
        read += len(more)


def refuse_long_lines(files: Sequence[Path]) -> None:
    """Refuse text files with a line that is longer than a row may be, for readers that would hold it whole.

    Of a plain file only as much is read as shows that no line can be too long; a packed one is read to its end.

    Raises:
        DataRefusedError: naming the first such line.
        UsageError: where a file cannot be read.
    """
    for file in files:
        if file.suffix != ".gz" and file.stat().st_size <= LONGEST_LINE:
            continue
        with _reading(file) as stream:
            if file.suffix != ".gz" and _has_line_ends(stream, file.stat().st_size):
                continue
            stream.seek(0)
            place = _long_line(stream)
        if place is not None:
            raise long_line(file, line_at(file, place))


def _has_line_ends(stream: BinaryIO, size: int) -> bool:
    """Whether every half of the longest line's length has a line end, so that no line can be longer."""
    half = LONGEST_LINE // 2
    for start in range(0, size - half, half):
        stream.seek(start)
        read = 0
        while read < half and (block := stream.read(min(_BLOCK, half - read))):
            if _LINE_END.search(block):
                break
            read += len(block)
        else:
            return False
    return True


def _long_line(stream: BinaryIO) -> int | None:
    """Where the first line begins that is too long."""
    place = begin = 0
    while block := stream.read(_BLOCK):
        # Blocks are far shorter than the longest line: only the line that a block ends may be too long.
        first = _LINE_END.search(block)
        if place + (first.start() if first else len(block)) - begin > LONGEST_LINE:
            return begin
        if first:
            begin = place + max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        place += len(block)
    return None


def line_at(path: Path, place: int) -> int:
    """The number of the line that begins at a byte position of a text file."""
    lines, after_return, left = 1, False, place
    with _reading(path) as stream:
        while left and (block := stream.read(min(_BLOCK, left))):
            left -= len(block)
            lines += block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
            lines -= after_return and block.startswith(b"\n")
            after_return = block.endswith(b"\r")
    return lines


def long_line(path: Path, number: int) -> DataRefusedError:
    """The refusal of a file because of one line; the content of the line is not quoted."""
    found = f"more than {LONGEST_LINE:,} bytes long"
    step = "check the program that wrote the file: line ends may be missing"
    return DataRefusedError(Problem(f"input {quoted(path)}: line {number:,}", found, "a row in each line", step))


def parquet_columns(file: Path) -> tuple[SourceColumn, ...]:
    """The columns of a Parquet file.

    Raises:
        UsageError: where it is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return stored_columns(pq.read_metadata(file))
    except (OSError, pa.ArrowException):
        step = "check input.format; name a folder that holds only Parquet files"
        raise UsageError(Problem(f"input.path {quoted(file)}", "not a Parquet file", "Parquet", step)) from None


def stored_columns(metadata: pq.FileMetaData) -> tuple[SourceColumn, ...]:
    """The columns of a Parquet file by its footer; points in time of the old form (INT96) are moments of UTC."""
    leaves = (metadata.schema.column(place) for place in range(metadata.num_columns))
    moments = {leaf.path for leaf in leaves if leaf.physical_type == "INT96"}
    columns = _arrow_columns(metadata.schema.to_arrow_schema())
    return tuple(
        SourceColumn(one.name, "timestamp") if one.name in moments and one.type == "timestamp_ntz" else one
        for one in columns
    )


def _delta_columns(path: Path, version: int | None) -> tuple[SourceColumn, ...] | None:
    place = f"input.path {quoted(path)}"
    if not path.is_dir():
        step = "check the path; a Delta table is a folder"
        found = kind_of(path) or "not there"
        raise UsageError(Problem(place, found, "the folder of a Delta table", step))
    if not (path / "_delta_log").is_dir():
        step = "write format: parquet for plain files, or name the folder that holds _delta_log"
        raise UsageError(Problem(place, "a folder without _delta_log", "the folder of a Delta table", step))
    try:
        import pyarrow as pa
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError:
        return None
    try:
        table = DeltaTable(path)
        if version is not None and version > table.version():
            allowed = f"0 to {table.version()}"
            raise UsageError(Problem("input.version", f"{version}", allowed, "name a version that exists"))
        if version is not None:
            table.load_as_version(version)
        return _arrow_columns(pa.schema(table.schema().to_arrow()))
    except DeltaError:
        return None  # A version that was removed, or a feature that only Spark can read: Spark's answer counts.


def _arrow_columns(schema: pa.Schema) -> tuple[SourceColumn, ...]:
    return tuple(SourceColumn(field.name, column_type(field.type)) for field in schema)


def column_type(kind: pa.DataType) -> ColumnType:
    """The kind of values that an Arrow type holds."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return column_type(kind.value_type)
    if types.is_timestamp(kind):
        return "timestamp" if kind.tz else "timestamp_ntz"
    if types.is_uint64(kind) or types.is_null(kind):
        return "integer"  # in Spark a decimal without a fraction, as its integers are signed; and what has no type
    if types.is_decimal(kind):
        return "decimal" if kind.scale else "integer"
    names: tuple[tuple[ColumnType, tuple[str, ...]], ...] = (
        ("text", ("is_string", "is_large_string", "is_string_view")),
        ("boolean", ("is_boolean",)),
        ("integer", ("is_integer",)),
        ("float", ("is_float32",)),
        ("double", ("is_float64",)),
        ("date", ("is_date",)),
    )
    return next((name for name, tests in names if any(getattr(types, test)(kind) for test in tests)), "other")


def _without_header(path: Path) -> DataRefusedError:
    place = f"input.path {quoted(path)}"
    return DataRefusedError(Problem(place, "empty: no header and no rows", "", "check the program that wrote it"))


def _wrong_header(path: Path, found: str, allowed: str, step: str) -> UsageError:
    return UsageError(Problem(f"input.path {quoted(path)}", found, allowed, step))


def _unreadable(path: Path, error: Exception) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "a broken file"
    step = "check its permissions and that it is complete"
    return UsageError(Problem(f"input.path {quoted(path)}", f"not readable ({reason})", "a readable file", step))
