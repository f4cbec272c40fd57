"""What Auto chose for the form: every change with its reason, to be taken or left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from ..bindings import bindings
from ..screens.dialog import Dialog
from ..widgets.pane import Pane


class FitDialog(Dialog[bool]):
    """The sentences; enter takes the settings.

    Args:
        lines: from ``memory.fit_lines``.
        fits: whether there is anything to take.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("fit")]

    def __init__(self, lines: Sequence[str], *, fits: bool) -> None:
        super().__init__("Auto")
        self._lines = lines
        self._fits = fits

    def body(self) -> Iterable[Widget]:
        """The sentences, scrolled when there are many."""
        with Pane():
            text = Text("\n".join(self._lines))
            text.highlight_regex(r"(?m)^- \w+ .+? → [^ ]+(?= )", "bold")
            yield Static(text)
        yield Static("Enter takes these settings." if self._fits else "", classes="muted")

    def on_mount(self) -> None:
        """Scroll with the keys at once."""
        self.query_one(Pane).focus()

    def action_take(self) -> None:
        """Answer that the settings are wanted."""
        self.dismiss(True if self._fits else None)
