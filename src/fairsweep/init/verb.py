"""Write a commented config from the header and at most 1,000 rows of an input."""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from fairsweep.auditing import check_columns, parse
from fairsweep.config.sections import InputSpec
from fairsweep.delta_folders import dataset
from fairsweep.engines.protocol import Inspection
from fairsweep.errors import DataRefusedError, Problem, UsageError, install_step, quoted
from fairsweep.file_kinds import REGULAR, kind_of
from fairsweep.init.proposing import Profile, Proposal, Wishes, propose
from fairsweep.init.writing import written
from fairsweep.input.files import LONGEST_LINE, csv_header, local_files, long_line, peek
from fairsweep.input.source_columns import SourceColumn

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_READ = 1_000
MOST_ROWS_TRIED = 100_000
Format = Literal["csv", "parquet", "delta"]


@dataclass(frozen=True)
class InitSummary:
    """A config that was written.

    Attributes:
        config: where.
        proposal: score, label and attributes.
        next_command: the command to try next.
    """

    config: Path
    proposal: Proposal
    next_command: str


def init(
    data: str | Path,
    flag_is: str,
    out: str | Path = "audit.yaml",
    *,
    wishes: Wishes = Wishes(),  # noqa: B008  (frozen)
    force: bool = False,
) -> InitSummary:
    """Propose an audit and write it as a config that passes `check`.

    Args:
        data: a CSV or Parquet file, a folder of them, or a Delta table.
        flag_is: `help` or `sanction`; only the user can know this.
        out: the config to write.
        wishes: columns that the user named.
        force: whether an existing config is replaced.

    Raises:
        UsageError: if the input cannot be read or its columns are not clear, or if the config already exists.
        DataRefusedError: if the input has no rows.
    """
    data, out = Path(data), Path(out)
    brings = _flag_is(flag_is)
    there = kind_of(out)
    if there not in {None, REGULAR}:
        raise UsageError(
            Problem(str(out), str(there), "a new file, or one to replace", "write another with --out FILE")
        )
    if there is not None and not force:
        step = "write another with --out FILE, or replace it with --force"
        raise UsageError(Problem(str(out), "there already", "a new file", step))
    kind = _format(data)
    columns, profiles = _profiles(data, kind)
    proposal = propose(profiles, wishes)
    _refuse_without_numbers(proposal.score)
    source = {"format": kind, "path": _relative(data, out)}
    model_id = re.sub(r"[^A-Za-z0-9._:-]+", "-", data.name.partition(".")[0]).strip("-")[:128] or "model"
    text = written(proposal, brings, model_id, source)
    spec = parse(text, source=str(out), folder=out.parent)
    check_columns(spec, Inspection(columns, str(data), None), str(out))
    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        found = f"not writable ({error.strerror})"
        raise UsageError(Problem(str(out), found, "a file in a folder that exists", "choose another")) from None
    return InitSummary(out, proposal, f"fairsweep check --config {out}")


def _flag_is(word: str) -> Literal["help", "sanction"]:
    match word:
        case "help" | "sanction":
            return word
        case _:
            step = "write help where being flagged brings help, sanction where it does harm"
            raise UsageError(Problem("--flag-is", quoted(word), "help, sanction", step))


def _refuse_without_numbers(score: Profile) -> None:
    if not score.numbers:
        found = f"{quoted(score.name)}, which holds values that are not numbers"
        raise UsageError(Problem("--score", found, "a column of numbers", "name another"))


def _format(data: Path) -> Format:
    if (data / "_delta_log").is_dir():
        return "delta"
    names = {file.name.removesuffix(".gz").rpartition(".")[2].lower() for file in local_files(data)}
    if names <= {"parquet", "pq"}:
        return "parquet"
    if names <= {"csv", "txt"}:
        return "csv"
    step = "write the config by hand: name the format under `input`"
    raise UsageError(Problem(quoted(data), "of a kind that its name does not show", ".csv, .csv.gz, .parquet", step))


def _relative(data: Path, out: Path) -> str:
    return os.path.relpath(data.absolute(), out.absolute().parent)


def _profiles(data: Path, kind: Format) -> tuple[tuple[SourceColumn, ...], list[Profile]]:
    source = InputSpec(format=kind, path=str(data.absolute()))
    columns = peek(source)
    if columns is None:
        step = f"{install_step('local')}; or write the config by hand"
        raise UsageError(Problem(quoted(data), "not readable without Spark", "a file or a Delta table", step))
    rows = _csv_rows(data) if kind == "csv" else _arrow_rows(data, kind)
    first = list(islice(rows, ROWS_READ))
    if not first:
        raise DataRefusedError(Problem(quoted(data), "empty: no rows", "", "check the program that wrote it"))
    values = zip(*first, strict=True)
    return columns, [Profile(column.name, tuple(v), column.type) for column, v in zip(columns, values, strict=True)]


def _csv_rows(data: Path) -> Iterator[Sequence[str | None]]:
    """Rows as text without the spaces around it; ragged ones, which an audit refuses, are passed over."""
    file = local_files(data)[0]
    width = len(csv_header(file))
    try:
        with (
            gzip.open(file, "rt", encoding="utf-8-sig", newline="")
            if file.suffix == ".gz"
            else file.open(encoding="utf-8-sig", newline="") as stream
        ):
            rows = (row for row in csv.reader(_lines(file, stream)) if row)
            next(rows)
            # Where thousands of rows are ragged, nothing is proposed from those that are not.
            for row in islice(rows, MOST_ROWS_TRIED):
                if len(row) == width:
                    yield [value.strip(" ") or None for value in row]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error):
        found = "not readable as UTF-8 text with commas"
        raise UsageError(Problem(quoted(file), found, "CSV, plain or .gz", "check the program that wrote it")) from None


def _lines(file: Path, stream: TextIO) -> Iterator[str]:
    """The lines of a text file, of which none is held whole that is longer than a row may be."""
    for number in count(1):
        line = stream.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise long_line(file, number)
        if not line:
            return
        yield line


def _arrow_rows(data: Path, kind: Format) -> Iterator[Sequence[str | None]]:
    for batch in _batches(data, kind):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield [_as_text(value) for value in row]


def _batches(data: Path, kind: Format) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    if kind == "parquet":
        for file in local_files(data):
            yield from pq.ParquetFile(file).iter_batches(batch_size=ROWS_READ)
        return
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        table = dataset(DeltaTable(data), data)
    except DeltaError:
        found = "a Delta table with features that only Spark reads"
        raise UsageError(Problem(quoted(data), found, "a plain one", "write the config by hand")) from None
    yield from table.head(ROWS_READ).to_batches()


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or value != value else str(value).strip(" ") or None  # noqa: PLR0124  (NaN)
