"""Benchmarks: this project and its peers on the same file in the same run, each answer checked before it is timed."""
