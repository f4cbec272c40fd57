"""Widgets that draw rows of styled text and refresh only the cells that differ.

Textual repaints whole widgets; a chart that did so four times a second would cost a slow
connection fifty KiB a second instead of one.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from ..palette import style_of
from ..plot.drawing import Row, changes, fitted


class Picture(Widget):
    """Override ``draw``; call ``redraw`` when what it shows may have changed.

    The styles of pieces are the palette's by their names; the empty one is the widget's own.
    """

    DEFAULT_CSS = """
    Picture { background: $background; color: $foreground; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: list[Row] | None = None
        self._drawn_for = (0, 0)
        self._looks: dict[str, Style] = {}
        self._looks_for: tuple[object, ...] = ()

    def draw(self, width: int, height: int) -> list[Row]:
        """The rows from the top; those that are missing are blank."""
        return []

    def redraw(self) -> None:
        """Draw anew and refresh the cells that differ."""
        if not self.is_attached or not self.size.area:
            # A refresh of a widget that is not seen would make Textual write the whole screen. It
            # is drawn when it is seen again, not taken from what Textual has kept of it.
            self._rows = None
            self._styles_cache.clear()
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
            app = self.app
            dark, ansi = app.current_theme.dark, app.native_ansi_color
            found = self.rich_style + style_of(name, app.theme_variables, dark=dark, ansi=ansi)
            self._looks[name] = found
        return found

    def notify_style_update(self) -> None:
        """Forget the looks of the theme before."""
        super().notify_style_update()
        # Textual calls this whenever the focus moves, too.
        now = (self.app.theme, self.app.native_ansi_color, self.rich_style)
        if now != self._looks_for:
            self._looks_for = now
            self._looks.clear()
            self._rows = None
            self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Draw for the new size."""
        self.redraw()
