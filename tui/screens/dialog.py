"""The small screens over a screen: choose one, write a line, write a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList, SelectionList, Static, TextArea
from textual.widgets.option_list import Option

from ..bindings import bindings
from ..widgets.footer import KeyLine
from ..widgets.options import Options

if TYPE_CHECKING:
    from ..app import LuthierApp

_Answer = TypeVar("_Answer")
Complaint = Callable[[str], str]
"""Says what is wrong with a text; an empty sentence when nothing is."""


@dataclass(frozen=True)
class Choice:
    """One line of a choice; ``about`` is shown while it has the cursor."""

    id: str
    name: str
    about: str = ""


class Dialog(ModalScreen[_Answer | None], Generic[_Answer]):
    """A framed box with a title; escape closes it with None.

    Args:
        title: what is asked for.
    """

    CSS_PATH = "../styles/dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("dialog")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title

    @property
    def luthier(self) -> LuthierApp:
        """The app, typed."""
        return cast("LuthierApp", self.app)

    def compose(self) -> ComposeResult:
        """The frame around the body, and the keys below."""
        with Vertical(classes="dialog"):
            yield Static(self.title or "", classes="title", markup=False)
            yield from self.body()
            yield KeyLine()

    def body(self) -> Iterable[Widget]:
        """The widgets below the title."""
        return ()

    @property
    def labels(self) -> Mapping[str, str]:
        """What keys are called here, by id, where that is not what the table says."""
        return {}

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


class ChooseDialog(Dialog[str]):
    """Choose one of a few; the answer is its id.

    Args:
        title: what is asked for.
        choices: in their order.
        current: id of the one that holds now.
    """

    def __init__(self, title: str, choices: Sequence[Choice], current: str = "") -> None:
        super().__init__(title)
        self._choices = {choice.id: choice for choice in choices}
        self._current = current
        self.set_class(any(choice.about for choice in choices), "-beside")

    def body(self) -> Iterable[Widget]:
        """The list, and beside it what the line with the cursor means."""
        if not self.has_class("-beside"):
            yield Options(id="choices")
            return
        with Horizontal(id="beside"):
            yield Options(id="choices")
            yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        """The cursor stands on what holds now."""
        options = self.query_one(Options)
        check = self.luthier.glyphs.check
        for choice in self._choices.values():
            mark = check if choice.id == self._current else " "
            options.add_option(Option(Text(f"{mark} {choice.name}"), id=choice.id))
        options.go_to(self._current)
        options.focus()

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        choice = self._choices.get(event.option_id or "")
        for about in self.query("#about").results(Static):
            about.update(choice.about if choice else "")

    @on(OptionList.OptionSelected)
    def _answer(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


class SeveralDialog(Dialog[list[str]]):
    """Choose any of a few words; space chooses, enter answers.

    Args:
        title: what is asked for.
        words: in their order.
        chosen: those that hold now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("several")]

    def __init__(self, title: str, words: Sequence[str], chosen: Sequence[str]) -> None:
        super().__init__(title)
        self._words = [(word, word, word in chosen) for word in words]

    def body(self) -> Iterable[Widget]:
        """The list."""
        yield SelectionList(*self._words, compact=True)

    def action_cursor(self, lines: int) -> None:
        """Move by a line."""
        found = self.query_one(SelectionList)
        found.action_cursor_down() if lines > 0 else found.action_cursor_up()

    def action_answer(self) -> None:
        """Answer with what is chosen, in the order of the words."""
        chosen = self.query_one(SelectionList).selected
        self.dismiss([word for word, _, _ in self._words if word in chosen])


class LineDialog(Dialog[str]):
    """Write one line, such as a name.

    Args:
        title: what is asked for.
        value: what stands there at first.
        about: a sentence below the title.
        complaint: says what is wrong with the line while it is written.
    """

    def __init__(
        self,
        title: str,
        value: str = "",
        *,
        about: str = "",
        complaint: Complaint = lambda text: "",
    ) -> None:
        super().__init__(title)
        self._value = value
        self._about = about
        self._complaint = complaint

    def body(self) -> Iterable[Widget]:
        """The line, and what is wrong with it."""
        if self._about:
            yield Static(self._about, classes="muted", markup=False)
        yield Input(self._value, compact=True)
        yield Static("", id="complaint", classes="error", markup=False)
        yield Static("Enter keeps it.", classes="muted", markup=False)

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _check(self, event: Input.Changed) -> None:
        self.query_one("#complaint", Static).update(self._complaint(event.value))

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        complaint = self._complaint(event.value)
        if complaint:
            self.query_one("#complaint", Static).update(complaint)
        else:
            self.dismiss(event.value)


class BoxDialog(Dialog[str]):
    """Write a text of several lines.

    Args:
        title: what is asked for.
        text: what stands there at first.
        about: a sentence below the title.
        complaint: says what is wrong with the text while it is written.
        strict: whether a text with something wrong cannot be kept.
        large: whether it fills the screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("box")]

    def __init__(
        self,
        title: str,
        text: str,
        *,
        about: str = "",
        complaint: Complaint = lambda text: "",
        strict: bool = False,
        large: bool = False,
    ) -> None:
        super().__init__(title)
        self._text = text
        self._about = about
        self._complaint = complaint
        self._strict = strict
        self.set_class(large, "-large")

    def body(self) -> Iterable[Widget]:
        """The text, and what is wrong with it."""
        if self._about:
            yield Static(self._about, classes="muted", markup=False)
        yield TextArea(
            self._text, soft_wrap=True, show_line_numbers=self.has_class("-large"), compact=True
        )
        yield Static("", id="complaint", classes="error", markup=False)

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one(TextArea).focus()
        self._check()

    @on(TextArea.Changed)
    def _check(self) -> None:
        complaint = self._complaint(self.query_one(TextArea).text)
        self.query_one("#complaint", Static).update(complaint)

    def action_keep(self) -> None:
        """Answer with the text."""
        text = self.query_one(TextArea).text
        complaint = self._complaint(text)
        if self._strict and complaint:
            self.notify(complaint, severity="error", markup=False)
        else:
            self.dismiss(text)

    def action_close(self) -> None:
        """Close; a text that was changed is asked about."""
        from .confirm import ConfirmScreen

        def answered(leave: bool | None) -> None:
            if leave:
                self.dismiss(None)

        if self.query_one(TextArea).text == self._text:
            self.dismiss(None)
            return
        keeps = f"{self.luthier.keys_of('box.keep')} in the text keeps them."
        screen = ConfirmScreen("Leave without the changes?", keeps, yes="Leave", dangerous=True)
        self.app.push_screen(screen, answered)
