"""The line below the header that is there only while the agent does not answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from textual.timer import Timer
from textual.widget import Widget

from luthier.agent.text import duration

from ..state import Topic

if TYPE_CHECKING:
    from ..app import LuthierApp


class Banner(Widget):
    """Says that the agent is away, for how long, and that runs go on without it."""

    DEFAULT_CSS = """
    Banner {
        height: 1; padding: 0 1; display: none;
        background: $warning-muted; color: $text-warning;
        &.-away { display: block; }
    }
    """

    _timer: Timer | None = None

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Come and go with the agent."""
        away = cast("LuthierApp", self.app).state.connection == "away"
        self.set_class(away, "-away")
        if away and self._timer is None:
            self._timer = self.set_interval(1.0, self.refresh)
        elif not away and self._timer is not None:
            self._timer.stop()
            self._timer = None
        if away:
            self.refresh()

    def render(self) -> str:
        """The sentence."""
        app = cast("LuthierApp", self.app)
        since = app.state.away_since
        gone = duration(time.time() - since) if since is not None else ""
        if app.state.stopped:
            start = app.keys_of("app.start")
            words = f"The agent was stopped {gone} ago; runs go on. {start} starts it again."
        else:
            words = f"The agent has not answered for {gone}; runs go on. Trying again."
        return app.glyphs.cut(words, self.size.width)
