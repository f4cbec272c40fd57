"""Partial updates of the screen that write the changed cells only.

Textual's own write a line from the left edge of the widget to the changed cells, which for a chart
that grows at its right end is nearly all of it, four times a second.
"""

from __future__ import annotations

import re

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor

_RESET = "\x1b[0m"
_STYLE = re.compile("(\x1b\\[[0-9;]*m)")
_MOVE = re.compile("\x1b\\[[0-9;]*H")


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
        return without_repeats("".join(written))


def without_repeats(written: str) -> str:
    """The same output, in which a style that follows on itself is not set anew.

    Rich ends the style of every piece, also where the next one has the same. A style takes forty
    bytes, most of what a changed cell costs.
    """
    kept: list[str] = []
    active = wanted = ""
    for part in _STYLE.split(written):
        if _STYLE.fullmatch(part):
            wanted = "" if part == _RESET else part
            continue
        # Moves have no colour.
        if wanted != active and part and not _MOVE.fullmatch(part):
            kept += [_RESET if active else "", wanted]
            active = wanted
        kept.append(part)
    return "".join([*kept, _RESET if active else ""])


class ExactCompositor(Compositor):
    """Puts a screen together, and updates it exactly."""

    def render_partial_update(self) -> ExactUpdate | None:
        """What has changed since the last update, None when nothing has."""
        update = super().render_partial_update()
        return ExactUpdate(update.chops, update.spans, update.chop_ends) if update else None
