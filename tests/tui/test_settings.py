"""The settings screen: every choice counts at once, is kept, and says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select

from luthier.tui.screens.runs import RunsScreen
from luthier.tui.settings import InterfaceSettings

pytestmark = pytest.mark.anyio


def kept(real_agent: Any) -> str:
    path: Path = real_agent.home.path / "interface.yaml"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_every_field_has_a_control(client: Any, opened: Any, size: tuple[int, int]) -> None:
    async with opened(size=size) as luthier:
        await luthier.live()
        await luthier.press("comma")
        await luthier.sees("Theme", "luthier-dark", "Characters", "Key profile")
        for name in InterfaceSettings.model_fields:
            assert luthier.app.screen.query(f"#set-{name}")


async def test_a_theme_is_chosen_with_the_keys(client: Any, real_agent: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("comma", "enter", "down", "enter")
        await luthier.until(lambda: luthier.app.theme == "luthier-light")
        assert kept(real_agent) == "theme: luthier-light\n"


async def test_choices_come_back_at_the_next_start(
    client: Any, real_agent: Any, opened: Any
) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("comma")
        luthier.app.screen.query_one("#set-glyphs", Select).value = "ascii"
        await luthier.until(lambda: not luthier.app.glyphs.unicode)
        luthier.app.screen.query_one("#set-offline", Select).value = True
        await luthier.until(lambda: "offline: true" in kept(real_agent))
        await luthier.until(lambda: luthier.lines[0].rstrip().endswith("offline"))
    async with opened() as luthier:
        assert luthier.app.interface.offline
        assert not luthier.app.glyphs.unicode


async def test_a_wrong_key_profile_is_told_and_not_kept(
    client: Any, real_agent: Any, opened: Any
) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("comma")
        luthier.app.screen.query_one("#set-keys", Input).focus()
        await luthier.type("none.yaml")
        await luthier.press("enter")
        await luthier.sees("none.yaml: the key profile does not exist")
        assert kept(real_agent) == ""
        (real_agent.home.path / "none.yaml").write_text("runs.quit: ctrl+x\n")
        await luthier.press("enter")
        await luthier.until(lambda: kept(real_agent) == "keys: none.yaml\n")
        await luthier.misses("the key profile does not exist")


async def test_rebound_keys_count_at_once(client: Any, real_agent: Any, opened: Any) -> None:
    (real_agent.home.path / "mine.yaml").write_text("screen.leave: Q\nruns.machines: M\n")
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("comma")
        luthier.app.screen.query_one("#set-keys", Input).focus()
        await luthier.type("mine.yaml")
        await luthier.press("enter", "tab")
        await luthier.sees("Q back")
        await luthier.press("q")
        assert not isinstance(luthier.app.screen, RunsScreen)
        await luthier.press("Q")
        await luthier.until(lambda: isinstance(luthier.app.screen, RunsScreen))
        await luthier.sees("M machines")


async def test_everything_goes_back_to_default(client: Any, real_agent: Any, opened: Any) -> None:
    (real_agent.home.path / "interface.yaml").write_text("theme: nord\nunits: decimal\n")
    async with opened() as luthier:
        assert luthier.app.theme == "nord"
        await luthier.live()
        await luthier.press("comma", "R")
        await luthier.sees("Put every choice back to its default?")
        await luthier.press("y")
        await luthier.until(lambda: luthier.app.theme == "luthier-dark")
        assert kept(real_agent) == "{}\n"
        await luthier.until(
            lambda: luthier.app.screen.query_one("#set-units", Select).value == "binary"
        )
