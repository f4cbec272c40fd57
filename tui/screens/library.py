"""The library: presets to start from, and the setups that a person has saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from luthier.agent.text import printable
from luthier.presets import Library
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..library import Item, copy_text, demo_item, form_values, items, matching
from ..setups import Setup, Setups, complaints
from ..widgets.options import Options
from ..widgets.pane import Pane
from .base import LuthierScreen
from .confirm import ConfirmScreen
from .dialog import BoxDialog, LineDialog


class LibraryScreen(LuthierScreen):
    """Browse, search, view and use everything; change what is one's own."""

    TITLE = "presets and setups"
    CSS_PATH = "../styles/library.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("library")]

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[str, Item] = {}

    def body(self) -> Iterable[Widget]:
        """The search, the list at the left, the entry at the right."""
        yield Input(placeholder="words of a name, a description or a setting", id="filter")
        with Horizontal(id="columns"):
            yield Options(id="items")
            with Pane(id="entry"):
                yield Static(id="text")

    def on_mount(self) -> None:
        """Show everything."""
        self._show()
        self._options.focus()

    def on_screen_resume(self) -> None:
        """A setup may have been saved meanwhile."""
        super().on_screen_resume()
        if self.is_mounted:
            self._show()

    # -- showing -------------------------------------------------------------------------------

    @property
    def _setups(self) -> Setups:
        return Setups(self.luthier.home)

    @property
    def _options(self) -> Options:
        return self.query_one("#items", Options)

    @property
    def current(self) -> Item | None:
        """The entry with the cursor."""
        return self._items.get(self._options.current or "")

    def _show(self, at: str | None = None) -> None:
        known = Library(self.luthier.home.presets).presets()
        try:
            everything = [demo_item(), *items(self._setups.all(), known)]
        except LuthierError as error:
            self.luthier.show_error(error)
            everything = [demo_item(), *items([], known)]
        words = self.query_one("#filter", Input).value
        shown = matching(everything, words)
        at = at or self._options.current
        self._items = {item.id: item for item in shown}
        self._fill(shown, at)
        self.sub_title = f"{len(shown)} of {len(everything)}" if words else ""
        self._explain()

    def _fill(self, shown: list[Item], at: str | None) -> None:
        options, heading = self._options, ""
        options.clear_options()
        for item in shown:
            if item.heading != heading:
                heading = item.heading
                options.add_option(Option(heading, disabled=True))
            mark = f"{self.glyphs.warning} " if item.problem else ""
            options.add_option(Option(Text(f"  {mark}{item.name}"), id=item.id))
        options.go_to(at)

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        item, text = self.current, Text()
        if item is None:
            text.append("Nothing matches." if self.query_one("#filter", Input).value else "")
        else:
            text.append(f"{printable(item.name)}\n", "bold")
            kind = "saved setup" if item.own else "preset, which can be duplicated"
            text.append(f"{item.task or 'unknown task'}, {kind}\n\n", "dim")
            if item.problem:
                text.append(f"{item.problem}\n\n", self.luthier.look("text-error"))
            if item.description and not item.own:
                text.append(f"{item.description}\n\n")
            text.append(printable(item.text))
        self.query_one("#text", Static).update(text)
        self.query_one("#entry").scroll_home(animate=False)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Presets can be used and duplicated, setups also changed."""
        if not self.is_mounted or action not in ("use", "duplicate", "copy", *_CHANGES, "filter"):
            return True
        if isinstance(self.focused, Input):
            return False
        item = self.current
        if action in _CHANGES:
            return item is not None and item.own
        return action == "filter" or item is not None

    # -- searching -----------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type words to search for."""
        self.set_class(True, "-filtering")
        self.set_focus(self.query_one("#filter", Input))

    @on(Input.Changed, "#filter")
    def _words_changed(self) -> None:
        self._show()

    @on(Input.Submitted, "#filter")
    def _words_done(self) -> None:
        self._options.focus()

    def action_back(self) -> None:
        """Leave the search, then the screen."""
        words = self.query_one("#filter", Input)
        if words.has_focus or words.value:
            words.value = ""
            self.set_class(False, "-filtering")
            self._options.focus()
        else:
            super().action_back()

    # -- using ---------------------------------------------------------------------------------

    def _setup_of(self, item: Item) -> Setup | None:
        return self._setups.get(item.name) if item.own else None

    @on(OptionList.OptionSelected)
    def action_use(self) -> None:
        """Set up a new run with the entry."""
        item = self.current
        if item is None:
            return
        try:
            self.luthier.open_new_run(form_values(item, self._setup_of(item)))
        except LuthierError as error:
            self.luthier.show_error(error)

    def action_copy(self) -> None:
        """Copy the YAML."""
        if self.current is not None:
            self.copy(self.current.text, "YAML")

    # -- changing ------------------------------------------------------------------------------

    def action_duplicate(self) -> None:
        """Make a setup of one's own from the entry."""
        item = self.current
        if item is None:
            return
        text = copy_text(item)
        wish = self._setups.free_name(item.name)
        self._ask_name("Save a copy as", wish, lambda name: self._setups.save(name, text))

    def action_rename(self) -> None:
        """Give the setup another name."""
        item = self.current
        if item is not None:
            old = item.name
            self._ask_name(f"New name of {old}", old, lambda name: self._setups.rename(old, name))

    def _ask_name(self, title: str, value: str, work: Callable[[str], Setup]) -> None:
        def named(name: str | None) -> None:
            if name is None:
                return
            try:
                setup = work(name)
            except LuthierError as error:
                self.luthier.show_error(error)
            else:
                self._show(f"setup:{setup.name}")

        dialog = LineDialog(title, value, complaint=self._setups.complaint)
        self.app.push_screen(dialog, named)

    def action_edit(self) -> None:
        """Edit the setup's text; what is wrong is told while it is written."""
        item = self.current
        if item is None:
            return
        name = item.name

        def complaint(text: str) -> str:
            wrong = complaints(text, "line")
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            return f"{str(wrong[0]).replace('line:', 'Line ', 1)}{more}" if wrong else ""

        def written(text: str | None) -> None:
            if text is None:
                return
            try:
                self._setups.save(name, text, replace=True)
            except LuthierError as error:
                self.luthier.show_error(error)
            self._show()

        self.app.push_screen(
            BoxDialog(f"Setup {name}", item.text, complaint=complaint, large=True), written
        )

    def action_delete(self) -> None:
        """Delete the setup after a question."""
        item = self.current
        if item is None:
            return
        name = item.name

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            try:
                self._setups.delete(name)
            except LuthierError as error:
                self.luthier.show_error(error)
            self._show()

        question = ConfirmScreen(f"Delete the setup {name}?", yes="Delete", dangerous=True)
        self.app.push_screen(question, answered)


_CHANGES = ("edit", "rename", "delete")
