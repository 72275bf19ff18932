"""The labelled cohort from claims."""
