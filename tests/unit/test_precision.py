from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairsweep.core.counts import ConfusionCounts
from fairsweep.core.inference import clusters, weights
from fairsweep.core.inference.clusters import ClusterSums
from fairsweep.core.inference.intervals import bonett_price, koopman_ratio, log_gbe_variance, wilson
from fairsweep.core.inference.precision import INDEPENDENT, Clustered, Precision, Scaled, Weighted, evidence
from fairsweep.core.inference.weights import MILLION, WeightKind, WeightSums, fixed, squares
from fairsweep.core.metrics import (
    ACCURACY,
    F1_SCORE,
    FALSE_DISCOVERY_RATE,
    FALSE_NEGATIVE_RATE,
    GBE,
    GBE_INCLUDING_UNSCORED,
    METRICS,
    POSITIVE_PREDICTIVE_VALUE,
    SELECTION_RATE,
    TRUE_POSITIVE_RATE,
)
from tests.unit.terms import terms

PAIRED = (GBE, GBE_INCLUDING_UNSCORED)
BY_MEMBER = (TRUE_POSITIVE_RATE, FALSE_NEGATIVE_RATE, POSITIVE_PREDICTIVE_VALUE, FALSE_DISCOVERY_RATE)
PROPORTIONS = tuple(metric for metric in METRICS if metric.interval == "proportion")
Row = tuple[int, bool, bool]
QUICK = settings(max_examples=40, deadline=None)
ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.booleans()), max_size=40)
CELLS = st.tuples(*[st.integers(0, 40)] * 5)
Ints = NDArray[np.int64]


def clustered(rows: list[Row], unscored: int = 0) -> tuple[ConfusionCounts, Clustered]:
    """Counts `[1, 1]` of rows given as (member, flagged, event), and how much they say."""
    member, flagged, event = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    zeros = np.zeros_like(member)
    found = {}
    for name, term in terms(member, zeros, flagged, event.astype(bool)).items():
        found[name] = np.zeros((1, 2), dtype=np.int64)
        np.add.at(found[name], (zeros, flagged), term)
    tp, fp, fn, tn = (
        int((flagged * event).sum()), int((flagged * (1 - event)).sum()),
        int(((1 - flagged) * event).sum()), int(((1 - flagged) * (1 - event)).sum()),
    )  # fmt: skip
    counts = ConfusionCounts.of([[tp]], fp, fn, tn, unscored)
    return counts, Clustered(ClusterSums.of(found))


def weighted(rows: list[tuple[float, bool, bool]], kind: WeightKind) -> tuple[ConfusionCounts, Weighted]:
    """Weights in millionths `[1, 1]` of rows given as (weight, flagged, event), and how much they say."""
    found = {name: np.zeros((1, 2), dtype=np.int64) for name in weights.MEASURES}
    for weight, flagged, event in rows:
        name = "events" if event else "non_events"
        found[f"weight_{name}"][0, int(flagged)] += int(fixed(weight))
        found[f"weight_squares_{name}"][0, int(flagged)] += int(squares(fixed(weight)))
    sums = WeightSums.of(found)
    return sums.weights, Weighted(sums, kind)


def rows_of(tp: int, fp: int, fn: int, tn: int) -> list[tuple[bool, bool]]:
    return [(True, True)] * tp + [(True, False)] * fp + [(False, True)] * fn + [(False, False)] * tn


def total(paired: tuple[NDArray[np.float64], ...]) -> float:
    return float(np.sum(paired))


def shown(precision: Precision, counts: ConfusionCounts) -> list[list[float]]:
    """What the intervals of all metrics rest on."""
    return [[float(a.item()) for a in evidence(metric, counts, precision)] for metric in METRICS]


