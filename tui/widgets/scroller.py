"""Pictures that are higher than the screen: keys, wheel and a bar at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from ..bindings import bindings
from ..plot.drawing import Row, fitted, wrap
from .picture import Picture

_WHEEL_ROWS = 3


class Scroller(Picture, can_focus=True):
    """Override ``shown_rows``, ``move``, ``to_start``, ``to_end`` and ``bar``."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("scroll")]

    unicode = True

    def shown_rows(self, width: int, height: int) -> list[Row]:
        """The rows on the screen."""
        raise NotImplementedError

    def move(self, rows: int) -> None:
        """Go down by some rows, up when negative."""
        raise NotImplementedError

    def to_start(self) -> None:
        """Go to the top."""
        raise NotImplementedError

    def to_end(self) -> None:
        """Go to the bottom."""
        raise NotImplementedError

    def to_share(self, share: float) -> None:
        """Go to that part of the whole, 0 the top and 1 the bottom."""
        raise NotImplementedError

    @property
    def bar(self) -> tuple[float, float]:
        """Which part of the whole is seen: from where to where, 0 to 1."""
        raise NotImplementedError

    @property
    def columns(self) -> int:
        """Cells across for text; the last column is the bar's."""
        return max(1, self.size.width - 1)

    def draw(self, width: int, height: int) -> list[Row]:
        """The rows with the bar."""
        rows = self.shown_rows(max(1, width - 1), height)
        rows += [[] for _ in range(height - len(rows))]
        begin, end = self.bar
        if begin <= 0 and end >= 1:
            return rows
        first = min(int(begin * height), height - 1)
        last = max(first + 1, round(end * height))
        thumb, rest = ("┃", "│") if self.unicode else ("#", "|")
        return [
            [
                *fitted(row, width - 1),
                (thumb, "bar") if first <= number < last else (rest, "rest"),
            ]
            for number, row in enumerate(rows)
        ]

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        event.stop()
        self.move(_WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.move(-_WHEEL_ROWS)

    def on_click(self, event: events.Click) -> None:
        """The bar: go to that part of the whole."""
        if event.x >= self.size.width - 1 and self.bar != (0.0, 1.0):
            self.to_share(event.y / max(1, self.size.height - 1))

    def action_scroll_down(self) -> None:
        """One row down."""
        self.move(1)

    def action_scroll_up(self) -> None:
        """One row up."""
        self.move(-1)

    def action_page_down(self) -> None:
        """A screen down, one row of it kept."""
        self.move(max(1, self.size.height - 1))

    def action_page_up(self) -> None:
        """A screen up, one row of it kept."""
        self.move(-max(1, self.size.height - 1))

    def action_scroll_home(self) -> None:
        """To the top."""
        self.to_start()

    def action_scroll_end(self) -> None:
        """To the bottom."""
        self.to_end()


class LineScroller(Scroller):
    """A scroller over a list of rows. Override ``shown_rows`` and ``count``."""

    _top = 0

    @property
    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    @property
    def _most(self) -> int:
        return max(0, self.count - self.size.height)

    @property
    def bar(self) -> tuple[float, float]:
        """Which part of the rows is seen."""
        count = max(1, self.count)
        return self._top / count, min(1.0, (self._top + self.size.height) / count)

    def move(self, rows: int) -> None:
        """Go down by some rows, up when negative."""
        self._top = max(0, min(self._top + rows, self._most))
        self.redraw()

    def to_start(self) -> None:
        """Go to the top."""
        self.move(-self._top)

    def to_end(self) -> None:
        """Go to the bottom."""
        self.move(self._most - self._top)

    def to_share(self, share: float) -> None:
        """Go to that part of the rows."""
        self.move(round(share * self._most) - self._top)


class TextPane(LineScroller):
    """Some hundred lines of styled text, wrapped to the width.

    Args:
        follow: whether it stays at the end as lines are added, while it is there.
        empty: what it says when there is nothing.
    """

    def __init__(self, *, follow: bool = False, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._follow = follow
        self._empty = empty
        self._lines: Sequence[tuple[Row, Row]] = ()
        self._wrapped: list[Row] = []
        self._wrapped_for = 0
        self._top = 0

    def show(self, lines: Sequence[tuple[Row, Row]], *, from_top: bool = False) -> None:
        """Show these lines: each a head, by which the rest is indented, and the rest."""
        at_end = self._top >= self._most
        if lines == self._lines and not from_top:
            return
        self._lines, self._wrapped_for = lines, 0
        if from_top:
            self._top = 0
        elif self._follow and at_end:
            self._wrap()
            self._top = self._most
        self.redraw()

    @property
    def plain(self) -> str:
        """The lines as text."""
        return "\n".join("".join(t for t, _ in (*head, *row)) for head, row in self._lines)

    @property
    def count(self) -> int:
        return len(self._wrapped)

    def _wrap(self) -> None:
        if self._wrapped_for != self.columns:
            self._wrapped_for = self.columns
            self._wrapped = [
                each for head, row in self._lines for each in wrap(row, self.columns, head)
            ]

    def shown_rows(self, width: int, height: int) -> list[Row]:
        """The rows on the screen."""
        at_end = self._top >= self._most
        before = self._wrapped_for
        self._wrap()
        if self._follow and at_end and before != self._wrapped_for:
            self._top = self._most
        self._top = min(self._top, self._most)
        if not self._lines:
            return [[(self._empty, "label")]]
        return list(self._wrapped[self._top : self._top + height])
