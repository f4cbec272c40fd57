"""The state of a chat and what each typed line does to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from luthier.trainers.errors import LuthierError

from ...chat.conversation import BASE, Conversation, Turn
from ...chat.transcript import write_transcript
from ...chat.values import NAMES, with_setting, with_value
from ...models import Chat, ChatMessage, GenerateChunk, Sampling
from .commands import Command, help_lines, read_line

# Voice, messages and sampling in; pieces of the answer out.
Generate = Callable[[str, list[ChatMessage], Sampling], Iterator[GenerateChunk]]


class Face(Protocol):
    """What a session needs from whoever shows it."""

    def answers(
        self, voices: Sequence[str], stream: Callable[[str], Iterator[GenerateChunk]]
    ) -> dict[str, str]:
        """Show what each voice says as it comes; returns the whole texts."""

    def say(self, text: str) -> None:
        """Tell the person something that is no answer."""

    def retype(self, text: str) -> str:
        """Let the person change a text; returns what takes its place."""


@contextmanager
def _named(call: str) -> Iterator[None]:
    """Put what was called before the sentence of an error about its values."""
    try:
        yield
    except LuthierError as error:
        raise LuthierError(f"{call} {error}") from error


class Session:
    """A conversation with the voices of one loaded chat.

    Attributes:
        speaking: the voices that answer the next question.
        sampling: how they choose their words.
    """

    def __init__(self, chat: Chat, generate: Generate, face: Face, names: dict[str, str]) -> None:
        self.conversation = Conversation()
        self.sampling = Sampling()
        self.speaking = [self._adapters(chat)[-1] if self._adapters(chat) else BASE]
        self._chat = chat
        self._generate = generate
        self._face = face
        self._names = names

    def line(self, typed: str) -> bool:
        """Do what a typed line asks for. Returns whether the chat goes on.

        Raises:
            LuthierError: the line cannot be carried out; the chat can go on.
        """
        read = read_line(typed)
        if isinstance(read, Command):
            if read.name == "quit":
                return False
            handler: Callable[[str], None] = getattr(self, f"_{read.name}")
            handler(read.argument)
        elif read:
            self.ask(read)
        return True

    def ask(self, prompt: str) -> Turn:
        """Ask whoever speaks; an answer that was stopped is kept as far as it came."""
        turn = self.conversation.ask(prompt)
        try:
            self._fill(turn)
        except BaseException:
            # A question without any answer would confuse the model from then on.
            self.conversation.undo()
            raise
        return turn

    def name_of(self, voice: str) -> str:
        """What a voice is called: the name of its run, or its id when names are not unique."""
        return self._names.get(voice, voice)

    def let_speak(self, voice: str) -> None:
        """Choose who answers: ``base``, ``both``, a run's id or name, or a beginning of one.

        Raises:
            LuthierError: nobody, or more than one, is called that.
        """
        if voice == "both":
            self.speaking = self._pair()
        elif voice == BASE:
            self.speaking = [BASE]
        else:
            self.speaking = [self._called(voice)]

    # -- the commands ------------------------------------------------------------------------

    def _base(self, _: str) -> None:
        self._speak([BASE])

    def _adapter(self, name: str) -> None:
        self._speak([self._called(name)])

    def _switch(self, _: str) -> None:
        voices = self._chat.voices
        now = voices.index(self.speaking[-1]) if self.speaking[-1] in voices else -1
        self._speak([voices[(now + 1) % len(voices)]])

    def _both(self, _: str) -> None:
        self._speak(self._pair())

    def _system(self, text: str) -> None:
        self.conversation.system = text
        self._face.say("The system prompt is set." if text else "There is no system prompt now.")

    def _set(self, argument: str) -> None:
        name, _, value = argument.replace("=", " ").partition(" ")
        if name:
            with _named("/set"):
                self.sampling = with_value(self.sampling, name, value.strip())
        shown = self.sampling.model_dump(include={"setting", *NAMES}, exclude_none=True)
        self._face.say(", ".join(f"{key} {value}" for key, value in shown.items()))

    def _preset(self, name: str) -> None:
        with _named("/preset"):
            self.sampling = with_setting(self.sampling, name)
        self._face.say(f"Sampling is {name}.")

    def _samples(self, number: str) -> None:
        prompts = [each.content for each in self._chat.sample_prompts if each.role == "user"]
        if not prompts:
            raise LuthierError("There are no sample prompts for this model.")
        if not number:
            for index, prompt in enumerate(prompts, start=1):
                self._face.say(f"{index}  {prompt}")
            return
        if not number.isdecimal() or not 1 <= int(number) <= len(prompts):
            raise LuthierError(f"/samples {number}: choose a number from 1 to {len(prompts)}.")
        self._face.say(f"> {prompts[int(number) - 1]}")
        self.ask(prompts[int(number) - 1])

    def _regenerate(self, _: str) -> None:
        turn = self._last_turn()
        turn.forget_answers()
        self._fill(turn)

    def _edit(self, text: str) -> None:
        turn = self._last_turn()
        changed = text or self._face.retype(turn.prompt)
        self.conversation.undo()
        self.ask(changed)

    def _undo(self, _: str) -> None:
        taken = self._last_turn()
        self.conversation.undo()
        self._face.say(f"Taken back: {taken.prompt}")

    def _clear(self, _: str) -> None:
        self.conversation.turns.clear()
        self._face.say("The conversation starts anew.")

    def _export(self, name: str) -> None:
        if not name:
            raise LuthierError("/export needs a file that ends in .md or .jsonl.")
        path = Path(name).expanduser()
        write_transcript(self.conversation, path, self.name_of)
        self._face.say(f"Wrote {path}.")

    def _help(self, _: str) -> None:
        for line in help_lines():
            self._face.say(line)

    # -- how it is done ----------------------------------------------------------------------

    def _fill(self, turn: Turn) -> None:
        def stream(voice: str) -> Iterator[GenerateChunk]:
            return self._generate(voice, self.conversation.messages(voice), self.sampling)

        turn.answers.update(self._face.answers(self.speaking, stream))

    def _speak(self, voices: list[str]) -> None:
        self.speaking = voices
        who = " and ".join(self.name_of(voice) for voice in voices)
        self._face.say(f"Answering: {who}.")

    def _called(self, name: str) -> str:
        """The adapter of that name, id or beginning of an id; the newest for an empty name."""
        adapters = self._adapters(self._chat)
        if not adapters:
            raise LuthierError("No adapter is loaded; name a run when you start the chat.")
        if not name:
            return adapters[-1]
        found = [voice for voice in adapters if voice == name or self.name_of(voice) == name]
        found = found or [voice for voice in adapters if voice.startswith(name)]
        if len(found) != 1:
            known = ", ".join(self.name_of(voice) for voice in adapters)
            raise LuthierError(f"No one adapter is called {name!r}; loaded are {known}.")
        return found[0]

    def _pair(self) -> list[str]:
        """Base model and adapter: the one that speaks, else the newest."""
        adapters = self._adapters(self._chat)
        if not adapters or BASE not in self._chat.voices:
            raise LuthierError("Side by side needs the base model and an adapter.")
        chosen = [voice for voice in self.speaking if voice != BASE]
        return [BASE, chosen[-1] if chosen else adapters[-1]]

    def _last_turn(self) -> Turn:
        if not self.conversation.turns:
            raise LuthierError("Nothing was asked yet.")
        return self.conversation.turns[-1]

    @staticmethod
    def _adapters(chat: Chat) -> list[str]:
        return [voice for voice in chat.voices if voice != BASE]
