"""Checked configs: YAML in, one frozen spec or every problem out."""
