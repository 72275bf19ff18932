"""Synthetic populations in which every figure is known; their members are not real and need no protection."""
