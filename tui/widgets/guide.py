"""The guide's conversation: a question at a time, then the path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Markdown, OptionList, Static
from textual.widgets.option_list import Option

from luthier.agent.models import HostReport
from luthier.agent.text import printable
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import find_task

from ..learning.guide import Answer, Answers, Plan, Question, plan, question
from ..learning.topics import find_topic
from ..pickers.lines import is_hub_id, known_data
from ..pickers.models import cached_models, hub_cache
from .options import Options
from .pane import Pane

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..screens.base import LuthierScreen

_BACK, _OPEN, _AGAIN, _READ = "back", "open", "again", "read "


@dataclass(frozen=True)
class Found:
    """What is known of this machine before the questions that need it."""

    report: HostReport | None
    models: tuple[str, ...]
    data: tuple[Answer, ...]


class Guide(Vertical):
    """Asks, explains the path, and leads to the form or to pages."""

    DEFAULT_CSS = """
    Guide {
        height: 1fr;
        & #conversation { height: auto; max-height: 65%; padding: 0 1; }
        & #path { padding: 0; margin: 0; }
        & Options { height: auto; max-height: 12; margin: 1 0 0 1; }
        & Input { margin: 1 1 0 1; }
        & #complaint { height: auto; padding: 0 1; }
    }
    """

    class Chosen(Message):
        """The person goes on: to the form with ``values``, or to a page."""

        def __init__(self, plan: Plan | None, topic: str = "") -> None:
            super().__init__()
            self.plan = plan
            self.topic = topic

    def __init__(self) -> None:
        super().__init__()
        self._answers = Answers()
        self._told: list[tuple[str, str]] = []
        self._found = Found(None, (), ())
        self._question: Question | None = None
        self._plan: Plan | None = None

    def compose(self) -> Iterable[Widget]:
        """What was said, the path, and where to answer."""
        with Pane(id="conversation"):
            yield Static(id="said")
            yield Markdown(id="path")
        yield Input(id="answer", placeholder="type, then enter", compact=True)
        yield Static("", id="complaint", classes="error", markup=False)
        yield Options(id="answers")

    def on_mount(self) -> None:
        """Ask the first question, and look at this machine meanwhile."""
        base = Path.cwd()
        self._luthier_screen.ask(lambda client: look_around(client, base), self._take_found)
        self._ask()

    @property
    def _luthier_screen(self) -> LuthierScreen:
        return cast("LuthierScreen", self.screen)

    def _take_found(self, found: Found) -> None:
        self._found = found
        if self._question is not None and self._question.step in ("data", "hardware"):
            self._ask()

    # -- asking --------------------------------------------------------------------------------

    def start_over(self) -> None:
        """Ask everything again."""
        self._answers, self._told = Answers(), []
        self._ask()
        self.focus_answer()

    def focus_answer(self) -> None:
        """Let the keys go where the answer is given."""
        typed = self._question is not None and not self._question.answers
        (self.query_one(Input) if typed else self.query_one(Options)).focus()

    def _ask(self) -> None:
        step = self._answers.next
        self._plan = None
        if step is None:
            self._question = None
            self._show_plan()
            return
        self._question = question(step, self._answers, self._found.data, self._found.report)
        options = self.query_one(Options)
        options.clear_options()
        for answer in self._question.answers:
            options.add_option(Option(Text(answer.text), id=answer.id))
        if self._told:
            options.add_option(Option(Text("(the question before)", "dim"), id=_BACK))
        options.display = bool(options.option_count)
        options.go_to(None)
        typed = self.query_one(Input)
        typed.value = ""
        typed.display = self._question.typed
        self.query_one("#complaint", Static).update("")
        self.query_one("#path").display = False
        self._show_told(self._question.text)

    def _show_told(self, asked: str) -> None:
        text = Text()
        for before, answer in self._told:
            text.append(f"{before}\n", "dim")
            text.append(f"  {printable(answer)}\n\n")
        text.append(asked, "bold")
        self.query_one("#said", Static).update(text)
        self.query_one("#conversation").scroll_end(animate=False)

    def _answer(self, value: str, words: str) -> None:
        if self._question is None:
            return
        had_focus = self.has_focus_within
        self._told.append((self._question.text, words))
        self._answers.give(self._question.step, value)
        self._ask()
        if had_focus:
            self.focus_answer()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        value = event.value.strip()
        if self._question is not None and self._question.step == "data":
            if not is_hub_id(value) and not Path(value).expanduser().exists():
                sentence = f"There is no {value} here." if value else "Choose one, or type a path."
                self.query_one("#complaint", Static).update(sentence)
                return
            if Path(value).expanduser().exists():
                value = str(Path(value).expanduser().resolve())
        self._answer(value, value or "(no name)")

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        chosen = event.option_id or ""
        if chosen == _BACK:
            self._told.pop()
            self._answers.take_back()
            self._ask()
            self.focus_answer()
        elif chosen == _AGAIN:
            self.start_over()
        elif chosen == _OPEN:
            self.post_message(self.Chosen(self._plan))
        elif chosen.startswith(_READ):
            self.post_message(self.Chosen(None, chosen.removeprefix(_READ)))
        elif self._question is not None:
            known = {answer.id: answer.text for answer in self._question.answers}
            self._answer(chosen, known.get(chosen, chosen))

    # -- the path ------------------------------------------------------------------------------

    def _show_plan(self) -> None:
        interface = self._luthier_screen.interface
        found = self._found
        self._plan = made = plan(
            self._answers, found.report, here=found.models, offline=interface.offline
        )
        self.query_one("#said", Static).update("")
        path = self.query_one("#path", Markdown)
        path.display = True
        path.update(made.text)
        self.query_one(Input).display = False
        options = self.query_one(Options)
        options.display = True
        options.clear_options()
        options.add_option(Option(Text("Open the form, filled in"), id=_OPEN))
        for topic in made.topics:
            title = find_topic(topic).title
            options.add_option(Option(Text(f"Read: {title}"), id=f"{_READ}{topic}"))
        options.add_option(Option(Text("Start over", "dim"), id=_AGAIN))
        options.go_to(_OPEN)
        self.query_one("#conversation").scroll_home(animate=False)


def look_around(client: Client, base: Path) -> Found:
    """What this machine has: hardware, cached models, data in ``base``."""
    try:
        report = client.hardware()
    except LuthierError:
        # The guide goes on without: it asks for the hardware anyway.
        report = None
    models = tuple(model.name for model in cached_models(hub_cache(os.environ)))
    sample = find_task("llm-sft").sample
    lines = [line for line in known_data(base, sample) if line.does == "choose"]
    data = [Answer(line.key, line.name) for line in lines if line.key != str(sample)]
    return Found(report, models, tuple(data))
