"""The log of a run: follows its end, goes anywhere in it, finds words and errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from ..bindings import bindings
from ..log_lines import LogRow, Pager
from ..logs import BLOCK, ERRORS, LineIndex, Missing, Output, find
from ..plot.drawing import Row
from .picture import Picture
from .scroller import Scroller

if TYPE_CHECKING:
    from luthier.agent.client import Client, LogPart

    from ..asking import Wait
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
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("log")]

    class Told(Message):
        """The status has changed."""

    class Search(Message):
        """The person wants to type words to find."""

    def __init__(self, run_id: str) -> None:
        super().__init__(id="log-body")
        self.run_id = run_id
        self.attempt: int | None = None
        self.remark = ""
        self.pattern: re.Pattern[bytes] | None = None
        self.searching: Wait[int | None] | None = None
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
                self.remark = "the log could not be read there"
                self.post_message(self.Told())
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
            self._count()

        def failed(_: Exception) -> None:
            # The screen says that the agent is away; the log is read anew when it is back.
            self._fetching = False

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
            self.call_later(self._do, self._show)
        if not self.output.size:
            return [[("no output yet" if self.attempt else "reading the log", "label")]]
        return [self._row(row, width) for row in self._rows_shown]

    def _row(self, row: LogRow, width: int) -> Row:
        text = row.text if self.pager.wrap else row.text[self._left : self._left + width]
        style: str = row.kind
        if row.start == self.current and row.part == 0 and self.is_led:
            style = "selected"
        if self.pattern is None:
            return [(text, style)]
        pieces: Row = []
        place = 0
        raw = text.encode("utf-8", "replace")
        for match in self.pattern.finditer(raw):
            pieces.append((raw[place : match.start()].decode("utf-8", "replace"), style))
            pieces.append((match[0].decode("utf-8", "replace"), "found"))
            place = match.end()
        pieces.append((raw[place:].decode("utf-8", "replace"), style))
        return [piece for piece in pieces if piece[0]]

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
            self.remark = "there is one attempt only"
            self.post_message(self.Told())

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
        self.post_message(self.Search())

    def search(self, words: str) -> None:
        """Find words from the top of the screen on, whatever their case."""
        self.pattern = re.compile(re.escape(words.encode()), re.IGNORECASE) if words else None
        self.redraw()
        if self.pattern:
            self._find(self.pattern, self.pager.top[0], forward=True, what=words)

    def action_again(self, forward: bool) -> None:
        """To the next match, or the one before."""
        if self.pattern is None:
            self.remark = "nothing is searched for"
            self.post_message(self.Told())
        else:
            self._find(self.pattern, self._beyond(forward), forward=forward, what="more")

    def action_error(self, forward: bool) -> None:
        """To the next line that looks wrong, or the one before."""
        self._find(ERRORS, self._beyond(forward), forward=forward, what="error")

    def _beyond(self, forward: bool) -> int:
        """Where to search from: after the marked line if it is seen, or the screen's first."""
        seen = [row.start for row in self._rows_shown]
        marked = self.current in seen and self.is_led
        start = self.current if marked else self.pager.top[0]
        if not forward:
            return start if marked or not self.pager.follow else self.output.size
        if not marked:
            return start
        try:
            following = self.output.next_start(start)
        except Missing:
            return start + 1
        return self.output.size if following is None else following

    def _find(
        self, pattern: re.Pattern[bytes], start: int, *, forward: bool, what: str
    ) -> None:
        run_id, attempt = self.run_id, self.attempt
        if self.searching is not None:
            self.searching.cancel()

        def work(client: Client) -> int | None:
            def read(offset: int, limit: int) -> tuple[bytes, int]:
                part = client.log(run_id, attempt=attempt, offset=offset, limit=limit)
                return part.data, part.size

            def wanted() -> bool:
                return not self.searching or not self.searching.is_cancelled

            return find(read, pattern, start, "forward" if forward else "backward", wanted)

        def found(offset: int | None) -> None:
            self.searching = None
            where = "below" if forward else "above"
            self.remark = f"no {what} {where}" if offset is None else ""
            if offset is not None:
                self.to_offset(offset)
            self.post_message(self.Told())

        self.searching = self._luthier.ask(work, found, doing="searching the log")


class LogStatus(Picture):
    """Where in the log the screen stands."""

    def __init__(self, body: LogBody) -> None:
        super().__init__(id="log-status")
        self._body = body
        self.attempts = 1

    def draw(self, width: int, height: int) -> list[Row]:
        """One line."""
        from luthier.agent.text import size

        body = self._body
        parts = []
        if self.attempts > 1 and body.attempt:
            parts.append(f"attempt {body.attempt} of {self.attempts}")
        parts.append("follows the end" if body.pager.follow else f"{body.bar[1]:.0%}")
        if (line := body.top_line) is not None:
            some = "" if body.index.counted >= body.output.size else "+"
            parts.append(f"line {line:,} of {body.index.lines:,}{some}")
        parts.append(size(body.output.size))
        if body.pager.wrap:
            parts.append("wrapped")
        row: Row = [("  ".join(parts), "label")]
        if body.remark:
            row.append((f"   {body.remark}", "warning"))
        return [row]


class LogView(Vertical):
    """Lines, status, and the field for words to find."""

    def __init__(self, run_id: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.body = LogBody(run_id)
        self.status = LogStatus(self.body)
        self._opened = False

    @property
    def attempts(self) -> int:
        """How many attempts there are."""
        return self.status.attempts

    @attempts.setter
    def attempts(self, count: int) -> None:
        self.status.attempts = count
        self.body.attempts = count

    def open(self) -> None:
        """Show the log, from its end when it is opened first, and take the keys."""
        self.body.focus()
        if self._opened:
            self.body.catch_up()
        else:
            self._opened = True
            self.body.open()

    def news(self, attempt: int, size: int) -> None:
        """An attempt's output has ``size`` bytes now; a new attempt takes the place of the one
        whose end was followed."""
        if not self._opened:
            return
        if attempt == self.body.attempt:
            self.body.grown(size)
        elif attempt > (self.body.attempt or 0) and self.body.pager.follow:
            self.body.open(attempt)

    def compose(self) -> ComposeResult:
        """The lines above, the status below."""
        yield self.body
        yield self.status
        yield Input(placeholder="words to find, enter searches", id="log-search", compact=True)

    def on_log_body_search(self, event: LogBody.Search) -> None:
        """Open the field."""
        event.stop()
        field = self.query_one("#log-search", Input)
        field.display = True
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search."""
        event.stop()
        self.close_search()
        self.body.search(event.value)

    def close_search(self) -> bool:
        """Put the field away; False when it was not there."""
        field = self.query_one("#log-search", Input)
        was_open = bool(field.display)
        field.display = False
        self.body.focus()
        return was_open

    def on_log_body_told(self, event: LogBody.Told) -> None:
        """Show the status."""
        event.stop()
        self.status.redraw()
