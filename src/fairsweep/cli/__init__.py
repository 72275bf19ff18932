"""The command line: from words to a command to an exit code."""