@QUICK
@given(cells=CELLS)
def test_rows_that_are_people_speak_for_themselves(cells: tuple[int, ...]) -> None:
    counts = ConfusionCounts.of(*cells)
    tp, fp, fn, _, unscored = cells
    assert [float(a) for a in INDEPENDENT.paired(GBE, counts)] == [tp, fp, fn]
    assert [float(a) for a in INDEPENDENT.paired(GBE_INCLUDING_UNSCORED, counts)] == [tp, fp, fn + unscored]
    for metric in PROPORTIONS:
        told = [float(a) for a in INDEPENDENT.proportion(metric, counts)]
        assert told == [int(metric.numerator.of(counts)), int(metric.denominator.of(counts))]
    assert INDEPENDENT[:, [3]] is INDEPENDENT
    assert INDEPENDENT - INDEPENDENT is INDEPENDENT
    assert evidence(F1_SCORE, counts, INDEPENDENT) == ()


@QUICK
@given(cells=CELLS)
def test_clusters_of_one_row_give_exactly_the_independent_answer(cells: tuple[int, ...]) -> None:
    tp, fp, fn, tn, unscored = cells
    rows = [(i, *kind) for i, kind in enumerate(rows_of(tp, fp, fn, tn))]
    counts, precision = clustered(rows, unscored if tp + fp + fn else 0)
    for metric in PAIRED:
        assert precision.paired(metric, counts) == INDEPENDENT.paired(metric, counts)
    for metric in BY_MEMBER:
        assert precision.proportion(metric, counts) == INDEPENDENT.proportion(metric, counts)


@QUICK
@given(rows=ROWS)
def test_every_row_twice_under_its_member_gives_the_evidence_of_the_data_once(rows: list[Row]) -> None:
    (once, precision), (twice, precision_of_twice) = clustered(rows), clustered(rows + rows)
    for expected, found in zip(shown(precision, once), shown(precision_of_twice, twice), strict=True):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
    limits = bonett_price(*precision.paired(GBE, once)), bonett_price(*precision_of_twice.paired(GBE, twice))
    assert np.allclose(*limits, rtol=1e-9, equal_nan=True)


@QUICK
@given(rows=ROWS)
def test_paired_counts_of_members_have_the_variance_over_members(rows: list[Row]) -> None:
    counts, precision = clustered(rows)
    paired = precision.paired(GBE, counts)
    variance = clusters.gbe_variance(counts, precision.sums)
    if variance > 0 and counts.flagged and counts.fp + counts.fn:
        theta = counts.flagged / counts.events
        assert log_gbe_variance(*paired) * theta**2 == pytest.approx(variance, rel=1e-9)
    elif counts.tp + counts.fp + counts.fn:
        kish = (counts.tp + counts.fp + counts.fn).item() ** 2 / precision.sums.either_squared.item()
        assert total(paired) == pytest.approx(kish)


@QUICK
@given(rows=ROWS, unscored=st.integers(0, 9))
def test_evidence_of_members_is_never_undefined_where_counts_are_not(rows: list[Row], unscored: int) -> None:
    counts, precision = clustered(rows, unscored)
    for metric in PAIRED:
        paired = precision.paired(metric, counts)
        assert np.isfinite(paired).all()
        assert np.isfinite(bonett_price(*paired)).all() == bool(metric.denominator.of(counts))
    for metric in BY_MEMBER:
        x, n = precision.proportion(metric, counts)
        assert 0 <= x <= n
        assert (n > 0) == bool(metric.denominator.of(counts))
        if n > 0:
            assert x / n == pytest.approx(metric.evaluate(counts)[0])


def test_one_member_of_many_rows_is_worth_one_person() -> None:
    counts, precision = clustered([(1, True, True)] * 50)
    assert [float(a.item()) for a in precision.paired(GBE, counts)] == pytest.approx([1, 0, 0])
    assert [float(a.item()) for a in precision.proportion(TRUE_POSITIVE_RATE, counts)] == pytest.approx([1, 1])
    mixed, precision = clustered([(1, True, True), (1, True, False), (1, False, True)] * 9)
    assert total(precision.paired(GBE, mixed)) == pytest.approx(1)
    nobody, precision = clustered([(1, False, False)] * 4, unscored=6)
    assert [float(a.item()) for a in precision.paired(GBE_INCLUDING_UNSCORED, nobody)] == pytest.approx([0, 0, 1])


def test_a_rate_of_1_over_members_rests_on_kishs_number() -> None:
    counts, precision = clustered([(m, True, True) for m in range(10) for _ in range(1 + m % 3)])
    sizes = np.array([1 + m % 3 for m in range(10)])
    for metric in BY_MEMBER:
        _, n = precision.proportion(metric, counts)
        assert float(n.item()) == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())


