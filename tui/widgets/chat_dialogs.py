"""What the chat asks over the conversation: one of a list, or some text."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from luthier.agent.chat.conversation import Conversation
from luthier.agent.chat.transcript import write_transcript
from luthier.agent.text import age, printable

from ..bindings import bindings
from ..chatting.history import Kept
from ..chatting.samples import Sample
from ..columns import Cell, Column
from ..screens.ask_file import ask_file
from ..screens.dialog import LineDialog
from .chat_prompt import ChatPrompt
from .line_table import LineTable

if TYPE_CHECKING:
    from ..app import LuthierApp
    from ..screens.base import LuthierScreen


class ChatPicker(ModalScreen[int | None]):
    """A list to choose from; dismissed with the place of what was chosen.

    Args:
        title: what the list has.
        columns: its columns; their keys are places in the rows.
        rows: the texts, one for each column.
        whole: the full text of a row, shown below the list.
        remove: deletes a row for good; silent: rows cannot be deleted.
    """

    CSS_PATH = "../styles/chat.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chat_dialog")]

    def __init__(
        self,
        title: str,
        columns: Sequence[Column],
        rows: Sequence[Sequence[str]],
        whole: Callable[[int], str],
        remove: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._columns = columns
        self._rows = rows
        self._whole = whole
        self._remove = remove

    def compose(self) -> Iterable[Widget]:
        """Title, list, the full text of the row with the cursor, and the keys."""
        with Vertical(id="dialog", classes="-list"):
            yield Static(self._title, classes="title", markup=False)
            ellipsis = cast("LuthierApp", self.app).glyphs.ellipsis
            yield LineTable(self._columns, self._cell, ellipsis=ellipsis)
            yield Static("", id="whole", markup=False)
            yield Static(self._keys(), classes="muted", markup=False)

    def on_mount(self) -> None:
        """Show the rows."""
        table = self.query_one(LineTable)
        table.show([str(place) for place in range(len(self._rows))])
        table.focus()

    def _cell(self, key: str, column: Column) -> Cell:
        text = self._rows[int(key)][int(column.key)]
        return Cell(printable(" ".join(text.split())))

    def _keys(self) -> str:
        app = cast("LuthierApp", self.app)
        keys = f"{app.keys_of('list.select')} choose   {app.keys_of('chat_dialog.close')} back"
        removing = f"   {app.keys_of('chat_dialog.remove')} remove" if self._remove else ""
        return keys + removing

    @on(LineTable.Moved)
    def _moved(self, event: LineTable.Moved) -> None:
        words = self._whole(int(event.key)) if event.key is not None else ""
        self.query_one("#whole", Static).update(printable(words))

    @on(LineTable.Selected)
    def _selected(self, event: LineTable.Selected) -> None:
        self.dismiss(int(event.key))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Not every list can be thinned out."""
        return action != "remove" or self._remove is not None

    def action_remove(self) -> None:
        """Delete the row with the cursor."""
        table = self.query_one(LineTable)
        if self._remove is not None and table.current is not None:
            self._remove(int(table.current))
            table.show([key for key in table.keys if key != table.current])

    def action_close(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


class ChatEntry(ModalScreen[str | None]):
    """Some text to write or change; dismissed with it.

    Args:
        title: what the text is.
        text: what it is now.
        explanation: a sentence below it.
        may_be_empty: whether no text is an answer too.
    """

    CSS_PATH = "../styles/chat.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chat_entry")]

    def __init__(
        self, title: str, text: str, explanation: str, *, may_be_empty: bool = False
    ) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._explanation = explanation
        self._may_be_empty = may_be_empty

    def compose(self) -> Iterable[Widget]:
        """Title, field, help."""
        with Vertical(id="dialog"):
            yield Static(self._title, classes="title", markup=False)
            yield ChatPrompt()
            yield Static(self._explanation, classes="muted", markup=False)

    def on_mount(self) -> None:
        """Ready to be changed."""
        prompt = self.query_one(ChatPrompt)
        prompt.put(self._text)
        prompt.focus()

    @on(ChatPrompt.Sent)
    def _sent(self, event: ChatPrompt.Sent) -> None:
        event.stop()
        if event.text or self._may_be_empty:
            self.dismiss(event.text)

    def action_close(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)


def pick_sample(samples: Sequence[Sample]) -> ChatPicker:
    """A list of prompts with the answers of the data beside."""

    def whole(place: int) -> str:
        sample = samples[place]
        said = [f"{role}: {text}" for role, text in (*sample.before, ("user", sample.prompt))]
        return "\n".join([*said, f"expected: {sample.expected}"])

    columns = [
        Column("0", "prompt", 20, grow=3),
        Column("1", "expected answer", 16, grow=2),
    ]
    rows = [(sample.prompt, sample.expected) for sample in samples]
    return ChatPicker("Prompts of the data", columns, rows, whole)


def pick_earlier(found: Sequence[Kept], now: float, remove: Callable[[int], None]) -> ChatPicker:
    """A list of earlier conversations."""

    def whole(place: int) -> str:
        turns = found[place].conversation.turns
        return "\n".join(f"{turn.prompt} - {turn.answer_for('') or ''}" for turn in turns[-3:])

    columns = [
        Column("0", "age", 6),
        Column("1", "turns", 5, right=True),
        Column("2", "first question", 20, grow=1),
    ]
    rows = [
        (age(now - kept.changed), str(len(kept.conversation.turns)), kept.title) for kept in found
    ]
    return ChatPicker("Earlier conversations", columns, rows, whole, remove)


def ask_export(
    screen: LuthierScreen, conversation: Conversation, name_of: Callable[[str], str]
) -> None:
    """Ask for a file, and write the conversation to it."""

    def write(path: Path) -> None:
        screen.ask(
            lambda _: write_transcript(conversation, path, name_of),
            lambda _: screen.notify(f"Wrote {path}", markup=False),
            doing=f"writing {path.name}",
        )

    names = "-".join(name_of(voice) for voice in conversation.voices())
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", names)[:60] or "conversation"
    path = Path.cwd() / f"chat-{stem}-{time.strftime('%Y%m%d-%H%M')}.md"
    about = ".md for people, .jsonl for training and programs."
    ask_file(screen, LineDialog("Export to", str(path), about=about), write)
