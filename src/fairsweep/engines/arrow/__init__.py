"""Counting with Arrow and numpy: reading in pieces, the intake compiled to arrays, and the counting kernel."""
