"""The demo: a real run through the agent, then base and adapter side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luthier.trainers import demo
from luthier.trainers.errors import LuthierError

from ..chat.conversation import BASE
from ..client import Client
from ..models import BatchRequest, Chat, ChatMessage, Run, RunDetail, Sampling
from ..states import RunState

MOST_BASE = 0.05
LEAST_ADAPTER = 0.90
_SHOWN = 5
# Longer than any date; an answer that goes on for longer is wrong anyhow.
_ANSWER_TOKENS = 16


@dataclass(frozen=True)
class Comparison:
    """How base and adapter did on the held-out prompts. Accuracies are shares, 0 to 1."""

    prompts: list[str]
    expected: list[str]
    base: list[str]
    adapter: list[str]

    @property
    def base_accuracy(self) -> float:
        """Share of prompts that the base model answers exactly."""
        return demo.exact_match(self.base, self.expected)

    @property
    def adapter_accuracy(self) -> float:
        """Share of prompts that the adapter answers exactly."""
        return demo.exact_match(self.adapter, self.expected)

    @property
    def convincing(self) -> bool:
        """Whether training made the difference that the demo promises."""
        return self.base_accuracy <= MOST_BASE and self.adapter_accuracy >= LEAST_ADAPTER

    def samples(self) -> list[tuple[str, str, str, str]]:
        """Some prompts, evenly taken, each with the right answer and the two given ones."""
        stride = max(1, len(self.prompts) // _SHOWN)
        rows = zip(self.prompts, self.expected, self.base, self.adapter, strict=True)
        return list(rows)[::stride][:_SHOWN]


def submit_demo(client: Client) -> RunDetail:
    """Queue the demo run."""
    return client.submit(demo.demo_spec_text(), source="demo")


def forget_earlier(client: Client) -> list[str]:
    """Remove finished runs of earlier demos; returns their ids.

    Only runs of the demo's own model and name count, so no run of a person's own is touched.
    """
    ended = [state for state in RunState if state.finished]
    model = demo.MODEL.resolve()
    mine = [
        run
        for run in client.runs(ended)
        if run.name == "demo" and Path(run.model).resolve() == model
    ]
    for run in mine:
        client.remove(run.id)
    return [run.id for run in mine]


def compare(client: Client, chat: Chat, run: Run) -> Comparison:
    """Ask base and adapter every held-out prompt.

    Raises:
        LuthierError: the chat has no such voices, or cannot answer.
    """
    rows = demo.heldout_prompts()
    conversations = [[ChatMessage.model_validate(each) for each in row.messages] for row in rows]
    sampling = Sampling(setting="deterministic", max_new_tokens=_ANSWER_TOKENS)

    def ask(voice: str) -> list[str]:
        request = BatchRequest(conversations=conversations, voice=voice, sampling=sampling)
        return client.chats.batch(chat.id, request).texts

    if BASE not in chat.voices or run.id not in chat.voices:
        raise LuthierError(f"The chat has {', '.join(chat.voices)}, but not base and {run.id}.")
    return Comparison(
        prompts=[row.messages[-1]["content"] for row in rows],
        expected=[row.answer for row in rows],
        base=ask(BASE),
        adapter=ask(run.id),
    )
