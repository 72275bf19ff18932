"""Ranking, calibration and subgroups, from the score histogram alone."""
