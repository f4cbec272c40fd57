"""The texts that the model wrote at evaluations, one prompt at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from ..bindings import bindings
from ..plot.drawing import Row
from ..run_view import prompts_of, sample_lines
from ..state import Sample
from .drawn import Drawn
from .scroller import TextPane


class SampleView(Vertical):
    """A prompt with its answers over time; left and right go to the other prompts."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("samples")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._samples: Sequence[Sample] = ()
        self._number = 0

    def compose(self) -> ComposeResult:
        """Which prompt it is, and the texts."""
        yield Drawn(self._title, id="sample-title")
        yield TextPane(empty="the model writes texts at evaluations; there are none yet")

    @property
    def pane(self) -> TextPane:
        """The texts."""
        return self.query_one(TextPane)

    def show(self, samples: Sequence[Sample]) -> None:
        """Show these samples."""
        self._samples = samples
        self._show(from_top=False)

    def _show(self, *, from_top: bool) -> None:
        prompts = prompts_of(self._samples)
        lines = sample_lines(self._samples, prompts[self._number]) if prompts else []
        self.pane.show(lines, from_top=from_top)
        self.query_one(Drawn).show()

    def _title(self, width: int) -> list[Row]:
        count = len(prompts_of(self._samples))
        if count == 0:
            return []
        return [[(f"prompt {self._number + 1} of {count}", "title")]]

    def action_prompt(self, step: int) -> None:
        """To another prompt."""
        if count := len(prompts_of(self._samples)):
            self._number = (self._number + step) % count
            self._show(from_top=True)
