"""Warnings that are needed to interpret the figures of an audit; published as `runs.notes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairsweep.core.groups import too_small_to_name
from fairsweep.errors import shortened

if TYPE_CHECKING:
    from fairsweep.auditing.assessment import Assessment
    from fairsweep.auditing.group_names import Unnamed
    from fairsweep.auditing.suppression import Disclosure

# A group without a share in the training data is reported from this share on.
NEW_SHARE = 0.01


def warnings(assessment: Assessment, unnamed: Unnamed) -> list[str]:
    """Warnings that are needed to interpret the figures."""
    found = []
    declared = {a.name: a.values for a in assessment.spec.base_attributes if a.values is not None}
    for attribute in assessment.attributes:
        values = declared.get(attribute.name)
        extra = [group for group in attribute.groups if values is not None and group not in (*values, "unknown")]
        if attribute.single and extra:
            listed = _listed(unnamed, attribute.name, extra)
            found.append(f"{attribute.name}: {len(extra)} group(s) not in its declared values: {listed}")
    return [*found, *_of_units(assessment), *_of_mix(assessment, unnamed)]


def of_hidden(assessment: Assessment, told: Disclosure) -> list[str]:
    """The intersections of which nothing is shown, not even their groups."""
    if told.reason is not None:
        return [
            f"no count is shown, because {told.reason}: run that one again with --force, then this one with --force"
        ]
    hidden = [attribute.name for attribute in assessment.attributes if not told.lists(attribute.name)]
    return [f"{name}: nothing is shown of this intersection, because too few people" for name in hidden]


def _of_units(assessment: Assessment) -> list[str]:
    if not assessment.units.repeated:
        return []
    if assessment.spec.weight_kind is not None:
        return ["members have several rows, whose weights say nothing of that: intervals are too short"]
    if assessment.spec.unit is None:
        step = "write `unit: prediction` where that is meant, `unit: member` where such rows are mistakes"
        return [f"members have several rows, and nobody said whether they should: {step}; intervals are of members"]
    return []


def _of_mix(assessment: Assessment, unnamed: Unnamed) -> list[str]:
    """Groups whose share differs from that in the training data beyond chance and by a tenth of it or more."""
    found = []
    for attribute in assessment.attributes:
        declared = (assessment.spec.training_population or {}).get(attribute.name)
        if declared is None or not assessment.state.rows_used:
            continue
        share = attribute.rows_at([0])[:, 0].n / assessment.state.rows_used
        there = dict(zip(attribute.groups, share, strict=True))
        far = [g for g in sorted(declared) if _differs(there.get(g, 0.0), declared[g], assessment.state.rows_used)]
        far += [g for g in sorted({*there} - {*declared}) if there[g] > NEW_SHARE]
        if far:
            listed = _listed(unnamed, attribute.name, far)
            found.append(f"{attribute.name}: the mix differs from the training population's declared: {listed}")
    return found


def _listed(unnamed: Unnamed, attribute: str, groups: Sequence[str]) -> str:
    """The first groups that may be named, and how many may not."""
    named = [group for group in groups if group not in unnamed.get(attribute, ())]
    small = len(groups) - len(named)
    return ", ".join([*(shortened(group) for group in named[:10]), *([too_small_to_name(small)] if small else [])])


def _differs(share: float, declared: float, rows: int) -> bool:
    """Whether a share differs from a declared one beyond chance (three standard errors), and by a tenth of it."""
    error = (declared * (1 - declared) / rows) ** 0.5
    return bool(abs(share - declared) > max(3 * error, 0.1 * declared))
