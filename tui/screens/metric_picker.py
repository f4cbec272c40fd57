"""Choosing which metrics are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from textual import on
from textual.widget import Widget

from luthier.agent.text import printable

from ..columns import Cell, Column
from ..metrics import Panel
from ..widgets.line_table import LineTable
from .dialog import Dialog

_COLUMNS = (
    Column("title", "metric", 20, grow=1),
    Column("value", "now", 22, right=True, rank=1),
)


class MetricPicker(Dialog[list[str]]):
    """Marks the charts to draw; the answer is their names.

    Args:
        panels: all charts there may be.
        chosen: the names of those that are drawn.
        most: how many can be drawn together.
        values: the newest value of each metric, in words.
    """

    def __init__(
        self,
        panels: Sequence[Panel],
        chosen: Sequence[str],
        most: int,
        values: Mapping[str, str],
    ) -> None:
        charts = f"up to {most} charts" if most > 1 else "a chart"
        super().__init__(f"Mark {charts} with space, enter draws")
        self._panels = {panel.name: panel for panel in panels}
        self._chosen = chosen
        self._most = most
        self._values = values

    def body(self) -> Iterable[Widget]:
        """The list."""
        glyphs = self.luthier.glyphs
        yield LineTable(
            _COLUMNS, self._cell, marks=True, mark=glyphs.mark, ellipsis=glyphs.ellipsis
        )

    @property
    def labels(self) -> dict[str, str]:
        """Enter draws what is marked."""
        return {"list.select": "draw"}

    def on_mount(self) -> None:
        """Mark what is drawn."""
        table = self.query_one(LineTable)
        table.styles.height = min(16, len(self._panels) + 1)
        table.show(list(self._panels))
        table.set_marks(self._chosen)
        table.focus()

    def _cell(self, key: str, column: Column) -> Cell:
        panel = self._panels[key]
        if column.key == "title":
            return Cell(printable(panel.title))
        return Cell("  ".join(self._values.get(name, "") for name in panel.metrics), "muted")

    @on(LineTable.Selected)
    def _answer(self) -> None:
        table = self.query_one(LineTable)
        wanted = table.marked or ([table.current] if table.current else [])
        if len(wanted) > self._most:
            self.notify(f"At most {self._most} fit on the screen.", severity="warning")
        else:
            self.dismiss(wanted)
