"""Pictures of a few rows: as high as what they show, and a row of tabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from textual import events
from textual.geometry import Size
from textual.message import Message

from ..plot.drawing import Row
from .picture import Picture


class Drawn(Picture):
    """Rows that a function makes for the width there is; it is as high as there are rows.

    Args:
        make: gives the rows for a width.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "Drawn { height: auto; }"

    def __init__(self, make: Callable[[int], list[Row]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._make = make
        self._height = 0

    def show(self) -> None:
        """Show what there is now."""
        height = len(self._make(self._width))
        if height != self._height:
            self._height = height
            self.refresh(layout=True)
        self.redraw()

    @property
    def _width(self) -> int:
        return self.size.width or self.app.size.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as there are."""
        return len(self._make(width))

    def draw(self, width: int, height: int) -> list[Row]:
        """The rows."""
        return self._make(width)


class TabRow(Picture):
    """The names of the tabs in one row, with the keys that go to them; so does a click."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "TabRow { height: 1; }"

    class Chosen(Message):
        """The person clicked on a tab."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, names: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.names = list(names)
        self.current = 0

    def choose(self, number: int) -> None:
        """Show that tab as the chosen one."""
        self.current = number
        self.redraw()

    def rename(self, number: int, name: str) -> None:
        """Give a tab another name, such as one with a count."""
        if self.names[number] != name:
            self.names[number] = name
            self.redraw()

    def _parts(self, width: int) -> list[str]:
        loose = [f" {number} {name} " for number, name in enumerate(self.names, 1)]
        if sum(map(cell_len, loose)) <= width:
            return loose
        return [f"{number} {name} " for number, name in enumerate(self.names, 1)]

    def draw(self, width: int, height: int) -> list[Row]:
        """The names, the chosen one stronger."""
        return [
            [
                (part, "cursor" if number == self.current else "label")
                for number, part in enumerate(self._parts(width))
            ]
        ]

    def on_click(self, event: events.Click) -> None:
        """Go to the tab."""
        place = 0
        for number, part in enumerate(self._parts(self.size.width)):
            place += cell_len(part)
            if event.x < place:
                self.post_message(self.Chosen(number))
                return
