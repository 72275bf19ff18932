"""Executors of the one scan: rows in, score histograms and tallies out. An engine never knows a metric."""
