"""The saved setups over the form: load, rename, delete."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from luthier.agent.text import age
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..setups import Setup, Setups, complaints
from ..widgets.options import Options
from .confirm import ConfirmScreen
from .dialog import Dialog, LineDialog


class SetupsDialog(Dialog[Setup]):
    """The saved setups; enter answers with one.

    Args:
        setups: all of them.
        current: name of the one that is loaded.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("setups")]

    def __init__(self, setups: Setups, current: str = "") -> None:
        super().__init__("Saved setups")
        self._setups = setups
        self._current = current

    def body(self) -> Iterable[Widget]:
        """The list, and what is known of the one with the cursor."""
        yield Options(id="setups")
        yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        """Show them."""
        self._show(self._current)
        self.query_one(Options).focus()

    def _show(self, name: str) -> None:
        options = self.query_one(Options)
        options.clear_options()
        for setup in self._setups.all():
            mark = self.luthier.glyphs.check if setup.name == self._current else " "
            line = Text(f"{mark} {setup.name}  ")
            when = age(time.time() - setup.modified)
            line.append(f"{setup.task or 'unknown task'}, {when}", "dim")
            options.add_option(Option(line, id=setup.name))
        options.go_to(name)
        if not options.option_count:
            self.dismiss(None)

    def _chosen(self) -> Setup | None:
        name = self.query_one(Options).current
        return self._setups.get(name) if name else None

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        setup = self._chosen()
        about = self.query_one("#about", Static)
        if setup is None:
            return
        wrong = complaints(setup.text, setup.name)
        about.update(str(wrong[0]) if wrong else setup.description)
        about.set_class(bool(wrong), "error")

    @on(OptionList.OptionSelected)
    def _answer(self) -> None:
        self.dismiss(self._chosen())

    def action_rename(self) -> None:
        """Give the setup another name."""
        setup = self._chosen()
        if setup is None:
            return
        old = setup.name

        def named(name: str | None) -> None:
            if name is None or name == old:
                return
            try:
                renamed = self._setups.rename(old, name)
            except LuthierError as error:
                self.luthier.show_error(error)
                return
            if self._current == old:
                self._current = renamed.name
            self._show(renamed.name)

        complaint = self._setups.complaint
        dialog = LineDialog(f"New name of {old}", old, complaint=complaint)
        self.app.push_screen(dialog, named)

    def action_delete(self) -> None:
        """Delete the setup after a question."""
        setup = self._chosen()
        if setup is None:
            return
        name = setup.name

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            try:
                self._setups.delete(name)
            except LuthierError as error:
                self.luthier.show_error(error)
            self._show("")

        question = ConfirmScreen(f"Delete the setup {name}?", yes="Delete", dangerous=True)
        self.app.push_screen(question, answered)
