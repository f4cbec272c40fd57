"""A table drawn line by line: thousands of rows cost what the visible ones cost.

Only cells whose text changed are drawn anew, which is what keeps a slow connection usable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ..bindings import bindings
from ..columns import Cell, Column, fit, starts

KINDS = ("good", "bad", "warning", "accent", "muted", "strong")


class LineTable(ScrollView, can_focus=True):
    """Rows by key; ``cell`` is asked for what is visible only.

    Args:
        columns: all columns; those that do not fit are left out.
        cell: what stands in a row's column, as wide as the column says at most.
        marks: whether rows can be marked with space.
        mark: the character of a marked row.
        ellipsis: the end of a text that is cut.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-table--header",
        "line-table--cursor",
        *(f"line-table--{kind}" for kind in KINDS),
    }
    DEFAULT_CSS = """
    LineTable {
        background: $background; color: $foreground; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1;
        & .line-table--header { color: $text-muted; text-style: bold; }
        & .line-table--cursor {
            background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground;
        }
        &:focus .line-table--cursor {
            background: $block-cursor-background; color: $block-cursor-foreground;
            text-style: bold;
        }
        & .line-table--good { color: $text-success; }
        & .line-table--bad { color: $text-error; }
        & .line-table--warning { color: $text-warning; }
        & .line-table--accent { color: $text-accent; }
        & .line-table--muted { color: $text-muted; }
        & .line-table--strong { text-style: bold; }
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    """The row that the keys act on, counted from 0."""

    class Selected(Message):
        """A row was opened: enter, or a click on the row that has the cursor."""

        def __init__(self, table: LineTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class Moved(Message):
        """The cursor is on another row; None when there is none."""

        def __init__(self, table: LineTable, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class Marked(Message):
        """Other rows are marked now."""

        def __init__(self, table: LineTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class HeadingClicked(Message):
        """A heading was clicked."""

        def __init__(self, table: LineTable, column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        cell: Callable[[str, Column], Cell],
        *,
        marks: bool = False,
        mark: str = "*",
        ellipsis: str = "…",
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._all_columns = list(columns)
        self._columns: list[Column] = []
        self._starts: list[int] = []
        self._cell = cell
        self._may_mark = marks
        self.mark = mark
        self.ellipsis = ellipsis
        self._keys: list[str] = []
        self._marked: set[str] = set()
        self._drawn: dict[str, list[Cell]] = {}
        self._styles: dict[tuple[str, bool], Style] = {}

    # -- what it shows -------------------------------------------------------------------------

    @property
    def keys(self) -> Sequence[str]:
        """The rows in their order."""
        return self._keys

    @property
    def current(self) -> str | None:
        """The row with the cursor."""
        return self._keys[self.cursor] if self._keys else None

    @property
    def marked(self) -> list[str]:
        """The marked rows, in the order shown."""
        return [key for key in self._keys if key in self._marked]

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that fit, each as wide as it is drawn."""
        return self._columns

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Show these columns, such as with another heading."""
        self._all_columns = list(columns)
        self._lay_out()

    def show(self, keys: Sequence[str]) -> None:
        """Show these rows in this order; the cursor stays with its row."""
        before, current = self._keys, self.current
        if list(keys) == before:
            return
        self._keys = list(keys)
        self._marked &= set(self._keys)
        if len(before) != len(self._keys):
            self._resize()
            self.refresh_bindings()
        places = {key: place for place, key in enumerate(self._keys)}
        cursor = self.validate_cursor(places.get(current or "", self.cursor))
        self.refresh()
        if cursor != self.cursor:
            self.cursor = cursor
        else:
            self._keep_visible()
        if current != self.current:
            self.post_message(self.Moved(self, self.current))

    def update(self, keys: Collection[str] | None = None) -> None:
        """Draw the cells of these rows (silent: of all) that look different now."""
        top = self.scroll_offset.y
        for y in range(1, self.size.height):
            row = top + y - 1
            if row >= len(self._keys):
                return
            key = self._keys[row]
            if keys is None or key in keys:
                self._update_row(key, y)

    def _update_row(self, key: str, y: int) -> None:
        before = self._drawn.get(key)
        cells = self._cells(key)
        self._drawn[key] = cells
        if before is None or len(before) != len(cells):
            self.refresh(Region(0, y, self.size.width, 1))
            return
        changed = [
            Region(x, y, column.width, 1)
            for x, column, old, new in zip(self._starts, self._columns, before, cells, strict=True)
            if old != new
        ]
        if changed:
            self.refresh(*changed)

    def redraw(self) -> None:
        """Draw everything anew."""
        self._drawn.clear()
        self._styles.clear()
        self.refresh()

    def toggle_mark(self, key: str) -> None:
        """Mark a row, or take its mark off."""
        self.set_marks(self._marked ^ {key})

    def set_marks(self, keys: Collection[str]) -> None:
        """Mark exactly these rows."""
        self._marked = set(keys) & set(self._keys)
        self.redraw()
        self.post_message(self.Marked(self))

    # -- drawing -------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Choose the columns that fit."""
        self._lay_out()
        self._keep_visible()

    def _lay_out(self) -> None:
        room = self.scrollable_content_region.width - 2 * self._may_mark
        self._columns = fit(self._all_columns, room)
        shift = 2 * self._may_mark
        self._starts = [x + shift for x in starts(self._columns)]
        self._resize()
        self.redraw()

    def _resize(self) -> None:
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, len(self._keys) + 1)

    def notify_style_update(self) -> None:
        """Forget the looks of the theme before."""
        super().notify_style_update()
        self.redraw()

    def _cells(self, key: str) -> list[Cell]:
        return [self._cell(key, column) for column in self._columns]

    def render_line(self, y: int) -> Strip:
        """One line: the headings first, then the rows from where it is scrolled to."""
        width = self.size.width
        row = self.scroll_offset.y + y - 1
        if y == 0:
            header = [Cell(column.title) for column in self._columns]
            return self._strip(header, self._style("header", False), "  ", width)
        if row >= len(self._keys):
            return Strip.blank(width, self.rich_style)
        key = self._keys[row]
        cells = self._drawn.get(key)
        if cells is None or len(cells) != len(self._columns):
            cells = self._drawn[key] = self._cells(key)
        at_cursor = row == self.cursor
        mark = f"{self.mark} " if key in self._marked else "  "
        return self._strip(cells, self._style("", at_cursor), mark, width, at_cursor)

    def _strip(
        self, cells: Sequence[Cell], base: Style, mark: str, width: int, at_cursor: bool = False
    ) -> Strip:
        segments = [Segment(mark, base)] if self._may_mark else []
        for index, (column, cell) in enumerate(zip(self._columns, cells, strict=True)):
            if index:
                segments.append(Segment(" ", base))
            style = self._style(cell.kind, at_cursor) if cell.kind else base
            segments.append(Segment(self._placed(cell.text, column), style))
        return Strip(segments).adjust_cell_length(width, base)

    def _placed(self, text: str, column: Column) -> str:
        length = cell_len(text)
        if length > column.width:
            room = max(0, column.width - len(self.ellipsis))
            return set_cell_size(text, room) + self.ellipsis[: column.width - room]
        space = " " * (column.width - length)
        return space + text if column.right else text + space

    def _style(self, kind: str, at_cursor: bool) -> Style:
        found = self._styles.get((kind, at_cursor))
        if found is None:
            found = self.rich_style
            if kind:
                name = f"line-table--{kind}"
                # Whole, because muted colours are shares of the background behind them.
                found += Style(color=self.get_component_rich_style(name).color)
                found += Style(bold=self.get_component_rich_style(name, partial=True).bold)
            if at_cursor:
                # Whole too: what a theme calls automatic is only known over its background.
                cursor = self.get_component_rich_style("line-table--cursor")
                found += Style(color=cursor.color, bgcolor=cursor.bgcolor, bold=cursor.bold)
            self._styles[kind, at_cursor] = found
        return found

    # -- moving --------------------------------------------------------------------------------

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, len(self._keys) - 1))

    def watch_cursor(self, before: int, cursor: int) -> None:
        """Show where it is now."""
        top = self.scroll_offset.y
        for row in (before, cursor):
            self.refresh(Region(0, row - top + 1, self.size.width, 1))
        self._keep_visible()
        self.post_message(self.Moved(self, self.current))

    def _keep_visible(self) -> None:
        height = self.size.height - 1
        top = self.scroll_offset.y
        if height <= 0:
            return
        wanted = min(max(top, self.cursor - height + 1), self.cursor)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    def on_focus(self) -> None:
        """The cursor looks stronger while the keys go here."""
        self.redraw()

    def on_blur(self) -> None:
        """The cursor looks weaker while the keys go elsewhere."""
        self.redraw()

    def action_cursor(self, lines: int) -> None:
        """Move by some rows."""
        self.cursor += lines

    def action_page(self, pages: int) -> None:
        """Move by half a page."""
        self.cursor += pages * max(1, (self.size.height - 1) // 2)

    def action_first(self) -> None:
        """To the first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """To the last row."""
        self.cursor = len(self._keys) - 1

    def action_select(self) -> None:
        """Open the row."""
        if self.current is not None:
            self.post_message(self.Selected(self, self.current))

    def action_mark(self) -> None:
        """Mark the row and go to the next."""
        if self.current is not None:
            self.toggle_mark(self.current)
            self.cursor += 1

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without marks there is no key for them; without rows nothing to open."""
        if action == "mark":
            return self._may_mark
        return action != "select" or bool(self._keys)

    def on_click(self, event: events.Click) -> None:
        """Go to the row, open the one with the cursor, mark at the left edge, or sort."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        event.stop()
        if offset.y == 0:
            for x, column in zip(self._starts, self._columns, strict=True):
                if x <= offset.x <= x + column.width:
                    self.post_message(self.HeadingClicked(self, column.key))
                    return
            return
        row = self.scroll_offset.y + offset.y - 1
        if row >= len(self._keys):
            return
        if self._may_mark and offset.x < 2:
            self.toggle_mark(self._keys[row])
        elif row == self.cursor and event.chain > 1:
            self.action_select()
        else:
            self.cursor = row
