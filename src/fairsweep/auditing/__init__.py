"""The audit of one or several models."""
