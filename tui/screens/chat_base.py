"""The chat screen below its keys: loading the model, letting it answer, showing what it says."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget

from luthier.agent.chat.conversation import Turn, run_names
from luthier.agent.errors import UnavailableError
from luthier.agent.models import Chat, OpenChatRequest
from luthier.trainers.errors import LuthierError

from ..chatting.history import History
from ..chatting.opening import Opened, loaded_chat, open_chat
from ..chatting.samples import Sample, read_samples
from ..chatting.sliders import in_words
from ..chatting.talk import Talk, names_of
from ..chatting.writing import Writing, write
from ..state import Topic
from ..widgets.chat_prompt import ChatPrompt
from ..widgets.chat_settings import ChatSettings
from ..widgets.chat_transcript import Transcript, TurnView
from .base import LuthierScreen

if TYPE_CHECKING:
    from luthier.agent.client import Client

_LOOK_SECONDS = 0.1
_TICK_SECONDS = 1.0


class ChatBase(LuthierScreen):
    """The part of the chat screen that needs no keys."""

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self._talk = Talk(run_ids)
        self._samples: list[Sample] = []
        self._opened: Opened | None = None
        self._loading_since: float | None = None
        self._problem = ""
        self._load_on_return = False
        self._send_when_loaded = False
        self._editing = False
        self._writing: Writing | None = None
        self._to_ask: list[str] = []
        self._view: TurnView | None = None
        self._look_timer: Timer | None = None
        self._focused_before: Widget | None = None

    def body(self) -> Iterable[Widget]:
        """The conversation with the settings at its side, and the prompt below."""
        with Horizontal(id="chat"):
            yield Transcript()
            yield ChatSettings()
        yield ChatPrompt(placeholder="Ask something")

    def on_mount(self) -> None:
        """Load the model while the person begins to type."""
        self._settings.display = False
        self._transcript.name_of = self._called
        self._look_timer = self.set_interval(_LOOK_SECONDS, self._look, pause=True)
        self.set_interval(_TICK_SECONDS, self._tick)
        self._prompt.focus()
        self._load()
        self.ask(partial(read_samples, run_ids=self._talk.runs), self._take_samples)

    # -- parts ---------------------------------------------------------------------------------

    @property
    def _transcript(self) -> Transcript:
        return self.query_one(Transcript)

    @property
    def _settings(self) -> ChatSettings:
        return self.query_one(ChatSettings)

    @property
    def _prompt(self) -> ChatPrompt:
        return self.query_one(ChatPrompt)

    @property
    def _history(self) -> History:
        return History(self.luthier.home)

    @property
    def _request(self) -> OpenChatRequest:
        return OpenChatRequest(runs=self._talk.runs, offline=self.interface.offline)

    def _called(self, voice: str) -> str:
        known = [self.state.runs[run] for run in self._talk.runs if run in self.state.runs]
        if name := run_names(known).get(voice):
            return name
        other = self.state.runs.get(voice)
        return other.name if other else voice

    # -- showing -------------------------------------------------------------------------------

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Runs may be renamed or known only now; an agent that came back can load the model."""
        kinds = {topic for topic, _ in topics}
        if kinds & {"all", "runs", "connection"}:
            self._show_who()
        if self._load_on_return and self.state.connection == "live":
            self._load()

    def _show_who(self) -> None:
        talk = self._talk
        self.sub_title = names_of(talk.runs, {run: self._called(run) for run in talk.runs})
        who = names_of(talk.speaking, {voice: self._called(voice) for voice in talk.speaking})
        if self._editing:
            self._prompt.border_title = "Change the last question; esc leaves it"
        elif talk.speaking:
            words = f"to {who} {self.glyphs.dot} {in_words(talk.sampling)}"
            self._prompt.border_title = self.glyphs.cut(words, max(20, self.size.width - 4))
        self.refresh_bindings()

    def _show_about(self) -> None:
        """Say above the conversation what goes on and what it begins with."""
        if self._loading_since is not None:
            seconds = time.monotonic() - self._loading_since
            what = self._opened.chat.model if self._opened else "the model"
            self._transcript.say(f"Loading {what}, {seconds:.0f} s. Escape leaves the wait.")
        elif self._problem:
            self._transcript.say(self._problem, failed=True)
        else:
            self._transcript.introduce(self._talk.conversation, self._guide())

    @on(Transcript.MoreShown)
    def _more_shown(self) -> None:
        self._show_about()

    def _guide(self) -> str:
        keys = self.luthier.keys_of
        then = []
        if self._samples:
            then.append(f"{keys('chat.samples')} for prompts of the data")
        if self._talk.may_compare:
            then.append(f"{keys('chat.base')} for the base model beside")
        more = f", then {', '.join(then)}" if then else ""
        return f"Type a question. Or press {keys('chat_prompt.keys')}{more}."

    def _tick(self) -> None:
        if self._loading_since is not None:
            self._show_about()

    # -- loading -------------------------------------------------------------------------------

    def _load(self) -> None:
        if self._loading_since is not None:
            return
        self._loading_since, self._problem, self._load_on_return = time.monotonic(), "", False
        self._show_about()
        self.ask(
            partial(open_chat, request=self._request),
            self._take_opened,
            doing="opening the chat",
            failed=self._not_loaded,
        )

    def _take_opened(self, opened: Opened) -> None:
        self._opened = opened
        self._show_about()
        self.ask(
            partial(loaded_chat, request=self._request),
            self._take_loaded,
            doing="loading the model",
            failed=self._not_loaded,
        )

    def _take_loaded(self, chat: Chat) -> None:
        self._loading_since = None
        self._opened = Opened(chat, new=False)
        self._talk.loaded(chat)
        self._show_about()
        self._show_who()
        if chat.error:
            self.notify(chat.error, severity="warning", markup=False)
        if self._send_when_loaded:
            self._send_when_loaded = False
            self._prompt.action_send()

    def _not_loaded(self, error: LuthierError) -> None:
        self._loading_since, self._send_when_loaded = None, False
        self._load_on_return = isinstance(error, UnavailableError)
        self._problem = f"{error}\n{self.luthier.keys_of('chat_prompt.send')} tries again."
        self._show_about()

    def leave_waits(self) -> bool:
        """Leave the wait for the model too, which is then not loaded any further."""
        left = super().leave_waits()
        if self._loading_since is not None:
            if self._opened and self._opened.new:
                self.ask(partial(close, chat_id=self._opened.chat.id))
            self._not_loaded(LuthierError("The model is not loaded."))
        return left

    def _take_samples(self, samples: list[Sample]) -> None:
        self._samples = samples
        self.refresh_bindings()
        self._show_about()

    # -- asking --------------------------------------------------------------------------------

    @on(ChatPrompt.Sent)
    def _sent(self, event: ChatPrompt.Sent) -> None:
        if not self._talk.voices:
            self._load()
            if event.text:
                self._send_when_loaded = True
                self.notify("Sent as soon as the model is there.")
        elif self._writing is not None:
            self.notify("An answer is being written; escape stops it.")
        elif event.text:
            before = self._talk.asked
            turn = self._talk.change(event.text) if self._editing else None
            if turn is not None and before is not None:
                self._transcript.take_back(before)
            self._end_editing()
            self._answer(turn or self._talk.ask(event.text))

    def _end_editing(self) -> None:
        self._editing = False
        self._prompt.load_text("")
        self._show_who()

    def _answer(self, turn: Turn) -> None:
        """Let everybody who speaks answer, one after the other."""
        self._view = self._transcript.add(turn, self._talk.speaking)
        self._to_ask = list(self._talk.speaking)
        self._show_about()
        self._ask_next()

    def _ask_next(self) -> None:
        if not self._to_ask or self._opened is None:
            self._writing = None
            self._keep()
            self.refresh_bindings()
            return
        writing = self._writing = Writing(self._to_ask.pop(0))
        request = self._talk.request(writing.voice)
        chat_id = self._opened.chat.id

        def failed(error: LuthierError) -> None:
            writing.fail(str(error))
            self._ended(writing)

        self.ask(
            partial(
                write, opening=self._request, chat_id=chat_id, request=request, writing=writing
            ),
            lambda chat: self._ended(writing, chat),
            failed=failed,
        )
        if self._look_timer is not None:
            self._look_timer.resume()
        self.refresh_bindings()

    def _look(self) -> None:
        """Show the answer as far as it is written."""
        writing = self._writing
        if writing is None or self._view is None:
            if self._look_timer is not None:
                self._look_timer.pause()
        elif self._view.is_mounted:
            self._view.show_part(writing.voice, writing.text, writing.in_words)

    def _ended(self, writing: Writing, chat: Chat | None = None) -> None:
        if writing is not self._writing or self._view is None:
            return
        if chat is not None:
            self._opened = Opened(chat, new=False)
        self._talk.answered(writing)
        self._view.show(writing.voice)
        self._ask_next()

    def _stop(self) -> None:
        """End the answer that is being written; what there is stays."""
        if self._writing is None or self._writing.stopped or self._opened is None:
            return
        self._writing.stop()
        self._to_ask.clear()
        self.ask(partial(_cancel, chat_id=self._opened.chat.id))

    def _keep(self) -> None:
        history, kept = self._history, self._talk.kept
        self.ask(lambda _: history.keep(kept))


def close(client: Client, chat_id: str) -> None:
    """End a chat, which gives its memory back."""
    client.chats.close(chat_id)


def _cancel(client: Client, chat_id: str) -> None:
    client.chats.stop(chat_id)
