"""The form from outside: what differs from the defaults, the YAML, the command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from ..bindings import bindings
from ..forms import Form, as_command, as_yaml, to_text
from ..widgets.pane import Pane
from .dialog import Dialog

_PAGES = ("Changes", "YAML", "Command")


class ReviewDialog(Dialog[None]):
    """Three pages about a form; y copies the one that is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("review")]

    def __init__(self, form: Form) -> None:
        super().__init__("Review")
        self._form = form
        self._page = 0
        self.add_class("-large")

    def body(self) -> Iterable[Widget]:
        """The names of the pages, and the page."""
        yield Static(id="pages")
        with Pane(id="page"):
            yield Static(id="text")

    def on_mount(self) -> None:
        """The changes come first."""
        self.query_one("#page").focus()
        self._show()

    def action_turn(self, step: int) -> None:
        """Turn to another page."""
        self._page = (self._page + step) % len(_PAGES)
        self._show()

    def action_copy(self) -> None:
        """Copy what is shown."""
        texts = (changes_text(self._form), as_yaml(self._form), as_command(self._form))
        self.luthier.copy(texts[self._page], _PAGES[self._page].lower().replace("yaml", "YAML"))

    def _show(self) -> None:
        line = Text()
        for number, name in enumerate(_PAGES):
            line.append(f" {name} ", "bold reverse" if number == self._page else "dim")
            line.append(" ")
        self.query_one("#pages", Static).update(line)
        shown: RenderableType = Text(as_command(self._form))
        if self._page == 0:
            shown = _changes_table(self._form)
        elif self._page == 1:
            shown = Text(as_yaml(self._form))
        self.query_one("#text", Static).update(shown)
        self.query_one("#page").scroll_home(animate=False)


def changes_text(form: Form) -> str:
    """What differs from the defaults, a line each."""
    return "".join(f"{key}: {before} -> {now}\n" for key, before, now, _ in _changes(form))


def _changes(form: Form) -> list[tuple[str, str, str, str]]:
    found = []
    for change in form.changes():
        field = change.field
        before = "needed" if field.required else to_text(field, field.default) or "not set"
        now = to_text(field, change.value) or "not set"
        source = form.preset.title if change.source == "preset" and form.preset else "you"
        found.append((field.key, before, now, source))
    return found


def _changes_table(form: Form) -> RenderableType:
    rows = _changes(form)
    if not rows:
        return Text("Every setting has its default.", "dim")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("setting", "default", "now", "by"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
