"""A question before something that cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from ..bindings import bindings


class ConfirmScreen(ModalScreen[bool]):
    """Asks yes or no; the answer goes to the callback of ``push_screen``.

    Args:
        question: one short sentence.
        detail: what will happen, in a sentence or a few lines.
        yes: the word on the button that does it, such as ``Stop``.
        dangerous: whether something is lost; the first choice is then no.
    """

    CSS_PATH = "../styles/confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("confirm")]

    def __init__(
        self, question: str, detail: str = "", *, yes: str = "Yes", dangerous: bool = False
    ) -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._yes = yes
        self._dangerous = dangerous

    def compose(self) -> ComposeResult:
        """The question, what will happen, and the two answers."""
        with Vertical(id="confirm"):
            yield Static(self._question, classes="title", markup=False)
            if self._detail:
                yield Static(self._detail, id="detail", markup=False)
            with Horizontal(id="answers"):
                yield from self._answers()

    def _answers(self) -> Iterable[Button]:
        yield Button(
            f"{self._yes} (y)",
            id="yes",
            variant="error" if self._dangerous else "primary",
            compact=True,
        )
        yield Button("No (n)", id="no", compact=True)

    def on_mount(self) -> None:
        """Enter does what is safe."""
        self.query_one("#no" if self._dangerous else "#yes", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer with the button."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer with a key."""
        self.dismiss(answer)
