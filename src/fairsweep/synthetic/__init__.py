"""Made-up populations whose every figure is known: members that nobody has to protect."""
