"""The state of the chat screen: who speaks, what was said, and what is asked next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from luthier.agent.chat.conversation import BASE, GIVEN, Conversation, Turn
from luthier.agent.models import Chat, GenerateRequest, Sampling

from .history import Kept
from .samples import Sample
from .writing import Writing


class Talk:
    """A conversation with the voices of some runs.

    Attributes:
        runs: the runs whose results answer, in the order in which they were chosen.
        voices: everybody who can answer now; empty until the model is loaded.
        speaking: who answers the next question, in the order in which they are asked.
        sampling: how they choose their words.
        kept: the conversation and where it is kept.
    """

    def __init__(self, runs: Sequence[str]) -> None:
        self.runs = list(runs)
        self.voices: list[str] = []
        self.speaking: list[str] = []
        self.sampling = Sampling()
        self.kept = Kept(self.runs[0])

    # -- who speaks ----------------------------------------------------------------------------

    @property
    def adapters(self) -> list[str]:
        """Everybody but the base model."""
        return [voice for voice in self.voices if voice != BASE]

    @property
    def may_compare(self) -> bool:
        """Whether the base model can answer beside somebody else."""
        return BASE in self.voices and bool(self.adapters)

    def loaded(self, chat: Chat) -> None:
        """The chat has these voices now; of other people's only the base model counts."""
        self.voices = [voice for voice in chat.voices if voice == BASE or voice in self.runs]
        still = [voice for voice in self.speaking if voice in self.voices]
        self.speaking = still or (self.adapters or self.voices)[-1:]

    def toggle_all(self) -> None:
        """Let everybody answer side by side, or again only the last of them."""
        everybody = list(self.voices)
        self.speaking = everybody if self.speaking != everybody else everybody[-1:]

    def toggle_base(self) -> None:
        """Let the base model answer beside the adapter, or no longer."""
        if not self.may_compare:
            return
        adapter = next((voice for voice in self.speaking if voice != BASE), self.adapters[-1])
        beside = BASE in self.speaking and len(self.speaking) > 1
        self.speaking = [adapter] if beside else [BASE, adapter]

    def next_voice(self) -> None:
        """Go to the next voice; beside the base model to the next adapter."""
        if not self.voices:
            return
        beside = self.may_compare and len(self.speaking) > 1
        ring = self.adapters if beside else self.voices
        now = self.speaking[-1]
        following = ring[(ring.index(now) + 1) % len(ring)] if now in ring else ring[0]
        self.speaking = [BASE, following] if beside else [following]

    # -- what is said --------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation:
        """The system prompt and the turns."""
        return self.kept.conversation

    @property
    def last(self) -> Turn | None:
        """The last turn."""
        return self.conversation.turns[-1] if self.conversation.turns else None

    @property
    def asked(self) -> Turn | None:
        """The last turn, unless it stands in a dataset with its answer."""
        return self.last if self.last and GIVEN not in self.last.answers else None

    def ask(self, prompt: str) -> Turn:
        """Begin a turn."""
        return self.conversation.ask(prompt)

    def ask_again(self) -> Turn | None:
        """Forget the last answers, so that the question can be asked anew; None without one."""
        turn = self.asked
        if turn is not None:
            turn.forget_answers()
            self.kept.changed_from(len(self.conversation.turns) - 1)
        return turn

    def change(self, prompt: str) -> Turn | None:
        """Put another question in place of the last one; what was expected no longer counts."""
        if self.asked is None:
            return None
        self.conversation.undo()
        self.kept.changed_from(len(self.conversation.turns))
        return self.ask(prompt)

    def begin(self) -> None:
        """Begin another conversation with the same system prompt."""
        self.kept = Kept(self.runs[0], conversation=Conversation(self.conversation.system))

    def ask_sample(self, sample: Sample) -> Turn:
        """Begin a conversation of its own with a prompt of the data."""
        conversation = sample.conversation(self.conversation.system)
        self.kept = Kept(self.runs[0], conversation=conversation)
        return conversation.turns[-1]

    def go_on_with(self, kept: Kept) -> None:
        """Go on with an earlier conversation."""
        self.kept = kept

    def request(self, voice: str) -> GenerateRequest:
        """What to ask of a voice."""
        messages = self.conversation.messages(voice)
        return GenerateRequest(messages=messages, voice=voice, sampling=self.sampling)

    def answered(self, writing: Writing) -> None:
        """Take in an answer that has ended, whole or not.

        One that failed or was stopped before its first word counts as none.
        """
        turn, last = self.last, writing.last
        if turn is None or last is None:
            return
        turn.figures[writing.voice] = last.model_copy(update={"text": ""})
        if writing.text or last.finish in ("stop", "length"):
            turn.answers[writing.voice] = writing.text


def names_of(voices: Sequence[str], names: Mapping[str, str]) -> str:
    """The voices in words: ``base and violin``."""
    return " and ".join(names.get(voice, voice) for voice in voices) or "nobody"
