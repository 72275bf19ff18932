"""What people and programs read: words, lines, the terminal, progress and JSON."""
