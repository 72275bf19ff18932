"""Output for people and programs: wording, lines, the terminal, progress and JSON."""
