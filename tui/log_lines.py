"""Lines of a log as a terminal may show them, and a screenful of them at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, chop_cells

from luthier.agent.text import printable

from .logs import Output, looks_wrong

Kind = Literal["", "error", "warning"]

_ESCAPES = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])?"
)
# Characters that turn the direction of writing round, or have no width and could hide others.
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_WARNINGS = re.compile(rb"\bwarn(?:ing)?\b|Warning\b", re.IGNORECASE)
_TAB = 8


def shown(line: bytes) -> str:
    """The text of a line: what a terminal would show in the end, without what commands it.

    Of a line that returns the carriage again and again, such as a progress bar, that is what
    stands after the last return.
    """
    text = _ESCAPES.sub("", line.decode("utf-8", "replace"))
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part), "")
    return printable(_INVISIBLE.sub("", text.expandtabs(_TAB)))


def kind_of(line: bytes) -> Kind:
    """Whether the line looks like an error or a warning."""
    if looks_wrong(line):
        return "error"
    return "warning" if _WARNINGS.search(line) else ""


def wrapped(text: str, width: int) -> list[str]:
    """The text in rows of ``width`` cells; an empty text is one empty row."""
    if cell_len(text) <= width:
        return [text]
    if text.isascii():
        return [text[place : place + width] for place in range(0, len(text), width)]
    return chop_cells(text, width)


@dataclass(frozen=True)
class LogRow:
    """One row of the screen. ``part`` counts the rows of a wrapped line from 0."""

    start: int
    part: int
    text: str
    kind: Kind


class Pager:
    """Where in the output a screen of some rows stands.

    Every method may raise ``Missing``, and then has changed nothing.

    Attributes:
        top: where the uppermost line begins, and how many of its rows are above the screen.
        follow: whether the screen stays at the end as the output grows.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.width = 80
        self.height = 24
        self.wrap = False
        self.follow = True
        self.top = (0, 0)

    def resize(self, width: int, height: int) -> None:
        """The screen has so many cells."""
        self.width, self.height = max(1, width), max(1, height)

    def rows(self) -> list[LogRow]:
        """What is on the screen, at most ``height`` rows."""
        if self.follow:
            self.to_end()
        start, skip = self.top
        found: list[LogRow] = []
        for row in self._from(start):
            if row.start == start and row.part < skip:
                continue
            found.append(row)
            if len(found) == self.height:
                break
        return found

    def move(self, rows: int) -> None:
        """Go down by so many rows, up when it is negative. The end follows, elsewhere not."""
        if rows < 0:
            self.top = self._above(self.top, -rows)
            self.follow = False
            return
        end = self._above((self.output.size, 0), self.height)
        top = self._below(self.top, rows)
        self.follow = top >= end
        self.top = min(top, end)

    def to_start(self) -> None:
        """Show the first line on top."""
        self.follow = False
        self.top = (0, 0)

    def to_end(self) -> None:
        """Show the last line at the bottom, and follow."""
        self.top = self._above((self.output.size, 0), self.height)
        self.follow = True

    def to_line(self, offset: int) -> int:
        """Show the line that has this byte, a third from the top; returns where it begins."""
        start = self.output.line_start(offset)
        top = self._above((start, 0), self.height // 3)
        end = self._above((self.output.size, 0), self.height)
        self.top, self.follow = min(top, end), False
        return start

    def _parts(self, line: bytes) -> list[str]:
        text = shown(line)
        return wrapped(text, self.width) if self.wrap else [text]

    def _height(self, start: int) -> int:
        """How many rows the line takes that begins there."""
        return len(self._parts(self.output.line(start))) if self.wrap else 1

    def _from(self, start: int) -> Iterator[LogRow]:
        place: int | None = start
        while place is not None and place < self.output.size:
            line = self.output.line(place)
            kind = kind_of(line)
            for part, text in enumerate(self._parts(line)):
                yield LogRow(place, part, text, kind)
            place = self.output.next_start(place)

    def _above(self, top: tuple[int, int], rows: int) -> tuple[int, int]:
        start, skip = top
        while rows > skip:
            rows -= skip
            before = self.output.previous_start(start)
            if before is None:
                return 0, 0
            start, skip = before, self._height(before)
        return start, skip - rows

    def _below(self, top: tuple[int, int], rows: int) -> tuple[int, int]:
        start, skip = top
        while rows:
            if start >= self.output.size:
                break
            left = self._height(start) - 1 - skip
            if left >= rows:
                return start, skip + rows
            following = self.output.next_start(start)
            if following is None:
                break
            rows -= left + 1
            start, skip = following, 0
        return start, skip
