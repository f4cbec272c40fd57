"""The pages agree with the code, and their links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from luthier.agent.cli.reference import command_reference
from luthier.agent.settings import Settings
from luthier.trainers.registry import tasks
from luthier.trainers.spec.reference import markdown, sections

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_command_reference_is_fresh() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == command_reference(), "stale: run make docs"


def test_the_spec_reference_is_fresh() -> None:
    written = (ROOT / "docs" / "specs.md").read_text(encoding="utf-8")
    assert written == markdown(), "stale: run make docs"


def test_the_spec_reference_names_every_setting() -> None:
    page = markdown()
    for task in tasks().values():
        for section in sections(task).values():
            for key, field in section.model_fields.items():
                assert f"`{key}`" in page
                assert field.description, f"{section.__name__}.{key} has no meaning"


def test_the_agents_page_names_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "agent.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        row = re.search(rf"^\| `{name}` \| ([^|]+) \|", page, re.MULTILINE)
        assert row, f"docs/agent.md does not name {name}"
        assert row.group(1).strip() == json.dumps(field.get_default())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (\S.*)$|^(make \S+)", text, re.MULTILINE)
    first = [one or other for one, other in commands][:2]
    assert [command.split("#")[0].strip() for command in first] == ["make demo", "make test"]
