"""What the list of runs shows to somebody who has none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.widget import Widget

if TYPE_CHECKING:
    from ..app import LuthierApp

_WAYS = (
    ("runs.demo", "see it work: a small real training run, about a minute"),
    ("runs.learn", "be guided: a few questions, then a filled-in form"),
    ("runs.new", "set up a run of your own: task, model, data"),
    ("runs.machines", "look at this machine's processors and memory"),
    ("app.help", "show the keys of the screen you are on"),
)


class Welcome(Widget):
    """A few words, and the keys that lead on."""

    DEFAULT_CSS = "Welcome { width: 100%; height: 1fr; padding: 1 3; }"

    def render(self) -> Text:
        """The text."""
        app = cast("LuthierApp", self.app)
        text = Text()
        text.append("Welcome to Luthier. There are no runs yet.\n\n", "bold")
        text.append("Fine-tune a model on your own data, watch it learn, then talk to it.\n\n", "")
        for binding_id, words in _WAYS:
            text.append(f" {app.keys_of(binding_id):^3} ", "bold reverse")
            text.append(f"  {words}\n\n", "")
        text.append("Closing Luthier never stops a run.", "dim")
        return text
