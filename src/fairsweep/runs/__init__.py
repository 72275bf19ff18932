"""Runs: their options, engine, store and records."""
