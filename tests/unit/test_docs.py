"""The docs say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fairsweep.cli.documenting import rendered

REPOSITORY = Path(__file__).resolve().parents[2]
RENDERED = rendered(REPOSITORY)
PROSE = sorted([REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", RENDERED)
def test_rendered_files_are_up_to_date(name: str) -> None:
    assert (REPOSITORY / name).read_text(encoding="utf-8") == RENDERED[name], "run scripts/docs"


def test_every_key_of_a_config_is_in_a_table_of_its_page() -> None:
    for name, pages in (("audit", ["config"]), ("cohort", ["cohorts", "config"]), ("outcome", ["cohorts"])):
        text = "".join(RENDERED[f"docs/{page}.md"] for page in pages)
        schema = json.loads(RENDERED[f"conf/schema/{name}.schema.json"])
        for section in (schema, *schema["$defs"].values()):
            for key, value in section["properties"].items():
                assert re.search(rf"^\| `([\w.\[\]]+\.)?{key}` \| .", text, re.MULTILINE), key
                assert value.get("description") or "$ref" in str(value), key


@pytest.mark.parametrize("page", PROSE, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing
