"""The charts of one run or several: which metrics, where their points come from, what is across."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.geometry import Size

from luthier.agent.models import Run, Series, StoredEvent
from luthier.agent.text import number
from luthier.trainers.errors import LuthierError

from ..metrics import Panel, chosen_panels, panels, single_panels
from ..plot.across import Across
from ..plot.curve import Curve
from ..run_curves import POINTS, Range, RunCurves, expected, places
from .chart import MOST_CHARTS, ChartGrid

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..screens.base import LuthierScreen
    from ..state import RunData

# Cells that three charts need.
_ROOMY = (100, 22)


@dataclass
class _Source:
    """One run: the metrics that the agent has, those asked for, and finer parts of curves."""

    color: int
    known: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    curves: RunCurves = field(default_factory=RunCurves)
    placed: bool = False


class RunCharts(ChartGrid):
    """Charts that fetch what they show.

    One run has training and evaluation together in a chart; several have a chart for each metric,
    with a colour for each run.

    Args:
        run_ids: whose metrics.
    """

    def __init__(self, run_ids: Sequence[str], unicode: bool, *, id: str | None = None) -> None:
        super().__init__(unicode, id=id)
        self._sources = {run_id: _Source(color) for color, run_id in enumerate(run_ids)}
        self.wanted: list[str] | None = None
        self._room = Size()

    # -- what is known -----------------------------------------------------------------------

    @property
    def _owner(self) -> LuthierScreen:
        return cast("LuthierScreen", self.screen)

    def _data(self, run_id: str) -> RunData:
        return self._owner.state.of(run_id)

    def _run(self, run_id: str) -> Run | None:
        return self._owner.state.runs.get(run_id)

    def know(self, run_id: str, names: Iterable[str]) -> None:
        """The agent has stored points of these metrics."""
        self._sources[run_id].known = list(names)

    def forget(self) -> None:
        """Read everything anew."""
        for source in self._sources.values():
            source.asked.clear()
            source.curves.forget()
            source.placed = False

    @property
    def _is_single(self) -> bool:
        return len(self._sources) == 1

    @property
    def panels(self) -> list[Panel]:
        """All charts there may be."""
        names: dict[str, None] = {}
        for run_id, source in self._sources.items():
            names |= dict.fromkeys([*source.known, *self._data(run_id).curves])
        return panels(names) if self._is_single else single_panels(names)

    @property
    def chosen(self) -> list[Panel]:
        """The charts that are drawn."""
        room, (width, height) = self._room or self.app.size, _ROOMY
        most = 3 if room.width >= width and room.height >= height else 1
        return chosen_panels(self.panels, self.wanted, most)

    # -- drawing -----------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Draw as many charts as fit now."""
        if event.size.area and event.size != self._room:
            self._room = event.size
            self.show_news()

    def show_news(self) -> None:
        """Draw what the state has now, and fetch what it lacks."""
        runs = {run_id: run for run_id in self._sources if (run := self._run(run_id))}
        if not runs:
            return
        chosen = self.chosen
        for run_id in runs:
            self._ask_points(run_id, [name for panel in chosen for name in panel.metrics])
        across = {run_id: self._across(run) for run_id, run in runs.items()}
        drawn = [
            [
                curve
                for run_id, run in runs.items()
                for curve in self._of(run, panel, across[run_id])
            ]
            for panel in chosen
        ]
        ends = [expected(run, self.view.kind) for run in runs.values()]
        known = [end for end in ends if end is not None]
        end = max(known) if len(known) == len(ends) else None
        titles = [] if self._is_single else [panel.name for panel in chosen]
        self.show(drawn or [[]], end, titles)

    def _of(self, run: Run, panel: Panel, across: Across) -> list[Curve]:
        source, data = self._sources[run.id], self._data(run.id)
        if self._is_single:
            return source.curves.curves(data, panel, across, dict.fromkeys(panel.metrics, ""))
        names = {panel.name: run.name or run.id}
        return source.curves.curves(data, panel, across, names, source.color)

    def _across(self, run: Run) -> Across:
        begun = run.started_at or run.created_at
        return self._sources[run.id].curves.across(self._data(run.id), self.view.kind, begun)

    def _ask_points(self, run_id: str, names: Iterable[str]) -> None:
        source = self._sources[run_id]
        for name in names:
            if name in source.known and name not in source.asked:
                source.asked.add(name)
                self._fetch(run_id, name)

    def _fetch(self, run_id: str, name: str) -> None:
        owner = self._owner

        def took(series: Series) -> None:
            owner.state.take_series(run_id, series)
            self.show_news()

        def failed(error: LuthierError) -> None:
            self._sources[run_id].asked.discard(name)
            owner.luthier.show_error(error)

        owner.ask(lambda client: client.points(run_id, name, points=POINTS), took, failed=failed)

    # -- zooming -----------------------------------------------------------------------------

    @on(ChartGrid.RangeChanged)
    def _fetch_finer(self, event: ChartGrid.RangeChanged) -> None:
        event.stop()
        if not self.view.window.is_zoomed:
            return
        names = [name for panel in self.chosen for name in panel.metrics]
        seen, dots = self.view.visible, self.current.dots
        for run_id, source in self._sources.items():
            if run := self._run(run_id):
                data, across = self._data(run_id), self._across(run)
                for wanted in source.curves.wanted(data, names, across, seen, dots):
                    self._fetch_range(run_id, wanted)

    def _fetch_range(self, run_id: str, wanted: Range) -> None:
        def request(client: Client) -> Series:
            return client.points(
                run_id, wanted.name, points=POINTS, first=wanted.first, last=wanted.last
            )

        def took(series: Series) -> None:
            self._sources[run_id].curves.take_finer(wanted, series)
            self.show_news()

        self._owner.ask(request, took)

    # -- what is across ----------------------------------------------------------------------

    @on(ChartGrid.KindChanged)
    def _change_kind(self, event: ChartGrid.KindChanged) -> None:
        event.stop()
        self.show_news()
        if self.view.kind != "step":
            for run_id, source in self._sources.items():
                if not source.placed:
                    source.placed = True
                    self._fetch_places(run_id)

    def _fetch_places(self, run_id: str) -> None:
        def took(found: Sequence[StoredEvent]) -> None:
            self._owner.state.take_events(run_id, [stored.event for stored in found])
            self.show_news()

        self._owner.ask(lambda client: places(client, run_id), took, doing="reading times")

    # -- choosing ----------------------------------------------------------------------------

    @on(ChartGrid.Pick)
    def _pick(self, event: ChartGrid.Pick) -> None:
        from ..screens.metric_picker import MetricPicker

        event.stop()
        known = self.panels
        if not known:
            self.notify("There are no metrics yet.")
            return

        def answered(wanted: list[str] | None) -> None:
            if wanted is not None:
                self.wanted = wanted
                self.show_news()

        run = self._run(next(iter(self._sources))) if self._is_single else None
        values = {name: number(value) for name, value in run.last_metrics.items()} if run else {}
        chosen = [panel.name for panel in self.chosen]
        self.app.push_screen(MetricPicker(known, chosen, MOST_CHARTS, values), answered)

    def next_metric(self, step: int) -> None:
        """Draw the next metric alone."""
        names = [panel.name for panel in self.panels]
        if names:
            current = self.chosen[0].name if self.chosen else names[0]
            self.wanted = [names[(names.index(current) + step) % len(names)]]
            self.show_news()

    @property
    def plain(self) -> str:
        """The values that the legend of the current chart tells, a line for each curve."""
        lines = [
            f"{each.name}\t{each.bucket.last_step}\t{each.bucket.last:.8g}"
            for each in self.current.readings
        ]
        return "\n".join(["curve\tstep\tvalue", *lines])
