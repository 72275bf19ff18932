"""What of a run may be shown: from its counts, and from what the run before it has shown of the same window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsweep.auditing.suppression import EVERYTHING, Disclosure, Kept
from fairsweep.core.disclosure import intersections as disclosure
from fairsweep.core.disclosure.model import MEMBER_MEASURES, Previous, Reported
from fairsweep.core.disclosure.nesting import hidden_columns
from fairsweep.core.disclosure.rounding import rounded_gbe, steady_gbe
from fairsweep.core.groups import ALL, OVERALL, SEPARATOR, TOO_SMALL
from fairsweep.core.inference import clusters
from fairsweep.input.intake import REFUSAL_REASONS
from fairsweep.runs.run_before import NO_RUN

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fairsweep.auditing.assessment import Assessment
    from fairsweep.auditing.reported import Attribute
    from fairsweep.core.counts import ConfusionCounts
    from fairsweep.core.cutoffs import CutoffGrid
    from fairsweep.core.inference.intervals import FloatArray
    from fairsweep.runs.run_before import RunBefore


RUN_BEFORE_UNKNOWN = "what the run before has shown cannot be read"


def of_refused(assessment: Assessment) -> Disclosure:
    """What may be told of a model that is refused: some numbers of its rows."""
    minimum = assessment.spec.privacy.minimum_cell_size
    if not minimum or not assessment.state.rows_input:
        return EVERYTHING
    lines = _lines(assessment, minimum, frozenset())
    return Disclosure(minimum, lines=lines, rows=_rows(assessment, minimum, lines))


def disclosed(assessment: Assessment, before: RunBefore = NO_RUN) -> Disclosure:
    """What of an assessed model may be shown.

    Args:
        assessment: the model.
        before: what was shown of the same window; it cannot be taken back.
    """
    minimum = assessment.spec.privacy.minimum_cell_size
    if not minimum:
        return EVERYTHING
    places = tuple(sorted(assessment.points))
    full = [a for a in assessment.attributes if assessment.is_full(a) and a.histogram.cutoffs_here]
    grid = _plan([_reported(a) for a in full], assessment.points, minimum, _previous(before, full, assessment.grid))
    points: dict[str, NDArray[np.bool_]] = {}
    if len(full) < len(assessment.attributes) and places:
        # At the operating points alone the plan is the same: they are what each plan begins with.
        order = [places.index(k) for k in assessment.points]
        tables = [_collapsed(a, places) for a in assessment.attributes]
        small = _plan(tables, order, minimum, _previous(before, assessment.attributes, assessment.grid, places))
        points = {name: shown for name, shown in small.items() if name not in grid}
    unscored = frozenset(a.name for a in assessment.attributes if _unscored_is_safe(a, minimum))
    lines = _lines(assessment, minimum, unscored)
    rows = _rows(assessment, minimum, lines)
    found = Disclosure(minimum, grid, points, places, {}, unscored, lines, rows, before.run_id)
    return _with_rounding(found, assessment)


def nothing(assessment: Assessment, before: RunBefore = NO_RUN) -> Disclosure:
    """No count at all: what may be shown where nobody knows what the run before has shown."""
    minimum, places = assessment.spec.privacy.minimum_cell_size, tuple(sorted(assessment.points))
    if not minimum:
        return EVERYTHING
    grid: dict[str, NDArray[np.bool_]] = {}
    points: dict[str, NDArray[np.bool_]] = {}
    for attribute in assessment.attributes:
        full = assessment.is_full(attribute) and bool(attribute.histogram.cutoffs_here)
        width = len(assessment.grid) if full else len(places)
        (grid if full else points)[attribute.name] = np.zeros((len(attribute.groups), width), dtype=bool)
    lines: dict[str, frozenset[tuple[str, str]]] = {name: frozenset() for name in (OVERALL, *grid, *points)}
    return Disclosure(minimum, grid, points, places, lines=lines, run_before=before.run_id, reason=RUN_BEFORE_UNKNOWN)


def _plan(
    reported: Sequence[Reported], points: Sequence[int], minimum: int, previous: Mapping[str, Previous] | None
) -> dict[str, NDArray[np.bool_]]:
    return disclosure.plan(reported, points, minimum, previous)


def _reported(attribute: Attribute) -> Reported:
    members = None
    if attribute.units.repeated:
        members = {name: attribute.dense(name) for name in MEMBER_MEASURES}
    return Reported(
        attribute.name, attribute.histogram.attributes, attribute.cells, attribute.dense("events"),
        attribute.dense("non_events"), members,
    )  # fmt: skip


def _collapsed(attribute: Attribute, places: Sequence[int]) -> Reported:
    """The attribute with no other cutoffs than the operating points."""
    counts, first = attribute.rows_at(places), np.zeros((len(attribute.groups), 1), dtype=np.int64)
    ends = attribute.rows_at([0])
    events = np.diff(np.hstack([first, counts.fn, ends.events]), axis=1)
    non_events = np.diff(np.hstack([first, counts.tn, ends.non_events]), axis=1)
    return Reported(attribute.name, attribute.histogram.attributes, attribute.cells, events, non_events, None)


# --- what the run before has shown


def _previous(
    before: RunBefore,
    attributes: Sequence[Attribute],
    grid: CutoffGrid,
    places: Sequence[int] | None = None,
) -> dict[str, Previous] | None:
    """By attribute, what was shown at cutoffs that are on the present grid."""
    if before.sweep is None or before.cells is None or not before.sweep.num_rows:
        return None
    import pyarrow.compute as pc

    values = grid.values if places is None else grid.values[list(places)]
    found = {}
    for attribute in attributes:
        rows = before.sweep.filter(pc.equal(before.sweep["attribute"], attribute.name))
        if rows.num_rows:
            shown = _shown_before(rows, attribute, values)
            found[attribute.name] = _with_unnamed(shown, _groups_of(before.cells, attribute.histogram.attributes))
    return found


def _groups_of(cells: pa.Table, attributes: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The groups that a run had of some attributes, from the first grouping set that has them all."""
    import pyarrow.compute as pc

    for grouping_set in cells["grouping_set"].unique():
        rows = cells.filter(pc.equal(cells["grouping_set"], grouping_set))
        names = rows["attributes"][0].as_py()
        if set(attributes) <= set(names):
            columns = [pc.list_element(rows["group_values"], names.index(name)) for name in attributes]
            return list(dict.fromkeys(zip(*(column.to_pylist() for column in columns), strict=True)))
    return []


