"""The list of runs, where everything begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from luthier.agent.models import Run
from luthier.agent.states import RunState
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..outcomes import CHAT, TRY
from ..run_list import Order, counted, explanation, headings, shown
from ..state import Topic
from ..widgets.line_table import LineTable
from ..widgets.run_table import RunTable
from ..widgets.welcome import Welcome
from .base import LuthierScreen
from .confirm import ConfirmScreen

if TYPE_CHECKING:
    from luthier.agent.client import Client

_CHAT_MOST = 8
_COMPARE = range(2, 9)
_NAMED_MOST = 8


class RunsScreen(LuthierScreen):
    """The home screen: all runs live, and what can be done with them."""

    TITLE = "runs"
    CSS_PATH = "../styles/runs.tcss"
    AUTO_FOCUS = "RunTable"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("runs")]

    def __init__(self) -> None:
        super().__init__()
        self._order = Order()
        self._explained = ""

    def body(self) -> Iterable[Widget]:
        """The filter, the table or the welcome, and a line about the run with the cursor."""
        yield Input(placeholder="words of name, task, model, host or state", id="filter")
        yield Welcome()
        yield RunTable(self.state, self.glyphs)
        yield Static("", id="explanation", markup=False)

    def on_mount(self) -> None:
        """The keys go to the table first."""
        self.query_one(RunTable).focus()

    # -- showing -------------------------------------------------------------------------------

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Show what changed, cell by cell."""
        kinds = {topic for topic, _ in topics}
        table = self.query_one(RunTable)
        if "all" in kinds:
            table.use(self.glyphs)
            table.show_columns(headings(self._order, self.glyphs))
        if kinds & {"all", "runs", "connection", "reset"}:
            self._show_runs()
        changed = {run_id for topic, run_id in topics if topic in ("run", "metrics")}
        table.update(None if kinds & {"all", "reset"} else changed)
        if "reset" in kinds or "connection" in kinds:
            table.forget_curves()
        if table.current in changed or kinds & {"all", "runs", "connection"}:
            self._explain()

    def _show_runs(self) -> None:
        wanted = self.query_one("#filter", Input).value
        table = self.query_one(RunTable)
        table.show(shown(self.state.runs.values(), wanted, self._order))
        empty = not self.state.runs
        self.set_class(empty and self.state.connection != "connecting", "-empty")
        self.set_class(bool(wanted), "-filtered")
        if not empty and self.focused is None:
            table.focus()
        total = len(self.state.runs)
        some = f"{len(table.keys)} of {total}" if wanted else f"{total} in all"
        marked = f", {len(table.marked)} marked" if table.marked else ""
        self.sub_title = "" if empty else f"{some}{marked}"
        self.refresh_bindings()

    def _explain(self) -> None:
        run = self.state.runs.get(self.query_one(RunTable).current or "")
        words = explanation(run) if run else ""
        if self.state.connection == "connecting":
            words = "Looking for the agent; it is started when there is none."
        words = self.glyphs.cut(words, 2 * max(20, self.size.width - 6))
        line = self.query_one("#explanation", Static)
        if words != self._explained:
            self._explained = words
            # Its height is fixed; a new layout would cost most of what a key takes.
            line.update(words, layout=False)
        bad = run is not None and run.state in (RunState.FAILED, RunState.LOST)
        line.set_class(bad, "error")

    @on(LineTable.Moved)
    def _moved(self) -> None:
        self._explain()
        self.refresh_bindings()

    @on(LineTable.Marked)
    def _marked(self) -> None:
        self._show_runs()

    @on(LineTable.HeadingClicked)
    def _heading_clicked(self, event: LineTable.HeadingClicked) -> None:
        self._sort(self._order.clicked(event.column))

    @on(LineTable.Selected)
    def _selected(self, event: LineTable.Selected) -> None:
        self.luthier.open_run(event.key)

    # -- filter and order ----------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type words that runs must have."""
        self.add_class("-filtering")
        self.set_focus(self.query_one("#filter", Input))

    @on(Input.Changed, "#filter")
    def _filter_changed(self) -> None:
        self._show_runs()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.set_class(bool(self.query_one("#filter", Input).value), "-filtering")
        self.query_one(RunTable).focus()

    def action_back(self) -> None:
        """Leave the waits, then the filter, then the marks; never the program."""
        field, table = self.query_one("#filter", Input), self.query_one(RunTable)
        if self.leave_waits():
            return
        if field.value or field.has_focus:
            field.value = ""
            self.remove_class("-filtering")
            table.focus()
        elif table.marked:
            table.set_marks(())
        else:
            leave = self.luthier.keys_of("runs.quit")
            self.notify(f"{leave} closes Luthier; runs go on.", markup=False)

    def action_sort(self, step: int) -> None:
        """Sort by the next column."""
        self._sort(self._order.next(step))

    def action_turn(self) -> None:
        """Turn the order round."""
        self._sort(Order(self._order.by, not self._order.turned))

    def _sort(self, order: Order) -> None:
        self._order = order
        self.query_one(RunTable).show_columns(headings(order, self.glyphs))
        self._show_runs()

    def action_mark_all(self) -> None:
        """Mark all that are shown; none when they are marked already."""
        table = self.query_one(RunTable)
        table.set_marks(() if len(table.marked) == len(table.keys) else table.keys)

    # -- doing ---------------------------------------------------------------------------------

    def chosen(self) -> list[Run]:
        """The marked runs, else the one with the cursor."""
        table = self.query_one(RunTable)
        ids = table.marked or ([table.current] if table.current else [])
        return [self.state.runs[run_id] for run_id in ids if run_id in self.state.runs]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done now has a key in the footer."""
        if not self.is_mounted:
            return True
        runs = self.chosen()
        match action:
            case "demo":
                return not self.state.runs
            case "filter":
                return bool(self.state.runs) and not isinstance(self.focused, Input)
            case "open" | "repeat" | "copy" | "sort" | "turn" | "mark_all":
                return bool(self.state.runs)
            case "stop" | "stop_now":
                return any(not run.state.finished for run in runs)
            case "resume":
                return any(run.state.finished for run in runs)
            case "remove":
                return any(run.state.finished for run in runs)
            case "chat":
                return any(run.artifact for run in runs)
            case "compare":
                return len(self.state.runs) > 1
        return True

    @property
    def labels(self) -> dict[str, str]:
        """One talks to what came out, or tries it."""
        outcomes = self.luthier.outcomes
        labels = [outcomes.label(run.task) for run in self.chosen() if run.artifact]
        return {"runs.chat": CHAT if CHAT in labels else TRY} if labels else {}

    def action_new(self) -> None:
        """Set up a new run."""
        self.luthier.open_new_run()

    def action_demo(self) -> None:
        """Start the demo run."""
        from luthier.trainers.demo import demo_spec_text

        self.ask(
            lambda client: client.submit(demo_spec_text(), source="demo"),
            lambda run: self.luthier.open_run(run.id),
            doing="starting the demo",
        )

    def action_open(self) -> None:
        """Open the run with the cursor."""
        if current := self.query_one(RunTable).current:
            self.luthier.open_run(current)

    def action_chat(self) -> None:
        """Talk to what came out of the chosen runs, or try it."""
        outcomes = self.luthier.outcomes
        runs = [run for run in self.chosen() if run.artifact]
        talking = [run.id for run in runs if not outcomes.is_tried_for_sure(run.task)]
        if not talking and len(runs) > 1:
            self.notify("Results that predict are tried one at a time.", severity="warning")
        elif len(talking) > _CHAT_MOST:
            self.notify(f"Mark at most {_CHAT_MOST} runs to chat with.", severity="warning")
        else:
            if talking and len(talking) < len(runs):
                self.notify("Only those that can be talked to take part.")
            self.luthier.open_chat(talking or [run.id for run in runs])

    def action_compare(self) -> None:
        """Compare the marked runs."""
        runs = [run.id for run in self.chosen()]
        if len(runs) in _COMPARE:
            self.luthier.open_compare(runs)
        else:
            mark = self.luthier.keys_of("list.mark")
            self.notify(f"Mark two to eight runs with {mark}, then compare.", severity="warning")

    def action_repeat(self) -> None:
        """Set up a new run from the settings of this one."""
        if current := self.query_one(RunTable).current:
            self.luthier.open_new_run(from_run=current)

    def action_copy(self) -> None:
        """Copy the ids of the chosen runs."""
        runs = self.chosen()
        self.copy("\n".join(run.id for run in runs), "id" if len(runs) == 1 else "ids")

    def action_stop(self) -> None:
        """Stop after a checkpoint."""
        self._confirm(
            "Stop {}",
            [run for run in self.chosen() if not run.state.finished],
            "A checkpoint is saved first; resume goes on from it.",
            "stopping",
            lambda client, run: client.stop(run.id),
        )

    def action_stop_now(self) -> None:
        """Stop at once."""
        self._confirm(
            "Stop {} now",
            [run for run in self.chosen() if not run.state.finished],
            "What was learnt since the last checkpoint is lost.",
            "stopping",
            lambda client, run: client.stop(run.id, now=True),
            dangerous=True,
        )

    def action_resume(self) -> None:
        """Go on with finished runs."""
        runs = [run for run in self.chosen() if run.state.finished]
        self._each(runs, "resuming", lambda client, run: client.resume(run.id))

    def action_remove(self) -> None:
        """Delete finished runs."""
        self._confirm(
            "Remove {}",
            [run for run in self.chosen() if run.state.finished],
            "Their folders go too, with models, checkpoints and logs.",
            "removing",
            lambda client, run: client.remove(run.id),
            dangerous=True,
        )

    def _confirm(
        self,
        question: str,
        runs: list[Run],
        detail: str,
        doing: str,
        request: Callable[[Client, Run], object],
        *,
        dangerous: bool = False,
    ) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._each(runs, doing, request)

        if runs:
            names = "\n".join(f"  {run.name or run.id}" for run in runs[:_NAMED_MOST])
            more = f"\n  and {len(runs) - _NAMED_MOST} more" if len(runs) > _NAMED_MOST else ""
            listed = f"\n{names}{more}" if len(runs) > 1 else ""
            asked, yes = f"{question.format(counted(runs))}?", question.split()[0]
            screen = ConfirmScreen(asked, detail + listed, yes=yes, dangerous=dangerous)
            self.app.push_screen(screen, answered)

    def _each(self, runs: list[Run], doing: str, request: Callable[[Client, Run], object]) -> None:
        """Ask the agent for one run after the other; every refusal is shown."""

        def work(client: Client) -> list[LuthierError]:
            refused = []
            for run in runs:
                try:
                    request(client, run)
                except LuthierError as error:
                    refused.append(error)
            return refused

        def done(refused: list[LuthierError]) -> None:
            for error in refused:
                self.luthier.show_error(error)

        if runs:
            self.query_one(RunTable).set_marks(())
            self.ask(work, done, doing=f"{doing} {counted(runs)}")
