"""The form from outside: what differs from the defaults, the YAML, the command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from ..bindings import bindings
from ..forms import Form, as_command, as_yaml, to_text
from ..glyphs import Glyphs
from ..widgets.field_row import shortened
from ..widgets.pane import Pane
from .dialog import Dialog

_PAGES = ("Changes", "YAML", "Command")
YOU = "you"
# Marks, defaults and the gaps between the columns; the least that a value gets.
_BESIDE, _LEAST = 15, 14


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

    def on_resize(self) -> None:
        """Values may have more room, or less."""
        self.call_after_refresh(self._show)

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
        page = self.query_one("#page", Pane)
        if self._page == 0:
            shown = _changes_table(self._form, self.luthier.glyphs, page.size.width)
        elif self._page == 1:
            shown = Text(as_yaml(self._form))
        self.query_one("#text", Static).update(shown)
        page.scroll_home(animate=False)


def changes_text(form: Form) -> str:
    """What differs from the defaults, a line each."""
    return "".join(f"{key}: {before} -> {now}\n" for key, before, now, _ in _changes(form))


def _changes(form: Form) -> list[tuple[str, str, str, str]]:
    found = []
    for change in form.changes():
        field = change.field
        before = "needed" if field.required else to_text(field, field.default) or "not set"
        now = to_text(field, change.value) or "not set"
        source = form.preset.title if change.source == "preset" and form.preset else YOU
        found.append((field.key, before, now, source))
    return found


def _changes_table(form: Form, glyphs: Glyphs, width: int) -> RenderableType:
    """The changes with the marks that the form has too, and what the marks mean."""
    rows = _changes(form)
    if not rows:
        return Text("Every setting has its default.", "dim")
    marks = {source: glyphs.circle if source == YOU else glyphs.mark for *_, source in rows}
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("setting", no_wrap=True)
    table.add_column("default", overflow="fold")
    table.add_column("now", overflow="fold")
    room = max(_LEAST, width - _BESIDE - max(len(key) for key, *_ in rows))
    for key, before, now, source in rows:
        cells = marks[source], key, before, shortened(now, room, glyphs)
        table.add_row(*map(Text, cells))
    legend = ", ".join(
        f"{mark} {source if source == YOU else f'preset {source}'}"
        for source, mark in marks.items()
    )
    return Group(table, Text(f"\n{legend}", "dim"))
