"""Answers, token by token. Loads torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from ..errors import LuthierError
from .protocol import Conversation, Finish
from .sampling import Choice
from .template import Format
from .text import AnswerText
from .voices import Voices

# Most tokens of one batch, prompts and answers with their padding: bounds the key-value cache.
_BATCH_TOKENS = 65_536
_BATCH_ROWS = 32

Show = Callable[[int, str], None]


@dataclass
class Figures:
    """How a generation went; times in seconds from its start."""

    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    first_token: float | None
    last_token: float | None

    @property
    def tokens_per_second(self) -> float | None:
        """The pace after the first token; None for a single token."""
        if self.first_token is None or self.last_token is None or self.completion_tokens < 2:
            return None
        elapsed = self.last_token - self.first_token
        return (self.completion_tokens - 1) / elapsed if elapsed > 0 else None


class _Row:
    """One answer of a running batch."""

    def __init__(self, form: Format, stops: Sequence[str]) -> None:
        self._ends = form.end_tokens
        self._text = AnswerText(form.decode, [*form.end_texts, *stops])
        self.finish: Literal["stop"] | None = None

    @property
    def tokens(self) -> int:
        return self._text.tokens

    def add(self, token: int) -> str:
        if token in self._ends:
            self.finish = "stop"
            return ""
        shown = self._text.add(token)
        if self._text.stopped:
            self.finish = "stop"
        return shown

    def end(self) -> str:
        return self._text.end()


class _Listener(StoppingCriteria):
    """Sees every token as soon as it is chosen: shows it, and says which rows are at their end.

    Working inside the generation instead of behind a queue, it cannot be left waiting by a
    generation that breaks.
    """

    def __init__(self, rows: Sequence[_Row], show: Show, cancelled: threading.Event) -> None:
        self._rows = rows
        self._show = show
        self._cancelled = cancelled
        self._started = time.monotonic()
        self.first_token: float | None = None
        self.last_token: float | None = None

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        now = time.monotonic() - self._started
        self.first_token = now if self.first_token is None else self.first_token
        self.last_token = now
        for index, (row, token) in enumerate(
            zip(self._rows, input_ids[:, -1].tolist(), strict=True)
        ):
            if row.finish is None and (text := row.add(token)):
                self._show(index, text)
        if self._cancelled.is_set():
            done = [True] * len(self._rows)
        else:
            done = [row.finish is not None for row in self._rows]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)


def answer(
    voices: Voices,
    voice: str,
    messages: Conversation,
    choice: Choice,
    show: Callable[[str], None],
    cancelled: threading.Event,
) -> Figures:
    """Let a voice go on with a conversation.

    Args:
        show: called with each piece of text as soon as it is whole.
        cancelled: set from another thread to end the answer after the token in the making.

    Raises:
        LuthierError: the voice is unknown or the prompt cannot be answered.
    """
    form = voices.format(voice)
    prompt = _fitting_prompt(voices, voice, messages)
    _seed(choice)
    return _generate(voices, voice, form, [prompt], choice, lambda _, text: show(text), cancelled)


def answer_all(
    voices: Voices,
    voice: str,
    conversations: Sequence[Conversation],
    choice: Choice,
    show: Show,
    cancelled: threading.Event,
) -> Figures:
    """Let a voice go on with many conversations, several at once.

    Args:
        show: called with a conversation's index and its whole answer.

    Raises:
        LuthierError: as answer, before anything is generated; names the conversation.
    """
    form = voices.format(voice)
    prompts = [
        _fitting_prompt(voices, voice, messages, f"Conversation {number}: ")
        for number, messages in enumerate(conversations, start=1)
    ]
    _seed(choice)
    total = Figures("stop", sum(map(len, prompts)), 0, None, None)
    for indices in _batches(prompts, choice.max_new_tokens):
        pieces: list[list[str]] = [[] for _ in indices]
        part = _generate(
            voices,
            voice,
            form,
            [prompts[index] for index in indices],
            choice,
            _collector(pieces),
            cancelled,
        )
        total.completion_tokens += part.completion_tokens
        if part.finish == "cancelled":
            total.finish = "cancelled"
            return total
        for index, answered in zip(indices, pieces, strict=True):
            show(index, "".join(answered))
    return total


def _collector(pieces: list[list[str]]) -> Show:
    return lambda row, text: pieces[row].append(text)


def _generate(
    voices: Voices,
    voice: str,
    form: Format,
    prompts: Sequence[list[int]],
    choice: Choice,
    show: Show,
    cancelled: threading.Event,
) -> Figures:
    rows = [_Row(form, choice.stop) for _ in prompts]
    listener = _Listener(rows, show, cancelled)
    longest = max(map(len, prompts))
    budget = _budget(choice.max_new_tokens, longest, voices.room(voice))
    if not cancelled.is_set():
        with torch.inference_mode(), voices.speaking(voice) as model:
            model.generate(
                **_inputs(prompts, longest, form.pad_token, voices.device),
                generation_config=_configuration(choice, form, budget),
                stopping_criteria=StoppingCriteriaList([listener]),
            )
    for index, row in enumerate(rows):
        if text := row.end():
            show(index, text)
    return Figures(
        finish=_finish(rows, cancelled),
        prompt_tokens=sum(map(len, prompts)),
        completion_tokens=sum(row.tokens for row in rows),
        first_token=listener.first_token,
        last_token=listener.last_token,
    )


def _finish(rows: Sequence[_Row], cancelled: threading.Event) -> Finish:
    if all(row.finish for row in rows):
        return "stop"
    return "cancelled" if cancelled.is_set() else "length"


def _configuration(choice: Choice, form: Format, budget: int) -> GenerationConfig:
    settings: dict[str, Any] = {
        "max_new_tokens": budget,
        "eos_token_id": sorted(form.end_tokens) or None,
        "pad_token_id": form.pad_token,
        "do_sample": choice.temperature is not None,
    }
    if choice.repetition_penalty is not None:
        settings["repetition_penalty"] = choice.repetition_penalty
    if choice.temperature is not None:
        settings |= {
            "temperature": choice.temperature,
            "top_p": 1.0 if choice.top_p is None else choice.top_p,
            "top_k": choice.top_k or 0,
        }
    return GenerationConfig(**settings)


def _fitting_prompt(
    voices: Voices, voice: str, messages: Conversation, where: str = ""
) -> list[int]:
    prompt = voices.format(voice).prompt(messages)
    room = voices.room(voice)
    if room is not None and len(prompt) >= room:
        raise LuthierError(
            f"{where}The conversation has {len(prompt)} tokens, and the model takes {room} with "
            "the answer; shorten it or start anew."
        )
    return prompt


def _budget(wanted: int, longest_prompt: int, room: int | None) -> int:
    return wanted if room is None else min(wanted, room - longest_prompt)


def _inputs(
    prompts: Sequence[list[int]], longest: int, pad_token: int, device: Any
) -> dict[str, Any]:
    padding = [longest - len(prompt) for prompt in prompts]
    tokens = [[pad_token] * left + prompt for left, prompt in zip(padding, prompts, strict=True)]
    mask = [[0] * left + [1] * (longest - left) for left in padding]
    return {
        "input_ids": torch.tensor(tokens, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }


def _batches(prompts: Sequence[list[int]], new_tokens: int) -> Iterator[list[int]]:
    """Indices of prompts that are answered together: similar lengths, a bounded cache."""
    batch: list[int] = []
    for index in sorted(range(len(prompts)), key=lambda index: len(prompts[index])):
        row_tokens = len(prompts[index]) + new_tokens
        if batch and (len(batch) == _BATCH_ROWS or (len(batch) + 1) * row_tokens > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _seed(choice: Choice) -> None:
    if choice.seed is not None:
        torch.manual_seed(choice.seed)
    elif choice.temperature is not None:
        torch.seed()
