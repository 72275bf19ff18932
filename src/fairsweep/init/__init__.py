"""A proposed config from a file."""
