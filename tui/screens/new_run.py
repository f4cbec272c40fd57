"""Setting up a run: the task, then its settings, then launch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input, Static

from luthier.presets import Library
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..forms import Form
from ..learning.topics import topic_of
from ..setups import LastUsed
from ..state import Topic
from ..widgets.field_help import FieldHelp
from ..widgets.form_list import FormList
from ..widgets.memory_bar import MemoryBar
from ..widgets.task_browser import TaskBrowser
from .confirm import ConfirmScreen
from .new_run_memory import FormMemory

if TYPE_CHECKING:
    from luthier.agent.models import RunDetail

_MODEL = "model.name_or_path"


class NewRunScreen(FormMemory):
    """The form of a run that is not there yet.

    Args:
        values: sections to fill in; silent: the task browser comes first. Beside them may stand
            ``preset`` and ``setup``, the names of what they build on or come from, and ``expert``,
            whether all settings are shown.
        task: id of the task; silent: what ``values`` or ``from_run`` say.
        from_run: id of a run whose settings come below ``values``.
    """

    TITLE = "new run"
    CSS_PATH = "../styles/new_run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("form")]

    def __init__(
        self,
        values: dict[str, Any] | None = None,
        task: str | None = None,
        from_run: str | None = None,
    ) -> None:
        super().__init__()
        self._values = dict(values or {})
        self._preset_name = str(self._values.pop("preset", ""))
        self._setup_name = str(self._values.pop("setup", ""))
        self._task_id = task or self._values.get("task")
        self._from_run = from_run
        self._expert = bool(self._values.pop("expert", False))

    def body(self) -> Iterable[Widget]:
        """The task browser, and the form with what explains it."""
        yield TaskBrowser()
        with Container(id="form"):
            yield Static(id="summary", markup=False)
            yield Input(placeholder="words of a setting's name or meaning", id="find", compact=True)
            yield FieldHelp()
        yield MemoryBar()

    def on_mount(self) -> None:
        """Begin where the person wants to: a run's copy, given values, or the tasks."""
        if self._from_run:
            self._copy_run(self._from_run)
        elif self._task_id:
            preset, setup = self._preset_name, self._setup_name
            self.begin(self._task_id, self._values, preset=preset, setup=setup)
        else:
            self._browse()

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """The glyphs may be others."""
        if ("all", "") in topics and self._form is not None:
            self._show_all()

    # -- where it begins -----------------------------------------------------------------------

    def _browse(self) -> None:
        self.sub_title = ""
        self.set_class(False, "-form")
        self.memory_bar.display = False
        try:
            last = self.setups.last()
        except LuthierError as error:
            self.luthier.show_error(error)
            last = None
        self.query_one(TaskBrowser).show(last)
        self.refresh_bindings()

    def _copy_run(self, run_id: str) -> None:
        def copied(run: RunDetail) -> None:
            values = _laid_over(run.spec, self._values)
            self.begin(run.task, values, origin=f"from {run.name or run.id}")

        def failed(error: LuthierError) -> None:
            self.luthier.show_error(error)
            self._browse()

        self.ask(lambda client: client.run(run_id), copied, doing="reading the run", failed=failed)

    @on(TaskBrowser.Chosen)
    def _task_chosen(self, event: TaskBrowser.Chosen) -> None:
        last = self.setups.last() if event.last else None
        if last is None:
            self.begin(event.task)
        else:
            self._expert = last.expert
            self.begin(last.task, last.values, preset=last.preset, setup=last.setup)

    def begin(
        self,
        task: str,
        values: Mapping[str, Any] | None = None,
        *,
        preset: str = "",
        setup: str = "",
        origin: str = "",
    ) -> None:
        """Show the form of a task, filled with values.

        Args:
            preset: name of the preset below the values.
            setup: name of the setup that the values come from.
            origin: where they come from otherwise, in words.
        """
        try:
            form = Form(task)
            if preset:
                form.use_preset(Library(self.luthier.home.presets).find(preset))
        except LuthierError as error:
            self.luthier.show_error(error)
            self._browse()
            return
        unknown = form.fill(values or {})
        if form.has(_MODEL) and form.value(_MODEL) is None:
            form.set(_MODEL, form.task.default_model)
        if unknown:
            self.notify(f"Left out, since {task} has no such setting: {', '.join(unknown)}.")
        if self.interface.offline:
            form.set("launch.offline", True)
        self._form, self.setup_name = form, setup
        self.sub_title = f"{form.task.title}{f', {origin}' if origin else ''}"
        self._mount_form(form)

    def _mount_form(self, form: Form) -> None:
        for old in self.query(FormList):
            old.remove()
        self.query_one("#find", Input).value = ""
        rows = FormList(form, self.glyphs, expert=self._expert)
        self.query_one("#form").mount(rows, after="#find")
        self.set_class(True, "-form")
        self.memory_bar.display = True
        rows.focus()

    # -- what it shows -------------------------------------------------------------------------

    def _show_all(self) -> None:
        words = self.query_one("#find", Input).value
        for rows in self.query(FormList):
            if rows.is_mounted:
                rows.show(expert=self._expert, words=words, glyphs=self.glyphs)
                self._form_changed()

    @on(FormList.Changed)
    def _form_changed(self) -> None:
        self._summarise()
        self._explain()
        self.estimate_soon()

    @on(FormList.Moved)
    def _explain(self) -> None:
        topic_key = self.luthier.keys_of("form.topic")
        self.query_one(FieldHelp).explain(self.form, self.rows.current, topic_key)
        self.refresh_bindings()

    def _summarise(self) -> None:
        form, check, dot = self.form, self.rows.check, f" {self.glyphs.dot} "
        parts = [
            f"{check.count} to mend" if check.count else f"{self.glyphs.check} ready",
            f"{len(form.changes())} changed",
            f"preset {form.preset.title}" if form.preset else "no preset",
            "all settings" if self._expert else "few settings",
            f"setup {self.setup_name}" if self.setup_name else "",
        ]
        line = self.query_one("#summary", Static)
        words = self.glyphs.cut(dot.join(filter(None, parts)), max(20, self.size.width - 2))
        line.update(words, layout=False)
        line.set_class(bool(check.other), "error")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the form work once there is one, and not while text is typed."""
        own = {binding.action.partition("(")[0] for binding in bindings("form", "memory")}
        if action not in own:
            return True
        if self._form is None or not self.has_class("-form"):
            return False
        if isinstance(self.focused, Input):
            return False
        field = self.rows.current
        return action != "topic" or (field is not None and topic_of(field.key) is not None)

    # -- finding -------------------------------------------------------------------------------

    def action_level(self) -> None:
        """All settings, or the few that matter."""
        self._expert = not self._expert
        self._show_all()

    def action_find(self) -> None:
        """Type words of the settings to show."""
        self.set_class(True, "-finding")
        self.set_focus(self.query_one("#find", Input))

    @on(Input.Changed, "#find")
    def _find_changed(self) -> None:
        self.set_class(bool(self.query_one("#find", Input).value), "-found")
        self._show_all()

    @on(Input.Submitted, "#find")
    def _find_done(self) -> None:
        self.set_class(False, "-finding")
        self.rows.focus()

    def action_back(self) -> None:
        """Leave the search, then the waits, then the screen."""
        find = self.query_one("#find", Input)
        if not self.has_class("-form") and self.query_one(TaskBrowser).leave_filter():
            return
        if find.has_focus or find.value:
            find.value = ""
            self.set_class(False, "-finding")
            self.rows.focus()
        else:
            super().action_back()

    def action_task(self) -> None:
        """Choose another task; what is filled in here is kept as the last used."""
        self.remember()
        self._browse()

    def action_start_over(self) -> None:
        """Put every setting back, after a question."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.begin(self.form.task.id)

        question = ConfirmScreen(
            "Put every setting back?",
            "The preset is taken away too. Saved setups stay.",
            yes="Start over",
            dangerous=True,
        )
        self.app.push_screen(question, answered)

    # -- leaving -------------------------------------------------------------------------------

    def keep(self) -> None:
        """Keep the form for the next time."""
        if self._form is not None:
            self.remember()

    def remember(self) -> None:
        """Keep the form for the next time."""
        form = self.form
        preset = form.preset.name if form.preset else ""
        values: dict[str, Any] = form.own_values()
        last = LastUsed(form.task.id, values, preset, self.setup_name, self._expert)
        try:
            self.setups.remember(last)
        except LuthierError as error:
            self.luthier.show_error(error)


def _laid_over(spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``values`` over those of ``spec``, section by section."""
    found = dict(spec)
    for name, value in values.items():
        below = found.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            found[name] = {**below, **value}
        else:
            found[name] = value
    return found
