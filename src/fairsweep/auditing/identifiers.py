"""Attributes that identify people rather than groups: they are refused unless the config allows them by name."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from fairsweep.config.faults import printable
from fairsweep.errors import Problem, quoted

if TYPE_CHECKING:
    from fairsweep.auditing.spec import AuditSpec
    from fairsweep.config.attributes import AttributeSpec

MOST_DISTINCT_SHARE = 0.10
# Of a few groups it means nothing that they are many for the rows there are.
FEWEST_TOO_MANY = 20
_PERSON = re.compile(
    r"(member|patient|person|subject|beneficiary|subscriber|enrollee|client)[ _-]?(id|key|number|no|num|name|hash)"
    r"|mrn|ssn|social[ _-]?security|medicare[ _-]?(id|number)|email|phone|street|address|(first|last|full)[ _-]?name",
    re.IGNORECASE,
)
_BIRTH = re.compile(r"\b(dob|(date|day)[ _-]?of[ _-]?birth|birth[ _-]?(date|day))\b", re.IGNORECASE)
_POSTAL = re.compile(r"zip|postal|postcode", re.IGNORECASE)
_FULL_POSTAL = re.compile(r"[0-9]{5}([- ]?[0-9]{4})?")


def by_name(spec: AuditSpec) -> list[Problem]:
    """Attributes whose name suggests that they identify people; checked before a row is read."""
    found = []
    for attribute in guarded(spec):
        if _PERSON.search(f"{attribute.name} {attribute.column}"):
            found.append(_problem(attribute, "the name of a personal identifier"))
        elif _BIRTH.search(f"{attribute.name} {attribute.column}".replace("_", " ")):
            found.append(_problem(attribute, "a date of birth"))
    return found


def by_groups(attribute: AttributeSpec, groups: Collection[str], rows: int) -> Problem | None:
    """The problem of an attribute with these groups among so many rows; None if there is none."""
    if len(groups) > max(MOST_DISTINCT_SHARE * rows, FEWEST_TOO_MANY):
        return _problem(attribute, f"{len(groups):,} groups among {rows:,} rows ({len(groups) / rows:.0%})")
    if _POSTAL.search(f"{attribute.name} {attribute.column}") and any(map(_FULL_POSTAL.fullmatch, groups)):
        return _problem(attribute, "full postal codes")
    return None


def guarded(spec: AuditSpec) -> list[AttributeSpec]:
    """The attributes that the config does not allow by name; bands of a number do not identify people."""
    allowed = spec.privacy.allowed_attributes
    return [a for a in spec.base_attributes if a.breaks is None and not {a.name, a.column} & {*allowed}]


def _problem(attribute: AttributeSpec, found: str) -> Problem:
    shown = printable(attribute.name)
    step = f"use bands or a coarser column, or allow it: privacy: {{allowed_attributes: [{shown}]}}"
    return Problem(f"attributes: {quoted(shown)}", found, "a column of groups, not of people", step)