def test_proportions_without_a_variance_over_members_have_no_interval() -> None:
    counts, precision = clustered([(1, True, True), (1, False, False), (2, True, False)])
    for metric in set(PROPORTIONS) - set(BY_MEMBER):
        x, n = precision.proportion(metric, counts)
        assert np.isnan([x, n, *wilson(x, n)]).all()
        assert np.isnan(koopman_ratio(x, n, x, n)).all()


@QUICK
@given(cells=CELLS, kind=st.sampled_from(["sampling", "exposure", "frequency"]))
def test_weights_of_1_give_the_independent_answer(cells: tuple[int, ...], kind: WeightKind) -> None:
    counts, precision = weighted([(1.0, *row) for row in rows_of(*cells[:4])], kind)
    for expected, found in zip(
        shown(INDEPENDENT, ConfusionCounts.of(*cells[:4])), shown(precision, counts), strict=True
    ):
        assert found == pytest.approx(expected, rel=1e-12)


@QUICK
@given(rows=st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.booleans()), max_size=15))
def test_scale_of_sampling_weights_changes_nothing(rows: list[tuple[int, bool, bool]]) -> None:
    straight, larger = (weighted([(w * scale, f, y) for w, f, y in rows], "sampling") for scale in (0.25, 30.0))
    for expected, found in zip(shown(*reversed(straight)), shown(*reversed(larger)), strict=True):  # type: ignore[arg-type]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@QUICK
@given(rows=st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.booleans()), max_size=15))
def test_frequencies_are_so_many_people(rows: list[tuple[int, bool, bool]]) -> None:
    people = [(1.0, f, y) for w, f, y in rows for _ in range(w)]
    counts, precision = weighted([(float(w), f, y) for w, f, y in rows], "frequency")
    alone, independent = weighted(people, "sampling")
    assert np.array_equal(counts.tp, alone.tp)
    for expected, found in zip(shown(independent, alone), shown(precision, counts), strict=True):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@QUICK
