"""One run: how far it is, its charts, log, samples, events, spec and files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from luthier.agent.models import HardwareSample, Run, RunDetail, SeriesInfo, StoredEvent
from luthier.agent.states import RunState
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec.yaml_loader import dump_yaml

from ..bindings import bindings
from ..hints import Remedy, remedy_for
from ..plot.drawing import Row, wrap
from ..run_view import head_rows, hint_lines, note_lines, prompts_of, spec_lines
from ..state import Topic
from ..widgets.drawn import Drawn, TabRow
from ..widgets.file_list import FileList
from ..widgets.gpu_panel import GpuPanel
from ..widgets.log_view import LogView
from ..widgets.report_pane import ReportPane
from ..widgets.run_charts import RunCharts
from ..widgets.sample_view import SampleView
from ..widgets.scroller import Scroller, TextPane
from .base import LuthierScreen
from .confirm import ConfirmScreen

if TYPE_CHECKING:
    from luthier.agent.client import Client

_TABS = {
    "charts": "Charts",
    "log": "Log",
    "samples": "Samples",
    "events": "Events",
    "spec": "Spec",
    "files": "Files",
    "reports": "Reports",
}
_RARE = (
    "phase", "placement", "evaluation", "sample", "report", "checkpoint", "warning", "error", "done"
)  # fmt: skip
_PAGE = 10_000
_HINT_ROWS = 9


@dataclass(frozen=True)
class _Found:
    """What is read when the screen opens."""

    run: RunDetail
    series: list[SeriesInfo]
    events: list[StoredEvent]
    hardware: list[HardwareSample]


def _read(client: Client, run_id: str) -> _Found:
    events: list[StoredEvent] = []
    while True:
        after = events[-1].number if events else 0
        page = client.events(run_id, after=after, limit=_PAGE, kinds=_RARE)
        events += page
        if len(page) < _PAGE:
            break
    hardware = client.hardware_history(run_id)
    return _Found(client.run(run_id), client.series(run_id), events, hardware)


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
        self._loading = False

    # -- what it is made of ------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """Head, devices, hint, tabs, and what the tabs show."""
        yield Drawn(self._head, id="head")
        yield GpuPanel(lambda: self.run_line, lambda: (self.glyphs, self.interface), id="devices")
        yield Drawn(self._hint, id="hint")
        yield TabRow(list(_TABS.values()), id="tabs")
        with ContentSwitcher(initial="charts", id="pages"):
            yield RunCharts([self.run_id], self.glyphs.unicode, id="charts")
            yield LogView(self.run_id, id="log")
            yield SampleView(id="samples")
            yield TextPane(follow=True, empty="nothing has happened yet", id="events")
            yield TextPane(empty="reading the spec", id="spec")
            yield FileList(self.run_id, time.time, id="files")
            yield ReportPane(lambda: self.glyphs, id="reports")

    def on_mount(self) -> None:
        """The keys go to the charts first."""
        self.query_one(RunCharts).focus_first()

    @property
    def run_line(self) -> Run | None:
        """The run as the state has it, else as it was read."""
        return self.state.runs.get(self.run_id) or self.detail

    @property
    def tab(self) -> str:
        """The id of the tab that is seen."""
        return self.query_one("#pages", ContentSwitcher).current or "charts"

    # -- news --------------------------------------------------------------------------------

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Show what changed."""
        kinds = {topic for topic, of in topics if of in ("", self.run_id)}
        # Looked at again and again, so that their data stays collected.
        self.state.of("")
        self.state.of(self.run_id)
        if "reset" in kinds:
            self.detail = None
            self.query_one(RunCharts).forget()
        if self.detail is None and self.state.connection == "live":
            self._load()
        if "all" in kinds:
            self._use_choices()
        if kinds & {"all", "reset", "run", "connection"}:
            self._show_run()
        if kinds & {"all", "hardware"} and (run := self.run_line) and run.state.active:
            self.query_one(GpuPanel).add(self.state.of("").hardware)
        if kinds & {"all", "log", "connection"}:
            self.query_one(LogView).news(*self.state.of(self.run_id).log)
        self._show_tab(kinds)

    def _show_tab(self, kinds: set[str]) -> None:
        data = self.state.of(self.run_id)
        if kinds & {"all", "samples"}:
            count = len(prompts_of(data.samples))
            self.query_one(TabRow).rename(2, f"Samples {count}" if count else "Samples")
        match self.tab:
            case "charts" if kinds & {"all", "metrics", "run"}:
                self.query_one(RunCharts).show_news()
            case "samples" if kinds & {"all", "samples"}:
                self.query_one(SampleView).show(list(data.samples))
            case "reports" if kinds & {"all", "reports"}:
                self.query_one(ReportPane).show(data.reports.values())
            case "events" if kinds & {"all", "notes", "metrics"}:
                self.query_one("#events", TextPane).show(note_lines(data.notes))

    def _use_choices(self) -> None:
        unicode = self.glyphs.unicode
        for scroller in self.query(Scroller):
            scroller.unicode = unicode
        self.query_one(RunCharts).use(unicode)

    def _show_run(self) -> None:
        run = self.run_line
        if run is None:
            return
        self.title = run.name or run.id
        self.sub_title = run.id if run.name else ""
        if self.detail and self.state.runs and self.run_id not in self.state.runs:
            self.sub_title = "removed"
        for part in self.query(Drawn):
            part.show()
        self.query_one(LogView).attempts = len(run.attempts)
        self.refresh_bindings()

    def _head(self, width: int) -> list[Row]:
        run = self.run_line
        return head_rows(run, self.glyphs, width, time.time()) if run else [[], []]

    def _hint(self, width: int) -> list[Row]:
        run = self.run_line
        if run is None:
            return []
        keys = self.luthier.keys_of("run.apply"), self.luthier.keys_of("run.resume")
        lines = hint_lines(run, self.remedy, self.glyphs, *keys)
        return [row for head, body in lines for row in wrap(body, width, head)][:_HINT_ROWS]

    @property
    def remedy(self) -> Remedy | None:
        """What the run may try next, when it failed and that is known."""
        run = self.run_line
        if run is None or self.detail is None or run.state is not RunState.FAILED:
            return None
        return remedy_for(self.detail.spec, run.reason, run.hint)

    # -- reading -----------------------------------------------------------------------------

    def _load(self) -> None:
        if self._loading:
            return
        self._loading = True
        run_id = self.run_id
        self.ask(
            lambda client: _read(client, run_id),
            self._loaded,
            doing="reading the run",
            failed=self._not_loaded,
        )

    def _not_loaded(self, error: LuthierError) -> None:
        self._loading = False
        self.luthier.show_error(error)

    def _loaded(self, found: _Found) -> None:
        self._loading = False
        self.detail = found.run
        self.query_one(RunCharts).know(self.run_id, (info.name for info in found.series))
        self.state.take_history(self.run_id, found.events)
        self.query_one(GpuPanel).add(found.hardware)
        self.query_one("#spec", TextPane).show(spec_lines(found.run))
        self._show_run()
        self._show_tab({"all"})

    # -- tabs --------------------------------------------------------------------------------

    @on(TabRow.Chosen)
    def _tab_clicked(self, event: TabRow.Chosen) -> None:
        self.action_show_tab(event.number)

    def action_tab(self, step: int) -> None:
        """To a tab beside this one."""
        self.action_show_tab((list(_TABS).index(self.tab) + step) % len(_TABS))

    def action_show_tab(self, number: int) -> None:
        """To that tab, whose main part gets the keys."""
        tab = list(_TABS)[number]
        self.query_one("#pages", ContentSwitcher).current = tab
        self.query_one(TabRow).choose(number)
        match tab:
            case "charts":
                self.query_one(RunCharts).focus_first()
            case "log":
                self.query_one(LogView).open()
            case "samples":
                self.query_one(SampleView).pane.focus()
            case "files":
                self.query_one(FileList).read()
                self.query_one(FileList).focus_list()
            case _:
                self.query_one(f"#{tab}").focus()
        self._show_tab({"all"})
        self.refresh_bindings()

    def action_back(self) -> None:
        """Leave the wait, the search, the crosshair, the zoom, and last the screen."""
        charts = self.query_one(RunCharts)
        if self.leave_waits() or self.query_one(LogView).close_search():
            return
        if self.tab != "charts" or not charts.step_back():
            self.action_leave()

    # -- doing -------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done now has a key in the footer."""
        if not self.is_mounted or action not in (
            "apply", "stop", "stop_now", "resume", "chat", "export"
        ):  # fmt: skip
            return True
        run = self.run_line
        if run is None:
            return False
        match action:
            case "apply":
                return run.state in (RunState.FAILED, RunState.LOST)
            case "stop" | "stop_now":
                return not run.state.finished
            case "resume":
                return run.state.finished and run.state is not RunState.SUCCEEDED
        return bool(run.artifact)

    @property
    def labels(self) -> dict[str, str]:
        """One talks to what came out, or tries it."""
        run = self.run_line
        return {"run.chat": self.luthier.outcomes.label(run.task)} if run and run.artifact else {}

    def action_apply(self) -> None:
        """Set up a new run with the remedy applied."""
        remedy = self.remedy
        self.luthier.open_new_run(values=remedy.values if remedy else None, from_run=self.run_id)

    def action_stop(self) -> None:
        """Stop after a checkpoint."""
        self._stop("A checkpoint is saved first; resume goes on from it.", now=False)

    def action_stop_now(self) -> None:
        """Stop at once."""
        self._stop("What was learnt since the last checkpoint is lost.", now=True)

    def _stop(self, detail: str, *, now: bool) -> None:
        run_id = self.run_id

        def answered(yes: bool | None) -> None:
            if yes:
                self._change(lambda client: client.stop(run_id, now=now), "stopping the run")

        question = "Stop this run now?" if now else "Stop this run?"
        self.app.push_screen(ConfirmScreen(question, detail, yes="Stop", dangerous=now), answered)

    def action_resume(self) -> None:
        """Go on from the last checkpoint."""
        run_id = self.run_id
        self._change(lambda client: client.resume(run_id), "resuming the run")

    def _change(self, request: Callable[[Client], Run], doing: str) -> None:
        self.ask(request, doing=doing)

    def action_chat(self) -> None:
        """Talk to the model that came out, or try it."""
        self.luthier.open_chat([self.run_id])

    def action_export(self) -> None:
        """Copy the command that exports the result."""
        run = self.run_line
        name = (run.name if run else "") or self.run_id
        folder = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
        self.copy(f"luthier export {self.run_id} --to {folder}", "export command")

    def action_copy(self) -> None:
        """Copy what the tab shows."""
        run = self.run_line
        match self.tab:
            case "charts":
                self.copy(self.query_one(RunCharts).plain, "values")
            case "log":
                self.copy(self.query_one(LogView).body.plain, "lines")
            case "samples":
                self.copy(self.query_one(SampleView).pane.plain, "samples")
            case "events":
                self.copy(self.query_one("#events", TextPane).plain, "events")
            case "spec" if self.detail:
                self.copy(dump_yaml(self.detail.spec), "spec")
            case "files" if run:
                files = self.query_one(FileList)
                path = files.opened or files.table.current or ""
                self.copy(f"{run.folder}/{path}".rstrip("/"), "path")
            case "reports":
                self.copy(self.query_one(ReportPane).plain, "reports")
