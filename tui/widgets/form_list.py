"""The settings of a form as rows under headings, edited in place, checked at every letter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from ..bindings import bindings
from ..forms import Check, Form, FormField, from_text
from ..glyphs import Glyphs
from .field_row import FieldEntry, FieldRow

# These are chosen from what there is, not typed.
PICKED = ("model.name_or_path", "data.path", "data.column_mapping")


def shown_fields(form: Form, check: Check, *, expert: bool, words: str = "") -> list[FormField]:
    """The fields that are shown.

    Args:
        expert: all of them; else those for everybody, and whatever is wrong or was chosen.
        words: only those whose name or meaning has all of these words, whatever their level.
    """
    if words.strip():
        wanted = words.lower().split()
        return [
            field
            for field in form.fields
            if all(word in f"{field.key} {field.meaning}".lower() for word in wanted)
        ]
    return [
        field
        for field in form.fields
        if expert
        or field.beginner
        or field.key in check.problems
        or form.source(field.key) == "own"
    ]


class FormList(VerticalScroll, can_focus=True):
    """The rows. It changes the form itself and tells so by ``Changed``."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(each for each in bindings("list") if each.id not in ("list.select", "list.mark")),
        *bindings("field"),
    ]
    DEFAULT_CSS = """
    FormList { height: 1fr; scrollbar-size-vertical: 1; }
    FormList .heading { height: 1; color: $text-primary; text-style: bold; padding-left: 1; }
    """

    class Changed(Message):
        """The form has another value."""

    class Moved(Message):
        """Another setting has the cursor."""

    class Wanted(Message):
        """A setting is to be changed in a dialog; ``box``: in one of several lines."""

        def __init__(self, field: FormField, *, box: bool = False) -> None:
            super().__init__()
            self.field = field
            self.box = box

    def __init__(self, form: Form, glyphs: Glyphs, *, expert: bool = False) -> None:
        super().__init__()
        self.form = form
        self.check = form.check()
        self._glyphs = glyphs
        self._rows = {field.key: FieldRow(field, form, glyphs) for field in form.fields}
        self._headings = {
            field.heading: Static(field.heading, classes="heading", markup=False)
            for field in form.fields
        }
        self._shown: list[str] = []
        self._cursor = ""
        self._before: tuple[bool, Any] = (False, None)
        self._expert, self._words = expert, ""
        self._refused: dict[str, tuple[Any, str]] = {}

    # -- what it shows -------------------------------------------------------------------------

    def compose(self) -> Iterable[Widget]:
        """A row for every setting, and a heading over each group; most are hidden at first."""
        before = ""
        for field in self.form.fields:
            if field.heading != before:
                before = field.heading
                self._headings[before].display = False
                yield self._headings[before]
            self._rows[field.key].display = False
            yield self._rows[field.key]

    def on_mount(self) -> None:
        """Show what is to be seen first."""
        self.changed()

    def renew(self) -> None:
        """Show the form's values after something else changed them."""
        self.check = self.form.check()
        for key, (value, sentence) in self._refused.items():
            if self.form.value(key) == value:
                self.check.problems.setdefault(key, sentence)
        self._choose()
        for key in self._shown:
            self._rows[key].show(self.form, self._glyphs, self.check.problems.get(key, ""))

    def refuse(self, sentences: Mapping[str, str]) -> None:
        """Show what the agent says of settings, until they are changed."""
        self._refused = {key: (self.form.value(key), each) for key, each in sentences.items()}
        self.changed()

    def show(self, *, expert: bool, words: str, glyphs: Glyphs) -> None:
        """Show all settings or the few, or those with the words."""
        self._expert, self._words, self._glyphs = expert, words, glyphs
        self.renew()
        self.call_after_refresh(self._keep_visible)

    def _choose(self) -> None:
        fields = shown_fields(self.form, self.check, expert=self._expert, words=self._words)
        if self.editing:
            # What is being typed may be the default again, and must not vanish under the hands.
            keys = {field.key for field in fields} | {self._cursor}
            fields = [field for field in self.form.fields if field.key in keys]
        self._shown = [field.key for field in fields]
        wanted, headings = set(self._shown), {field.heading for field in fields}
        with self.app.batch_update():
            for key, row in self._rows.items():
                row.display = key in wanted
            for name, heading in self._headings.items():
                heading.display = name in headings
        if self._cursor not in wanted and self._shown:
            self._put_cursor(self._shown[0])

    @property
    def current(self) -> FormField | None:
        """The setting with the cursor."""
        return self.form.field(self._cursor) if self._cursor in self._shown else None

    @property
    def editing(self) -> bool:
        """Whether a value is being typed."""
        row = self._rows.get(self._cursor)
        return row is not None and row.editor is not None

    # -- the cursor ----------------------------------------------------------------------------

    def go_to(self, key: str) -> None:
        """Put the cursor on a setting, if it is shown."""
        if key in self._shown:
            self._put_cursor(key)

    def _put_cursor(self, key: str) -> None:
        if self._cursor in self._rows:
            self._rows[self._cursor].set_class(False, "-cursor", "-active")
        self._cursor = key
        row = self._rows[key]
        row.set_class(True, "-cursor")
        row.set_class(self.has_focus, "-active")
        self._keep_visible()
        self.refresh_bindings()
        self.post_message(self.Moved())

    def _keep_visible(self) -> None:
        if self._cursor not in self._shown:
            return
        if self._cursor == self._shown[0]:
            self.scroll_home(animate=False)
        else:
            self.scroll_to_widget(self._rows[self._cursor], animate=False)

    def on_focus(self) -> None:
        """The cursor looks stronger while the keys go here."""
        self._set_active(True)

    def on_blur(self) -> None:
        """The cursor looks weaker while the keys go elsewhere."""
        self._set_active(False)

    def _set_active(self, active: bool) -> None:
        if self._cursor in self._rows:
            self._rows[self._cursor].set_class(active, "-active")

    def action_cursor(self, lines: int) -> None:
        """Move by some settings."""
        if self._shown:
            place = self._shown.index(self._cursor) + lines
            self._put_cursor(self._shown[max(0, min(place, len(self._shown) - 1))])

    def action_page(self, pages: int) -> None:
        """Move by half a page."""
        self.action_cursor(pages * max(1, self.size.height // 2))

    def action_first(self) -> None:
        """To the first setting."""
        self.action_cursor(-len(self._shown))

    def action_last(self) -> None:
        """To the last setting."""
        self.action_cursor(len(self._shown))

    @on(FieldRow.Clicked)
    def _clicked(self, event: FieldRow.Clicked) -> None:
        """Go to the row; a second click edits it."""
        event.stop()
        if event.row.editor is not None:
            return
        self.screen.set_focus(self, scroll_visible=False)
        self._put_cursor(event.row.field.key)
        if event.again:
            self.action_select()

    # -- changing ------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what the setting allows."""
        field = self.current
        if action in ("select", "reset", "box", "cycle") and field is None:
            return False
        if action == "cycle" and field is not None:
            return bool(field.choices) and field.kind in ("choice", "switch")
        if action == "box" and field is not None:
            return field.kind in ("text", "list", "mapping") and field.key not in PICKED
        if action == "reset" and field is not None:
            return self.form.source(field.key) == "own"
        return True

    def action_select(self) -> None:
        """Change the setting in the way that fits its type."""
        field = self.current
        if field is None:
            return
        several = "\n" in str(self.form.value(field.key) or "")
        if field.kind == "switch" and not field.nullable:
            self.action_cycle(1)
        elif field.key in PICKED or field.kind in ("choice", "choices", "switch"):
            self.post_message(self.Wanted(field))
        elif field.long or several:
            self.post_message(self.Wanted(field, box=True))
        else:
            self._before = (self.form.source(field.key) == "own", self.form.value(field.key))
            self._rows[field.key].edit()

    def action_box(self) -> None:
        """Edit in a box of several lines."""
        if self.current is not None:
            self.post_message(self.Wanted(self.current, box=True))

    def action_cycle(self, step: int) -> None:
        """Take the next of the choices."""
        field = self.current
        if field is None:
            return
        values = choices_of(field)
        value = self.form.value(field.key)
        place = values.index(value) if value in values else -1
        self.set(field.key, values[(place + step) % len(values)])

    def action_reset(self) -> None:
        """Put the setting back to the preset's value, or the default."""
        if self.current is not None:
            self.form.reset(self.current.key)
            self.changed()

    def set(self, key: str, value: Any) -> None:
        """Choose a value for a setting."""
        self.form.set(key, value)
        self.changed()

    def changed(self) -> None:
        """Check and show the form after a change, and tell so."""
        self.renew()
        # A sentence below the row may have made it taller.
        self.call_after_refresh(self._keep_visible)
        self.refresh_bindings()
        self.post_message(self.Changed())

    # -- typing --------------------------------------------------------------------------------

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        field = self.current
        if field is not None and self.editing:
            self.form.set(field.key, from_text(field, event.value))
            self.changed()

    @on(FieldEntry.Left)
    def _typing_ended(self, event: FieldEntry.Left) -> None:
        event.stop()
        row = self._rows.get(self._cursor)
        if row is None or row.editor is None:
            return
        if event.undo:
            own, value = self._before
            if own:
                self.form.set(self._cursor, value)
            else:
                self.form.reset(self._cursor)
        row.close_editor()
        self.screen.set_focus(self, scroll_visible=False)
        self.changed()
        if event.step:
            self.action_cursor(event.step)


def choices_of(field: FormField) -> list[Any]:
    """The values of a setting that takes certain ones only; first nothing, when that is one."""
    values: list[Any] = [True, False] if field.kind == "switch" else list(field.choices)
    return [None, *values] if field.nullable else values
