"""Two to eight runs side by side: their curves, what differs in their settings, what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from luthier.agent.models import Run, SeriesInfo
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..comparison import Results, differences
from ..state import Topic
from ..widgets.drawn import TabRow
from ..widgets.line_table import LineTable
from ..widgets.run_charts import RunCharts
from ..widgets.run_columns import RunColumns
from .base import LuthierScreen

if TYPE_CHECKING:
    from luthier.agent.client import Client

_TABS = {"charts": "Charts", "differences": "Settings that differ", "results": "Results"}


@dataclass(frozen=True)
class _Found:
    """What is read when the screen opens, by run."""

    specs: dict[str, dict[str, Any]]
    series: dict[str, list[SeriesInfo]]


def _read(client: Client, run_ids: Sequence[str]) -> _Found:
    return _Found(
        {run_id: client.run(run_id).spec for run_id in run_ids},
        {run_id: client.series(run_id) for run_id in run_ids},
    )


class CompareScreen(LuthierScreen):
    """Several runs over each other.

    Args:
        run_ids: full ids, two to eight.
    """

    TITLE = "compare"
    CSS_PATH = "../styles/compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("compare")]

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.run_ids = list(run_ids)
        self._found: _Found | None = None
        self._results: Results | None = None
        self._loading = False

    def body(self) -> Iterable[Widget]:
        """The tabs."""
        names = {run_id: run_id for run_id in self.run_ids}
        yield TabRow(list(_TABS.values()), id="tabs")
        with ContentSwitcher(initial="charts", id="pages"):
            yield RunCharts(self.run_ids, self.glyphs.unicode, id="charts")
            yield RunColumns(names, id="differences")
            yield RunColumns(names, self._is_best, self.glyphs.check, id="results")
        yield Static("", id="remark", markup=False)

    def on_mount(self) -> None:
        """The keys go to the charts first."""
        self.sub_title = f"{len(self.run_ids)} runs"
        self.query_one(RunCharts).focus_first()

    @property
    def tab(self) -> str:
        """The id of the tab that is seen."""
        return self.query_one("#pages", ContentSwitcher).current or "charts"

    @property
    def runs(self) -> list[Run]:
        """The runs that there are (still)."""
        return [self.state.runs[each] for each in self.run_ids if each in self.state.runs]

    # -- news --------------------------------------------------------------------------------

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Show what changed."""
        kinds = {topic for topic, of in topics if of in ("", *self.run_ids)}
        for run_id in self.run_ids:
            # Looked at again and again, so that their data stays collected.
            self.state.of(run_id)
        if "reset" in kinds:
            self._found = None
            self.query_one(RunCharts).forget()
        if self._found is None and self.state.connection == "live":
            self._load()
        if "all" in kinds:
            self.query_one(RunCharts).use(self.glyphs.unicode)
        if kinds & {"all", "run", "metrics", "connection"}:
            self._show(self.tab)

    def _show(self, tab: str) -> None:
        names = {run.id: self._heading(run) for run in self.runs}
        if tab == "charts":
            self.query_one(RunCharts).show_news()
        elif tab == "differences" and self._found:
            known = self._found.specs
            self._fill(names, differences({each: known[each] for each in names if each in known}))
        elif tab == "results" and self._found:
            self._results = Results(self.runs, self._found.series)
            self._fill(names, self._results.cells)
        self._remark()

    def _fill(self, names: dict[str, str], cells: Mapping[str, Mapping[str, str]]) -> None:
        table = self.query_one(f"#{self.tab}", RunColumns)
        table.rename(names)
        table.fill(cells)

    @on(LineTable.Moved)
    def _remark(self) -> None:
        """The row with the cursor in full, because cells may be cut."""
        words = ""
        if self.tab != "charts" and self._found:
            table = self.query_one(f"#{self.tab}", RunColumns)
            same = "these runs have the same settings" if self.tab == "differences" else ""
            words = table.in_full(table.current) if table.current else same
        line = self.query_one("#remark", Static)
        line.display = bool(words)
        line.update(self.glyphs.cut(words, 3 * self.size.width - 8))

    def _heading(self, run: Run) -> str:
        alike = [other for other in self.runs if other.name == run.name]
        return run.name if run.name and len(alike) == 1 else run.id

    def _is_best(self, row: str, run_id: str) -> bool:
        return self._results is not None and run_id in self._results.best.get(row, ())

    # -- reading -----------------------------------------------------------------------------

    def _load(self) -> None:
        if self._loading:
            return
        self._loading = True
        run_ids = [run.id for run in self.runs]
        self.ask(
            lambda client: _read(client, run_ids),
            self._loaded,
            doing="reading the runs",
            failed=self._not_loaded,
        )

    def _not_loaded(self, error: LuthierError) -> None:
        self._loading = False
        self.luthier.show_error(error)

    def _loaded(self, found: _Found) -> None:
        self._loading = False
        self._found = found
        charts = self.query_one(RunCharts)
        for run_id, infos in found.series.items():
            charts.know(run_id, (info.name for info in infos))
        self._show(self.tab)

    # -- tabs --------------------------------------------------------------------------------

    @on(TabRow.Chosen)
    def _tab_clicked(self, event: TabRow.Chosen) -> None:
        self.action_show_tab(event.number)

    def action_tab(self, step: int) -> None:
        """To a tab beside this one."""
        self.action_show_tab((list(_TABS).index(self.tab) + step) % len(_TABS))

    def action_show_tab(self, number: int) -> None:
        """To that tab."""
        tab = list(_TABS)[number]
        self.query_one("#pages", ContentSwitcher).current = tab
        self.query_one(TabRow).choose(number)
        if tab == "charts":
            self.query_one(RunCharts).focus_first()
        else:
            self.query_one(f"#{tab}").focus()
        self._show(tab)
        self.refresh_bindings()

    def action_back(self) -> None:
        """Leave the wait, the crosshair, the zoom, and last the screen."""
        charts = self.query_one(RunCharts)
        if self.leave_waits() or (self.tab == "charts" and charts.step_back()):
            return
        self.action_leave()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Metrics are turned over where they are drawn."""
        return action != "metric" or not self.is_mounted or self.tab == "charts"

    def action_metric(self, step: int) -> None:
        """Draw the next metric alone."""
        self.query_one(RunCharts).next_metric(step)

    def action_copy(self) -> None:
        """Copy what the tab shows."""
        if self.tab == "charts":
            self.copy(self.query_one(RunCharts).plain, "values")
        else:
            self.copy(self.query_one(f"#{self.tab}", RunColumns).plain, "table")
