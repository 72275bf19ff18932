"""The sections of an audit's config but for its attributes: each frozen, each checking itself."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fairsweep.config.faults import Fault, WrongValueError, describe, printable, refusal
from fairsweep.config.scalars import Checked, ColumnName, Identifier, PositiveWholeNumber, Share, whole
from fairsweep.errors import did_you_mean, quoted

# Where an input may lie: Spark reads a scheme's name as code to load, so only these are passed on.
SCHEMES = ("abfs", "abfss", "dbfs", "file", "gs", "hdfs", "s3", "s3a", "s3n", "wasbs")
Format = Literal["csv", "parquet", "delta", "table", "cohort"]
FORMATS = get_args(Format)


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

    id: Identifier = Field(description="The model's name.")
    version: Identifier = Field(description="The model's version. Quote a version that looks like a number.")


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


_NAME_IN_A_CATALOG = r"(`([^`]|``)+`|[^\s`.;'\"/\\]+)"
_TABLE_STEP = "write catalog.schema.table"


def _table(value: Any, allowed: str) -> str:  # noqa: ANN401
    if not isinstance(value, str) or not value.isprintable():
        raise refusal(describe(value), allowed, _TABLE_STEP)
    return value


TableName = Annotated[
    str,
    Field(pattern=rf"^{_NAME_IN_A_CATALOG}(\.{_NAME_IN_A_CATALOG}){{0,2}}$", title="the name of a table"),
    Checked(_table, "one to three names joined by dots, odd ones in backticks", _TABLE_STEP),
]
TableVersion = Annotated[int, Field(ge=0), whole]


class InputSpec(Section):
    """Where the rows are; of a cohort, the warehouse that `fairsweep cohort` published it in, or the table's name."""

    format: Format = Field(
        description="What the rows are in: files or a Delta table at `path`, a `table` of a catalog, or a cohort that "
        "`fairsweep cohort` has published."
    )
    path: Annotated[str, Field(title="a path"), BeforeValidator(_path)] | None = Field(
        default=None,
        description="The file or folder, relative to the config; of a cohort, the warehouse that holds it.",
    )
    version: TableVersion | None = Field(
        default=None, description="The version of a Delta table that is read. Without it, the newest."
    )
    table: TableName | None = Field(default=None, description="The table, as in `catalog.schema.table`.")

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

    score: ColumnName = Field(description="The score. A row is flagged when its score is at least the cutoff.")
    label: ColumnName = Field(description="What happened: whether the row is an event.")
    member: ColumnName | None = Field(default=None, description="Who the row is about.")
    scored_on: ColumnName | None = Field(
        default=None, description="When the row was scored. `--window-start` and `--window-end` choose by it."
    )
    model_id: ColumnName | None = Field(
        default=None, description="The model of the row, where one table holds several models. Replaces `model`."
    )
    model_version: ColumnName | None = Field(
        default=None, description="The version of the row's model. Given together with `model_id`."
    )
    weight: ColumnName | None = Field(
        default=None, description="The weight of the row, above 0 and at most 1,000,000. Needs `weight_kind`."
    )

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


class LimitsSpec(Section):
    """When a run is refused, and how much state it may hold."""

    maximum_refused_share: Share = Field(
        default=0.05, description="The run is refused when a larger share of the input's rows is refused."
    )
    maximum_refused_share_per_group: Share = Field(
        default=0.10, description="The same for each group of at least 100 rows."
    )
    joint_state_rows: PositiveWholeNumber = Field(
        default=5_000_000,
        description="Above it, state is kept for each reported attribute instead of for each cell of all attributes.",
    )
    driver_state_rows: PositiveWholeNumber = Field(
        default=20_000_000,
        description="More state stays in Spark, beside the result tables until the run ends. "
        "Without Spark or a warehouse it is refused.",
    )
    maximum_state_rows: PositiveWholeNumber = Field(
        default=2_000_000_000,
        description="More state is refused everywhere, by an estimate before the rows are counted "
        "where their number is known.",
    )
    full_sweep_groups: PositiveWholeNumber = Field(
        default=1_000,
        description="Attributes with more groups have `threshold_sweep` at operating points only.",
    )
    driver_result_rows: PositiveWholeNumber = Field(
        default=20_000_000,
        description="More rows of the result tables than this process may hold are refused, at about 0.5 kB each.",
    )


class SparkSpec(Section):
    """How Spark counts; never what it finds."""

    counting: Literal["auto", "catalyst", "arrow"] = Field(
        default="auto", description="`catalyst`, `arrow` (plain Parquet and Delta files), or `auto`, which chooses."
    )
