"""Queries over the result tables, and the tables themselves."""
