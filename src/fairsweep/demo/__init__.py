"""The published example on a generated population."""
