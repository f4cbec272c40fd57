"""The table of runs, which fetches the loss curves of the runs that can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from luthier.agent.models import Series
from luthier.trainers.errors import LuthierError

from ..glyphs import Glyphs
from ..run_list import COLUMNS, Cells
from ..state import ClientState
from .line_table import LineTable

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..screens.base import LuthierScreen

_TICK_SECONDS = 1.0
_CURVE_POINTS = 48


class RunTable(LineTable):
    """Runs with live cells."""

    def __init__(self, state: ClientState, glyphs: Glyphs) -> None:
        super().__init__(
            COLUMNS, Cells(state, glyphs), marks=True, mark=glyphs.mark, ellipsis=glyphs.ellipsis,
        )  # fmt: skip
        self._state = state
        self._asked: set[str] = set()

    def on_mount(self) -> None:
        """Let ages and remaining times go on, and fetch curves as rows come into sight."""
        self.set_interval(_TICK_SECONDS, self._tick)

    def use(self, glyphs: Glyphs) -> None:
        """Draw with these characters."""
        self.mark, self.ellipsis = glyphs.mark, glyphs.ellipsis
        self._cell = Cells(self._state, glyphs)
        self.redraw()

    def forget_curves(self) -> None:
        """Fetch the curves of the visible rows anew, because some points may have been missed."""
        self._asked.clear()
        self._fetch_curves()

    def _tick(self) -> None:
        screen = cast("LuthierScreen", self.screen)
        if screen.luthier.front is screen:
            self.update()
            self._fetch_curves()

    def _fetch_curves(self) -> None:
        if self._state.connection != "live":
            return
        top = self.scroll_offset.y
        visible = self.keys[top : top + self.size.height]
        wanted = [key for key in visible if key not in self._asked and self._has_loss(key)]
        if not wanted:
            return
        self._asked |= set(wanted)

        def fetch(client: Client) -> list[tuple[str, Series]]:
            found = []
            for run_id in wanted:
                try:
                    found.append((run_id, client.points(run_id, "loss", points=_CURVE_POINTS)))
                except LuthierError:
                    # Removed meanwhile, or away: asked again once the agent is back.
                    continue
            return found

        def show(found: list[tuple[str, Series]]) -> None:
            for run_id, series in found:
                if run_id in self._state.runs:
                    self._state.take_loss(run_id, series)
            self.update([run_id for run_id, _ in found])

        cast("LuthierScreen", self.screen).ask(fetch, show)

    def _has_loss(self, key: str) -> bool:
        run = self._state.runs.get(key)
        return run is not None and run.last_metrics.get("loss") is not None
