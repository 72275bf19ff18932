"""The sections of an audit's config but for its attributes: each frozen, each checking itself."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from fairsweep.config.faults import Fault, WrongValueError, describe, printable, refusal
from fairsweep.config.scalars import ColumnName, Identifier, PositiveWholeNumber, Share, number, one_of, whole
from fairsweep.errors import did_you_mean, quoted

# Where an input may lie: Spark reads a scheme's name as code to load, so only these are passed on.
SCHEMES = ("abfs", "abfss", "dbfs", "file", "gs", "hdfs", "s3", "s3a", "s3n", "wasbs")
FORMATS = ("csv", "parquet", "delta", "table", "cohort")


class Section(BaseModel):
    """Frozen, strict, and without any key that is not declared."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class StoredConfig(Section):
    """The whole config of a verb, as it is kept with its runs."""

    def as_mapping(self) -> dict[str, Any]:
        """The config with its defaults, as plain data."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def config_json(self) -> str:
        """The whole config with its defaults as canonical JSON."""
        return canonical(self.as_mapping())


def canonical(mapping: dict[str, Any]) -> str:
    """Plain data as JSON that is equal where the data are."""
    return json.dumps(mapping, sort_keys=True, separators=(",", ":"), allow_nan=False)


class ModelSpec(Section):
    """The one model whose scores the input holds; results are stored under these."""

    id: Identifier
    version: Identifier


def _path(value: Any) -> str:  # noqa: ANN401  (whatever the config holds)
    allowed = "a path without a scheme, or with one of " + ", ".join(SCHEMES)
    if not isinstance(value, str) or not value.strip():
        raise refusal(describe(value), allowed, "write the path of a file or folder")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", value)
    if "@" in value and re.search(r"//[^/@]*:[^/@]*@", value):
        raise refusal("a path with a password", allowed, "remove it: credentials belong to the session")
    if scheme and scheme.group(1) not in SCHEMES:
        word = scheme.group(1)
        close = did_you_mean(word, SCHEMES)
        step = close if close.startswith("did") else "copy the input there, or write ./ before a local name"
        raise refusal(f"a path with the scheme {quoted(word)}", allowed, step)
    if not value.isprintable():
        raise refusal(quoted(printable(value)), "printable characters", "rename the file")
    if re.search(r"[*?{}\[\]]", value):
        # What follows a question mark can be a token of access.
        before, mark, _ = value.partition("?")
        found = f"{quoted(before + ('?...' if mark else ''))}, which holds one of * ? {{ }} [ ]"
        raise refusal(found, "one file or one folder", "name the folder; every file in it is read")
    return value


def _table(value: Any) -> str:  # noqa: ANN401
    part = r"(`([^`]|``)+`|[^\s`.;'\"/\\]+)"
    named = isinstance(value, str) and value.isprintable() and re.fullmatch(rf"{part}(\.{part}){{0,2}}", value)
    if not named:
        allowed = "one to three names joined by dots, odd ones in backticks"
        raise refusal(describe(value), allowed, "write catalog.schema.table")
    return str(value)


TableVersion = Annotated[int, BeforeValidator(whole("a whole number of at least 0", lambda n: n >= 0))]
Floor = Annotated[float, BeforeValidator(number("a number above 0 and below 1", lambda x: 0 < x < 1))]
Alpha = Annotated[float, BeforeValidator(number("a number above 0 and below 0.5", lambda x: 0 < x < 0.5))]


class InputSpec(Section):
    """Where the rows are; of a cohort, the warehouse that `fairsweep cohort` published it in, or the table's name."""

    format: Annotated[Literal["csv", "parquet", "delta", "table", "cohort"], one_of(*FORMATS)]
    path: Annotated[str, BeforeValidator(_path)] | None = None
    version: TableVersion | None = None
    table: Annotated[str, BeforeValidator(_table)] | None = None

    @model_validator(mode="after")
    def _keys_of_the_format(self) -> InputSpec:
        by_name = self.format == "table" or (self.format == "cohort" and self.path is None and self.table is not None)
        wanted, other = ("table", "path") if by_name else ("path", "table")
        faults = []
        if getattr(self, wanted) is None:
            step = "write `table: catalog.schema.name`" if wanted == "table" else "write `path: scores.csv`"
            faults.append(Fault((wanted,), "missing", f"a {wanted} for format {self.format}", step))
        if getattr(self, other) is not None:
            step = f"remove it, or change the format from {self.format}"
            faults.append(Fault((other,), f"given with format {self.format}", f"{wanted} only", step))
        if self.version is not None and self.format not in {"delta", "table"}:
            step = "remove it: files carry no versions"
            found = f"given with format {self.format}"
            faults.append(Fault(("version",), found, "delta or table only", step))
        if faults:
            raise WrongValueError(*faults)
        return self


class ColumnsSpec(Section):
    """Which column of the input is what."""

    score: ColumnName
    label: ColumnName
    member: ColumnName | None = None
    scored_on: ColumnName | None = None
    model_id: ColumnName | None = None
    model_version: ColumnName | None = None
    weight: ColumnName | None = None

    @model_validator(mode="after")
    def _each_column_once(self) -> ColumnsSpec:
        faults = []
        used: dict[str, str] = {}
        for key in type(self).model_fields:
            column = getattr(self, key)
            if column is not None and column in used:
                found = f"{quoted(printable(column))}, which columns.{used[column]} reads already"
                faults.append(Fault((key,), found, "a column of no other key", "name another, or remove the key"))
            elif column is not None:
                used[column] = key
        for given, absent in (("model_id", "model_version"), ("model_version", "model_id")):
            if getattr(self, given) is not None and getattr(self, absent) is None:
                step = f"name its column, or remove {given} and write `model: ...`"
                faults.append(Fault((absent,), "missing", "both model_id and model_version, or neither", step))
        if faults:
            raise WrongValueError(*faults)
        return self


class VerdictSpec(Section):
    """What a group's Group Benefit Equality is judged by."""

    floor: Floor = 0.8
    alpha: Alpha = 0.05


class LimitsSpec(Section):
    """When a run is refused, and how much state it may hold."""

    maximum_refused_share: Share = 0.05
    maximum_refused_share_per_group: Share = 0.10
    joint_state_rows: PositiveWholeNumber = 5_000_000
    driver_state_rows: PositiveWholeNumber = 20_000_000
    maximum_state_rows: PositiveWholeNumber = 2_000_000_000
    full_sweep_groups: PositiveWholeNumber = 1_000
    driver_result_rows: PositiveWholeNumber = 20_000_000


class SparkSpec(Section):
    """How Spark counts; never what it finds."""

    counting: Annotated[Literal["auto", "catalyst", "arrow"], one_of("auto", "catalyst", "arrow")] = "auto"