@given(rows=st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_paired_weights_have_the_variance_with_weights(rows: list[tuple[int, bool, bool]]) -> None:
    counts, precision = weighted([(float(w), f, y) for w, f, y in rows], "sampling")
    paired = precision.paired(GBE, counts)
    assert np.isfinite(paired).all()
    if counts.flagged and counts.events and counts.fp + counts.fn:
        theta = counts.flagged / counts.events
        expected = float(weights.gbe_variance(precision.sums).item())
        assert log_gbe_variance(*paired).item() * theta.item() ** 2 == pytest.approx(expected, rel=1e-9)
    elif counts.tp + counts.fp + counts.fn:
        judged = [w for w, f, y in rows if f or y]
        kish = sum(judged) ** 2 / sum(w * w for w in judged)
        assert total(paired) == pytest.approx(kish)


def test_weighted_proportion_rests_on_kishs_number_of_its_denominator() -> None:
    counts, precision = weighted([(1, True, True), (2, False, True), (3, True, False), (4, False, False)], "sampling")
    x, n = precision.proportion(TRUE_POSITIVE_RATE, counts)
    assert [float(x.item()), float(n.item())] == pytest.approx([1 / 3 * 9 / 5, 9 / 5])
    _, n = precision.proportion(SELECTION_RATE, counts)
    assert float(n.item()) == pytest.approx(100 / 30)
    nobody, precision = weighted([(4, False, False)], "exposure")
    assert precision.proportion(TRUE_POSITIVE_RATE, nobody)[1].item() == 0


def test_scaled_multiplies_paired_counts_only_and_falls_back_to_1() -> None:
    counts = ConfusionCounts.of([30, 30, 30, 30], 50, 70, 100)
    scaled = Scaled(INDEPENDENT, np.array([2.4, np.nan, np.inf, 0.0]))
    assert scaled.paired(GBE, counts)[0].tolist() == [72, 30, 30, 30]
    assert scaled.paired(GBE, counts)[2].tolist() == [168, 70, 70, 70]
    assert scaled.proportion(ACCURACY, counts)[0].tolist() == [130] * 4
    assert scaled[:1].paired(GBE, counts[:1])[1].tolist() == [120]
    assert scaled - INDEPENDENT is INDEPENDENT
    assert scaled - scaled is INDEPENDENT
    low, high = bonett_price(*(a[0] for a in scaled.paired(GBE, counts)))
    assert 0.6294 < float(low) < 0.8 < float(high) < 1.0168


def test_the_rest_is_that_of_the_sums_and_only_of_one_kind() -> None:
    rows: list[Row] = [(1, True, True), (1, True, True), (2, False, True), (3, True, False), (3, True, True)]
    everybody, precision = clustered(rows)
    part, of_part = clustered(rows[:3])
    rest, expected = clustered(rows[3:])
    assert (everybody - part).tp == rest.tp
    assert (precision - of_part).paired(GBE, everybody - part) == expected.paired(GBE, rest)
    whole_weights = weighted([(2, True, True), (3, False, True)], "sampling")
    of_rest = whole_weights[1] - weighted([(2, True, True)], "sampling")[1]
    assert of_rest.sums.weights.fn.tolist() == [[3 * MILLION]]
    for one, other in [(precision, INDEPENDENT), (INDEPENDENT, of_part), (of_rest, precision)]:
        with pytest.raises(TypeError, match="is not defined"):
            one - other


def coverage(limits: tuple[NDArray[np.float64], NDArray[np.float64]], true: float) -> float:
    return float(np.mean((limits[0] <= true) & (limits[1] >= true)))


def test_naive_interval_fails_for_repeated_members_where_ours_holds() -> None:
    replicates, members = 3_000, 150
    rng = np.random.default_rng(20)
    # A member's rows, 1 to 4, are all alike: tp, fp, fn or tn.
    kind = rng.choice(4, p=[0.3, 0.2, 0.25, 0.25], size=(replicates, members))
    size = rng.integers(1, 5, (replicates, members))
    a, b, t = size * (kind < 2), size * (kind % 2 == 0), size * (kind == 0)
    pairs = ((a, a), (a, b), (t, t), (a, t), (t, b), (b, b))
    sums = ClusterSums(*((one * other).sum(axis=1) for one, other in pairs))
    counts = ConfusionCounts.of(
        t.sum(axis=1), (a - t).sum(axis=1), (b - t).sum(axis=1), (size * (kind == 3)).sum(axis=1)
    )

    for precision, (low, high) in ((INDEPENDENT, (0.0, 0.9)), (Clustered(sums), (0.93, 0.97))):
        assert low < coverage(bonett_price(*precision.paired(GBE, counts)), 0.5 / 0.55) < high
        assert low < coverage(wilson(*precision.proportion(TRUE_POSITIVE_RATE, counts)), 0.3 / 0.55) < high
        assert low < coverage(wilson(*precision.proportion(POSITIVE_PREDICTIVE_VALUE, counts)), 0.6) < high


def test_naive_interval_fails_for_weighted_rows_where_ours_holds() -> None:
    replicates, rows = 3_000, 300
    rng = np.random.default_rng(21)
    kind = rng.choice(4, p=[0.3, 0.2, 0.25, 0.25], size=(replicates, rows))
    weight = fixed(rng.choice([1.0, 20.0], p=[0.7, 0.3], size=(replicates, rows)))
    by_kind = [
        ConfusionCounts.of(*((column * (kind == i)).sum(axis=1) for i in range(4)))
        for column in (weight, squares(weight))
    ]
    counts, ours = by_kind[0], Weighted(WeightSums(*by_kind), "sampling")
    mean = float(weight.mean())

    tp, fp, fn = (a / mean for a in INDEPENDENT.paired(GBE, counts))
    assert coverage(bonett_price(tp, fp, fn), 0.5 / 0.55) < 0.9
    assert 0.93 < coverage(bonett_price(*ours.paired(GBE, counts)), 0.5 / 0.55) < 0.97
    assert 0.93 < coverage(wilson(*ours.proportion(TRUE_POSITIVE_RATE, counts)), 0.3 / 0.55) < 0.97
