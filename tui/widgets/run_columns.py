"""A table with a column for each run; what does not fit is reached sideways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from luthier.agent.text import printable

from ..bindings import bindings
from ..columns import Cell, Column
from .line_table import LineTable

_TITLE = "title"
_TITLE_LEAST, _TITLE_MOST = 18, 44
_RUN_LEAST = 12


class RunColumns(LineTable):
    """Rows of facts about runs.

    Args:
        names: heading of each run by its id.
        good: whether a cell is worth the mark.
        mark: one character.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("columns")]

    def __init__(
        self,
        names: Mapping[str, str],
        good: Callable[[str, str], bool] = lambda row, run: False,
        mark: str = " ",
        *,
        id: str | None = None,
    ) -> None:
        super().__init__([], self._cell_of, mark=mark, id=id)
        self._names = dict(names)
        self._good = good
        self._first = 0
        self._texts: dict[str, dict[str, str]] = {}

    def fill(self, cells: Mapping[str, Mapping[str, str]]) -> None:
        """Show these cells: by row, then by run."""
        self._texts = {row: dict(each) for row, each in cells.items()}
        self.show(list(cells))
        self._choose_columns()
        self.update()

    def rename(self, names: Mapping[str, str]) -> None:
        """The headings have changed."""
        self._names = dict(names)
        self._choose_columns()

    def on_resize(self, event: events.Resize) -> None:
        """As many runs as fit."""
        self._choose_columns()

    def _choose_columns(self) -> None:
        width = self.scrollable_content_region.width
        longest = max(map(len, self._texts), default=0)
        title = max(_TITLE_LEAST, min(longest, _TITLE_MOST, width // 2))
        room = max(1, (width - title) // (_RUN_LEAST + 1))
        runs = list(self._names)
        self._first = max(0, min(self._first, len(runs) - room))
        shown = runs[self._first : self._first + room]
        more = f"runs {self._first + 1} to {self._first + len(shown)} of {len(runs)}"
        heading = more if len(shown) < len(runs) else ""
        self.show_columns(
            [
                Column(_TITLE, heading, title),
                *(Column(run, self._names[run], _RUN_LEAST, right=True, grow=1) for run in shown),
            ]
        )

    def _cell_of(self, row: str, column: Column) -> Cell:
        if column.key == _TITLE:
            return Cell(printable(row))
        text = self._texts.get(row, {}).get(column.key, "")
        good = self._good(row, column.key)
        return Cell(f"{printable(text)} {self.mark if good else ' '}", "good" if good else "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing to open or mark, and sideways only when runs do not fit."""
        if action == "sideways":
            return len(self.columns) - 1 < len(self._names)
        return action not in ("select", "mark")

    def in_full(self, row: str) -> str:
        """All of a row, however long its cells are."""
        cells = self._texts.get(row, {})
        return ", ".join(
            f"{name}: {cells[run]}" for run, name in self._names.items() if run in cells
        )

    def action_sideways(self, runs: int) -> None:
        """To runs that do not fit."""
        self._first += runs
        self._choose_columns()

    @property
    def plain(self) -> str:
        """The whole table, tabs between the cells."""
        lines: Sequence[Sequence[str]] = [
            ["", *self._names.values()],
            *(
                [row, *(each.get(run, "") for run in self._names)]
                for row, each in self._texts.items()
            ),
        ]
        return "\n".join("\t".join(line) for line in lines)
