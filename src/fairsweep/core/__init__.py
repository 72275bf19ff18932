"""Counts, cutoffs, metrics, intervals and verdicts: numpy in, numpy out; no frames, no files, no clock."""
