"""The widgets of the chat on their own: answers, the transcript, the prompt and the sliders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Markdown

import luthier.tui
from luthier.agent.chat.conversation import BASE, Conversation, Turn
from luthier.agent.models import GenerateChunk, Sampling
from luthier.trainers.errors import LuthierError
from luthier.tui.glyphs import UNICODE
from luthier.tui.widgets.chat_answer import tail
from luthier.tui.widgets.chat_prompt import ChatPrompt
from luthier.tui.widgets.chat_settings import ChatSettings, Sliders
from luthier.tui.widgets.chat_transcript import Transcript, TurnView, about, is_right

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Bench(App[None]):
    """As much of an app as the widgets need."""

    CSS_PATH = Path(luthier.tui.__file__).parent / "styles" / "chat.tcss"
    glyphs = UNICODE

    def __init__(self, make: Callable[[], ComposeResult]) -> None:
        super().__init__()
        self.make = make
        self.heard: list[Any] = []
        self.errors: list[str] = []

    def compose(self) -> ComposeResult:
        yield from self.make()

    def show_error(self, error: LuthierError) -> None:
        self.errors.append(str(error))

    def keys_of(self, _: str) -> str:
        return "g"

    def on_sliders_changed(self, event: Sliders.Changed) -> None:
        self.heard.append(event.sampling)

    def on_chat_prompt_sent(self, event: ChatPrompt.Sent) -> None:
        self.heard.append(event.text)

    def on_chat_prompt_earlier_wanted(self) -> None:
        self.heard.append("earlier")

    @property
    def text(self) -> str:
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())


@asynccontextmanager
async def bench(*widgets: Any) -> AsyncIterator[tuple[Bench, Pilot[None]]]:
    app = Bench(lambda: iter(widgets))
    async with app.run_test(size=(80, 24)) as pilot:
        yield app, pilot


async def drawn(app: Bench, pilot: Pilot[None], words: str) -> None:
    for _ in range(200):
        if words in app.text:
            return
        await pilot.pause(0.01)
    raise AssertionError(f"{words!r} never came:\n{app.text}")


# -- answers ---------------------------------------------------------------------------------------


async def test_an_answer_is_text_while_it_is_written_and_markdown_afterwards() -> None:
    transcript = Transcript()
    async with bench(transcript) as (app, pilot):
        turn = Turn("why?")
        view = transcript.add(turn, [BASE])
        await pilot.pause()
        view.show_part(BASE, "- **so** it", "writing")
        await drawn(app, pilot, "- **so** it")
        assert "writing" in app.text
        turn.answers[BASE] = "- **so** it is"
        view.show(BASE)
        await drawn(app, pilot, "• so it is")
        assert "- **so**" not in app.text
        transcript.set_raw(True)
        await drawn(app, pilot, "- **so** it is")
        transcript.set_raw(False)
        await drawn(app, pilot, "• so it is")


async def test_markdown_loses_nothing_that_was_written() -> None:
    transcript = Transcript()
    said = "one\ntwo\n\n<think>three</think>\n\n[four](http://five)\n\n```\nsix\n```\x1b[31m"
    async with bench(transcript) as (app, pilot):
        transcript.show(Conversation("", [Turn("?", {BASE: said})]))
        await drawn(app, pilot, "six")
        lines = [line.strip() for line in app.text.splitlines()]
        assert lines.index("two") == lines.index("one") + 1
        assert "<think>three</think>" in app.text
        assert "four" in app.text
        assert "\x1b" not in app.text


async def test_answers_stand_side_by_side_with_the_expected_one() -> None:
    last = {BASE: GenerateChunk(finish="stop", completion_tokens=2)}
    turn = Turn("?", {BASE: "left", "run": "right "}, "right", last)
    transcript = Transcript()
    transcript.name_of = {"run": "violin", BASE: BASE}.__getitem__
    async with bench(transcript) as (app, pilot):
        transcript.show(Conversation("", [turn]))
        await drawn(app, pilot, "left")
        names = next(line for line in app.text.splitlines() if "violin" in line)
        assert names.split() == ["base", "violin", "expected"]
        await drawn(app, pilot, "not as expected, 2 tokens")
    assert (is_right(turn, BASE), is_right(turn, "run")) == (False, True)
    assert about(turn, "run") == "as expected"


async def test_what_went_wrong_stands_below_what_there_is() -> None:
    turn = Turn("?", {BASE: "half"}, figures={BASE: GenerateChunk(finish="error", error="No RAM.")})
    transcript = Transcript()
    async with bench(transcript) as (app, pilot):
        transcript.show(Conversation("", [turn]))
        await drawn(app, pilot, "half")
        await drawn(app, pilot, "No RAM.")
        assert "0 tokens" not in app.text


async def test_a_long_conversation_shows_more_at_its_top() -> None:
    turns = [Turn(f"question {number}", {BASE: "x"}) for number in range(45)]
    conversation, transcript = Conversation("Be brief.", turns), Transcript()
    async with bench(transcript) as (app, pilot):
        transcript.show(conversation)
        transcript.introduce(conversation, "guide")
        await drawn(app, pilot, "question 44")
        assert len(transcript.query(TurnView)) == 20
        transcript.focus()
        await pilot.press("g")
        await drawn(app, pilot, "25 earlier questions not shown; g shows more.")
        await pilot.press("g")
        await pilot.press("g")
        transcript.introduce(conversation, "guide")
        await drawn(app, pilot, "question 0")
        shown = [view.turn.prompt for view in transcript.query(TurnView)]
        assert shown == [turn.prompt for turn in turns]
        assert "not shown" not in app.text
        assert "System prompt: Be brief." in app.text


def test_the_tail_of_a_long_text_begins_where_it_began_before() -> None:
    text = "0123456789" * 1000
    assert tail("short") == "short"
    begins = {text.index(tail(text[:length])[3:]) % 1000 for length in (4500, 5100, 9999)}
    assert begins == {0}
    lengths = [len(tail(text[:length])) for length in range(4001, 6000)]
    assert max(lengths) <= 5003
    assert all(tail(text[:length])[-9:] == text[length - 9 : length] for length in (4001, 7777))


# -- the prompt ------------------------------------------------------------------------------------


async def test_the_prompt_sends_with_enter_and_grows() -> None:
    prompt = ChatPrompt()
    async with bench(Transcript(), prompt) as (app, pilot):
        prompt.focus()
        await pilot.press("a", "ctrl+j", "b")
        assert prompt.text == "a\nb"
        assert prompt.size.height == 2
        await pilot.press("enter")
        assert app.heard == ["a\nb"]
        prompt.put("")
        await pilot.press("up")
        await pilot.pause()
        assert app.heard[-1] == "earlier"
        prompt.put("x")
        await pilot.press("up", "enter")
        assert app.heard[-1] == "x"


async def test_enter_does_not_overtake_what_was_typed_before_it() -> None:
    from textual import events

    prompt = ChatPrompt()
    async with bench(prompt) as (app, pilot):
        prompt.focus()
        await pilot.pause()
        # As a terminal sends them that has them all at once.
        for key, character in (("a", "a"), ("ctrl+j", "\n"), ("b", "b"), ("enter", "\r")):
            app.post_message(events.Key(key, character))
        await pilot.pause()
        await pilot.pause()
        assert app.heard == ["a\nb"]


# -- the sliders -----------------------------------------------------------------------------------


async def test_sliders_are_moved_typed_and_taken_back() -> None:
    panel = ChatSettings()
    async with bench(panel) as (app, pilot):
        panel.sliders.focus()
        await pilot.press("l")
        assert app.heard[-1].setting == "creative"
        await pilot.press("j", "l", "l")
        assert app.heard[-1].temperature == pytest.approx(1.1)
        await pilot.press("d")
        assert app.heard[-1].temperature is None
        await pilot.press("1", ".", "3", "enter")
        await pilot.pause()
        assert app.heard[-1] == Sampling(setting="creative", temperature=1.3)
        await pilot.press("k", "d")
        assert app.heard[-1] == Sampling(setting="creative")
        await drawn(app, pilot, "Much variety")


async def test_a_typed_value_that_will_not_do_is_told_and_can_be_mended() -> None:
    panel = ChatSettings()
    async with bench(panel) as (app, pilot):
        panel.sliders.focus()
        await pilot.press("j", "9", "enter")
        await pilot.pause()
        assert app.errors == ["temperature 9: input should be less than or equal to 5."]
        await pilot.press("backspace", "2", "enter")
        await pilot.pause()
        assert app.heard == [Sampling(temperature=2)]
        assert panel.sliders.has_focus


async def test_a_click_moves_a_slider() -> None:
    panel = ChatSettings()
    async with bench(panel) as (app, pilot):
        await pilot.click(Sliders, offset=(4, 0))
        assert app.heard[-1].setting == "deterministic"
        await pilot.click(Sliders, offset=(18 + 12, 1))
        assert app.heard[-1].temperature == 2.0
        await pilot.click(Sliders, offset=(18, 1))
        assert app.heard[-1].temperature == 0.0


async def test_markdown_opens_no_links() -> None:
    transcript = Transcript()
    async with bench(transcript) as (app, pilot):
        transcript.show(Conversation("", [Turn("?", {BASE: "[x](http://y)"})]))
        await drawn(app, pilot, "x")
        assert [each._open_links for each in transcript.query(Markdown)] == [False]
