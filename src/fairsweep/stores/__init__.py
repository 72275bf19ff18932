"""Stores: where results are published, read back and verified."""
