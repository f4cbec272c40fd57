"""What was said so far, by whom: the same for every front end.

Every voice has its own side of the conversation: it goes on with its own answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import text
from ..models import ChatMessage, GenerateChunk, Run

BASE = "base"
"""The voice of the base model."""
GIVEN = "data"
"""Who has said what stands in a dataset; nobody who could be asked."""


@dataclass
class Turn:
    """A question and the answer of every voice that was asked, in the order of asking.

    Attributes:
        expected: what a dataset has for an answer, where the question comes from one.
        figures: by voice, the last piece of its answer: how it ended and how fast it came.
    """

    prompt: str
    answers: dict[str, str] = field(default_factory=dict)
    expected: str | None = None
    figures: dict[str, GenerateChunk] = field(default_factory=dict)

    def answer_for(self, voice: str) -> str | None:
        """What that voice said; where it was not asked, what the last other voice said."""
        if voice in self.answers:
            return self.answers[voice]
        return next(reversed(self.answers.values()), None)

    def forget_answers(self) -> None:
        """As if the question had just been asked."""
        self.answers.clear()
        self.figures.clear()


@dataclass
class Conversation:
    """The system prompt and the turns."""

    system: str = ""
    turns: list[Turn] = field(default_factory=list)

    def ask(self, prompt: str, expected: str | None = None) -> Turn:
        """Begin a turn."""
        turn = Turn(prompt, expected=expected)
        self.turns.append(turn)
        return turn

    def undo(self) -> Turn | None:
        """Take the last turn back; None when there is none."""
        return self.turns.pop() if self.turns else None

    def messages(self, voice: str, *, whole: bool = False) -> list[ChatMessage]:
        """What ``voice`` is to go on with: everything up to the last question.

        Earlier questions that nobody has answered are left out, because chat templates want
        questions and answers to take turns.

        Args:
            whole: with the last answer too, as transcripts have it.
        """
        messages = [ChatMessage(role="system", content=self.system)] if self.system else []
        for number, turn in enumerate(self.turns, start=1):
            last = number == len(self.turns)
            answer = turn.answer_for(voice)
            if answer is not None or last:
                messages.append(ChatMessage(role="user", content=turn.prompt))
            if answer is not None and (whole or not last):
                messages.append(ChatMessage(role="assistant", content=answer))
        return messages

    def voices(self) -> list[str]:
        """Everybody who has answered, the first to answer first."""
        spoken = (voice for turn in self.turns for voice in turn.answers if voice != GIVEN)
        return list(dict.fromkeys(spoken))


def run_names(runs: Sequence[Run]) -> dict[str, str]:
    """What the runs are called, by id; runs of one name keep their ids."""
    names = [run.name for run in runs]
    return {run.id: run.name if names.count(run.name) == 1 else run.id for run in runs}


def figures(last: GenerateChunk) -> str:
    """How long an answer was and how fast it came, from its last piece."""
    parts = [text.count(last.completion_tokens, "token")]
    if last.tokens_per_second is not None:
        parts.append(f"{last.tokens_per_second:.0f} tokens/s")
    if last.first_token_seconds is not None:
        parts.append(f"first after {_short(last.first_token_seconds)}")
    endings = {"length": "cut at max_new_tokens", "cancelled": "stopped"}
    if last.finish in endings:
        parts.append(endings[last.finish])
    return ", ".join(parts)


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
