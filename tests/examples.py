"""How many examples Hypothesis tries: the profile of the suite scales what a test asks for."""

from __future__ import annotations

from hypothesis import settings


def examples(full: int) -> settings:
    """The given number in the whole suite, and a quarter of it in the quick one."""
    return settings(max_examples=max(1, full * settings().max_examples // 100), deadline=None)
