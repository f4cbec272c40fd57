"""The first line: which screen this is, what goes on, and whether the agent answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from luthier.agent.states import RunState
from luthier.agent.text import printable

from ..state import ClientState, Topic

if TYPE_CHECKING:
    from ..app import LuthierApp

_CONNECTION = {"connecting": "connecting", "live": "", "away": "agent away"}
_FRAME_SECONDS = 0.25


def run_counts(state: ClientState) -> str:
    """``2 running, 1 queued``: what is not finished."""
    counts = Counter(run.state for run in state.runs.values())
    running = sum(counts[each] for each in RunState if each.active)
    parts = [(running, "running"), (counts[RunState.QUEUED], "queued")]
    return ", ".join(f"{count} {word}" for count, word in parts if count)


class Header(Widget):
    """The screen's title at the left; waits, counts and the connection at the right."""

    DEFAULT_CSS = """
    Header { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """

    busy: reactive[str] = reactive("")
    """What is being waited for, in words."""

    def __init__(self) -> None:
        super().__init__()
        self._frame = 0
        self._shown = ""
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        """Follow the screen's title."""
        self.watch(self.screen, "title", self.refresh_line, init=False)
        self.watch(self.screen, "sub_title", self.refresh_line, init=False)

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Draw anew when the counts or the connection changed."""
        if {topic for topic, _ in topics} & {"all", "runs", "connection"}:
            self.refresh_line()

    def refresh_line(self) -> None:
        """Draw anew unless the text is the same, which would cost bytes on a slow connection."""
        if self._line().plain != self._shown:
            self.refresh()

    def watch_busy(self, busy: str) -> None:
        """Move while something is waited for."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if busy:
            self._timer = self.set_interval(_FRAME_SECONDS, self._next_frame)
        self.refresh()

    def render(self) -> Text:
        """The line."""
        line = self._line()
        self._shown = line.plain
        return line

    def _line(self) -> Text:
        app = cast("LuthierApp", self.app)
        width = self.size.width
        title = Text(f"Luthier {app.glyphs.pointer} {printable(self.screen.title or '')}")
        title.stylize("bold", len("Luthier "))
        if self.screen.sub_title:
            title.append(f"  {printable(self.screen.sub_title)}", "dim")
        right = self._right(app, width)
        room = max(0, width - right.cell_len - 1)
        title.truncate(room, overflow="ellipsis" if app.glyphs.unicode else "crop")
        return Text.assemble(title, " " * (width - right.cell_len - title.cell_len), right)

    def _right(self, app: LuthierApp, width: int) -> Text:
        parts: list[tuple[str, str]] = []
        if self.busy:
            frames = app.glyphs.busy
            busy = f"{frames[self._frame % len(frames)]} {self.busy}, esc leaves"
            parts.append((app.glyphs.cut(busy, max(12, width // 2)), "italic"))
        if counts := run_counts(app.state):
            parts.append((counts, ""))
        if connection := _CONNECTION[app.state.connection]:
            parts.append((connection, "bold reverse" if app.state.connection == "away" else "dim"))
        if app.interface.offline:
            parts.append(("offline", "dim"))
        right = Text()
        for number, part in enumerate(parts):
            right.append(f" {app.glyphs.dot} " if number else "")
            right.append(*part)
        return right

    def _next_frame(self) -> None:
        self._frame += 1
        self.refresh()
