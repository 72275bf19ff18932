"""When the rows of a model are too bad, or too few, to be audited."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from fairsweep.errors import Problem, did_you_mean, quoted
from fairsweep.groups import ALL, OVERALL, SEPARATOR
from fairsweep.intake import GROUPLESS_REASONS, REFUSAL_REASONS, UNKNOWN
from fairsweep.specs.scalars import IDENTIFIER_PATTERN

if TYPE_CHECKING:
    from fairsweep.engines.protocol import ModelKey, ModelState, Tally
    from fairsweep.verbs.assessment import Assessment

# In a smaller group one bad row would already be a tenth.
SMALLEST_LIMITED_GROUP = 100
NO_ROWS = Problem("input", "without a row to count", "at least one row, inside the window if there is one", "check it")


def problems(key: ModelKey, assessment: Assessment) -> list[Problem]:
    """Everything that refuses the run of one model; empty where it may be published."""
    limits, state = assessment.spec.limits, assessment.state
    if not state.rows_input:
        return [NO_ROWS]
    found = [*model_problems(key), *_reference_problems(assessment)]
    share = state.rows_refused / state.rows_input
    if share > limits.maximum_refused_share:
        reasons = _by_reason(state)
        found.append(
            Problem(
                "input", f"{state.rows_refused:,} of {state.rows_input:,} rows refused ({share:.1%}: {reasons})",
                f"at most {limits.maximum_refused_share:.1%}",
                "mend those rows, or raise limits.maximum_refused_share if they may be left out",
            )
        )  # fmt: skip
    return found + _group_problems(assessment)


def model_problems(key: ModelKey) -> list[Problem]:
    """What is wrong with the name of a model that rows gave."""
    columns = zip(("columns.model_id", "columns.model_version"), key, strict=True)
    return [
        Problem(
            place,
            "NULL, blank, or not an id",
            "1 to 128 letters, digits, . _ : -",
            "name the model of those rows",
        )
        for place, value in columns
        if not IDENTIFIER_PATTERN.fullmatch(value)
    ]


def _reference_problems(assessment: Assessment) -> list[Problem]:
    return [
        Problem(
            f"the reference of {attribute.name}", f"{quoted(attribute.reference)}, which no row has",
            "a group of the input or of `values`", did_you_mean(attribute.reference or "", attribute.groups),
        )
        for attribute in assessment.without_reference()
    ]  # fmt: skip


def _by_reason(state: ModelState) -> str:
    n: dict[str, int] = defaultdict(int)
    for tally in state.tallies:
        if tally.attribute == OVERALL and tally.group_value == ALL and tally.reason in REFUSAL_REASONS:
            n[tally.reason] += tally.n
    return ", ".join(f"{reason} {rows:,}" for reason, rows in n.items())


def _groupless(tally: Tally) -> bool:
    """Whether the refusal itself hides the group; an age out of range hides the band, and not the race."""
    lost = UNKNOWN in tally.group_value.split(SEPARATOR)
    return tally.reason == "malformed_row" or (tally.reason in GROUPLESS_REASONS and lost)


def _group_problems(assessment: Assessment) -> list[Problem]:
    """Groups that lose too many of their rows; rows whose group nobody can tell are nobody's loss."""
    refused: dict[tuple[str, str], int] = defaultdict(int)
    for tally in assessment.state.tallies:
        if tally.reason in REFUSAL_REASONS and not _groupless(tally):
            refused[tally.attribute, tally.group_value] += tally.n
    kept = assessment.rows_by_group()
    limit = assessment.spec.limits.maximum_refused_share_per_group
    found = []
    for (attribute, group), n in refused.items():
        rows = n + kept.get((attribute, group), 0)
        if attribute != OVERALL and rows >= SMALLEST_LIMITED_GROUP and n / rows > limit:
            found.append(
                Problem(
                    f"{attribute}: {quoted(group)}", f"{n:,} of {rows:,} rows refused ({n / rows:.1%})",
                    f"at most {limit:.1%} of a group",
                    "mend those rows, or raise limits.maximum_refused_share_per_group if they may be left out",
                )
            )  # fmt: skip
    return found
