"""Picking the dataset: browse, look at what is in it, say which column plays which part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from luthier.trainers.data.report import InspectReport
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..forms import Form
from ..widgets.pane import Pane
from .browse import Wanted
from .inspection import Inspection, settings_for
from .lines import Line, hub_line, is_hub_id, known_data
from .mapping import AUTO, Columns
from .mapping_dialog import MappingDialog
from .models import cached_models, hub_cache, is_model
from .picker import PickerScreen
from .report_view import Looks, report_view, verdict


class DataScreen(PickerScreen):
    """A dataset for the form.

    Args:
        form: what is set up; it stays as it is.
        then: told the settings that were chosen here, by dotted key.
        columns: whether the columns are asked for as soon as they are known.
    """

    TITLE = "dataset"
    WANTED: ClassVar[Wanted] = "data"
    PLACEHOLDER = "words of a name, a hub id as owner/name, or a path as ./ ~/ /"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("data")]

    def __init__(
        self, form: Form, then: Callable[[dict[str, Any]], None], *, columns: bool = False
    ) -> None:
        super().__init__(form.value("data.path"))
        self._given = form
        self._then = then
        self._ask_columns = columns
        self._chosen: dict[str, Any] = {}
        self._known: list[Line] = []
        self._inspection: Inspection | None = None
        self._report: InspectReport | None = None
        self._note = ""

    def body(self) -> Iterable[Widget]:
        """The browser, or what was found in the dataset."""
        yield from super().body()
        with Pane(id="look"):
            yield Static(id="report")

    def on_mount(self) -> None:
        """Look at the dataset that is chosen already, else browse."""
        base, sample = self._base, self._given.task.sample
        self.ask(lambda client: known_data(base, sample), self._take_known, doing="looking around")
        if self._current:
            self.chosen(self._current)
        else:
            self.action_browse()

    # -- browsing ------------------------------------------------------------------------------

    def _take_known(self, known: list[Line]) -> None:
        self._known = known
        if not self.has_class("-look"):
            self.show_lines()

    def found_lines(self, typed: str) -> list[Line]:
        """Data here, the sample, and cached datasets, that have the words."""
        words = typed.lower().split()
        lines = [line for line in self._known if all(word in line.key.lower() for word in words)]
        if is_hub_id(typed) and typed not in {line.key for line in lines}:
            lines.insert(0, hub_line(typed, offline=self.interface.offline))
        return lines

    def action_browse(self) -> None:
        """Pick another dataset."""
        self._cancel()
        self.set_class(False, "-look")
        self.sub_title = ""
        self.show_lines()
        self.table.focus()

    def chosen(self, value: str) -> None:
        """Look at what was chosen."""
        self._current = self._whole(value)
        self._report = None
        before = self._given.value("data.path")
        same = before is not None and self._whole(before) == self._current
        # The columns of another dataset are others.
        self._chosen = {} if same else {"data.column_mapping": {}}
        self._look()

    def _whole(self, value: str) -> str:
        """A path from the root on; a hub id as it is."""
        if is_hub_id(value) and not Path(value).expanduser().exists():
            return value
        return str(self._absolute(value))

    # -- looking -------------------------------------------------------------------------------

    def _look(self, *, model: str | None = None) -> None:
        """Look at the rows: as bare text, which is quick, or with a model's tokenizer."""
        self._cancel()
        form = Form(self._given.task.id)
        form.fill(self._given.values())
        for key, value in self._chosen.items():
            form.set(key, value)
        check = form.check()
        offline = self.interface.offline or form.value("launch.offline") is True
        settings = settings_for(form, check)
        look = Inspection(self._current, form.task.id, settings, model, offline=offline)
        self._inspection = look
        self.set_class(True, "-look")
        self.query_one("#look").focus()
        if self._report is None:
            self.query_one("#report", Static).update(f"Reading {self._current} ...")
        self.ask(
            lambda client: look.run(),
            lambda report: self._take_report(look, report),
            doing="reading the rows" + (" with the tokenizer" if model else ""),
            failed=lambda error: self._look_failed(look, error),
        )
        self.refresh_bindings()

    def _take_report(self, look: Inspection, report: InspectReport) -> None:
        if look is not self._inspection:
            return
        if look.model is not None and report.model is None and self._report is not None:
            # The tokenizer could not be had; what was seen without it still holds.
            self._note = f"Shown without the model's template: {report.problems[0]}"
        else:
            self._report, self._note = report, ""
        self._show_report()
        model = self._given.value_if_any("model.name_or_path")
        if look.model is None and not report.problems:
            if model and _is_here(model):
                self._look(model=model)
            elif model:
                again = self.luthier.keys_of("data.again")
                self._note = f"{again} shows them with the tokenizer of {model}, from the hub."
                self._show_report()
        if self._ask_columns and report.columns:
            self._ask_columns = False
            self.action_columns()

    def _look_failed(self, look: Inspection, error: LuthierError) -> None:
        if look is self._inspection:
            self.query_one("#report", Static).update(str(error))

    def _show_report(self) -> None:
        if self._report is None:
            return
        look = self.luthier.look
        trained = None if self.app.no_color else look("text-success")
        looks = Looks(look("text-error"), look("text-warning"), trained)
        view = report_view(self._report, looks, note=self._note)
        self.query_one("#report", Static).update(view)
        self.sub_title = verdict(self._report)
        self.refresh_bindings()

    def action_again(self) -> None:
        """Read the rows anew, with the model's tokenizer when one is chosen."""
        self._look(model=self._given.value_if_any("model.name_or_path"))

    def _cancel(self) -> None:
        if self._inspection is not None:
            self._inspection.cancel()
            self._inspection = None

    def leave_waits(self) -> bool:
        """End the look too."""
        self._cancel()
        return super().leave_waits()

    # -- choosing ------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the browser while browsing, those of the look while looking."""
        looking = self.has_class("-look")
        if action in ("to_list", "to_text", "complete", "hidden"):
            return not looking and bool(super().check_action(action, parameters))
        if action in ("use", "browse", "again"):
            return looking
        if action == "columns":
            return looking and self._report is not None and bool(self._report.columns)
        return True

    def action_columns(self) -> None:
        """Say which column plays which part."""
        if self._report is None:
            return
        columns = Columns.of(self._report)
        chosen = self._setting("data.format") or AUTO
        mapping = self._setting("data.column_mapping") or {}
        dialog = MappingDialog(columns, chosen, mapping, self._given.field("data.format").choices)
        self.app.push_screen(dialog, self._take_columns)

    def _setting(self, key: str) -> Any:
        return self._chosen.get(key, self._given.value(key))

    def _take_columns(self, answer: tuple[str, dict[str, str]] | None) -> None:
        if answer is not None:
            self._chosen["data.format"], self._chosen["data.column_mapping"] = answer
            self._look()

    def action_use(self) -> None:
        """Hand the dataset on, and go back."""
        self._cancel()
        self._then({**self._chosen, "data.path": self._current})
        self.luthier.leave_screen()

    def action_leave(self) -> None:
        """Leave the look for the browser when it began there, else the screen."""
        self._cancel()
        super().action_leave()


def _is_here(model: str) -> bool:
    """Whether the model's tokenizer can be had without the network."""
    if is_model(Path(model).expanduser()):
        return True
    return model in {found.name for found in cached_models(hub_cache(os.environ))}
