"""Where questions are typed: enter sends, other keys write."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea

from ..bindings import bindings


class ChatPrompt(TextArea):
    """A few lines of text that grow with what is typed.

    Args:
        placeholder: stands there while nothing is typed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chat_prompt")]
    DEFAULT_CSS = """
    ChatPrompt {
        height: auto; min-height: 2; max-height: 9; padding: 0 1; background: $background;
        border: none; border-top: solid $panel-lighten-2; border-title-color: $text-muted;
        &:focus {
            border: none; border-top: solid $primary; border-title-color: $foreground;
        }
        & .text-area--cursor-line { background: $background; }
    }
    """

    class Sent(Message):
        """The person is done with the text."""

        def __init__(self, prompt: ChatPrompt, text: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.text = text

        @property
        def control(self) -> ChatPrompt:
            """The prompt."""
            return self.prompt

    class EarlierWanted(Message):
        """Up was pressed where nothing is typed: the last question is wanted back."""

    def __init__(self, *, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, id="prompt", highlight_cursor_line=False)

    async def _on_key(self, event: events.Key) -> None:
        """Send and begin lines here: an action that a binding calls runs after letters that were
        typed later, and enter alone would be another line."""
        if event.is_printable:
            return
        active = self.screen.active_bindings.get(event.key)
        acts = {"send": self.action_send, "newline": self.action_newline}
        if active is not None and active.node is self and active.binding.action in acts:
            event.stop()
            event.prevent_default()
            acts[active.binding.action]()

    def action_send(self) -> None:
        """Hand on what is typed, which may be nothing."""
        self.post_message(self.Sent(self, self.text.strip()))

    def action_newline(self) -> None:
        """Begin another line."""
        self.insert("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """One line up; from an empty prompt to the last question."""
        if self.text:
            super().action_cursor_up(select)
        else:
            self.post_message(self.EarlierWanted())

    def put(self, text: str) -> None:
        """Show this text with the cursor at its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)
