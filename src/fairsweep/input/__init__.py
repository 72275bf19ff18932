"""Input rows: readable files, conditions as data, and the intake."""
