"""Partial updates of the screen that write the changed cells only.

Textual's own write a line from the left edge of the widget to the changed cells, which for a chart
that grows at its right end is nearly all of it, four times a second.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor


class ExactUpdate(ChopsUpdate):
    """Changed cells, and how they reach the terminal."""

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal."""
        written: list[str] = []
        for y, first, last in self.spans:
            parts = zip(self.chop_ends[y], self.chops[y].items(), strict=False)
            for end, (begin, strip) in parts:
                if strip is None or begin >= last or end <= first:
                    continue
                left, right = max(begin, first), min(end, last)
                written.append(Control.move_to(left, y).segment.text)
                written.append(strip.crop(left - begin, right - begin).render(console))
        return "".join(written)


class ExactCompositor(Compositor):
    """Puts a screen together, and updates it exactly."""

    def render_partial_update(self) -> ExactUpdate | None:
        """What has changed since the last update, None when nothing has."""
        update = super().render_partial_update()
        return ExactUpdate(update.chops, update.spans, update.chop_ends) if update else None
