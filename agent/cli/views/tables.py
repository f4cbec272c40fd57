"""Tables in one look: no frame, a heading line, cut rather than broken cells."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

STATE_STYLES = {
    "queued": "cyan",
    "starting": "cyan",
    "running": "blue",
    "stopping": "yellow",
    "succeeded": "green",
    "failed": "red",
    "stopped": "yellow",
    "lost": "red",
}


_FIRST = 8
NARROW = 70
"""Below this many columns a table leaves out what is not needed."""


def plain_table(*headings: str) -> Table:
    """A table whose headings that start with ``>`` stand over right-aligned numbers.

    Cells under ``|`` are never broken; the first column keeps some width, however narrow it gets.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, heading in enumerate(headings):
        right = heading.startswith(">")
        table.add_column(
            heading.lstrip(">|"),
            justify="right" if right else "left",
            no_wrap=heading.startswith((">", "|")),
            overflow="fold",
            min_width=_FIRST if number == 0 and not right else None,
        )
    return table


def add_row(table: Table, *cells: str | Text) -> None:
    """A row of plain texts; square brackets in them mean nothing."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def facts(pairs: list[tuple[str, str]]) -> Table:
    """Names beside values, without a heading; pairs without a value are left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(Text(name), Text(value))
    return table
