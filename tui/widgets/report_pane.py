"""Reports of evaluations: their tables keep their headings, and what is too wide goes sideways."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual.binding import BindingType

from ..bindings import bindings
from ..glyphs import Glyphs
from ..plot.drawing import Row
from ..report_view import ReportRow, report_rows, report_text
from .scroller import LineScroller

_EMPTY = "no evaluation has reported anything yet"


class ReportPane(LineScroller):
    """The tables of a run's reports.

    Args:
        glyphs: the characters to draw with, asked for each time.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("reports")]

    def __init__(self, glyphs: Callable[[], Glyphs], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._reports: list[dict[str, Any]] = []
        self._lines: list[ReportRow] = []
        self._laid_for: tuple[object, ...] = ()
        self._skipped = 0
        self._beyond = 0

    def show(self, reports: Iterable[dict[str, Any]]) -> None:
        """Show these reports."""
        found = list(reports)
        if found != self._reports:
            self._reports, self._laid_for = found, ()
            self.redraw()
            self.screen.refresh_bindings()

    @property
    def plain(self) -> str:
        """Everything as text."""
        return report_text(self._reports, self._glyphs())

    def _lay(self, width: int) -> None:
        wanted = (width, self._skipped, self._glyphs())
        if wanted != self._laid_for:
            before = self._beyond
            self._laid_for = wanted
            self._lines, self._beyond = report_rows(self._reports, *wanted)
            if bool(before) != bool(self._beyond):
                self.screen.refresh_bindings()

    @property
    def count(self) -> int:
        return len(self._lines)

    def shown_rows(self, width: int, height: int) -> list[Row]:
        """The rows on the screen; above those of a table stand its headings."""
        self._lay(width)
        self._top = min(self._top, self._most)
        if not self._lines:
            return [[(_EMPTY, "label")]]
        seen = self._lines[self._top : self._top + height]
        heads = seen[0].heads
        rows = [each.row for each in seen]
        if heads and seen[-1:] and all(each.heads is heads for each in seen[: len(heads) + 1]):
            rows[: len(heads)] = heads
        return rows

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is beside a table that fits."""
        return action != "sideways" or self._beyond > 0

    def action_sideways(self, columns: int) -> None:
        """See the columns before, or after."""
        self._skipped = max(0, min(self._skipped + columns, self._beyond))
        self.redraw()
