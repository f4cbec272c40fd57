"""One setting in the form: its name and value on a line, and what is wrong with it below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from ..bindings import bindings
from ..forms import Form, FormField, to_text
from ..glyphs import Glyphs

if TYPE_CHECKING:
    from ..app import LuthierApp

NAME_WIDTH = 31


def value_text(field: FormField, value: Any, *, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """A value as it is shown, and its look: ``missing``, ``silent`` or empty."""
    if value is None:
        if not field.required:
            return "not set", "silent"
        example = f", such as {field.example}" if field.example else ""
        return glyphs.cut(f"needed{example}", width), "missing"
    if field.kind == "switch" and isinstance(value, bool):
        return ("yes" if value else "no"), ""
    shown = to_text(field, value)
    if not shown:
        return "not set", "silent"
    # What is below nothing stands for something else, such as no limit.
    counted = field.unit and not (isinstance(value, int | float) and value < 0)
    unit = f" {field.unit.removesuffix('s') if value == 1 else field.unit}" if counted else ""
    return shortened(f"{shown}{unit}", width, glyphs), ""


def shortened(text: str, width: int, glyphs: Glyphs) -> str:
    """A text in ``width`` letters; of a path the end is kept, which says more."""
    if text.startswith(("/", "~")) and len(text) > width:
        return f"{glyphs.ellipsis}{text[len(glyphs.ellipsis) - width :]}"
    return glyphs.cut(text, width)


class FieldEntry(Input):
    """Where a value is typed, in its row."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("entry")]

    class Left(Message):
        """The typing is over: kept or undone, and how many settings to go on by."""

        def __init__(self, *, undo: bool = False, step: int = 0) -> None:
            super().__init__()
            self.undo = undo
            self.step = step

    def action_keep(self, step: int = 0) -> None:
        """Keep what is written."""
        self.post_message(self.Left(step=step))

    def action_undo(self) -> None:
        """Leave the setting as it was."""
        self.post_message(self.Left(undo=True))

    def on_blur(self) -> None:
        """Going elsewhere keeps what is written."""
        self.post_message(self.Left())


class FieldRow(Widget):
    """A line of the form. The form list moves the cursor over the rows and edits them."""

    DEFAULT_CSS = """
    FieldRow {
        height: 1; layout: horizontal;
        & Input { margin-left: 34; width: 1fr; height: 1; border: none; padding: 0; }
        & Input:focus { border: none; }
        &.-wrong { height: 2; }
        &.-cursor {
            background: $block-cursor-blurred-background;
            color: $block-cursor-blurred-foreground;
        }
        &.-active { background: $block-cursor-background; color: $block-cursor-foreground; }
    }
    """

    class Clicked(Message):
        """The row was clicked; ``again``: for the second time in a moment."""

        def __init__(self, row: FieldRow, *, again: bool) -> None:
            super().__init__()
            self.row = row
            self.again = again

    def __init__(self, field: FormField, form: Form, glyphs: Glyphs) -> None:
        super().__init__()
        self.field = field
        self._form = form
        self._glyphs = glyphs
        self._problem = ""
        self._state: tuple[Any, ...] = ()
        self._editor: FieldEntry | None = None

    @property
    def editor(self) -> FieldEntry | None:
        """The input, while the value is being edited."""
        return self._editor

    def show(self, form: Form, glyphs: Glyphs, problem: str) -> None:
        """Show the form's value, and what is wrong with it."""
        key = self.field.key
        state = (form.value(key), form.source(key), problem, glyphs)
        if state != self._state:
            self._form, self._glyphs, self._problem, self._state = form, glyphs, problem, state
            self.set_class(bool(problem) and problem != self._missing, "-wrong")
            self.refresh()

    @property
    def _missing(self) -> str:
        return f"{self.field.name} is missing"

    def on_click(self, event: events.Click) -> None:
        """Tell the list."""
        self.post_message(self.Clicked(self, again=event.chain > 1))

    def edit(self) -> None:
        """Put an input in the value's place."""
        value = to_text(self.field, self._form.value(self.field.key))
        example = "" if self.field.example is None else str(self.field.example)
        self._editor = FieldEntry(value, placeholder=example, compact=True)
        self.mount(self._editor)
        # At once, so that letters typed straight after enter are not lost.
        self.screen.set_focus(self._editor, scroll_visible=False)
        self.refresh()

    def close_editor(self) -> None:
        """Take the input away."""
        if self._editor is not None:
            self._editor.remove()
            self._editor = None
        self.refresh()

    def render(self) -> Text:
        """The line, and the sentence below it when something is wrong."""
        source = self._form.source(self.field.key)
        glyphs = self._glyphs
        mark = {"own": glyphs.circle, "preset": glyphs.mark, "default": " "}[source]
        name = glyphs.cut(self.field.name, NAME_WIDTH - 1)
        text = Text(no_wrap=True, overflow="crop")
        text.append(f" {mark} {name:<{NAME_WIDTH}}", "bold" if source != "default" else "")
        if self.editor is None:
            width = max(8, self.size.width - NAME_WIDTH - 4)
            shown, look = value_text(
                self.field, self._form.value(self.field.key), width=width, glyphs=glyphs
            )
            text.append(shown, self._look(look))
        if self.has_class("-wrong"):
            sentence = glyphs.cut(self._problem, max(8, self.size.width - 8))
            text.append(f"\n     {glyphs.warning} {sentence}", self._look("missing"))
        return text

    def _look(self, look: str) -> Style:
        """On the cursor's line the colours of the cursor win."""
        if look == "silent":
            return Style(dim=not self.has_class("-active"))
        if look == "missing":
            error = cast("LuthierApp", self.app).look("text-error")
            return Style(bold=True) if self.has_class("-active") else error
        return Style()
