"""Spec tables: ASCII in, cases and batches of cases out."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import yaml

from tests.reference import MALFORMED, as_float

DEFAULT_CONFIG = """
flag_is: help
columns: {score: score, label: label}
attributes: [race]
cutoffs: {values: [0.25, 0.5, 0.75]}
operating_points: [{name: half, rule: fixed, at: 0.5}]
privacy: {minimum_cell_size: 0}
"""


@dataclass(frozen=True)
class Case:
    """One table of rows and what an audit of it must say.

    Attributes:
        name: a sentence.
        rows: an ASCII table whose header gives `name:type`; the column `times` repeats a row. Where `csv` is true,
            the text of a file instead.
        config: YAML that replaces keys of the default config.
        expected: an ASCII table of counts and metrics by attribute, group and cutoff; a metric is a fraction or, where
            it is undefined, its status. It names every group of the attributes that it mentions.
        metrics: an ASCII table of metrics at the operating point `half`, one column for each group of race.
        tallies: an ASCII table of all refused and unscored rows of the attributes that it mentions.
        points: an ASCII table of the operating points.
        refused: places of the problems for which the model is refused.
        warned: words of a warning.
        window: first day and the day after the last.
        csv: whether `rows` is a text file.
        model: id and version of the model looked at, where the rows name models.
    """

    name: str
    rows: str
    config: str = ""
    expected: str = ""
    metrics: str = ""
    tallies: str = ""
    points: str = ""
    refused: tuple[str, ...] = ()
    warned: str = ""
    window: tuple[date, date] | None = None
    csv: bool = False
    model: tuple[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows that are audited together: cases of one config and schema are the models of one table."""

    config: Mapping[str, Any]
    types: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    window: tuple[date, date] | None
    csv: str | None


def table(text: str) -> list[dict[str, str]]:
    """Rows of an ASCII table by its header; a line of dashes is passed over."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines() if line.strip("-| +")]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def batches(cases: Iterable[Case]) -> dict[str, tuple[Batch, tuple[str, str]]]:
    """For each case its batch and its model there."""
    found = {}
    ordered = sorted(cases, key=_kind)
    for _, alike in groupby(ordered, _kind):
        together = list(alike)
        alone = together[0].csv or "model_id" in together[0].config
        for group in [[case] for case in together] if alone else [together]:
            batch = _batch(group, alone=alone)
            for place, case in enumerate(group):
                found[case.name] = batch, case.model or ("spec" if alone else f"case-{place}", "1")
    return found


def _kind(case: Case) -> tuple[str, ...]:
    return case.config, "" if case.csv else _header(case), str(case.window), str(case.csv)


def _header(case: Case) -> str:
    return re.sub(" ", "", case.rows.strip().splitlines()[0])


def _batch(cases: Sequence[Case], *, alone: bool) -> Batch:
    first = cases[0]
    config = {**yaml.safe_load(DEFAULT_CONFIG), **(yaml.safe_load(first.config) or {})}
    if first.csv:
        content = first.rows.lstrip("\n")
        return Batch({**config, "model": {"id": "spec", "version": "1"}}, {}, read_csv(content), first.window, content)
    types = dict(name.split(":") for name in _header(first).split("|") if name != "times")
    rows: list[dict[str, Any]] = []
    for place, case in enumerate(cases):
        added = {} if alone else {"the model": f"case-{place}", "the version": "1"}
        for line in table(case.rows):
            row = {name.split(":")[0]: cell for name, cell in line.items()}
            values = {name: value_of(row[name], kind) for name, kind in types.items()}
            rows += [values | added] * int(row.get("times", "1"))
    if "model_id" not in config["columns"] and alone:
        config["model"] = {"id": "spec", "version": "1"}
    if not alone:
        types |= {"the model": "text", "the version": "text"}
        config["columns"] = {**config["columns"], "model_id": "the model", "model_version": "the version"}
    return Batch(config, types, rows, first.window, None)


def value_of(cell: str, kind: str) -> Any:
    """The Python value of a cell; quotes keep the spaces of a text."""
    if cell == "NULL":
        return None
    if kind == "text":
        return cell[1:-1] if cell.startswith("'") else cell
    if kind in {"double", "float"}:
        return float(cell) if kind == "double" else as_float(float(cell))
    if kind in {"int", "bigint"}:
        return int(cell)
    if kind == "boolean":
        return {"true": True, "false": False}[cell]
    if kind == "date":
        return date.fromisoformat(cell)
    if kind == "timestamp":
        return datetime.fromisoformat(cell).astimezone(UTC)
    return datetime.fromisoformat(cell) if kind == "timestamp_ntz" else Decimal(cell)


def read_csv(content: str) -> list[dict[str, Any]]:
    """Rows of a text file, every field as text; a repeated header keeps its name the first time."""
    lines = [next(csv.reader([line])) for line in re.split(r"\r\n|\n|\r", content) if line.strip()]
    names: list[str] = []
    for name in (n.strip(" ") for n in lines[0]):
        names.append(next(c for c in (name, *(f"{name}.{i}" for i in range(1, 99))) if c not in names))
    rows = []
    for line in lines[1:]:
        row: dict[str, Any] = dict(zip(names, line + [""] * len(names), strict=False))
        rows.append({**row, MALFORMED: True} if len(line) != len(names) else row)
    return rows
