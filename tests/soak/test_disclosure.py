"""Thousands of hidden counts of random audits attacked, in one run and in two."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.attacker import Target, hidden_targets, next_run, random_audit
from tests.unit.test_attacker import MINIMUM, published, recovered, small_changes

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]
COUNTS = int(os.environ.get("FAIRSWEEP_SOAK_COUNTS", "5000"))


def test_none_of_thousands_of_hidden_counts_is_recovered() -> None:
    tried, seed = 0, 10_000
    found: list[tuple[int, Target]] = []
    while tried < COUNTS:
        seed += 1
        rng = np.random.default_rng(seed)
        audit = random_audit(rng)
        run = published(audit)
        count, here = recovered(rng, list(hidden_targets(audit, run, MINIMUM)), [run], 0, 12)
        tried += count
        found += [(seed, target) for target in here]
    assert not found


def test_none_of_a_thousand_hidden_counts_of_intersections_is_recovered() -> None:
    tried, seed = 0, 20_000
    found: list[tuple[int, Target]] = []
    while tried < COUNTS // 5:
        seed += 1
        rng = np.random.default_rng(seed)
        audit = random_audit(rng)
        run = published(audit)
        if not any(len(one.attributes) > 1 for one in run.attributes.values()):
            continue
        targets = list(hidden_targets(audit, run, MINIMUM))
        refined = {part for one in run.attributes.values() if len(one.attributes) > 1 for part in one.attributes}
        targets = [target for target in targets if set(run.attributes[target[0].attribute].attributes) & refined]
        count, here = recovered(rng, targets, [run], 0, 25)
        tried += count
        found += [(seed, target) for target in here]
    assert not found


@pytest.mark.parametrize("kind", ["same", "added", "changed", "grown"])
def test_nothing_is_recovered_from_two_runs(kind: str) -> None:
    tried, seed = 0, 30_000
    found: list[tuple[int, object]] = []
    while tried < COUNTS // 20:
        seed += 1
        rng = np.random.default_rng(seed)
        audit = random_audit(rng)
        first = published(audit)
        later = next_run(rng, audit, kind)
        second = published(later, first)
        found += [(seed, change) for change in small_changes(first, second)]
        for run, (truth, told) in enumerate(((audit, first), (later, second))):
            growing = kind in ("added", "grown") and audit.cutoffs <= 50
            targets = list(hidden_targets(truth, told, MINIMUM))
            count, here = recovered(rng, targets, [first, second], run, 2, growing=growing)
            tried += count
            found += [(seed, target) for target in here]
    assert not found
