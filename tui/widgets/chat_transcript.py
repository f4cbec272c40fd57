"""The conversation from top to bottom, the answers to a question side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from luthier.agent.chat.conversation import BASE, GIVEN, Conversation, Turn, figures
from luthier.agent.text import count, printable

from ..bindings import bindings
from .chat_answer import AnswerView

if TYPE_CHECKING:
    from ..app import LuthierApp

_SHOWN_TURNS = 20
_KINDS = {BASE: "base", GIVEN: "given"}


def is_right(turn: Turn, voice: str) -> bool | None:
    """Whether an answer is letter by letter the expected one; None where nothing is expected."""
    text = turn.answers.get(voice)
    if turn.expected is None or text is None:
        return None
    return text.strip() == turn.expected.strip()


def about(turn: Turn, voice: str) -> str:
    """The line below an answer."""
    text, last = turn.answers.get(voice), turn.figures.get(voice)
    parts = []
    if (right := is_right(turn, voice)) is not None:
        parts.append("as expected" if right else "not as expected")
    if text is not None and not text.strip():
        parts.append("an empty answer")
    if last is not None and last.finish != "error":
        parts.append(figures(last))
    return ", ".join(parts)


class TurnView(Vertical):
    """A question and its answers.

    Args:
        turn: what was said.
        voices: whose answers to make room for, those that are there already excepted.
        name_of: what a voice is called.
        raw: show answers letter by letter.
    """

    def __init__(
        self, turn: Turn, voices: Sequence[str], name_of: Callable[[str], str], *, raw: bool
    ) -> None:
        super().__init__(classes="turn")
        self.turn = turn
        order = dict.fromkeys([*turn.answers, *turn.figures, *voices])
        self._answers = {
            voice: AnswerView(name_of(voice), _KINDS.get(voice, "adapter"), raw=raw)
            for voice in order
        }

    def compose(self) -> Iterable[Widget]:
        """The question above, the answers below it."""
        pointer = cast("LuthierApp", self.app).glyphs.pointer
        question = f"{pointer} {printable(self.turn.prompt)}"
        yield Static(question, classes="question", markup=False)
        with Horizontal(classes="answers"):
            yield from self._answers.values()
            if self.turn.expected is not None:
                yield AnswerView("expected", "expected", raw=True)

    def on_mount(self) -> None:
        """Show what is there."""
        for voice in {**self.turn.answers, **self.turn.figures}:
            self.show(voice)
        if self.turn.expected is not None:
            self.query_one("AnswerView.-expected", AnswerView).show(self.turn.expected, "")

    def show(self, voice: str) -> None:
        """Show the whole answer of that voice."""
        last = self.turn.figures.get(voice)
        view = self._answers[voice]
        view.set_class(bool(is_right(self.turn, voice)), "-right")
        view.show(
            self.turn.answers.get(voice, ""), about(self.turn, voice), last.error if last else ""
        )

    def show_part(self, voice: str, text: str, words: str) -> None:
        """Show an answer as far as it is written."""
        self._answers[voice].show_part(text, words)


class Transcript(VerticalScroll):
    """All turns; stays at the end while an answer grows, unless somebody scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("scroll", "chat_transcript")]

    class WriteWanted(Message):
        """The person wants to type."""

    class MoreShown(Message):
        """Earlier turns are shown now."""

    def __init__(self) -> None:
        super().__init__(id="transcript")
        self.raw = False
        self._hidden: list[Turn] = []
        self.name_of: Callable[[str], str] = str

    def compose(self) -> Iterable[Widget]:
        """A line about the conversation; the turns follow."""
        yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        """Stay at the end."""
        self.anchor()

    def say(self, words: str, *, failed: bool = False) -> None:
        """Show words above the turns; none: nothing is there."""
        line = self.query_one("#about", Static)
        line.update(printable(words))
        line.set_class(failed, "error")
        line.display = bool(words)

    def show(self, conversation: Conversation) -> None:
        """Show what is recent of a conversation; going to the top shows more."""
        self.query(TurnView).remove()
        self._hidden = list(conversation.turns)
        self.mount_all(self._more())
        self.anchor()

    def _more(self) -> list[TurnView]:
        """Views of the last turns that are hidden, which are hidden no longer."""
        recent = self._hidden[-_SHOWN_TURNS:]
        del self._hidden[-_SHOWN_TURNS:]
        return [TurnView(turn, (), self.name_of, raw=self.raw) for turn in recent]

    def action_scroll_home(self) -> None:
        """To the top; there, earlier turns come out."""
        if self._hidden:
            self.mount_all(self._more(), before=self.query(TurnView).first())
            self.post_message(self.MoreShown())
        super().action_scroll_home()

    def introduce(self, conversation: Conversation, guide: str) -> None:
        """Say how a conversation begins; one without turns has the guide instead."""
        about = [f"System prompt: {conversation.system}"] if conversation.system else []
        if self._hidden:
            top = cast("LuthierApp", self.app).keys_of("scroll.first")
            hidden = count(len(self._hidden), "earlier question")
            about.append(f"{hidden} not shown; {top} shows more.")
        if not conversation.turns:
            about.append(guide)
        self.say("\n".join(about))

    def add(self, turn: Turn, voices: Sequence[str]) -> TurnView:
        """Show another turn, with room for the answers of these voices."""
        view = TurnView(turn, voices, self.name_of, raw=self.raw)
        self.mount(view)
        self.anchor()
        return view

    def take_back(self, turn: Turn) -> None:
        """Take a turn off the screen."""
        for view in self.query(TurnView):
            if view.turn is turn:
                view.remove()

    def set_raw(self, raw: bool) -> None:
        """Show answers letter by letter, or as Markdown."""
        self.raw = raw
        for view in self.query(AnswerView):
            if not view.has_class("-expected"):
                view.set_raw(raw)

    def action_write(self) -> None:
        """Go to the prompt."""
        self.post_message(self.WriteWanted())
