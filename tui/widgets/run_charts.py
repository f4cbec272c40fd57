"""The charts of one run: which metrics, from where their points come, what is across."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from textual import on

from luthier.agent.models import Run, Series, StoredEvent
from luthier.agent.text import number
from luthier.trainers.errors import LuthierError

from ..metrics import Panel, chosen_panels, panels
from ..plot.across import Across
from ..run_curves import POINTS, Range, RunCurves, expected, places
from .chart import MOST_CHARTS, ChartGrid

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..screens.base import LuthierScreen
    from ..state import RunData

_SMALL = (100, 30)


class RunCharts(ChartGrid):
    """Charts that fetch what they show.

    Args:
        run_id: whose metrics.
    """

    def __init__(self, run_id: str, unicode: bool, *, id: str | None = None) -> None:
        super().__init__(unicode, id=id)
        self.run_id = run_id
        self._known: list[str] = []
        self._asked: set[str] = set()
        self._wanted: list[str] | None = None
        self._curves = RunCurves()
        self._placed = False

    # -- what is known -----------------------------------------------------------------------

    @property
    def _owner(self) -> LuthierScreen:
        return cast("LuthierScreen", self.screen)

    @property
    def _data(self) -> RunData:
        return self._owner.state.of(self.run_id)

    @property
    def _run(self) -> Run | None:
        return self._owner.state.runs.get(self.run_id)

    def know(self, names: Iterable[str]) -> None:
        """The agent has stored points of these metrics."""
        self._known = list(names)

    def forget(self) -> None:
        """Read everything anew."""
        self._asked.clear()
        self._curves.forget()
        self._placed = False

    @property
    def panels(self) -> list[Panel]:
        """All charts there may be."""
        return panels(dict.fromkeys([*self._known, *self._data.curves]))

    @property
    def chosen(self) -> list[Panel]:
        """The charts that are drawn."""
        size, (width, height) = self.app.size, _SMALL
        most = 1 if size.width < width or size.height < height else 3
        return chosen_panels(self.panels, self._wanted, most)

    # -- drawing -----------------------------------------------------------------------------

    def show_news(self) -> None:
        """Draw what the state has now, and fetch what it lacks."""
        run = self._run
        if run is None:
            return
        chosen = self.chosen
        self._ask_points(name for panel in chosen for name in panel.metrics)
        across = self._across(run)
        curves = [self._curves.curves(self._data, panel, across) for panel in chosen]
        self.show(curves or [[]], expected(run, self.view.kind))

    def _across(self, run: Run) -> Across:
        begun = run.started_at or run.created_at
        return self._curves.across(self._data, self.view.kind, begun)

    def _ask_points(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._known and name not in self._asked:
                self._asked.add(name)
                self._fetch(name)

    def _fetch(self, name: str) -> None:
        run_id, owner = self.run_id, self._owner

        def took(series: Series) -> None:
            owner.state.take_series(run_id, series)
            self.show_news()

        def failed(error: LuthierError) -> None:
            self._asked.discard(name)
            owner.luthier.show_error(error)

        owner.ask(lambda client: client.points(run_id, name, points=POINTS), took, failed=failed)

    # -- zooming -----------------------------------------------------------------------------

    @on(ChartGrid.RangeChanged)
    def _fetch_finer(self, event: ChartGrid.RangeChanged) -> None:
        event.stop()
        run = self._run
        if run is None or not self.view.window.is_zoomed:
            return
        names = [name for panel in self.chosen for name in panel.metrics]
        wanted = self._curves.wanted(
            self._data, names, self._across(run), self.view.visible, self.current.dots
        )
        for each in wanted:
            self._fetch_range(each)

    def _fetch_range(self, wanted: Range) -> None:
        run_id = self.run_id

        def request(client: Client) -> Series:
            return client.points(
                run_id, wanted.name, points=POINTS, first=wanted.first, last=wanted.last
            )

        def took(series: Series) -> None:
            self._curves.take_finer(wanted, series)
            self.show_news()

        self._owner.ask(request, took)

    # -- what is across ----------------------------------------------------------------------

    @on(ChartGrid.KindChanged)
    def _change_kind(self, event: ChartGrid.KindChanged) -> None:
        event.stop()
        self.show_news()
        if self.view.kind != "step" and not self._placed:
            self._placed = True
            run_id = self.run_id

            def took(events: Sequence[StoredEvent]) -> None:
                self._owner.state.take_events(run_id, [stored.event for stored in events])
                self.show_news()

            self._owner.ask(lambda client: places(client, run_id), took, doing="reading times")

    # -- choosing ----------------------------------------------------------------------------

    @on(ChartGrid.Pick)
    def _pick(self, event: ChartGrid.Pick) -> None:
        from ..screens.metric_picker import MetricPicker

        event.stop()
        run, known = self._run, self.panels
        if run is None or not known:
            self.notify("There are no metrics yet.")
            return

        def answered(wanted: list[str] | None) -> None:
            if wanted is not None:
                self._wanted = wanted
                self.show_news()

        values = {name: number(value) for name, value in run.last_metrics.items()}
        chosen = [panel.name for panel in self.chosen]
        self.app.push_screen(MetricPicker(known, chosen, MOST_CHARTS, values), answered)

    @property
    def plain(self) -> str:
        """The values that the legend of the current chart tells, a line for each curve."""
        lines = ["metric\tstep\tvalue"]
        lines += [
            f"{each.name}\t{each.bucket.last_step}\t{each.bucket.last:.8g}"
            for each in self.current.readings
        ]
        return "\n".join(lines)
