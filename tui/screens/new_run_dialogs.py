"""What the form of a new run opens: pickers, presets, setups, the review, the launch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.screen import Screen

from luthier.agent.errors import RefusedError
from luthier.presets import Library, Preset
from luthier.trainers.errors import LuthierError

from ..forms import Form, FormField, as_yaml, from_lines, to_lines, to_text
from ..learning.topics import topic_of
from ..memory import estimable
from ..setups import Setup, Setups, values_of
from ..widgets.form_list import FormList, choices_of
from .base import LuthierScreen
from .confirm import ConfirmScreen
from .dialog import BoxDialog, Choice, ChooseDialog, LineDialog, SeveralDialog
from .launch import LAUNCH, LaunchDialog, facts
from .review import ReviewDialog
from .setups import SetupsDialog

if TYPE_CHECKING:
    from luthier.agent.models import RunDetail

_NOTHING = "-"
_KEY = re.compile(r"[a-z_]+(?:\.[a-z0-9_]+)?")


class FormDialogs(LuthierScreen):
    """The form's dialogs; NewRunScreen is the form itself."""

    def __init__(self) -> None:
        super().__init__()
        self.setup_name = ""
        self._form: Form | None = None

    @property
    def form(self) -> Form:
        """The form; only once there is one."""
        assert self._form is not None
        return self._form

    @property
    def rows(self) -> FormList:
        """Its rows."""
        return self.query_one(FormList)

    @property
    def library(self) -> Library:
        """The presets, the person's own among them."""
        return Library(self.luthier.home.presets)

    @property
    def setups(self) -> Setups:
        """The saved setups."""
        return Setups(self.luthier.home)

    def begin(
        self, task: str, values: dict[str, Any] | None = None, *, preset: str = "", setup: str = ""
    ) -> None:
        """Show the form of a task."""
        raise NotImplementedError

    def remember(self) -> None:
        """Keep the form for the next time."""
        raise NotImplementedError

    # -- one setting ---------------------------------------------------------------------------

    @on(FormList.Wanted)
    def _setting_wanted(self, event: FormList.Wanted) -> None:
        field, value = event.field, self.form.value(event.field.key)
        if field.key == "model.name_or_path":
            self._pick_model()
        elif field.key == "data.path":
            self._pick_data()
        elif field.key == "data.column_mapping":
            self._pick_columns()
        elif event.box:
            self.app.push_screen(self._box(field), partial(self._boxed, field))
        elif field.kind == "choices":
            several = SeveralDialog(field.key, field.choices, value or [])
            self.app.push_screen(several, partial(self._set, field.key))
        else:
            known = {to_text(field, each) or _NOTHING: each for each in choices_of(field)}
            choices = [Choice(word, "not set" if word == _NOTHING else word) for word in known]
            current = to_text(field, value) or _NOTHING

            def chosen(word: str | None) -> None:
                if word is not None:
                    self.rows.set(field.key, known[word])

            self.app.push_screen(ChooseDialog(field.key, choices, current), chosen)

    def _set(self, key: str, value: Any | None) -> None:
        if value is not None:
            self.rows.set(key, value)

    def _box(self, field: FormField) -> BoxDialog:
        how = {"list": " One item a line.", "mapping": " One key: value a line."}
        return BoxDialog(
            field.key,
            to_lines(field, self.form.value(field.key)),
            about=f"{field.meaning}{how.get(field.kind, '')}",
            complaint=lambda text: self.form.complaint(field.key, from_lines(field, text)),
        )

    def _boxed(self, field: FormField, text: str | None) -> None:
        if text is not None:
            self.rows.set(field.key, from_lines(field, text))

    # -- pickers -------------------------------------------------------------------------------

    def _open(self, screen: Screen[Any]) -> None:
        self.app.push_screen(screen)

    def _pick_model(self) -> None:
        from ..pickers.model_screen import ModelScreen

        key = "model.name_or_path"
        suggested = self.form.task.default_model
        self._open(ModelScreen(self.form.value(key), partial(self._set, key), suggested))

    def _pick_data(self, *, columns: bool = False) -> None:
        from ..pickers.data_screen import DataScreen

        self._open(DataScreen(self.form, self._take_data, columns=columns))

    def _pick_columns(self) -> None:
        if not self.form.value("data.path"):
            self.notify("Pick the dataset first; then its columns can be told apart.")
        self._pick_data(columns=True)

    def _take_data(self, values: dict[str, Any]) -> None:
        for key, value in values.items():
            self.form.set(key, value)
        self.rows.changed()

    # -- presets -------------------------------------------------------------------------------

    def action_preset(self) -> None:
        """Choose a preset, or none."""
        from ..pickers.preset import PresetDialog

        dialog = PresetDialog(
            self.library.presets(self.form.task.id),
            self.form.preset.name if self.form.preset else "",
            sets=sets,
            values=self._with_preset,
        )
        self.app.push_screen(dialog, self._use_preset)

    def _with_preset(self, preset: Preset | None) -> dict[str, Any] | None:
        """The form's values if it had the preset; None when nothing can be estimated."""
        trial = Form(self.form.task.id)
        trial.use_preset(preset)
        for key, value in self.form.own().items():
            trial.set(key, value)
        return estimable(trial)

    def _use_preset(self, name: str | None) -> None:
        if name is not None:
            self.form.use_preset(None if name == _NOTHING else self.library.find(name))
            self.rows.changed()

    # -- setups --------------------------------------------------------------------------------

    def action_save_setup(self) -> None:
        """Save the form under a name."""
        name = self.setup_name or self.setups.free_name(str(self.form.value("name")) or "setup")
        dialog = LineDialog(
            "Save as a setup",
            name,
            about="It is a spec file; luthier run takes it.",
            complaint=self.setups.complaint,
        )
        self.app.push_screen(dialog, self._save)

    def _save(self, name: str | None, *, replace: bool = False) -> None:
        if name is None:
            return
        same = name == self.setup_name or replace
        if not same and name in {setup.name for setup in self.setups.all()}:
            question = f"Replace the setup {name}?"

            def answered(yes: bool | None) -> None:
                if yes:
                    self._save(name, replace=True)

            self.app.push_screen(ConfirmScreen(question, yes="Replace", dangerous=True), answered)
            return
        try:
            saved = self.setups.save(name, as_yaml(self.form), replace=same)
        except LuthierError as error:
            self.luthier.show_error(error)
            return
        self.setup_name = saved.name
        self.remember()
        self.rows.changed()
        self.notify(f"Saved as {saved.path}", markup=False)

    def action_load_setup(self) -> None:
        """Load a setup, or rename and delete some."""
        try:
            found = self.setups.all()
        except LuthierError as error:
            self.luthier.show_error(error)
            return
        if not found:
            save = self.luthier.keys_of("form.save")
            self.notify(f"There is no saved setup yet; {save} saves this form as one.")
            return
        self.app.push_screen(SetupsDialog(self.setups, self.setup_name), self._load)

    def _load(self, setup: Setup | None) -> None:
        if setup is None:
            return
        try:
            self.begin(setup.task, values_of(setup), setup=setup.name)
            self.remember()
        except LuthierError as error:
            self.luthier.show_error(error)

    # -- reading -------------------------------------------------------------------------------

    def action_review(self) -> None:
        """What differs from the defaults, the YAML, and the command."""
        self.app.push_screen(ReviewDialog(self.form))

    def action_topic(self) -> None:
        """Read the page that explains the setting."""
        field = self.rows.current
        topic = topic_of(field.key) if field else None
        if topic:
            self.luthier.open_learn(topic.id)

    # -- launch --------------------------------------------------------------------------------

    def action_launch(self) -> None:
        """Check the form, then ask whether to start or to queue."""
        check = self.rows.check
        if check.count:
            wrong = next((each for each in self.form.fields if each.key in check.problems), None)
            if wrong:
                self.rows.go_to(wrong.key)
            first = check.problems[wrong.key] if wrong else check.other[0]
            more = f" {check.count - 1} more to mend." if check.count > 1 else ""
            self.notify(f"Not ready: {first}.{more}", severity="warning", markup=False)
            return
        waiting = [run for run in self.state.runs.values() if not run.state.finished]
        self.app.push_screen(LaunchDialog(facts(self.form), len(waiting)), self._launch)

    def _launch(self, how: str | None) -> None:
        if how is None:
            return
        values = self.form.values()
        self.remember()
        self.ask(
            lambda client: client.submit(values, source="form"),
            partial(self._launched, how),
            doing="queueing the run",
            failed=self._refused,
        )

    def _launched(self, how: str, run: RunDetail) -> None:
        if how == LAUNCH:
            self.luthier.leave_screen()
            self.luthier.open_run(run.id)
        else:
            self.notify(f"Queued {run.name or run.id}; the form stays for the next.", markup=False)

    def _refused(self, error: LuthierError) -> None:
        """Show what the agent says at the settings that it speaks of."""
        sentences = _by_setting(self.form, error)
        self.rows.refuse(sentences)
        if sentences:
            self.rows.go_to(next(iter(sentences)))
        self.luthier.show_error(error)


def sets(preset: Preset) -> str:
    """The settings of a preset in a line."""
    form = Form(preset.task)
    form.use_preset(preset)
    return ", ".join(f"{c.field.name} {to_text(c.field, c.value)}" for c in form.changes())


def _by_setting(form: Form, error: LuthierError) -> dict[str, str]:
    """The problems of a refusal by the setting that each names."""
    problems: Sequence[str] = error.problems if isinstance(error, RefusedError) else ()
    known = {field.key for field in form.fields}
    found: dict[str, str] = {}
    for problem in [*problems, str(error)]:
        key = next((word for word in _KEY.findall(problem) if word in known and "." in word), "")
        if key:
            sentence = problem.partition(key)[2].lstrip(": ")
            found.setdefault(key, sentence)
    return found
