"""The text summary of an audit: lines with a few styles, for a terminal, a pipe and the Python API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fairsweep.auditing import findings, sentences
from fairsweep.auditing.findings import AttributeFinding, GroupFinding, PointFinding, RunFinding, Tables
from fairsweep.core.groups import number_of_groups
from fairsweep.input.intake import FIRST_DAY, NO_END, UNSCORED_REASONS
from fairsweep.output.drawing import ASCII, UNICODE, Axis
from fairsweep.output.lines import Line, Page, Span, Style, flowing, padded, width_of, wrapped
from fairsweep.output.wording import (
    LONG_VERDICTS,
    REASONS,
    SHORT_VERDICTS,
    STATUSES,
    clipped,
    counted,
    group_label,
    number,
    percent,
    printable,
    rounded,
)

if TYPE_CHECKING:
    from fairsweep.auditing.findings import Row

_VERDICT_STYLES: dict[str, Style] = {
    "breach": "bad",
    "below_floor_unproven": "doubtful",
    "above_ceiling_unproven": "doubtful",
    "above_floor": "good",
    "below_ceiling": "good",
    "not_assessed": "dim",
}


def text(tables: Tables, width: int = 100) -> str:
    """The summary of published tables as plain text.

    Args:
        tables: the result tables of one or several runs, `runs` among them.
        width: columns of the text.
    """
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines(tables, Page(width)))


def lines(tables: Tables, page: Page) -> Iterator[Line]:
    """The summary of published tables, line by line."""
    for run in findings.read(tables):
        yield from _run(run, page)


def _run(run: RunFinding, page: Page) -> Iterator[Line]:
    record = run.run
    yield (
        Span(f"{printable(record['model_id'])} {printable(record['model_version'])}", "title"),
        Span(f"  {_window(record)}", "dim"),
    )
    yield from flowing(f"{_rows(record)} Being flagged is {'a help' if run.flag_is == 'help' else 'a sanction'}.", page)
    for point in run.points:
        yield ()
        yield from _point(point, run, page)
    if run.subgroups:
        yield ()
        yield from _subgroups(run, page)
    if run.left_out:
        yield ()
        yield from _left_out(run, page)


def _rows(record: Row) -> str:
    """The number of rows, used, unscored and refused, as far as these numbers are not suppressed."""
    parts = {"rows_used": "used", "rows_unscored": "without a usable score", "rows_refused": "refused"}
    shown = ", ".join(f"{record[name]:,} {word}" for name, word in parts.items() if record[name] is not None)
    if record["rows_input"] is None:
        suppressed = STATUSES["suppressed"]
        return f"Rows: {shown}; other numbers are {suppressed}." if shown else f"Rows: {suppressed}."
    return f"{counted(record['rows_input'], 'row')}: {shown}."


def _subgroups(run: RunFinding, page: Page) -> Iterator[Line]:
    """The subgroups that the search found, by operating point."""
    searched = run.subgroups[0]["searched"]
    yield (Span(f"Found by the search of {counted(searched, 'subgroup')}", "title"),)
    for row in run.subgroups:
        point = f"{printable(row['operating_point'])}: " if len(run.points) > 1 else ""
        yield from flowing(f"{point}{sentences.subgroup(row)}", page, indent=2, style="bad")


def _point(point: PointFinding, run: RunFinding, page: Page) -> Iterator[Line]:
    row = point.point
    name = printable(row["operating_point"])
    if row["cutoff"] is None:
        why = STATUSES.get(row["status"], row["status"])
        yield (Span(name, "title"), Span(f": no cutoff, so no group could be assessed ({why}).", "doubtful"))
        return
    yield (Span(name, "title"), Span(f": flagged where the score is at least {number(row['cutoff'])}"))
    yield ()
    yield from _headline(point, run, page)
    yield from _coverage(point, page)
    yield ()
    for sentence in (sentences.cutoff(row), sentences.basis(point, run.bound)):
        yield from flowing(sentence, page, indent=2, style="dim")
    if point.everybody is not None:
        clauses = sentences.three_numbers(point.everybody, "Overall population", point, run.bound)
        rate = point.everybody.rates["prevalence"]
        clauses += [] if rate is None else [f"{percent(rate)} had the event"]
        yield from wrapped(clauses, page, indent=2, style="dim")
    axis = _axis(point, run, page)
    for attribute in point.attributes:
        yield ()
        yield from _attribute(attribute, point, run, page, axis)
    yield ()
    yield from _legend(point, page)


def _headline(point: PointFinding, run: RunFinding, page: Page) -> Iterator[Line]:
    worst = point.worst
    if worst is None:
        yield (Span("  No group could be assessed.", "doubtful"),)
    else:
        style = _VERDICT_STYLES.get(worst.verdict, "strong")
        yield from flowing(sentences.headline(worst, point, run.bound), page, indent=2, style=style)


# A group with a defined value has no verdict if the population's value, of which it would be a multiple, is 0.
_WITHOUT_VERDICT = {**STATUSES, "defined": "no one in any group was flagged"}


def _coverage(point: PointFinding, page: Page) -> Iterator[Line]:
    """The number of groups with a verdict and in breach, and the groups without a verdict, with reasons."""
    count = sum(attribute.count for attribute in point.attributes)
    assessed = sum(attribute.assessed for attribute in point.attributes)
    breaches = sum(attribute.verdicts.get("breach", 0) for attribute in point.attributes)
    yield (
        Span(f"  {assessed:,} of {counted(count, 'group')} assessed, "),
        Span(counted(breaches, "breach", "breaches"), "bad" if breaches else "plain"),
    )
    missing = [
        (f"{printable(attribute.name)}: {group_label(group)} ({reason})", number_of_groups(group))
        for attribute in point.attributes
        for group, status in attribute.not_assessed
        for reason in [_WITHOUT_VERDICT.get(status, status)]
    ][: findings.SHOWN_OF_MORE]
    if missing:
        rest = count - assessed - sum(groups for _, groups in missing)
        more = [f"and {rest:,} more"] if rest else []
        clauses = [*(text for text, _ in missing), *more]
        clauses[0] = f"Not assessed: {clauses[0]}"
        yield from wrapped(clauses, page, indent=2, style="dim")


class _Columns(NamedTuple):
    """The widths of the columns of group lines, in characters."""

    name: int
    n: int
    events: int
    value: int


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


_VERDICT_WIDTH = max(map(len, SHORT_VERDICTS.values()))
_INDENT, _GAP = 2, 2


def _columns(point: PointFinding, page: Page) -> _Columns:
    groups = [group for attribute in point.attributes for group in attribute.groups]
    names = [*(group.name for group in groups), *(attribute.name for attribute in point.attributes)]
    longest = 26 if page.width >= 100 else 16
    return _Columns(
        min(longest, max([width_of(printable(name)) for name in names], default=8)),
        max([len(_count(group.n)) for group in groups], default=1),
        max([6, *(len(_count(group.events)) for group in groups)]),
        5,
    )


def _axis(point: PointFinding, run: RunFinding, page: Page) -> Axis:
    columns = _columns(point, page)
    room = page.width - _INDENT - sum(columns) - (len(columns) + 1) * _GAP - _VERDICT_WIDTH
    groups = [group for attribute in point.attributes for group in attribute.groups]
    values = [value for group in groups for value in sentences.drawn(group, point)]
    marks = [run.floor, 1.0] if run.flag_is == "help" else [run.floor, 1.0, run.bound]
    return Axis.over(values, sorted(set(marks)), max(14, min(room, 44)), UNICODE if page.unicode else ASCII)


def _attribute(
    attribute: AttributeFinding, point: PointFinding, run: RunFinding, page: Page, axis: Axis
) -> Iterator[Line]:
    columns = _columns(point, page)
    value = "GBE" if point.basis != "relative" else "ratio"
    name = printable(attribute.name)
    if width_of(name) > columns.name:
        yield (Span("  "), Span(name, "strong"))
        name = ""
    figures = f"{'n':>{columns.n}}  {'events':>{columns.events}}  {value:>{columns.value}}"
    ratio = f"{attribute.assessed}/{attribute.count}"
    forms = (f"{attribute.assessed} of {attribute.count} assessed", f"{ratio} assessed")
    assessed = next((form for form in forms if len(form) <= _VERDICT_WIDTH), ratio)
    yield (
        Span("  "),
        Span(padded(name, columns.name), "strong"),
        Span(f"  {figures}  {axis.labels()}", "dim"),
        Span(f"  {assessed}", "dim"),
    )
    for group in attribute.groups:
        yield from _group(group, point, run, page, axis)
    more = attribute.count - attribute.listed
    if more:
        yield (Span(f"  and {counted(more, 'more group')}, none of them worse", "dim"),)
    if (high := sentences.high(attribute.groups)) is not None:
        yield from flowing(high, page, indent=2)
    if attribute.disparate_impact is not None:
        yield from flowing(sentences.disparate_impact(attribute.disparate_impact), page, indent=2)


def _group(group: GroupFinding, point: PointFinding, run: RunFinding, page: Page, axis: Axis) -> Iterator[Line]:
    columns, style = _columns(point, page), _VERDICT_STYLES.get(group.verdict, "plain")
    name = printable(clipped(group.name))
    if width_of(name) > columns.name:
        yield (Span("  "), Span(name, style))
        name = ""
    low, value, high = sentences.drawn(group, point)
    shown = "-" if value is None else rounded(value, run.bound)
    figures = f"{_count(group.n):>{columns.n}}  {_count(group.events):>{columns.events}}"
    yield (
        Span("  "),
        Span(padded(name, columns.name), style),
        Span(f"  {figures}  {shown:>{columns.value}}  "),
        Span(axis.draw(low, value, high), style),
        Span(f"  {SHORT_VERDICTS.get(group.verdict, group.verdict)}", style),
    )
    clauses = sentences.three_numbers(group, group_label(group.name), point, run.bound)
    yield from wrapped(clauses, page, indent=6, style="dim")


def _legend(point: PointFinding, page: Page) -> Iterator[Line]:
    """The meaning of each verdict that occurs."""
    words = LONG_VERDICTS[point.flag_is]
    for verdict in words:
        if any(verdict in attribute.verdicts for attribute in point.attributes):
            yield from flowing(f"{SHORT_VERDICTS[verdict]}: {words[verdict]}.", page, indent=2, style="dim")


def _left_out(run: RunFinding, page: Page) -> Iterator[Line]:
    """Refused and unscored rows by reason."""
    total = run.run["rows_input"]
    unscored = [item for item in run.left_out if item[0] in UNSCORED_REASONS]
    refused = [item for item in run.left_out if item[0] not in UNSCORED_REASONS]
    kinds = (
        ("Refused, not in any figure above", refused),
        ("Without a usable score, therefore not flagged", unscored),
    )
    for title, items in kinds:
        if items:
            n = sum(count for _, count in items)
            clauses = [f"{REASONS.get(reason, reason)} {count:,}" for reason, count in items]
            of_all = "" if total is None else f"{counted(n, 'row')} ({percent(n / total)}): "
            clauses[0] = f"{title}: {of_all}{clauses[0]}"
            yield from wrapped(clauses, page)


def _window(record: Row) -> str:
    start, end = record["window_start"], record["window_end"]
    if (start, end) == (FIRST_DAY, NO_END):
        return "all dates"
    return f"from {start.isoformat()} to before {end.isoformat()}"
