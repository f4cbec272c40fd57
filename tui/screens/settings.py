"""The person's choices, one control for each field of InterfaceSettings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..settings import InterfaceSettings, complaint, path_of
from ..state import Topic
from .base import LuthierScreen
from .confirm import ConfirmScreen


class Choice(Vertical):
    """One field: its title, its control, what it means, and what is wrong with it."""

    def __init__(self, name: str, field: FieldInfo, value: Any) -> None:
        super().__init__(classes="choice")
        self._field_name = name
        self._field = field
        self._value = value

    def compose(self) -> ComposeResult:
        """The control that suits the field's type."""
        with Horizontal():
            yield Static(self._field.title or self._field_name, classes="name", markup=False)
            yield control_for(self._field_name, self._field, self._value)
        yield Static(self._field.description or "", classes="muted about", markup=False)
        yield Static("", classes="error about", markup=False)

    def show_error(self, words: str) -> None:
        """Say what is wrong; nothing is with an empty text."""
        line = self.query_one(".error", Static)
        line.update(words)
        line.set_class(bool(words), "-shown")


def control_for(name: str, field: FieldInfo, value: Any) -> Widget:
    """A control whose id is ``set-`` and the field's name."""
    if known := choices(field):
        return Select(known, value=value, allow_blank=False, compact=True, id=f"set-{name}")
    return Input(value, compact=True, placeholder="none", id=f"set-{name}")


def choices(field: FieldInfo) -> list[tuple[str, Any]]:
    """What the field may be, in words and as its value, when that can be listed."""
    if field.annotation is bool:
        return [("on", True), ("off", False)]
    listed: list[Any] = list(get_args(field.annotation))
    if isinstance(field.json_schema_extra, dict):
        known = field.json_schema_extra.get("choices")
        listed = known if isinstance(known, list) else listed
    return [(str(each), each) for each in listed]


class SettingsScreen(LuthierScreen):
    """Every choice counts at once and is saved at once."""

    TITLE = "settings"
    CSS_PATH = "../styles/settings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("settings")]

    def body(self) -> Iterable[Widget]:
        """The choices, and where they are kept."""
        with VerticalScroll(can_focus=False):
            for name, field in InterfaceSettings.model_fields.items():
                yield Choice(name, field, getattr(self.interface, name))
            where = f"Kept in {path_of(self.luthier.home)}"
            yield Static(where, classes="muted about", markup=False)

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Show the choices as they are, also when they were changed elsewhere."""
        if ("all", "") not in topics:
            return
        for name, value in self.interface:
            control = self.query_one(f"#set-{name}")
            if isinstance(control, Select | Input) and control.value != value:
                control.value = value

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        self._set(event.control.id, event.value)

    @on(Input.Submitted)
    @on(Input.Blurred)
    def _typed(self, event: Input.Submitted | Input.Blurred) -> None:
        self._set(event.input.id, event.value.strip())

    def _set(self, control: str | None, value: Any) -> None:
        name = (control or "").removeprefix("set-")
        if name not in InterfaceSettings.model_fields or getattr(self.interface, name) == value:
            return
        choice = next(each for each in self.query(Choice) if each.query(f"#{control}"))
        try:
            wanted = InterfaceSettings.model_validate({**self.interface.model_dump(), name: value})
            self.luthier.use(wanted)
        except ValidationError as error:
            choice.show_error(complaint(error))
        except LuthierError as error:
            choice.show_error(str(error))
        else:
            choice.show_error("")

    def action_reset(self) -> None:
        """Put everything back, after a question."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.luthier.use(InterfaceSettings())

        self.app.push_screen(
            ConfirmScreen("Put every choice back to its default?", yes="Put back"), answered
        )
