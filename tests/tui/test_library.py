"""The library: presets to read and duplicate, setups to change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from textual.widgets import TextArea

from luthier.presets import find_preset, presets
from luthier.presets.library import open_settings
from luthier.trainers.registry import find_task
from luthier.trainers.spec.file import build_spec, parse_spec
from luthier.tui.library import copy_text, items, matching
from luthier.tui.screens.new_run import NewRunScreen
from luthier.tui.setups import Setups, complaints

pytestmark = pytest.mark.anyio

SIZES = [(80, 24), (120, 40)]
MINE = "# Mine.\ntask: llm-sft\npeft:\n  r: 7\n"


async def open_library(luthier: Any) -> None:
    await luthier.live()
    await luthier.press("f7")
    await luthier.sees("presets and setups", "Presets of ")


async def go_to(luthier: Any, item_id: str) -> None:
    luthier.app.screen._options.go_to(item_id)
    await luthier.until(lambda: luthier.app.screen.current.id == item_id)


@pytest.mark.parametrize("size", SIZES)
async def test_presets_are_shown_with_their_reasons_and_cannot_be_changed(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        await open_library(luthier)
        await go_to(luthier, "preset:llm-sft/smallest-memory")
        await luthier.sees("Smallest memory", "QLoRA", "paged")
        await luthier.press("e", "r", "D")
        assert isinstance(luthier.app.screen, type(luthier.app.front))
        assert "edit" not in luthier.lines[-1]


async def test_a_preset_is_duplicated_edited_renamed_and_deleted(
    client: Any, opened: Any, real_agent: Any
) -> None:
    setups = Setups(real_agent.home)
    async with opened() as luthier:
        await open_library(luthier)
        await go_to(luthier, "preset:llm-sft/best-quality")
        await luthier.press("d")
        await luthier.sees("Save a copy as", "Best quality")
        await luthier.press("enter")
        await luthier.sees("Saved setups")
        assert luthier.app.screen.current.id == "setup:Best quality"
        await luthier.press("e")
        await luthier.sees("Setup Best quality")
        area = luthier.app.screen.query_one(TextArea)
        area.text = "task: llm-sft\npeft:\n  r: 0\n"
        await luthier.sees("Line 3: peft.r must be greater than or equal to 1, not 0")
        area.text = "task: llm-sft\npeft:\n  r: 9\n"
        await luthier.misses("must be greater")
        await luthier.press("ctrl+t")
        await luthier.sees("r: 9")
        assert setups.get("Best quality").text == "task: llm-sft\npeft:\n  r: 9\n"
        await luthier.press("r")
        await luthier.sees("New name of")
        await luthier.type("nine")
        await luthier.press("enter")
        await luthier.until(lambda: [each.name for each in setups.all()] == ["nine"])
        await luthier.press("D")
        await luthier.sees("Delete the setup nine?")
        await luthier.press("y")
        await luthier.misses("Saved setups")
        assert setups.all() == []


async def test_an_edit_is_not_lost_by_escape(client: Any, opened: Any, real_agent: Any) -> None:
    Setups(real_agent.home).save("mine", MINE)
    async with opened() as luthier:
        await open_library(luthier)
        await go_to(luthier, "setup:mine")
        await luthier.press("e")
        await luthier.sees("Setup mine")
        await luthier.press("x", "escape")
        await luthier.sees("Leave without the changes?")
        await luthier.press("n", "ctrl+t")
        await luthier.misses("Setup mine")
    assert Setups(real_agent.home).get("mine").text == f"x{MINE}"


async def test_words_search_names_reasons_and_settings(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_library(luthier)
        await luthier.press("slash")
        await luthier.type("rank-stabilised llm-sft")
        await luthier.sees("1 of ", "Best quality")
        await luthier.misses("Fastest")
        await luthier.press("escape")
        await luthier.sees("Smallest memory")
        assert luthier.app.screen.current.id == "preset:llm-sft/best-quality"


async def test_an_entry_opens_a_form(client: Any, opened: Any, real_agent: Any) -> None:
    Setups(real_agent.home).save("mine", MINE)
    async with opened() as luthier:
        await open_library(luthier)
        await go_to(luthier, "setup:mine")
        await luthier.press("enter")
        await luthier.sees("setup mine")
        assert isinstance(luthier.app.screen, NewRunScreen)
        assert luthier.app.screen.form.value("peft.r") == 7
        await luthier.press("q")
        await luthier.sees("presets and setups")
        await go_to(luthier, "preset:llm-sft/quick-test")
        await luthier.press("n")
        await luthier.sees("preset Quick test")
        form = luthier.app.screen.form
        assert form.preset == find_preset("llm-sft/quick-test")
        assert form.value("model.name_or_path") == form.task.default_model


async def test_a_setup_that_is_no_spec_says_why_and_opens_no_form(
    client: Any, opened: Any, real_agent: Any
) -> None:
    Setups(real_agent.home).save("broken", "task: llm-stf\n")
    async with opened() as luthier:
        await open_library(luthier)
        await go_to(luthier, "setup:broken")
        await luthier.sees("! broken", "There is no task 'llm-stf'")
        await luthier.press("enter")
        await luthier.told("cannot be used")
        assert not isinstance(luthier.app.screen, NewRunScreen)


async def test_yaml_is_copied(client: Any, opened: Any, real_agent: Any) -> None:
    async with opened() as luthier:
        await open_library(luthier)
        await luthier.press("y")
        copied = real_agent.home.path / "clipboard.txt"
        await luthier.until(copied.exists)
        assert copied.read_text() == luthier.app.screen.current.text


def test_every_preset_makes_a_setup_that_says_the_same(tmp_path: Any) -> None:
    for item, preset in zip(items([], presets()), presets(), strict=True):
        text = copy_text(item)
        assert complaints(text) == []
        given: dict[str, Any] = {}
        overrides = []
        for section, key, stand_in in open_settings(find_task(preset.task)):
            given.setdefault(section, {})[key] = stand_in
            overrides.append(f"{section}.{key}={json.dumps(stand_in)}")
        assert parse_spec(text, overrides=overrides) == preset.apply(given)
        assert preset.title in text.splitlines()[0]
        assert build_spec({**given, "task": preset.task}) != preset.apply(given)


def test_all_words_have_to_match() -> None:
    everything = items([], presets())
    assert matching(everything, "") == everything
    found = [item.id for item in matching(everything, "NF4 paged one row llm-sft")]
    assert found == ["preset:llm-sft/smallest-memory"]
    assert matching(everything, "nf4 nonsense") == []


async def test_the_demo_can_be_changed_before_it_is_started(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_library(luthier)
        await go_to(luthier, "demo")
        await luthier.sees("To see it work", "name: demo")
        await luthier.press("n")
        await luthier.until(lambda: isinstance(luthier.app.screen, NewRunScreen))
        await luthier.sees("ready")
        assert luthier.app.screen.form.value("name") == "demo"
