"""Texts that the model writes for fixed prompts at every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from ..events import SampleEvent, finite
from .job import Job


@dataclass(frozen=True)
class Prompt:
    """A prompt as people read it, as the model gets it, and what the dataset answers."""

    shown: str
    tokens: list[int]
    expected: str | None = None


Score = Callable[[Sequence[Prompt], Sequence[str]], Sequence[dict[str, float]]]
"""The rewards of each prompt's text, by their names."""


class SampleCallback(TrainerCallback):
    """Answers the prompts after each evaluation, always the most likely token.

    No random number is drawn, so a run goes on exactly as it would have without.
    """

    def __init__(
        self,
        job: Job,
        prompts: Sequence[Prompt],
        tokenizer: Any,
        longest: int,
        score: Score | None = None,
    ) -> None:
        """``score``, when there is one, says what each of the written texts earns."""
        self._job = job
        self._prompts = prompts
        self._tokenizer = tokenizer
        self._longest = longest
        self._score = score

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        """Write one text for each prompt."""
        # Sharded weights come together only when every process takes part.
        together = self._job.spec.launch.strategy in ("fsdp", "deepspeed")
        if not self._prompts or not (self._job.reporter.main or together):
            return
        texts = self._write(model, args)
        earned = self._score(self._prompts, texts) if self._score else [{}] * len(texts)
        for prompt, text, rewards in zip(self._prompts, texts, earned, strict=True):
            self._job.reporter.emit(
                SampleEvent(
                    step=state.global_step,
                    prompt=prompt.shown,
                    text=text,
                    expected=prompt.expected,
                    rewards=finite(rewards),
                )
            )

    @torch.no_grad()
    def _write(self, model: Any, args: TrainingArguments) -> list[str]:
        width = max(len(prompt.tokens) for prompt in self._prompts)
        pad = self._tokenizer.pad_token_id
        rows = [[pad] * (width - len(p.tokens)) + p.tokens for p in self._prompts]
        mask = [[0] * (width - len(p.tokens)) + [1] * len(p.tokens) for p in self._prompts]
        ends = {self._tokenizer.eos_token_id, *_as_list(model.generation_config.eos_token_id)}
        written = model.generate(
            input_ids=torch.tensor(rows, device=args.device),
            attention_mask=torch.tensor(mask, device=args.device),
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=self._longest,
                use_cache=True,
                pad_token_id=pad,
                eos_token_id=sorted(end for end in ends if end is not None) or None,
            ),
        )
        texts: list[str] = self._tokenizer.batch_decode(
            written[:, width:], skip_special_tokens=True
        )
        return texts


def _as_list(ids: int | list[int] | None) -> list[int]:
    if ids is None:
        return []
    return [ids] if isinstance(ids, int) else list(ids)
