"""The panel by which answers are tuned: a ready set of values, and sliders that change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import events, on
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from luthier.agent.chat.values import with_setting, with_value
from luthier.agent.models import Sampling
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..chatting.sliders import NAMED, SLIDERS, Slider, nudged, share, shown, value_of

if TYPE_CHECKING:
    from ..app import LuthierApp

_LABEL, _BAR = 15, 13
_NAMED_HELP = {
    "deterministic": "Always the likeliest token: the same question has the same answer.",
    "balanced": "Some variety (temperature 0.7, top p 0.9).",
    "creative": "Much variety (temperature 1.0, top p 0.95).",
}


class Sliders(Widget, can_focus=True):
    """The rows; the first one is the ready set.

    Args:
        type_value: lets the value of the row be typed, begun with these letters.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chat_settings")]
    DEFAULT_CSS = "Sliders { height: auto; width: 1fr; }"

    sampling: reactive[Sampling] = reactive(Sampling)
    row: reactive[int] = reactive(0)
    """Where the cursor is: 0 is the ready set, the sliders follow."""

    class Changed(Message):
        """Something was changed."""

        def __init__(self, sampling: Sampling) -> None:
            super().__init__()
            self.sampling = sampling

    class Moved(Message):
        """The cursor is on another row, or its value is another."""

    def __init__(self, type_value: Callable[[str], None]) -> None:
        super().__init__()
        self._type_value = type_value

    @property
    def slider(self) -> Slider | None:
        """The slider with the cursor."""
        return SLIDERS[self.row - 1] if self.row else None

    def validate_row(self, row: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(row, len(SLIDERS)))

    def watch_row(self) -> None:
        """Tell of it."""
        self.post_message(self.Moved())

    def change(self, sampling: Sampling) -> None:
        """Take these values and tell of them."""
        self.sampling = sampling
        # Also when the panel calls this: a message stops at the parent that sends it.
        self.post_message(self.Changed(sampling).set_sender(self))
        self.post_message(self.Moved().set_sender(self))

    def render(self) -> Text:
        """The rows."""
        app = cast("LuthierApp", self.app)
        lines = [self._named()]
        for number, slider in enumerate(SLIDERS, start=1):
            own = value_of(self.sampling, slider)[1]
            picture = app.glyphs.bar(share(self.sampling, slider), 1, _BAR)
            line = Text(f" {slider.label:<{_LABEL}} {picture} ")
            line.append(f"{shown(self.sampling, slider):>7} ", "bold" if own else "dim")
            lines.append(self._at_cursor(line, number))
        return Text("\n").join(lines)

    def _named(self) -> Text:
        line = Text()
        for name in NAMED:
            chosen = name == self.sampling.setting
            line.append(f" {name} ", "reverse" if chosen else "dim")
        return self._at_cursor(line, 0)

    def _at_cursor(self, line: Text, row: int) -> Text:
        pointer = cast("LuthierApp", self.app).glyphs.pointer
        found = Text(pointer if row == self.row else " ", "bold") + line
        if row == self.row and self.has_focus:
            found.stylize("bold")
        return found

    def action_cursor(self, lines: int) -> None:
        """To another row."""
        self.row += lines

    def action_move(self, steps: int) -> None:
        """Move the slider, or go to another ready set."""
        if self.slider is not None:
            self.change(nudged(self.sampling, self.slider, steps))
            return
        place = NAMED.index(self.sampling.setting) + (1 if steps > 0 else -1)
        self.change(with_setting(self.sampling, NAMED[max(0, min(place, len(NAMED) - 1))]))

    def action_default(self) -> None:
        """Take the value back to that of the ready set; on the first row all of them."""
        if self.slider is None:
            self.change(Sampling(setting=self.sampling.setting))
        else:
            self.change(with_value(self.sampling, self.slider.name, ""))

    def action_type(self) -> None:
        """Type the value."""
        if self.slider is not None:
            self._type_value("")

    def on_key(self, event: events.Key) -> None:
        """A figure begins a typed value."""
        if self.slider is not None and event.character and event.character in "0123456789.":
            event.stop()
            self._type_value(event.character)

    def on_click(self, event: events.Click) -> None:
        """Go to the row; on its bar, put the slider there."""
        self.row = event.y
        if self.slider is None:
            starts, x = {}, 1
            for name in NAMED:
                starts[name], x = x, x + len(name) + 2
            under = [name for name, start in starts.items() if start <= event.x]
            self.change(with_setting(self.sampling, under[-1] if under else NAMED[0]))
            return
        place = event.x - _LABEL - 3
        if 0 <= place < _BAR:
            stop = self.slider.stops[round(place / (_BAR - 1) * (len(self.slider.stops) - 1))]
            self.change(with_value(self.sampling, self.slider.name, f"{stop:g}"))


class ChatSettings(Vertical):
    """The sliders with what the row means, and a field for a typed value."""

    def __init__(self) -> None:
        super().__init__(id="settings")

    def compose(self) -> Iterable[Widget]:
        """Title, rows, field, explanation."""
        yield Static("How words are chosen", classes="title", markup=False)
        yield Sliders(self._type)
        yield Input(id="typed", compact=True, select_on_focus=False)
        yield Static("", id="meaning", markup=False)

    @property
    def sliders(self) -> Sliders:
        """The rows."""
        return self.query_one(Sliders)

    def on_mount(self) -> None:
        """Nothing is typed yet."""
        self.query_one("#typed").display = False
        self._explain()

    @on(Sliders.Moved)
    def _explain(self) -> None:
        slider = self.sliders.slider
        words = slider.help if slider else _NAMED_HELP[self.sliders.sampling.setting]
        self.query_one("#meaning", Static).update(words)

    def _type(self, letters: str) -> None:
        field, slider = self.query_one("#typed", Input), self.sliders.slider
        if slider is None:
            return
        if field.display:
            # Keys that were pressed before the field had them.
            if letters:
                field.insert_text_at_cursor(letters)
            else:
                self._take(field.value)
            return
        field.placeholder = f"{slider.label}; empty: that of the ready set"
        field.value, field.cursor_position = letters, len(letters)
        field.display = True
        # At once, so that the next key already goes there.
        self.screen.set_focus(field)

    @on(Input.Submitted, "#typed")
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        self._take(event.value)

    def _take(self, typed: str) -> None:
        sliders = self.sliders
        if sliders.slider is not None:
            try:
                sliders.change(with_value(sliders.sampling, sliders.slider.name, typed.strip()))
            except LuthierError as error:
                cast("LuthierApp", self.app).show_error(error)
                return
        self.end_typing()

    def end_typing(self) -> bool:
        """Leave the field without taking its value; False when nobody types."""
        field = self.query_one("#typed", Input)
        was_there = bool(field.display)
        field.display = False
        if was_there:
            self.sliders.focus()
        return was_there
