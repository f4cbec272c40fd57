"""Jump keys: a letter at every place that can have the keys; typing it goes there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Label

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


class JumpOverlay(ModalScreen[None]):
    """The letters over the screen.

    Args:
        targets: the widgets, and where on the screen each begins.
    """

    DEFAULT_CSS = """
    JumpOverlay { background: $background 40%; }
    JumpOverlay Label {
        position: absolute; width: 3; padding: 0 1; text-style: bold;
        background: $accent; color: $background;
    }
    """

    def __init__(self, targets: Sequence[tuple[Widget, Offset]]) -> None:
        super().__init__()
        self._targets = dict(zip(LETTERS, targets, strict=False))

    @staticmethod
    def targets(app: App[Any]) -> list[tuple[Widget, Offset]]:
        """What can be gone to on the screen in front, from top to bottom."""
        screen = app.screen
        # What is scrolled out of sight has a region too.
        seen = [(each, screen.find_widget(each).visible_region) for each in screen.focus_chain]
        found = [(widget, region.offset) for widget, region in seen if region]
        return sorted(found, key=lambda each: (each[1].y, each[1].x))

    def compose(self) -> ComposeResult:
        """A letter at each target."""
        for letter, (_, offset) in self._targets.items():
            label = Label(letter)
            label.styles.offset = (offset.x, offset.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        """Go there; any other key goes away."""
        event.stop()
        event.prevent_default()
        self.dismiss()
        if target := self._targets.get(event.key):
            self.app.call_later(target[0].focus)

    def on_click(self) -> None:
        """Go away."""
        self.dismiss()
