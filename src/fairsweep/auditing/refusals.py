"""When the rows of a model are too bad, or too few, to be audited."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from fairsweep.auditing.identifiers import by_groups, guarded
from fairsweep.core.groups import ALL, OVERALL, SEPARATOR
from fairsweep.errors import Problem, did_you_mean, quoted
from fairsweep.input.intake import GROUPLESS_REASONS, REFUSAL_REASONS, UNKNOWN
from fairsweep.runs.model_names import model_problems

if TYPE_CHECKING:
    from fairsweep.auditing.assessment import Assessment
    from fairsweep.auditing.group_names import Unnamed
    from fairsweep.engines.protocol import ModelKey, Tally

# In a smaller group one bad row would already be a tenth.
SMALLEST_LIMITED_GROUP = 100
NO_ROWS = Problem("input", "without a row to count", "at least one row, inside the window if there is one", "check it")


def problems(key: ModelKey, assessment: Assessment, unnamed: Unnamed) -> list[Problem]:
    """Everything that refuses the run of one model; empty where it may be published."""
    limits, state = assessment.spec.limits, assessment.state
    if not state.rows_input:
        return [NO_ROWS]
    found = [*model_problems(key), *_reference_problems(assessment, unnamed)]
    if state.rows_refused / state.rows_input > limits.maximum_refused_share:
        found.append(
            Problem(
                "input", _refused(assessment), f"at most {limits.maximum_refused_share:.1%}",
                "correct those rows, or raise limits.maximum_refused_share if they may be excluded",
            )
        )  # fmt: skip
    return [*found, *_group_problems(assessment), *_identifying(assessment)]


def _identifying(assessment: Assessment) -> list[Problem]:
    """Attributes whose groups identify people."""
    rows = assessment.state.rows_used + assessment.state.rows_unscored
    found = []
    for attribute in guarded(assessment.spec):
        holding = [h for h in assessment.state.histograms if attribute.name in h.attributes]
        if holding:
            held = min(holding, key=lambda histogram: len(histogram.attributes))
            place = held.attributes.index(attribute.name)
            found.append(by_groups(attribute, {cell[place] for cell in held.cells}, rows))
    return [problem for problem in found if problem is not None]


def _reference_problems(assessment: Assessment, unnamed: Unnamed) -> list[Problem]:
    return [
        Problem(
            f"the reference of {attribute.name}", f"{quoted(attribute.reference)}, which no row has",
            "a group of the input or of `values`",
            did_you_mean(
                attribute.reference or "",
                [group for group in attribute.groups if group not in unnamed.get(attribute.name, ())],
            ),
        )
        for attribute in assessment.without_reference()
    ]  # fmt: skip


def _refused(assessment: Assessment) -> str:
    """How many rows are refused and why; where one of the counts is small, the reasons alone."""
    state, minimum = assessment.state, assessment.spec.privacy.minimum_cell_size
    n: dict[str, int] = defaultdict(int)
    for tally in state.tallies:
        if tally.attribute == OVERALL and tally.group_value == ALL and tally.reason in REFUSAL_REASONS:
            n[tally.reason] += tally.n
    if any(_is_small(rows, minimum) for rows in (*n.values(), state.rows_input - state.rows_refused)):
        return f"too many rows refused ({', '.join(n)})"
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in n.items())
    share = state.rows_refused / state.rows_input
    return f"{state.rows_refused:,} of {state.rows_input:,} rows refused ({share:.1%}: {reasons})"


def _is_small(n: int, minimum: int) -> bool:
    return 0 < n < minimum


def _groupless(tally: Tally) -> bool:
    """Whether the reason makes the group unknown; an age out of range makes the band unknown, but not the race."""
    lost = UNKNOWN in tally.group_value.split(SEPARATOR)
    return tally.reason == "malformed_row" or (tally.reason in GROUPLESS_REASONS and lost)


def _group_problems(assessment: Assessment) -> list[Problem]:
    """Groups with too many refused rows; refused rows of an unknown group count for no group."""
    refused: dict[tuple[str, str], int] = defaultdict(int)
    # Combinations that are only searched are tallied too; how many of their rows were kept is not known here.
    reported = {attribute.name for attribute in assessment.attributes}
    for tally in assessment.state.tallies:
        if tally.attribute in reported and tally.reason in REFUSAL_REASONS and not _groupless(tally):
            refused[tally.attribute, tally.group_value] += tally.n
    if not refused:
        return []
    kept = assessment.rows_by_group()
    limit = assessment.spec.limits.maximum_refused_share_per_group
    found = []
    for (attribute, group), n in refused.items():
        rows = n + kept.get((attribute, group), 0)
        if attribute != OVERALL and rows >= SMALLEST_LIMITED_GROUP and n / rows > limit:
            small = any(_is_small(part, assessment.spec.privacy.minimum_cell_size) for part in (n, rows - n))
            told = "too many rows refused" if small else f"{n:,} of {rows:,} rows refused ({n / rows:.1%})"
            found.append(
                Problem(
                    f"{attribute}: {quoted(group)}", told,
                    f"at most {limit:.1%} of a group",
                    "correct those rows, or raise limits.maximum_refused_share_per_group if they may be excluded",
                )
            )  # fmt: skip
    return found
