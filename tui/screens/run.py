"""One run: how far it is, its charts, log, samples, events, spec and files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from luthier.agent.models import HardwareSample, Run, RunDetail, SeriesInfo, StoredEvent
from luthier.agent.states import RunState
from luthier.agent.text import number
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec.yaml_loader import dump_yaml

from ..bindings import bindings
from ..hints import Remedy, remedy_for
from ..metrics import Panel, chosen_panels, panels
from ..plot.drawing import Row, wrap
from ..run_curves import POINTS, RunCurves, expected
from ..run_view import head_rows, hint_lines, note_lines, prompts_of, sample_lines, spec_lines
from ..state import Topic
from ..widgets.chart import MOST_CHARTS, ChartGrid
from ..widgets.drawn import Drawn, TabRow
from ..widgets.file_list import FileList
from ..widgets.gpu_panel import GpuPanel
from ..widgets.log_view import LogView
from ..widgets.sample_view import SampleView
from ..widgets.scroller import Scroller, TextPane
from .base import LuthierScreen
from .confirm import ConfirmScreen
from .metric_picker import MetricPicker

if TYPE_CHECKING:
    from luthier.agent.client import Client

TABS = ("Charts", "Log", "Samples", "Events", "Spec", "Files")
_IDS = ("charts", "log", "samples", "events", "spec", "files")
_RARE = ("phase", "placement", "evaluation", "sample", "checkpoint", "warning", "error", "done")
_PAGE = 10_000
_HINT_ROWS = 9
_SMALL = (100, 30)
# Places in a run's events that are looked at to learn when and in which epoch a step was.
_PLACES = 32


@dataclass(frozen=True)
class _Opened:
    """What is read when the screen opens."""

    run: RunDetail
    series: list[SeriesInfo]
    events: list[StoredEvent]
    hardware: list[HardwareSample]


def _read(client: Client, run_id: str) -> _Opened:
    events: list[StoredEvent] = []
    while True:
        after = events[-1].number if events else 0
        page = client.events(run_id, after=after, limit=_PAGE, kinds=_RARE)
        events += page
        if len(page) < _PAGE:
            break
    return _Opened(
        client.run(run_id), client.series(run_id), events, client.hardware_history(run_id)
    )


class RunScreen(LuthierScreen):
    """Everything of one run, live.

    Args:
        run_id: the full id.
    """

    TITLE = "run"
    CSS_PATH = "../styles/run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("run")]

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.detail: RunDetail | None = None
        self._known: list[str] = []
        self._asked: set[str] = set()
        self._wanted: list[str] | None = None
        self._curves = RunCurves()
        self._loading = False
        self._attempts = 0

    # -- what it is made of ------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """Head, devices, hint, tabs, and what the tabs show."""
        unicode = self.glyphs.unicode
        yield Drawn(self._head, id="head")
        yield GpuPanel(lambda: self.run_line, lambda: (self.glyphs, self.interface), id="devices")
        yield Drawn(self._hint, id="hint")
        yield TabRow(TABS)
        with ContentSwitcher(initial="charts"):
            yield ChartGrid(unicode, id="charts")
            yield LogView(self.run_id, id="log")
            yield SampleView(id="samples")
            yield TextPane(follow=True, empty="nothing has happened yet", id="events")
            yield TextPane(empty="reading the spec", id="spec")
            yield FileList(self.run_id, id="files")

    def on_mount(self) -> None:
        """Read what there is; then go on live."""
        self.query_one(ChartGrid).focus_first()

    @property
    def run_line(self) -> Run | None:
        """The run as the state has it, else as it was read."""
        return self.state.runs.get(self.run_id) or self.detail

    @property
    def tab(self) -> str:
        """The id of the tab that is seen."""
        return self.query_one(ContentSwitcher).current or "charts"

    # -- news --------------------------------------------------------------------------------

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Show what changed."""
        kinds = {topic for topic, of in topics if of in ("", self.run_id)}
        # Looked at again and again, so that their data is collected.
        self.state.of(self.run_id)
        if "reset" in kinds:
            self._forget()
        if self.detail is None and self.state.connection == "live":
            self._load()
        if "all" in kinds:
            self._use_choices()
        if kinds & {"all", "reset", "run", "connection"}:
            self._show_run()
        if kinds & {"all", "hardware"}:
            self.query_one(GpuPanel).add(list(self.state.of("").hardware))
        if kinds & {"all", "log"}:
            self._log_grown()
        self._show_tab(kinds)

    def _show_tab(self, kinds: set[str]) -> None:
        data = self.state.of(self.run_id)
        anything = "all" in kinds
        if kinds & {"all", "samples"}:
            count = len(prompts_of(data.samples))
            self.query_one(TabRow).rename(2, f"Samples {count}" if count else "Samples")
        match self.tab:
            case "charts" if anything or kinds & {"metrics", "run"}:
                self._show_charts()
            case "samples" if anything or "samples" in kinds:
                self.query_one(SampleView).show(list(data.samples))
            case "events" if anything or kinds & {"notes", "metrics"}:
                self.query_one("#events", TextPane).show(note_lines(data.notes))

    def _use_choices(self) -> None:
        unicode = self.glyphs.unicode
        for scroller in self.query(Scroller):
            scroller.unicode = unicode
        self.query_one(ChartGrid).use(unicode)

    def _show_run(self) -> None:
        run = self.run_line
        if run is None:
            return
        self.title = run.name or run.id
        self.sub_title = run.id if run.name else ""
        if self.state.runs and self.run_id not in self.state.runs and self.detail is not None:
            self.sub_title = "removed"
        for part in self.query(Drawn):
            part.show()
        if len(run.attempts) != self._attempts:
            self._attempts = len(run.attempts)
            self.query_one(LogView).status.attempts = self._attempts
        self.refresh_bindings()

    def _head(self, width: int) -> list[Row]:
        run = self.run_line
        return head_rows(run, self.glyphs, width, time.time()) if run else [[], []]

    def _hint(self, width: int) -> list[Row]:
        run = self.run_line
        if run is None:
            return []
        keys = self.luthier.keys_of("run.apply"), self.luthier.keys_of("run.resume")
        lines = hint_lines(run, self.remedy, *keys)
        return [row for head, body in lines for row in wrap(body, width, head)][:_HINT_ROWS]

    @property
    def remedy(self) -> Remedy | None:
        """What the run may try next, when it failed and that is known."""
        run = self.run_line
        if run is None or self.detail is None or run.state is not RunState.FAILED:
            return None
        return remedy_for(self.detail.spec, run.reason, run.hint)

    # -- reading -----------------------------------------------------------------------------

    def _forget(self) -> None:
        self.detail = None
        self._asked.clear()
        self._curves.forget()

    def _load(self) -> None:
        if self._loading:
            return
        self._loading = True
        run_id = self.run_id
        self.ask(
            lambda client: _read(client, run_id),
            self._opened,
            doing="reading the run",
            failed=self._not_opened,
        )

    def _not_opened(self, error: LuthierError) -> None:
        self._loading = False
        self.luthier.show_error(error)

    def _opened(self, found: _Opened) -> None:
        self._loading = False
        self.detail = found.run
        self._known = [info.name for info in found.series]
        self.state.take_history(self.run_id, found.events)
        self.query_one(GpuPanel).add(found.hardware)
        self.query_one("#spec", TextPane).show(spec_lines(found.run.spec))
        if self.query_one(LogView).body.attempt is None and self.tab == "log":
            self.query_one(LogView).body.open()
        self._show_run()
        self._show_tab({"all"})

    # -- charts ------------------------------------------------------------------------------

    @property
    def _panels(self) -> list[Panel]:
        names = dict.fromkeys([*self._known, *self.state.of(self.run_id).curves])
        return panels(names)

    @property
    def _chosen(self) -> list[Panel]:
        width, height = _SMALL
        small = self.size.width < width or self.size.height < height
        return chosen_panels(self._panels, self._wanted, 1 if small else 3)

    def _show_charts(self) -> None:
        run = self.run_line
        if run is None:
            return
        chosen = self._chosen
        self._ask_points([name for panel in chosen for name in panel.metrics])
        data = self.state.of(self.run_id)
        grid = self.query_one(ChartGrid)
        kind = grid.view.kind
        across = self._curves.across(data, kind, run.started_at or run.created_at)
        curves = [self._curves.curves(data, panel, across) for panel in chosen] or [[]]
        grid.show(curves, expected(run, kind))

    def _ask_points(self, names: Sequence[str]) -> None:
        for name in names:
            if name in self._asked or name not in self._known:
                continue
            self._asked.add(name)
            self._fetch(name)

    def _fetch(self, name: str) -> None:
        run_id = self.run_id

        def took(series: object) -> None:
            self.state.take_series(run_id, series)  # type: ignore[arg-type]
            if self.tab == "charts":
                self._show_charts()

        self.ask(lambda client: client.points(run_id, name, points=POINTS), took)

    @on(ChartGrid.RangeChanged)
    def _range_changed(self) -> None:
        grid = self.query_one(ChartGrid)
        if not grid.view.window.is_zoomed:
            return
        run, data, run_id = self.run_line, self.state.of(self.run_id), self.run_id
        if run is None:
            return
        names = [name for panel in self._chosen for name in panel.metrics]
        across = self._curves.across(data, grid.view.kind, run.started_at or run.created_at)
        for wanted in self._curves.wanted(
            data, names, across, grid.view.visible, grid.current.dots
        ):
            self.ask(
                lambda client, wanted=wanted: client.points(
                    run_id, wanted.name, points=POINTS, first=wanted.first, last=wanted.last
                ),
                lambda series, wanted=wanted: self._finer(wanted, series),
            )

    def _finer(self, wanted, series) -> None:
        self._curves.take_finer(wanted, series)
        if self.tab == "charts":
            self._show_charts()

    @on(ChartGrid.KindChanged)
    def _kind_changed(self) -> None:
        self._show_charts()

    @on(ChartGrid.Pick)
    def _pick(self) -> None:
        known = self._panels
        if not known:
            self.notify("There are no metrics yet.")
            return
        run = self.run_line
        values = {name: number(value) for name, value in (run.last_metrics if run else {}).items()}
        chosen = [panel.name for panel in self._chosen]

        def answered(wanted: list[str] | None) -> None:
            if wanted is not None:
                self._wanted = wanted
                self._show_charts()

        self.app.push_screen(MetricPicker(known, chosen, MOST_CHARTS, values), answered)
