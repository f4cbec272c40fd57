"""What was said so far, by whom. Every voice has its own side of the conversation."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...models import ChatMessage


@dataclass
class Turn:
    """A question and the answer of every voice that was asked, in the order of asking."""

    prompt: str
    answers: dict[str, str] = field(default_factory=dict)

    def answer_for(self, voice: str) -> str | None:
        """What that voice said; where it was not asked, what the last other voice said."""
        if voice in self.answers:
            return self.answers[voice]
        return next(reversed(self.answers.values()), None)


@dataclass
class Conversation:
    """The system prompt and the turns."""

    system: str = ""
    turns: list[Turn] = field(default_factory=list)

    def ask(self, prompt: str) -> Turn:
        """Begin a turn."""
        turn = Turn(prompt)
        self.turns.append(turn)
        return turn

    def undo(self) -> Turn | None:
        """Take the last turn back; None when there is none."""
        return self.turns.pop() if self.turns else None

    def messages(self, voice: str, *, whole: bool = False) -> list[ChatMessage]:
        """What ``voice`` is to go on with: everything up to the last question.

        Args:
            whole: with the last answer too, as transcripts have it.
        """
        messages = [ChatMessage(role="system", content=self.system)] if self.system else []
        for number, turn in enumerate(self.turns, start=1):
            messages.append(ChatMessage(role="user", content=turn.prompt))
            answer = turn.answer_for(voice)
            if answer is not None and (whole or number < len(self.turns)):
                messages.append(ChatMessage(role="assistant", content=answer))
        return messages

    def voices(self) -> list[str]:
        """Everybody who has answered, the first to answer first."""
        return list(dict.fromkeys(voice for turn in self.turns for voice in turn.answers))
