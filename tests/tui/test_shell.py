"""The shell: first steps, leaving, help, palette, jump keys, the agent going and coming back."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from textual import events
from textual.widgets import Input

from luthier.tui.keys import TABLE
from luthier.tui.screens.help import HelpScreen
from luthier.tui.screens.machines import MachinesScreen
from luthier.tui.screens.runs import RunsScreen
from luthier.tui.screens.settings import SettingsScreen
from luthier.tui.settings import InterfaceSettings
from luthier.tui.widgets.run_table import RunTable

pytestmark = pytest.mark.anyio

SIZES = [(80, 24), (120, 40), (240, 80)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_newcomer_is_told_what_to_press(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        await luthier.sees("There are no runs yet", "see it work", "Closing Luthier never stops")
        assert "n new run" in luthier.lines[-1]
        assert "d demo" in luthier.lines[-1]
        assert "q quit" in luthier.lines[-1]


async def test_it_starts_the_agent_by_itself(opened: Any) -> None:
    async with opened() as luthier:
        await luthier.sees("There are no runs yet")


async def test_the_demo_key_starts_the_demo(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.sees("d demo")
        await luthier.press("d")
        await luthier.until(client.runs)
        assert client.runs()[0].name == "demo"


async def test_at_most_six_keys_at_eighty_columns(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        labels = {key.label for keys in TABLE.values() for key in keys.values() if key.footer}
        shown = [label for label in labels if f" {label} " in f"{luthier.lines[-1]} "]
        assert 4 <= len(shown) <= 6


async def test_a_click_on_the_footer_presses_the_key(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.sees("m machines")
        x = luthier.lines[-1].index("machines")
        await luthier.pilot.click(offset=(x, 23))
        await luthier.until(lambda: isinstance(luthier.app.screen, MachinesScreen))


async def test_q_leaves_a_screen_and_at_home_the_program(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("m")
        assert isinstance(luthier.app.screen, MachinesScreen)
        await luthier.press("q")
        assert isinstance(luthier.app.screen, RunsScreen)
        await luthier.press("q")
        await luthier.until(lambda: luthier.app._exit)


async def test_escape_at_home_does_not_close(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("escape")
        await luthier.told("runs go on")
        assert luthier.app.is_running


async def test_a_screen_that_is_open_comes_to_the_front(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("m", "comma", "f6")
        assert isinstance(luthier.app.screen, MachinesScreen)
        assert len(luthier.app.screen_stack) == 2


async def test_help_shows_the_keys_of_the_screen_below(
    client: Any, workshop: Any, opened: Any
) -> None:
    client.submit(workshop.spec({"steps": 3}, name="any"))
    async with opened(size=(120, 60)) as luthier:
        await luthier.sees("100%")
        await luthier.press("question_mark")
        assert isinstance(luthier.app.screen, HelpScreen)
        await luthier.sees("Set up a new run.", "runs.new", "list.down", "Runs go on")
        await luthier.press("question_mark", "comma", "question_mark")
        await luthier.sees("settings.reset")
        assert "runs.new" not in luthier.text


async def test_the_palette_finds_and_does(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("ctrl+p")
        await luthier.type("machin")
        await luthier.sees("Machines and the queue")
        await luthier.press("enter")
        await luthier.until(lambda: isinstance(luthier.app.screen, MachinesScreen))


async def test_the_palette_changes_the_theme_for_good(
    client: Any, real_agent: Any, opened: Any
) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("ctrl+p")
        await luthier.type("luthier-light")
        await luthier.sees("Theme luthier-light")
        await luthier.press("enter")
        await luthier.until(lambda: luthier.app.theme == "luthier-light")
    assert (real_agent.home.path / "interface.yaml").read_text() == "theme: luthier-light\n"


async def test_jump_keys_go_to_a_field(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("comma")
        await luthier.press("ctrl+o")
        # From the top: theme, characters, key profile.
        await luthier.press("d")
        await luthier.until(lambda: isinstance(luthier.app.screen, SettingsScreen))
        await luthier.until(lambda: isinstance(luthier.app.focused, Input))
        assert luthier.app.focused.id == "set-keys"


async def test_jump_keys_show_only_what_is_seen(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("comma", "ctrl+o")
        # The mouse's choice is below the screen's end.
        assert "Mouse" not in luthier.text
        assert luthier.lines[-1].strip().endswith("q back")


async def test_any_other_key_leaves_the_jump_keys(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("comma", "ctrl+o", "escape")
        assert isinstance(luthier.app.screen, SettingsScreen)


async def test_a_killed_agent_is_told_quietly_and_comes_back(
    real_agent: Any, workshop: Any, opened: Any
) -> None:
    client = real_agent.start()
    client.submit(workshop.spec({"steps": 400, "pace": 0.02}, name="survivor"))
    async with opened() as luthier:
        await luthier.sees("survivor", "1 running")
        real_agent.kill()
        await luthier.sees("The agent has not answered for", "agent away")
        assert "survivor" in luthier.text
        await luthier.press("m")
        assert isinstance(luthier.app.screen, MachinesScreen)
        await luthier.sees("The agent has not answered for")
        await luthier.press("q")
        await luthier.misses("The agent has not answered for")
        await luthier.sees("succeeded" if luthier.app.size.width > 100 else "100%")
        assert not luthier.said


async def test_a_stopped_agent_is_started_by_a_key(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        client.shutdown()
        await luthier.sees("The agent was stopped", "f9 starts it again")
        await luthier.press("f9")
        await luthier.misses("The agent was stopped")
        await luthier.live()


async def test_a_request_while_the_agent_is_away_says_so(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        client.shutdown()
        await luthier.sees("The agent was stopped")
        await luthier.press("d")
        await luthier.told("No agent is running")


async def test_escape_leaves_a_wait(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        gate, answers = threading.Event(), []
        screen = luthier.app.screen
        wait = screen.ask(lambda client: gate.wait(60), answers.append, doing="thinking hard")
        await luthier.sees("thinking hard, esc leaves")
        await luthier.press("escape")
        await luthier.misses("thinking hard, esc leaves")
        await luthier.told("No longer waiting: thinking hard")
        gate.set()
        await luthier.until(wait.ended.is_set)
        assert answers == []
        assert isinstance(luthier.app.screen, RunsScreen)


async def test_an_answer_for_a_screen_that_is_gone_is_dropped(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        gate, answers = threading.Event(), []
        await luthier.press("m")
        wait = luthier.app.screen.ask(lambda client: gate.wait(60), answers.append)
        await luthier.press("q")
        gate.set()
        await luthier.until(wait.ended.is_set)
        assert answers == []
        assert luthier.app.is_running


async def test_ascii_draws_nothing_else(client: Any, workshop: Any, opened: Any) -> None:
    client.submit(workshop.spec({"steps": 3}, name="plain"))
    async with opened(interface=InterfaceSettings(glyphs="ascii")) as luthier:
        await luthier.sees("plain", "100%")
        for keys in ([], ["question_mark"], ["escape", "comma"], ["q", "m"], ["ctrl+p"]):
            await luthier.press(*keys)
            await luthier.pilot.pause()
            drawn = "".join(
                segment.text
                for line in range(24)
                for segment in luthier.app.screen._compositor.render_strips()[line]
            )
            assert drawn.isascii(), keys


async def test_it_follows_a_resize(client: Any, workshop: Any, opened: Any) -> None:
    client.submit(workshop.spec({"steps": 3}, name="small"))
    async with opened(size=(240, 80)) as luthier:
        await luthier.sees("small", "tokens/s", "phase")
        await luthier.resize(80, 24)
        await luthier.misses("tokens/s")
        assert all(len(line) <= 80 for line in luthier.lines)
        assert "? help" in luthier.lines[-1]
        await luthier.resize(120, 40)
        await luthier.sees("model")


@pytest.mark.parametrize(
    "theme",
    ["luthier-dark", "luthier-light", "luthier-contrast", "ansi-dark", "ansi-light", "nord"],
)
async def test_every_kind_of_theme_draws(
    client: Any, workshop: Any, opened: Any, theme: str
) -> None:
    client.submit(workshop.spec({"steps": 3}, name="coloured"))
    async with opened(interface=InterfaceSettings(theme=theme)) as luthier:
        await luthier.sees("coloured", "100%")
        table = luthier.app.screen.query_one(RunTable)
        normal, muted, cursor = (
            table._style(kind, at_cursor)
            for kind, at_cursor in (("", False), ("muted", False), ("", True))
        )
        # The terminal's own colours are all named default.
        if not theme.startswith("ansi"):
            assert normal.color != normal.bgcolor
            assert muted.color != normal.bgcolor
            # Where contrast is wanted, nothing is muted.
            assert (muted.color == normal.color) is (theme == "luthier-contrast")
        assert cursor.bgcolor != normal.bgcolor
        await luthier.press("m")
        await luthier.sees(", load ")


async def test_no_color_is_honoured(
    client: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened() as luthier:
        await luthier.sees("There are no runs yet")
        colours = {
            colour.get_truecolor()
            for strip in luthier.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None
        }
        assert colours
        assert all(red == green == blue for red, green, blue in colours)


async def test_keys_that_arrive_in_one_burst_keep_their_order(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        luthier.app.open_new_run({"name": "x"}, "llm-sft")
        await luthier.sees("name_or_path", "changed")
        for burst in ("/neftune\r", "g\r\x15\x080.5\r"):
            for letter in burst:
                names = {"/": "slash", "\r": "enter", "\x15": "ctrl+u", "\x08": "backspace"}
                key = names.get(letter, letter.replace(".", "full_stop"))
                typed = letter if letter.isprintable() else None
                luthier.app.post_message(events.Key(key, typed))
        await luthier.until(
            lambda: luthier.app.screen.form.value("training.neftune_noise_alpha") == 0.5
        )
