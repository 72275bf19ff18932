"""The text summary of a cohort: included predictions, events, and excluded rows by reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fairsweep.core.groups import OVERALL
from fairsweep.output.lines import Line, Page, Span, flowing, wrapped
from fairsweep.output.wording import counted, percent, printable

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
_INPUTS = {
    "outcome_lines": "Lines of claims within a horizon",
    "members": "Members",
    "enrollment": "Enrolment",
    "claims": "Claims",
}
_WORDS = {
    "malformed_row": "malformed rows",
    "member_id_missing": "no member",
    "scored_on_missing": "no day of the score",
    "conflicting_predictions": "several scores for one day",
    "duplicate_prediction": "duplicate of a prediction",
    "not_the_prediction_kept": "another prediction of the member is kept",
    "unknown_member": "not among the members",
    "conflicting_members": "rows of the member differ",
    "unreadable_member": "a date of the member cannot be read",
    "born_after_score": "born after the score",
    "died_before_score": "died before the score",
    "not_enrolled": "not enrolled on the day",
    "prior_enrollment_too_short": "not enrolled long enough before",
    "horizon_not_over": "the horizon is not over",
    "run_out_not_over": "the claims have not run out",
    "died": "died within the horizon",
    "disenrolled": "left within the horizon",
    "component_missing": "a score that the blend needs is missing",
    "start_date_missing": "no first day",
    "end_date_unreadable": "last day cannot be read",
    "end_before_start": "ends before it starts",
    "known_on_unreadable": "the day it became known cannot be read",
    "code_system_unknown": "codes of an unknown system",
    "duplicate_line": "duplicate line",
    "not_known_yet": "not known yet",
    "superseded": "replaced by a later version",
    "reversed": "reversed",
}


def lines(tables: Mapping[str, pa.Table], page: Page) -> Iterator[Line]:
    """The cohort of every model, and the excluded rows of its inputs."""
    rows = [row for row in tables["cohort_flow"].to_pylist() if row["attribute"] == OVERALL]
    models = sorted({(row["model_id"], row["model_version"]) for row in rows})
    for place, model in enumerate(models):
        own = [row for row in rows if (row["model_id"], row["model_version"]) == model]
        if place:
            yield ()
        yield from _model(" ".join(model), [row for row in own if row["input"] == "predictions"], page)
        yield from _lost([row for row in own if row["input"] == "outcome_lines"], _INPUTS["outcome_lines"], page)
        if place == len(models) - 1:  # the other inputs are the same for all
            for source in sorted({row["input"] for row in own} - {"predictions", "outcome_lines"}):
                yield from _lost([row for row in own if row["input"] == source], _INPUTS.get(source, source), page)


def _model(name: str, steps: Sequence[Row], page: Page) -> Iterator[Line]:
    total, last = steps[0]["rows_in"], steps[-1]
    yield (Span(printable(f"Cohort of {name}"), "title"),)
    if total is None or last["rows_in"] is None or last["events"] is None:
        suppressed = "The numbers of predictions and events are suppressed because there are too few people."
        yield from flowing(suppressed, page, indent=2)
    else:
        rate = percent(last["events"] / last["rows_in"])
        events = f"{counted(last['events'], 'event')} ({rate})"
        yield from flowing(f"{last['rows_in']:,} of {counted(total, 'prediction')} included; {events}.", page, indent=2)
    yield from _lost(steps, "Excluded", page)


def _lost(steps: Sequence[Row], title: str, page: Page) -> Iterator[Line]:
    """Excluded rows by reason; nothing if there are none."""
    excluded = [row for row in steps if row["rows_out"] != 0]
    if not excluded:
        return
    clauses = [f"{_WORDS.get(r['reason'], r['reason'])} {_number(r['rows_out'])}" for r in excluded]
    suppressed = any(row["rows_out"] is None for row in excluded) or steps[0]["rows_in"] is None
    n = "" if suppressed else f"{sum(row['rows_out'] for row in excluded):,} of {steps[0]['rows_in']:,}: "
    clauses[0] = f"{title}: {n}{clauses[0]}"
    yield from wrapped(clauses, page, indent=2)


def _number(n: int | None) -> str:
    return "(suppressed)" if n is None else f"{n:,}"
