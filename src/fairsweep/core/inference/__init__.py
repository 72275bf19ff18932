"""Intervals, tests, verdicts, and how much counts say."""
