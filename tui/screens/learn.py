"""Learn: a guide to a first run, and pages about everything that the settings mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Markdown, OptionList
from textual.widgets.option_list import Option

from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..learning.topics import Topic, find_topic, matching, topics
from ..widgets.guide import Guide
from ..widgets.options import Options
from ..widgets.pane import Pane
from .base import LuthierScreen

_GUIDE = "guide"


class LearnScreen(LuthierScreen):
    """The guide and the list of topics at the left, what is chosen at the right.

    Args:
        topic: id of the page to show first; silent: the guide.
    """

    TITLE = "learn"
    CSS_PATH = "../styles/learn.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("learn")]

    def __init__(self, topic: str | None = None) -> None:
        super().__init__()
        self._topic = topic

    def body(self) -> Iterable[Widget]:
        """The search, the list, and the page or the guide."""
        yield Input(placeholder="words of a topic", id="filter", compact=True)
        with Horizontal(id="columns"):
            yield Options(id="topics")
            with Pane(id="page"):
                yield Markdown(id="text")
            yield Guide()

    def on_mount(self) -> None:
        """Show the page that was asked for, or begin with the guide."""
        self._show(self._topic or _GUIDE)
        if self._topic is None:
            self.query_one(Guide).focus_answer()
        else:
            try:
                self.show_topic(find_topic(self._topic))
            except LuthierError as error:
                self.luthier.show_error(error)
            self._options.focus()

    # -- the list ------------------------------------------------------------------------------

    @property
    def _options(self) -> Options:
        return self.query_one("#topics", Options)

    def _show(self, at: str | None) -> None:
        words = self.query_one("#filter", Input).value
        shown = matching(words, topics()) if words.strip() else list(topics())
        options, heading = self._options, ""
        options.clear_options()
        if not words.strip():
            options.add_option(Option(Text("Guide to a first run"), id=_GUIDE))
        for topic in shown:
            if topic.group != heading and not words.strip():
                heading = topic.group
                options.add_option(Option(heading, disabled=True))
            options.add_option(Option(Text(f"  {topic.title}"), id=topic.id))
        options.go_to(at)
        self.sub_title = f"{len(shown)} of {len(topics())} topics" if words.strip() else ""

    @on(OptionList.OptionHighlighted, "#topics")
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        chosen = event.option_id
        self.set_class(chosen == _GUIDE, "-guide")
        if chosen and chosen != _GUIDE:
            self.show_topic(find_topic(chosen))

    @on(OptionList.OptionSelected, "#topics")
    def _selected(self, event: OptionList.OptionSelected) -> None:
        """Enter leads from the list into what is shown."""
        if event.option_id == _GUIDE:
            self.query_one(Guide).focus_answer()
        else:
            self.query_one("#page").focus()

    def show_topic(self, topic: Topic) -> None:
        """Show a page."""
        self.set_class(False, "-guide")
        settings = ", ".join(f"`{key}`" for key in topic.settings)
        below = f"\n\n---\n\nSettings: {settings}\n" if settings else ""
        place = f"*{topic.group} · {topic.level} topic*\n\n"
        page = f"# {topic.title}\n\n{place}{topic.text}{below}"
        self.query_one("#text", Markdown).update(page)
        self.query_one("#page").scroll_home(animate=False)

    # -- the guide -----------------------------------------------------------------------------

    @on(Guide.Chosen)
    def _guided(self, event: Guide.Chosen) -> None:
        if event.plan is not None:
            self.luthier.open_new_run(event.plan.values)
        else:
            self._options.go_to(event.topic)
            self._options.focus()

    def action_guide(self) -> None:
        """Go to the guide."""
        self._leave_words()
        self._options.go_to(_GUIDE)
        self.query_one(Guide).focus_answer()

    def action_again(self) -> None:
        """Ask the questions again."""
        self._options.go_to(_GUIDE)
        self.query_one(Guide).start_over()

    # -- keys ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters that are typed are no keys."""
        own = {binding.action for binding in bindings("learn")}
        return action not in own or not isinstance(self.focused, Input)

    def action_topics(self) -> None:
        """Go to the list."""
        self._options.focus()

    def action_new_run(self) -> None:
        """Set up a new run."""
        self.luthier.open_new_run()

    def action_filter(self) -> None:
        """Type words to search for."""
        self.set_class(True, "-filtering")
        self.set_focus(self.query_one("#filter", Input))

    @on(Input.Changed, "#filter")
    def _words_changed(self) -> None:
        self._show(self._options.current)

    @on(Input.Submitted, "#filter")
    def _words_done(self) -> None:
        self._options.focus()

    def action_back(self) -> None:
        """From the page to the list, out of the search, then the screen."""
        if self.query_one("#filter", Input).has_focus or self.query_one("#filter", Input).value:
            self._leave_words()
            self._options.focus()
        elif self.query_one("#page").has_focus or self.query_one(Guide).has_focus_within:
            self._options.focus()
        else:
            super().action_back()

    def _leave_words(self) -> None:
        self.query_one("#filter", Input).value = ""
        self.set_class(False, "-filtering")
