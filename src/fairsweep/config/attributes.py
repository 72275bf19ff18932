"""Attributes: the columns whose groups are compared, alone or together."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_serializer, model_validator

from fairsweep.config.faults import Fault, WrongValueError, describe, printable, refusal
from fairsweep.config.scalars import NOT_BLANK, Checked, ColumnName, GroupValue, Listed, WholeNumber
from fairsweep.config.sections import Section
from fairsweep.errors import did_you_mean, quoted

EVERYBODY = "overall"
JOINER = " x "
UNKNOWN = "unknown"
LONGEST_NAME = 128
_NAME_STEP = "write {name: a name, from: the column}"


class Grouping(NamedTuple):
    """Something that results are reported by: one attribute, or several joined by ` x `."""

    name: str
    attributes: tuple[str, ...]


def _name(value: Any, allowed: str) -> str:  # noqa: ANN401  (whatever the config holds)
    if not isinstance(value, str) or not value.isprintable():
        raise refusal(describe(value), allowed, _NAME_STEP)
    if value == EVERYBODY:
        raise refusal(quoted(value), "any other name: it means everybody", "write {name: another, from: overall}")
    if JOINER in value:
        step = "write {name: a name without it, from: the column}: it joins the names of an intersection"
        raise refusal(quoted(value), "a name without ` x `", step)
    return value


def _no_repeats(values: tuple[Any, ...]) -> list[Fault]:
    return [
        Fault((position,), f"{describe(value)} again", "each value once", "remove it")
        for position, value in enumerate(values)
        if any(value == before and type(value) is type(before) for before in values[:position])
    ]


def _increasing(values: tuple[Any, ...]) -> list[Fault]:
    whole = [isinstance(value, int) and not isinstance(value, bool) for value in values]
    if not all(whole):
        return []
    return [
        Fault((position,), f"{after} after {before}", "breaks that strictly increase", "sort them, each once")
        for position, (before, after) in enumerate(pairwise(values), start=1)
        if before >= after
    ][:3]


def _two_bounds(values: tuple[Any, ...]) -> list[Fault]:
    if len(values) == 2 and not (all(isinstance(v, int) for v in values) and values[0] >= values[1]):
        return []
    found = f"a list of {len(values)}" if len(values) != 2 else f"[{values[0]}, {values[1]}]"
    return [Fault((), found, "the lowest and the highest value", "write [0, 120]")]


Name = Annotated[
    str,
    Field(max_length=LONGEST_NAME, pattern=NOT_BLANK, title="a name"),
    Checked(_name, f"a text of 1 to {LONGEST_NAME} characters", _NAME_STEP),
]


class AttributeSpec(Section):
    """One attribute: a column whose groups are compared."""

    name: Name = Field(description="What the results call the attribute.")
    column: ColumnName = Field(
        alias="from",
        default_factory=lambda data: data.get("name", ""),
        description="The column that holds the groups. Left out, it has the attribute's name.",
    )
    reference: GroupValue | None = Field(
        default=None, description="The group that every other group is also compared with."
    )
    values: Annotated[tuple[GroupValue, ...], Field(min_length=1), Listed(_no_repeats)] | None = Field(
        default=None,
        description="Groups that are listed even when no row has them. Other groups are kept, with a warning.",
    )
    missing: Annotated[tuple[GroupValue, ...], Listed(_no_repeats)] = Field(
        default=(), description="Values that mean `unknown`, as NULL and blank do."
    )
    breaks: Annotated[tuple[WholeNumber, ...], Field(min_length=1), Listed(_increasing)] | None = Field(
        default=None,
        description="Whole numbers that cut a numeric column into bands: `[18, 65]` gives `under 18`, `18-64`, `65+`.",
    )
    range: Annotated[tuple[WholeNumber, WholeNumber], Listed(_two_bounds)] | None = Field(
        default=None,
        description="The lowest and the highest value of a column with `breaks`. "
        "A row outside it is refused as `group_out_of_range`.",
    )

    @classmethod
    def plain(cls, name: str) -> AttributeSpec:
        """The column of that name, as it is."""
        return cls.model_validate({"name": name})

    @model_validator(mode="after")
    def _parts_agree(self) -> AttributeSpec:
        faults = [*self._values_disagree(), *self._breaks_disagree()]
        if faults:
            raise WrongValueError(*faults)
        return self

    def _values_disagree(self) -> list[Fault]:
        faults = []
        for key in ("values", "missing"):
            given = getattr(self, key) or ()
            again = [position for position, value in enumerate(given) if value in given[:position]]
            faults += [Fault((key, i), f"{quoted(given[i])} again", "each value once", "remove it") for i in again]
        for position, value in enumerate(self.values or ()):
            if value in self.missing:
                step = "remove it from values, or from missing"
                faults.append(Fault(("values", position), f"{quoted(value)}, also in missing", "one of the two", step))
        if self.reference is not None and self.reference in self.missing:
            step = f"write reference: {UNKNOWN}, or name another group"
            faults.append(Fault(("reference",), f"{quoted(self.reference)}, also in missing", "a group", step))
        elif self.reference is not None and self.breaks and self.reference not in (*self.labels(), UNKNOWN):
            step = did_you_mean(self.reference, self.labels())
            shown = ", ".join(quoted(printable(band)) for band in self.labels()[:12])
            faults.append(Fault(("reference",), quoted(printable(self.reference)), f"one of {shown}", step))
        return faults

    def _breaks_disagree(self) -> list[Fault]:
        faults = []
        if self.breaks is not None and self.values is not None:
            step = "remove values: the bands of the breaks are the values"
            faults.append(Fault(("values",), "given together with breaks", "one of the two", step))
        if self.range is not None and self.breaks is None:
            step = "write breaks, or remove range"
            faults.append(Fault(("range",), "given without breaks", "breaks and range", step))
        if self.range is not None and self.breaks is not None:
            low, high = self.range
            for position, value in enumerate(self.breaks):
                if not low <= value <= high:
                    found, step = f"{value}, outside range", "widen the range, or remove the break"
                    faults.append(Fault(("breaks", position), found, f"{low} to {high}", step))
        return faults

    def labels(self) -> tuple[str, ...]:
        """The bands of the breaks in rising order: `under 18`, `18-64`, `65-74`, `75-84`, `85+`."""
        if self.breaks is None:
            return ()
        between = [_band(low, high - 1) for low, high in pairwise(self.breaks)]
        return (f"under {self.breaks[0]}", *between, f"{self.breaks[-1]}+")


def _band(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return f"{low}-{high}" if low >= 0 else f"{low} to {high}"


_Names = Annotated[
    tuple[Name, ...],
    Field(min_length=2),
    Listed(_no_repeats, "two attributes or more", "add one, or write the name alone"),
]


class IntersectionSpec(Section):
    """Several attributes taken together, written as a list: `[race, sex]`."""

    attributes: _Names = Field(description="The attributes that are taken together.")

    @model_serializer
    def _as_written(self) -> list[str]:
        return list(self.attributes)

    @property
    def name(self) -> str:
        """The attributes joined in config order."""
        return JOINER.join(self.attributes)


def _single(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict | AttributeSpec):
        return value
    allowed = "a column name, {name: ..., from: ...}, or [a, b] for an intersection"
    raise refusal(describe(value), allowed, "write the name of a column; quote one that looks like a number")


def _several(value: Any) -> Any:  # noqa: ANN401
    return {"attributes": value} if isinstance(value, list | tuple) else value


def _kind(value: object) -> str:
    return "intersection" if isinstance(value, list | tuple | IntersectionSpec) else "single"


AttributeItem = Annotated[
    Annotated[AttributeSpec, BeforeValidator(_single, json_schema_input_type=Name | AttributeSpec), Tag("single")]
    | Annotated[IntersectionSpec, BeforeValidator(_several, json_schema_input_type=_Names), Tag("intersection")],
    Discriminator(_kind),
]


def base_attributes(items: tuple[AttributeSpec | IntersectionSpec, ...]) -> tuple[AttributeSpec, ...]:
    """All single attributes in config order; a name that only an intersection uses is a plain column."""
    declared = {item.name: item for item in reversed(items) if isinstance(item, AttributeSpec)}
    found: dict[str, AttributeSpec] = {}
    for item in items:
        for name in _members_of(item):
            found.setdefault(name, declared.get(name) or AttributeSpec.plain(name))
    return tuple(found.values())


def groupings(items: tuple[AttributeSpec | IntersectionSpec, ...]) -> tuple[Grouping, ...]:
    """What is reported, in config order."""
    return tuple(Grouping(item.name, _members_of(item)) for item in items)


def _members_of(item: AttributeSpec | IntersectionSpec) -> tuple[str, ...]:
    return item.attributes if isinstance(item, IntersectionSpec) else (item.name,)
