"""The log of a run: its lines, where in it they are, and a field for words to find."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from luthier.agent.text import size

from ..plot.drawing import Row
from .log_body import LogBody
from .picture import Picture


class LogStatus(Picture):
    """Where in the log the screen stands."""

    def __init__(self, body: LogBody) -> None:
        super().__init__(id="log-status")
        self._body = body
        self.attempts = 1

    def draw(self, width: int, height: int) -> list[Row]:
        """One line."""
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
        self.body = LogBody(run_id, self.open_search)
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

    def open_search(self) -> None:
        """Open the field."""
        field = self.query_one("#log-search", Input)
        field.display = True
        # At once, so that words typed right after the key land in it.
        self.screen.set_focus(field)

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
        if was_open:
            self.body.focus()
        return was_open

    def on_log_body_told(self, event: LogBody.Told) -> None:
        """Show the status."""
        event.stop()
        self.status.redraw()
