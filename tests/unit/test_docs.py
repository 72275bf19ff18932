"""The docs say what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fairsweep.cli.documenting import PAGES

REPOSITORY = Path(__file__).resolve().parents[2]
PROSE = sorted([REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").rglob("*.md")])


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_rendered_pages_are_up_to_date(name: str, page: Callable[[], str]) -> None:
    assert (REPOSITORY / name).read_text(encoding="utf-8") == page(), "run scripts/docs"


@pytest.mark.parametrize("page", PROSE, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing
