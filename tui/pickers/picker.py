"""A line to type in and a list below it: how models and datasets are picked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..columns import Cell, Column
from ..screens.base import LuthierScreen
from ..widgets.line_table import LineTable
from .browse import Wanted
from .lines import Line, is_path, place_lines

_COLUMNS = (
    Column("name", "name", 24, grow=1),
    Column("size", "size", 9, right=True),
    Column("about", "what it is", 28, grow=1, rank=1, most=44),
)


class Lines(LineTable):
    """The list, where enter chooses."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("choose")]


class PickerScreen(LuthierScreen):
    """Type words, an id or a path, or choose a line; what is chosen goes to ``chosen``."""

    CSS_PATH = "../styles/picker.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("picker")]
    WANTED: ClassVar[Wanted] = "data"
    PLACEHOLDER: ClassVar[str] = ""

    def __init__(self, current: str | None) -> None:
        super().__init__()
        self._current = current or ""
        self._hidden = False
        self._lines: dict[str, Line] = {}
        self._base = Path.cwd()

    def body(self) -> Iterable[Widget]:
        """The line to type in, the list, and a sentence about the line with the cursor."""
        yield Input(placeholder=self.PLACEHOLDER, id="typed", compact=True)
        yield Lines(_COLUMNS, self._cell, id="lines")
        yield Static("", id="about", markup=False)

    # -- for the pickers -----------------------------------------------------------------------

    def found_lines(self, typed: str) -> list[Line]:
        """The lines for words or an id."""
        raise NotImplementedError

    def chosen(self, value: str) -> None:
        """Something was chosen."""
        raise NotImplementedError

    # -- showing -------------------------------------------------------------------------------

    @property
    def typed(self) -> str:
        """What is written in the line."""
        return self.query_one("#typed", Input).value.strip()

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one(LineTable)

    def show_lines(self) -> None:
        """Show what fits to what is typed."""
        typed = self.typed
        if not is_path(typed):
            self._take_lines(self.found_lines(typed))
            return
        base, wanted, hidden = self._base, self.WANTED, self._hidden

        def listed(lines: list[Line]) -> None:
            if self.typed == typed:
                self._take_lines(lines)

        # A folder may lie on a slow network drive.
        self.ask(
            lambda client: place_lines(typed, base, wanted, hidden=hidden),
            listed,
            doing=f"reading {typed}",
            failed=self._unreadable,
        )

    def _unreadable(self, error: LuthierError) -> None:
        self._take_lines([])
        self.query_one("#about", Static).update(str(error))

    def _take_lines(self, lines: list[Line]) -> None:
        self._lines = {line.key: line for line in lines}
        table = self.table
        table.show(list(self._lines))
        table.redraw()
        self._explain()

    def _cell(self, key: str, column: Column) -> Cell:
        line = self._lines[key]
        if column.key == "name":
            mark = self.glyphs.check if key == self._current else " "
            return Cell(f"{mark} {line.name}", "accent" if line.does == "choose" else "")
        if column.key == "size":
            return Cell(self.interface.size(line.size))
        return Cell(line.warning or line.about, "warning" if line.warning else "muted")

    @on(LineTable.Moved)
    def _explain(self) -> None:
        line = self._lines.get(self.table.current or "")
        about = self.query_one("#about", Static)
        if line is None:
            about.update("Nothing found." if self.typed else "")
        else:
            words = f"{line.key}  {line.warning or line.about}"
            about.update(self.glyphs.cut(words, max(20, self.size.width - 2)))

    # -- typing --------------------------------------------------------------------------------

    @on(Input.Changed, "#typed")
    def _typed_changed(self) -> None:
        self.show_lines()

    @on(Input.Submitted, "#typed")
    def _typed_submitted(self) -> None:
        """Take what is typed when it is something by itself, else the line with the cursor."""
        typed = self.typed
        if is_path(typed) and Path(typed).expanduser().is_file():
            self.chosen(str(self._absolute(typed)))
        elif self.table.current:
            self.table.action_select()
        elif typed:
            self.chosen(typed)

    def _absolute(self, typed: str) -> Path:
        return (self._base / Path(typed).expanduser()).resolve()

    def enter_folder(self, path: str) -> None:
        """Go into a folder."""
        typed = self.query_one("#typed", Input)
        typed.value = path if path.endswith("/") else f"{path}/"
        typed.cursor_position = len(typed.value)

    @on(LineTable.Selected)
    def _selected(self, event: LineTable.Selected) -> None:
        line = self._lines[event.key]
        if line.does == "enter":
            self.enter_folder(line.key)
        else:
            self.chosen(line.key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the text work while it is typed."""
        if action in ("to_list", "complete"):
            return isinstance(self.focused, Input)
        if action == "to_text":
            return not isinstance(self.focused, Input)
        return True

    def action_to_list(self) -> None:
        """From the text to the list."""
        self.table.focus()

    def action_to_text(self) -> None:
        """From the list to the text."""
        self.set_focus(self.query_one("#typed", Input))

    def action_complete(self) -> None:
        """Write the line with the cursor into the text; a folder is gone into."""
        line = self._lines.get(self.table.current or "")
        if line is None:
            return
        if line.name.endswith("/"):
            self.enter_folder(line.key)
        else:
            typed = self.query_one("#typed", Input)
            typed.value = line.key
            typed.cursor_position = len(line.key)

    def action_hidden(self) -> None:
        """Show hidden files too, or not."""
        self._hidden = not self._hidden
        self.show_lines()