def _with_unnamed(shown: Previous, groups: Sequence[tuple[str, ...]]) -> Previous:
    """With the groups that the run had and did not name, which it showed nowhere."""
    listed = set(shown.groups)
    unnamed = tuple(group for group in groups if group not in listed)

    def longer(array: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([array, np.zeros((len(unnamed), array.shape[1]), array.dtype)])

    counts = (longer(part) for part in (shown.tp, shown.fp, shown.fn, shown.tn))
    return Previous((*shown.groups, *unnamed), longer(shown.shown), *counts)


def _shown_before(rows: pa.Table, attribute: Attribute, values: NDArray[np.float64]) -> Previous:
    import pyarrow.compute as pc

    rows = rows.filter(pc.invert(pc.ends_with(rows["group_value"], TOO_SMALL)))
    by_name = dict(zip(attribute.groups, attribute.cells, strict=True))
    encoded = rows["group_value"].combine_chunks().dictionary_encode()
    if hasattr(encoded, "chunk"):
        encoded = encoded.combine_chunks()
    names = encoded.dictionary.to_pylist()
    # A group that is gone is known by its name alone; that its parts are not told apart hides no more than it should.
    several = len(attribute.histogram.attributes) > 1
    groups = tuple(
        by_name[name] if name in by_name else tuple(name.split(SEPARATOR)) if several else (name,) for name in names
    )
    shape = (len(names), len(values))
    cutoff = rows["cutoff"].to_numpy()
    place = np.minimum(np.searchsorted(values, cutoff), len(values) - 1)
    known = (values[place] == cutoff) & ~np.isnan(rows["tp"].to_numpy(zero_copy_only=False).astype(float))
    at = (encoded.indices.to_numpy()[known], place[known])
    shown = np.zeros(shape, dtype=bool)
    shown[at] = True
    counts = []
    for name in ("tp", "fp", "fn", "tn"):
        column = np.zeros(shape, dtype=np.int64)
        column[at] = rows[name].fill_null(0).to_numpy()[known]
        counts.append(column)
    return Previous(groups, shown, *counts)


# --- values that are rounded


def _with_rounding(found: Disclosure, assessment: Assessment) -> Disclosure:
    """The rounded values of hidden groups, at all operating points together."""
    points = assessment.points
    each = [_rounded(found, attribute, assessment) for attribute in assessment.attributes]
    rounding = {}
    for judged in assessment.judged:
        k = judged.chosen.cutoff_index
        if k is not None:
            place = points.index(k)
            value, step, safe = (np.concatenate([part[i][:, place] for part in each]) for i in range(3))
            rounding[judged.chosen.name] = Kept(value, step, safe)
    return replace(found, rounding=rounding)


def _rounded(
    found: Disclosure, attribute: Attribute, assessment: Assessment
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Value and step of each group, and whether its verdict may stay, `[groups, operating points]`."""
    points = assessment.points
    safe = _margins_are_safe(attribute, points, found.minimum)
    nothing = np.full(safe.shape, np.nan)
    if attribute.units.weight_kind is not None or attribute.name not in found.grid or not found.lists(attribute.name):
        return nothing, nothing, safe
    everybody = found.grid[OVERALL][0]
    if not attribute.single or _is_told_of_by_an_intersection(found, attribute, assessment):
        if attribute.units.repeated:
            return nothing, nothing, safe  # moves are of rows
        hidden = ~found.grid[attribute.name][:, points] & everybody[points]
        kept = steady_gbe(attribute.rows_at(points), hidden & safe)
    else:
        rows = attribute.rows_at(range(len(assessment.grid)))
        kept = rounded_gbe(rows, found.grid[attribute.name], everybody, points, found.minimum, safe)
    return kept.value, kept.step, safe


def _is_told_of_by_an_intersection(found: Disclosure, attribute: Attribute, assessment: Assessment) -> bool:
    """Whether an intersection that it is part of shows something: that tells more than rounding reckons with."""
    names = set(attribute.histogram.attributes)
    finer = [one.name for one in assessment.attributes if names < set(one.histogram.attributes)]
    return any(found.grid.get(name, np.ones(1, dtype=bool)).any() for name in finer)


def _margins_are_safe(attribute: Attribute, points: Sequence[int], minimum: int) -> NDArray[np.bool_]:
    """Where enough members are flagged, not flagged, have the event, and have it not, `[groups, operating points]`."""
    if not attribute.units.repeated:
        rows = attribute.rows_at(points)
        margins = [rows.flagged, rows.events, rows.n - rows.flagged, rows.n - rows.events]
    else:
        rising = sorted(points)
        people = clusters.MemberCounts.of({name: attribute.between(name, rising) for name in MEMBER_MEASURES})
        people = people[:, np.searchsorted(rising, points)]
        # Of a margin's members at least those of the larger of its two parts are known to differ.
        pairs = (("tp", "fp"), ("tp", "fn"), ("fn", "tn"), ("fp", "tn"))
        margins = [np.maximum(getattr(people, one), getattr(people, other)) for one, other in pairs]
    return np.asarray(np.all([margin >= minimum for margin in margins], axis=0))


def is_safe_subgroup(counts: ConfusionCounts, minimum: int) -> bool:
    """Whether enough members of a subgroup are flagged, not flagged, have the event, and have it not.

    Args:
        counts: of the subgroup, scalar shape.
        minimum: the fewest members that may be shown; 0 where everything is.
    """
    margins = (counts.flagged, counts.events, counts.n - counts.flagged, counts.n - counts.events)
    return all(int(margin) >= minimum for margin in margins)


# --- refused and unscored rows


def _unscored_is_safe(attribute: Attribute, minimum: int) -> bool:
    """Whether every group has no, or enough, people without a score; of repeated members nobody knows how many."""
    counts = attribute.rows_at([0])
    unscored = np.concatenate([counts.unscored_events, counts.unscored_non_events])
    if attribute.units.repeated:
        return not unscored.any()
    return bool(np.all((unscored == 0) | (unscored >= minimum)))


def _lines(assessment: Assessment, minimum: int, unscored: frozenset[str]) -> dict[str, frozenset[tuple[str, str]]]:
    """By attribute, the reasons and labels that may be told: each for all groups, or for none.

    A reason is told of an attribute's groups only where it is told of everybody.
    """
    tables: dict[str, dict[tuple[str, str], dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for tally in assessment.state.tallies:
        tables[tally.attribute][tally.reason, tally.label][tally.group_value] = tally.n
    safe = _safe_lines(tables[OVERALL], minimum)
    if assessment.units.repeated:
        # Nobody knows of how many members these rows are.
        safe = frozenset()
    found = {OVERALL: safe}
    for name in (a.name for a in assessment.attributes if a.name != OVERALL):
        lines = {line: groups for line, groups in tables[name].items() if line in safe}
        hides = any(line not in safe for line in tables[name]) or name not in unscored
        # What is hidden of everybody must not come back as a sum over reasons: then nothing is told by group.
        found[name] = frozenset() if hides else _safe_lines(lines, minimum)
    return found


def _safe_lines(lines: Mapping[tuple[str, str], Mapping[str, int]], minimum: int) -> frozenset[tuple[str, str]]:
    names = list(lines)
    groups = sorted({group for line in lines.values() for group in line})
    table = np.array([[lines[name].get(group, 0) for name in names] for group in groups], dtype=np.int64)
    if not names:
        return frozenset()
    hidden = hidden_columns(table, minimum)
    return frozenset(name for name, hide in zip(names, hidden, strict=True) if not hide)


def _rows(assessment: Assessment, minimum: int, lines: Mapping[str, frozenset[tuple[str, str]]]) -> frozenset[str]:
    """The numbers of rows that may be told; the sum of all only where each part may."""
    state = assessment.state
    overall = [t for t in state.tallies if t.attribute == OVERALL and t.group_value == ALL]
    hidden = {t.reason in REFUSAL_REASONS for t in overall if (t.reason, t.label) not in lines[OVERALL]}
    found = set()
    for column, refused in (("rows_refused", True), ("rows_unscored", False)):
        n = getattr(state, column)
        # With a single hidden line the total would be that line.
        if n == 0 or (n >= minimum and refused not in hidden):
            found.add(column)
    if state.rows_used == 0 or state.rows_used >= minimum:
        found.add("rows_used")
    if len(found) == len(("rows_refused", "rows_unscored", "rows_used")):
        found.add("rows_input")
    return frozenset(found)
