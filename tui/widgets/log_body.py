"""The lines of a log: they follow its end, go anywhere in it, and find words and errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget

from ..bindings import bindings
from ..log_lines import LogRow, Pager
from ..logs import (
    BLOCK,
    LineIndex,
    Missing,
    Output,
    error_finder,
    words_finder,
)
from ..plot.drawing import Row
from ..screens.save_log import ask_to_save
from .finding import Finding
from .scroller import Scroller

if TYPE_CHECKING:
    from luthier.agent.client import Client, LogPart

    from ..screens.base import LuthierScreen

_FETCH = 4 * BLOCK
_COUNT = 4 << 20
# Counting lines reads the whole log once; beyond this it is not worth it.
_COUNT_MOST = 512 << 20
_SIDEWAYS = 16


class LogBody(Scroller):
    """The lines. It fetches what it needs from the agent, and nothing else.

    Args:
        run_id: whose log.
        ask_words: lets the person type words to find.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("log")]

    class Told(Message):
        """The status has changed."""

    def __init__(self, run_id: str, ask_words: Callable[[], None]) -> None:
        super().__init__(id="log-body")
        self._ask_words = ask_words
        self.run_id = run_id
        self.attempt: int | None = None
        self.remark = ""
        self.words = ""
        self.finding = Finding(self)
        self.attempts = 1
        self._rows_shown: list[LogRow] = []
        self._begin(None)

    def _begin(self, attempt: int | None) -> None:
        self.attempt = attempt
        self.output = Output()
        self.pager = Pager(self.output)
        self.index = LineIndex()
        self.current = 0
        self._left = 0
        self._fetching = False
        self._stuck = -1
        self._later: Callable[[], None] | None = None
        self.finding.forget()

    # -- reading -----------------------------------------------------------------------------

    def open(self, attempt: int | None = None) -> None:
        """Show the end of an attempt's log; silent: of the latest."""
        wrap = self.pager.wrap
        self._begin(attempt)
        self.pager.wrap = wrap
        self._fetch(-_FETCH, self._show)

    def grown(self, size: int) -> None:
        """The output has ``size`` bytes now."""
        if self.output.grown(size):
            self.catch_up()

    def catch_up(self) -> None:
        """Show what came meanwhile, when anybody sees it."""
        if self.is_seen and not self._fetching:
            self._do(self._show)

    @property
    def is_seen(self) -> bool:
        """Whether its tab and screen are in front."""
        parents = [node for node in self.ancestors_with_self if isinstance(node, Widget)]
        return self.is_attached and self.screen.is_current and all(n.display for n in parents)

    @property
    def plain(self) -> str:
        """The marked line, or else those on the screen."""
        rows = self._rows_shown
        if self.is_led:
            rows = [row for row in rows if row.start == self.current] or rows
        return "\n".join(row.text for row in rows)

    def _do(self, operation: Callable[[], None]) -> None:
        """Do it, now or once the bytes that it needs are here. The last one wins."""
        if self._fetching:
            self._later = operation
            return
        try:
            operation()
        except Missing as missing:
            if missing.offset == self._stuck:
                self._stuck = -1
                self.finding.forget()
                self.tell("the log could not be read there")
                return
            self._stuck = missing.offset
            begin = missing.offset
            if begin % BLOCK == 0:
                # Whoever comes from below goes on upwards.
                begin = max(0, begin - _FETCH // 2)
            self._fetch(begin, operation)
        else:
            self._stuck = -1

    def _fetch(self, offset: int, then: Callable[[], None]) -> None:
        run_id, attempt = self.run_id, self.attempt
        output = self.output
        self._fetching = True

        def took(part: LogPart) -> None:
            if output is not self.output:
                return
            self._fetching = False
            self.attempt = part.attempt
            output.put(part.offset, part.data, part.size)
            operation, self._later = self._later or then, None
            self._do(operation)
            self.finding.bytes_came()
            self._count()

        def failed(_: Exception) -> None:
            # The screen says that the agent is away; the log is read anew when it is back.
            self._fetching = False
            self.finding.forget()

        self._luthier.ask(
            lambda client: client.log(run_id, attempt=attempt, offset=offset, limit=_FETCH),
            took,
            failed=failed,
        )

    def _count(self) -> None:
        """Count lines a few MiB at a time, in the background."""
        index, output, attempt = self.index, self.output, self.attempt
        if index.counting or not index.counted < output.size <= _COUNT_MOST:
            return
        index.counting = True
        run_id, offset = self.run_id, index.counted

        def work(client: Client) -> bool:
            part = client.log(run_id, attempt=attempt, offset=offset, limit=_COUNT)
            if part.offset == offset:
                index.add(part.data)
            return bool(part.data)

        def counted(some: bool) -> None:
            index.counting = False
            if index is self.index and self.is_attached:
                self.post_message(self.Told())
                if some and self.is_seen:
                    self._count()

        def failed(_: Exception) -> None:
            index.counting = False

        self._luthier.ask(work, counted, failed=failed)

    @property
    def _luthier(self) -> LuthierScreen:
        return cast("LuthierScreen", self.screen)

    # -- showing -----------------------------------------------------------------------------

    def _show(self) -> None:
        self.pager.resize(self.columns, max(1, self.size.height))
        self._rows_shown = self.pager.rows()
        self.redraw()
        self.post_message(self.Told())

    def shown_rows(self, width: int, height: int) -> list[Row]:
        """The rows on the screen."""
        if (self.pager.width, self.pager.height) != (width, height):
            self.call_later(self.catch_up)
        if not self.output.size:
            return [[("no output yet" if self.attempt else "reading the log", "label")]]
        return [self._row(row, width) for row in self._rows_shown]

    def _row(self, row: LogRow, width: int) -> Row:
        text = row.text if self.pager.wrap else row.text[self._left : self._left + width]
        style: str = row.kind
        if row.start == self.current and row.part == 0 and self.is_led:
            style = "selected"
        return self._with_words(text, style) if self.words else [(text, style)]

    def _with_words(self, text: str, style: str) -> Row:
        pieces: Row = []
        place = 0
        for match in re.finditer(re.escape(self.words), text, re.IGNORECASE):
            pieces += [(text[place : match.start()], style), (match[0], "found")]
            place = match.end()
        return [piece for piece in (*pieces, (text[place:], style)) if piece[0]]

    @property
    def is_led(self) -> bool:
        """Whether the person was led to one line, which is then marked."""
        return self.current > 0 and not self.pager.follow

    @property
    def bar(self) -> tuple[float, float]:
        """Which part of the bytes is seen."""
        size = max(1, self.output.size)
        if self.pager.follow or not self._rows_shown:
            first = self._rows_shown[0].start if self._rows_shown else size
            return first / size, 1.0
        last = self._rows_shown[-1]
        return self._rows_shown[0].start / size, min(1.0, (last.start + len(last.text) + 1) / size)

    @property
    def top_line(self) -> int | None:
        """Number of the uppermost line, from 1; None while it is not counted yet."""
        try:
            before = self.index.lines_before(self.pager.top[0], self.output.block)
        except Missing:
            return None
        return None if before is None else before + 1

    # -- going -------------------------------------------------------------------------------

    def _go(self, operation: Callable[[], object]) -> None:
        def work() -> None:
            operation()
            self._show()

        self.remark = ""
        self.finding.forget()
        self._do(work)

    def move(self, rows: int) -> None:
        """Go down by some rows, up when negative."""
        self._go(lambda: self.pager.move(rows))

    def to_start(self) -> None:
        """Go to the first line."""
        self._go(self.pager.to_start)

    def to_end(self) -> None:
        """Go to the last line and follow."""
        self._go(self.pager.to_end)

    def to_share(self, share: float) -> None:
        """Go to that part of the bytes."""
        offset = round(share * self.output.size)
        self._go(lambda: self.pager.to_line(min(offset, max(0, self.output.size - 1))))

    def to_offset(self, offset: int) -> None:
        """Show the line with that byte, and mark it."""

        def work() -> None:
            self.current = self.pager.to_line(offset)
            self._show()
            self.finding.step_done()

        self._do(work)

    def action_follow(self) -> None:
        """Stay at the end, or no longer."""
        if self.pager.follow:
            self.pager.follow = False
            self._go(lambda: None)
        else:
            self.to_end()

    def action_attempt(self) -> None:
        """The log of the attempt before; before the first, of the latest."""
        if self.attempts > 1 and self.attempt:
            self.open(self.attempt - 1 if self.attempt > 1 else self.attempts)
        else:
            self.tell("there is one attempt only")

    def action_save(self) -> None:
        """Write the whole log to a file."""
        if self.attempt:
            ask_to_save(self._luthier, self.run_id, self.attempt)

    def action_wrap(self) -> None:
        """Long lines in several rows, or cut."""
        self.pager.wrap = not self.pager.wrap
        self.pager.top = (self.pager.top[0], 0)
        self._left = 0
        self._go(lambda: None)

    def action_sideways(self, moves: int) -> None:
        """See what is left or right of the screen."""
        self._left = max(0, self._left + moves * _SIDEWAYS)
        self.redraw()

    # -- finding -----------------------------------------------------------------------------

    def action_search(self) -> None:
        """Type words to find."""
        self._ask_words()

    def search(self, words: str) -> None:
        """Find words from the top of the screen on, whatever their case."""
        self.words = words
        self.finding.forget()
        self.redraw()
        if words:
            self.finding.find(words_finder(words), self._shown_from, forward=True, what=words)

    def action_again(self, forward: bool) -> None:
        """To the next match, or the one before."""
        if self.words:
            self.finding.step(words_finder(self.words), forward, self.words)
        else:
            self.tell("nothing is searched for")

    def action_error(self, forward: bool) -> None:
        """To the next line that looks wrong, or the one before."""
        self.finding.step(error_finder, forward, "error")

    def tell(self, remark: str) -> None:
        """Say something in the status line."""
        self.remark = remark
        self.post_message(self.Told())

    @property
    def is_fetching(self) -> bool:
        """Whether bytes are on their way, and what is shown may change."""
        return self._fetching

    @property
    def _shown_from(self) -> int:
        """Where the first line on the screen begins."""
        return self._rows_shown[0].start if self._rows_shown else 0

    def beyond(self, forward: bool) -> int:
        """Where to search from: beyond the marked line if it is seen, else the screen's first."""
        marked = self.is_led and any(row.start == self.current for row in self._rows_shown)
        start = self.current if marked else self._shown_from
        if not forward:
            return self.output.size if self.pager.follow else start
        if not marked:
            return start
        try:
            following = self.output.next_start(start)
        except Missing:
            return start + 1
        return self.output.size if following is None else following
