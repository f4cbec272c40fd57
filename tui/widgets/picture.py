"""Widgets that draw rows of styled text and refresh only the cells that differ.

Textual repaints whole widgets; a chart that did so four times a second would cost a slow
connection fifty KiB a second instead of one.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from ..plot.drawing import Row, changes, fitted

COLORS = 8
"""How many curves have a colour of their own."""

_NAMES = (
    *(f"line-{number}" for number in range(COLORS)),
    *("axis", "label", "name", "cross", "title", "key", "value", "good", "warning", "error"),
    *("bar", "rest", "cursor", "found", "selected"),
)
_PREFIX = "picture--"
_FILLED = ("cursor", "selected", "found")
# The spread below a smoothed curve: the curve's colour, fainter.
_RAW = "raw-"


class Picture(Widget):
    """Override ``draw``; call ``redraw`` when what it shows may have changed.

    The styles of pieces are ``picture--`` component classes by their last part; the empty one is
    the widget's own style.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {_PREFIX + name for name in _NAMES}
    DEFAULT_CSS = """
    Picture {
        background: $background; color: $foreground;
        & .picture--line-0 { color: $primary; }
        & .picture--line-1 { color: $secondary; }
        & .picture--line-2 { color: $success; }
        & .picture--line-3 { color: #d17fb5; }
        & .picture--line-4 { color: #5fc4bd; }
        & .picture--line-5 { color: $error; }
        & .picture--line-6 { color: #a89cd9; }
        & .picture--line-7 { color: $foreground; }
        & .picture--axis, & .picture--rest { color: $panel-lighten-2; }
        & .picture--label { color: $text-muted; }
        & .picture--name, & .picture--title { text-style: bold; }
        & .picture--key { color: $secondary; }
        & .picture--cross { color: $accent; }
        & .picture--good { color: $text-success; }
        & .picture--warning { color: $text-warning; }
        & .picture--error { color: $text-error; }
        & .picture--bar { color: $primary; }
        & .picture--cursor, & .picture--selected {
            background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground;
        }
        & .picture--found { background: $warning; color: $background; }
    }
    Picture:light {
        & .picture--line-3 { color: #a03b7f; }
        & .picture--line-4 { color: #0d7d76; }
        & .picture--line-6 { color: #5f4fb0; }
    }
    Picture:ansi {
        & .picture--line-3 { color: ansi_magenta; }
        & .picture--line-4 { color: ansi_cyan; }
        & .picture--line-6 { color: ansi_blue; }
        & .picture--axis, & .picture--rest { color: ansi_bright_black; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._rows: list[Row] | None = None
        self._drawn_for = (0, 0)
        self._looks: dict[str, Style] = {}

    def draw(self, width: int, height: int) -> list[Row]:
        """The rows from the top; those that are missing are blank."""
        return []

    def redraw(self) -> None:
        """Draw anew and refresh the cells that differ."""
        if not self.is_attached or not self.size.area:
            # A refresh of a widget that is not seen would make Textual write the whole screen.
            self._rows = None
            return
        if self._rows is None:
            self.refresh()
            return
        before, size = self._rows, self._drawn_for
        self._draw()
        if size != self._drawn_for:
            self.refresh()
        elif regions := [Region(x, y, width, 1) for x, y, width in changes(before, self._rows)]:
            self.refresh(*regions)

    def _draw(self) -> list[Row]:
        width, height = self.size
        rows = [fitted(row, width) for row in self.draw(width, height)[:height]]
        rows += [fitted([], width)] * (height - len(rows))
        self._rows, self._drawn_for = rows, (width, height)
        return rows

    def render_line(self, y: int) -> Strip:
        """One line of the picture."""
        rows = self._rows
        if rows is None or self._drawn_for != tuple(self.size):
            rows = self._draw()
        if y >= len(rows):
            return Strip.blank(self.size.width, self.look(""))
        segments = [Segment(text, self.look(style)) for text, style in rows[y]]
        return Strip(segments, self.size.width)

    def look(self, name: str) -> Style:
        """The style of that name."""
        found = self._looks.get(name)
        if found is None:
            found = self.rich_style
            if name.startswith(_RAW):
                found = self.look(f"line-{name.removeprefix(_RAW)}") + Style(dim=True)
            elif name:
                # Automatic colours and shares of them are only known over their background.
                found += self.get_component_rich_style(_PREFIX + name, partial=name not in _FILLED)
            self._looks[name] = found
        return found

    def notify_style_update(self) -> None:
        """Forget the looks of the theme before."""
        super().notify_style_update()
        self._looks.clear()
        self._rows = None
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Draw for the new size."""
        self.redraw()
