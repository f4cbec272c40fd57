"""The files of a run, and small text files opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import ContentSwitcher

from luthier.agent.models import FileInfo
from luthier.agent.text import age, printable

from ..bindings import bindings
from ..columns import Cell, Column
from ..plot.drawing import Row
from ..run_view import readable, text_lines
from .drawn import Drawn
from .line_table import LineTable
from .scroller import TextPane

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..screens.base import LuthierScreen

OPENED_MOST = 512 * 1024
_COLUMNS = (
    Column("path", "file", 24, grow=1),
    Column("size", "size", 9, right=True),
    Column("age", "changed", 8, right=True, rank=1),
)


class FilePane(TextPane):
    """An opened file; escape leads back to the list."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("files")]

    def __init__(self, close: Callable[[], None]) -> None:
        super().__init__(empty="the file is empty", id="opened-file")
        self._close = close

    def action_close_file(self) -> None:
        """Back to the list."""
        self._close()


class FileList(Vertical):
    """The files with their sizes; enter opens one.

    Args:
        run_id: whose files.
        now: tells the time.
    """

    def __init__(self, run_id: str, now: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.run_id = run_id
        self._now = now
        self._files: dict[str, FileInfo] = {}
        self.opened: str | None = None

    def compose(self) -> ComposeResult:
        """The list, or the file."""
        yield Drawn(self._title, id="file-title")
        with ContentSwitcher(initial="file-table"):
            yield LineTable(_COLUMNS, self._cell, id="file-table")
            yield FilePane(self.close_file)

    @property
    def _owner(self) -> LuthierScreen:
        return cast("LuthierScreen", self.screen)

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one(LineTable)

    @property
    def pane(self) -> FilePane:
        """The opened file."""
        return self.query_one(FilePane)

    def read(self) -> None:
        """Look which files there are."""
        run_id = self.run_id
        self._owner.ask(lambda client: client.files(run_id), self._show, doing="looking at files")

    def _show(self, files: list[FileInfo]) -> None:
        self._files = {info.path: info for info in files}
        self.table.show(list(self._files))
        self.table.update()
        self.query_one(Drawn).show()

    def _title(self, width: int) -> list[Row]:
        if self.opened:
            return [[(printable(self.opened), "title")]]
        if not self._files:
            return []
        total = self._owner.interface.size(sum(info.size for info in self._files.values()))
        return [[(f"{len(self._files)} files, {total}", "title")]]

    def _cell(self, key: str, column: Column) -> Cell:
        info = self._files[key]
        if column.key == "path":
            return Cell(printable(info.path), "" if readable(info, OPENED_MOST) else "muted")
        if column.key == "size":
            return Cell(self._owner.interface.size(info.size))
        return Cell(age(self._now() - info.modified), "muted")

    @on(LineTable.Selected)
    def _open(self, event: LineTable.Selected) -> None:
        info = self._files[event.key]
        if not readable(info, OPENED_MOST):
            size = self._owner.interface.size(OPENED_MOST)
            self.notify(f"Only texts up to {size} are opened here; the key to copy gives the path.")
            return
        run_id = self.run_id

        def work(client: Client) -> bytes:
            return b"".join(client.download(run_id, info.path))

        def took(data: bytes) -> None:
            lines = text_lines(data, info.path)
            if lines is None:
                self.notify(f"{info.path} is no text.", markup=False)
                return
            self.opened = info.path
            self.pane.show(lines, from_top=True)
            self.query_one(ContentSwitcher).current = "opened-file"
            self.query_one(Drawn).show()
            self.pane.focus()

        self._owner.ask(work, took, doing=f"opening {info.path}")

    def focus_list(self) -> None:
        """Give the keys to what is seen."""
        (self.pane if self.opened else self.table).focus()

    def close_file(self) -> None:
        """Back to the list."""
        self.opened = None
        self.query_one(ContentSwitcher).current = "file-table"
        self.query_one(Drawn).show()
        self.table.focus()
