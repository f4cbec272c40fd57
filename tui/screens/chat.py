"""Talking to what runs have made."""

from __future__ import annotations

import time
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import BindingType

from luthier.agent.chat.conversation import Conversation
from luthier.agent.models import GenerateChunk
from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..chatting.history import Kept
from ..widgets.chat_dialogs import ChatEntry, ask_export, pick_earlier, pick_sample
from ..widgets.chat_prompt import ChatPrompt
from ..widgets.chat_settings import Sliders
from ..widgets.chat_transcript import Transcript
from .chat_base import ChatBase, close


class ChatScreen(ChatBase):
    """A conversation with the results of runs, the base model beside them when wished."""

    TITLE = "chat"
    CSS_PATH = "../styles/chat.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chat")]

    # -- keys ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done now has a key in the footer."""
        talk, idle = self._talk, self._writing is None
        match action:
            case "base":
                return talk.may_compare
            case "all":
                return len(talk.voices) > 2
            case "voice":
                return len(talk.voices) > 1
            case "samples":
                return idle and bool(self._samples and talk.voices)
            case "again":
                return idle and bool(talk.asked and talk.voices)
            case "edit":
                return idle and talk.asked is not None
            case "new" | "history":
                return idle
            case "export":
                return idle and talk.last is not None
            case "copy_answer":
                return idle and bool(talk.last and talk.last.answers)
            case "unload":
                return bool(talk.voices)
        return True

    def action_back(self) -> None:
        """Stop the answer; else leave what is open, the prompt, and at last the screen."""
        if self._writing is not None:
            self._stop()
        elif self._settings.end_typing():
            return
        elif self._settings.sliders.has_focus:
            self.action_tune()
        elif self.leave_waits():
            return
        elif self._editing:
            self._prompt.load_text("")
            self._end_editing()
        elif self._prompt.has_focus:
            self._transcript.focus()
        else:
            self.action_leave()

    def keep(self) -> None:
        """Keep what there is of an answer; the model stays loaded for a while."""
        if self._writing is None:
            return
        self._stop()
        self._writing.add(GenerateChunk(finish="cancelled"))
        self._talk.answered(self._writing)
        self._writing = None
        # Not in a thread, which may end with Luthier before it has written.
        try:
            self._history.keep(self._talk.kept)
        except LuthierError as error:
            self.luthier.show_error(error)

    def action_base(self) -> None:
        """Let the base model answer beside the adapter, or no longer."""
        self._talk.toggle_base()
        self._show_who()

    def action_all(self) -> None:
        """Let everybody answer side by side, or one only."""
        self._talk.toggle_all()
        self._show_who()

    def action_voice(self) -> None:
        """Let the next one answer."""
        self._talk.next_voice()
        self._show_who()

    def action_tune(self) -> None:
        """Open the settings, or close them."""
        panel = self._settings
        panel.display = not panel.display
        if panel.display:
            self._focused_before = self.focused
            panel.sliders.focus()
        elif panel.sliders.has_focus:
            (self._focused_before or self._prompt).focus()

    @on(Sliders.Changed)
    def _tuned(self, event: Sliders.Changed) -> None:
        self._talk.sampling = event.sampling
        self._show_who()

    @on(Transcript.WriteWanted)
    def _write(self) -> None:
        self._prompt.focus()

    def action_again(self) -> None:
        """Answer the last question again, by whoever speaks now."""
        turn = self._talk.ask_again()
        if turn is not None:
            self._transcript.take_back(turn)
            self._answer(turn)

    @on(ChatPrompt.EarlierWanted)
    def action_edit(self) -> None:
        """Put the last question into the prompt; sending it asks it in place of the old one."""
        turn = self._talk.asked
        if turn is not None and self._writing is None:
            self._editing = True
            self._prompt.put(turn.prompt)
            self._prompt.focus()
            self._show_who()

    def action_new(self) -> None:
        """Begin another conversation."""
        self._talk.begin()
        self._show_conversation()

    def _show_conversation(self) -> None:
        self._editing = False
        self._transcript.show(self._talk.conversation)
        self._show_about()
        self._show_who()

    def action_samples(self) -> None:
        """Choose a prompt of the data."""
        self.app.push_screen(pick_sample(self._samples), self._ask_sample)

    def _ask_sample(self, place: int | None) -> None:
        if place is None or self._writing is not None:
            return
        turn = self._talk.ask_sample(self._samples[place])
        conversation = self._talk.conversation
        self._transcript.show(Conversation(conversation.system, conversation.turns[:-1]))
        self._answer(turn)

    def action_history(self) -> None:
        """Choose an earlier conversation."""
        history, runs = self._history, self._talk.runs
        self.ask(lambda _: history.all(runs), self._choose_earlier, doing="reading the history")

    def _choose_earlier(self, found: list[Kept]) -> None:
        def remove(place: int) -> None:
            history = self._history
            self.ask(lambda _: history.remove(found[place]))

        def chosen(place: int | None) -> None:
            if place is not None and self._writing is None:
                self._talk.go_on_with(found[place])
                self._show_conversation()

        if found:
            self.app.push_screen(pick_earlier(found, time.time(), remove), chosen)
        else:
            self.notify("No conversation with these runs is kept yet.")

    def action_system(self) -> None:
        """Write the system prompt."""

        def written(text: str | None) -> None:
            if text is not None:
                self._talk.conversation.system = text
                self._show_about()

        explanation = "It counts from the next answer on. Empty: that of the training, if any."
        entry = ChatEntry(
            "System prompt", self._talk.conversation.system, explanation, may_be_empty=True
        )
        self.app.push_screen(entry, written)

    def action_export(self) -> None:
        """Write the conversation to a file."""
        ask_export(self, self._talk.conversation, self._called)

    def action_copy_answer(self) -> None:
        """Copy what the voice that speaks has answered last."""
        turn = self._talk.last
        voice = self._talk.speaking[-1] if self._talk.speaking else ""
        if turn is not None and (answer := turn.answer_for(voice)) is not None:
            self.copy(answer, "answer")

    def action_raw(self) -> None:
        """Show answers as Markdown, or letter by letter."""
        self._transcript.set_raw(not self._transcript.raw)
        shown = "letter by letter" if self._transcript.raw else "as Markdown"
        self.notify(f"Answers are shown {shown}.")

    def action_unload(self) -> None:
        """Give the model's memory back and leave."""
        if self._opened is not None:
            chat_id = self._opened.chat.id
            self.ask(
                partial(close, chat_id=chat_id),
                lambda _: self.action_leave(),
                doing="unloading the model",
            )
