"""A peer whose answer is wrong by one row, for the benchmark to find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scripts.benchmarks.answers import Answer
from scripts.benchmarks.contestants import Job, Work
from scripts.benchmarks.peers import pandas_loop


def prepare(work: Work) -> Job:
    """The pandas loop, with one true positive counted as a false one."""
    right = pandas_loop.prepare(work)

    def answers(result: object) -> Sequence[Answer]:
        first, *others = right.answers(result)
        counts = first.counts.copy()
        counts[0, 1] += [-1, 1, 0, 0]
        return [replace(first, counts=counts), *others]

    return Job(right.run, answers)
