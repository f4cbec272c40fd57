"""llm-reward: TRL's RewardTrainer over pairs that were checked and tokenised before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import (
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from trl import RewardConfig, RewardTrainer

from ..data import Example
from ..data.preference_findings import spoken
from ..engine.job import Job, Result
from ..engine.metered import MeteredTrainer
from ..engine.pipeline import Prepared, Setup, run_training
from ..errors import DataError, Problem
from ..events import SampleEvent, finite
from ..tasks.llm_reward import RewardSpec
from .pipeline import prepare_parts
from .rows import Row


def train(job: Job[RewardSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""

    def prepare(setup: Setup) -> Prepared:
        return _prepare(job, setup)

    return run_training(job, prepare)


def _prepare(job: Job[RewardSpec], setup: Setup) -> Prepared:
    training = job.spec.training
    parts = prepare_parts(job, setup)
    train_rows, measured = (
        not_too_long(rows, training.max_length, job.spec.data.path)
        for rows in (parts.rows.train, parts.rows.validation)
    )
    # The rows are within their limit.
    arguments = RewardConfig(
        **setup.arguments(),
        **training.model_dump(include={"center_rewards_coefficient", "disable_dropout"}),
        max_length=None,
    )
    # The head that scores starts from random numbers.
    set_seed(training.seed)
    trainer = ScoreTrainer(
        **parts.common(num_labels=1),
        args=arguments,
        train_dataset=pairs(train_rows),
        eval_dataset=pairs(measured),
    )
    shown = measured[: job.spec.evaluation.samples]
    return Prepared(trainer, [ScoredPairs(job, shown, parts.tokenizer.pad_token_id)])


def not_too_long(rows: list[Row], limit: int, path: str) -> list[Row]:
    """The rows whose answers fit; a cut answer has no end to score.

    Raises:
        DataError: none does.
    """
    kept = [row for row in rows if row.length <= limit]
    if rows and not kept:
        text = f"every pair is longer than {limit} tokens; raise training.max_length"
        raise DataError([Problem(text, path)])
    return kept


def pairs(rows: Sequence[Row]) -> Dataset | None:
    """The pairs as TRL names their parts, each answer with its prompt; None without any."""
    columns = {
        name: [row.prompt + row.answers[number] for row in rows]
        for name, number in (("chosen_ids", 0), ("rejected_ids", 1))
    }
    return Dataset.from_dict(columns) if rows else None


class ScoreTrainer(MeteredTrainer, RewardTrainer):
    """RewardTrainer that resumes its metrics, and whose adapters know the size of their head."""

    has_perplexity = False

    def row_lengths(self, dataset: Any) -> list[int]:
        """The length of each pair's answers with the prompt, in tokens."""
        both = zip(dataset["chosen_ids"], dataset["rejected_ids"], strict=True)
        return [len(chosen) + len(rejected) for chosen, rejected in both]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        model = self.accelerator.unwrap_model(self.model)
        if output_dir is not None and isinstance(model, PeftModel):
            model.get_base_model().config.save_pretrained(Path(output_dir))


class ScoredPairs(TrainerCallback):
    """Shows what the answers of a few validation rows score after each evaluation."""

    def __init__(self, job: Job[RewardSpec], rows: Sequence[Row], pad: int) -> None:
        self._job = job
        self._rows = rows
        self._pad = pad

    @torch.no_grad()
    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        """One sample for each answer of each row."""
        together = self._job.spec.launch.strategy in ("fsdp", "deepspeed")
        if not (self._job.reporter.main or together):
            return
        for row in self._rows:
            asked, answers = shown(row.example)
            for ids, answer in zip(row.answers, answers, strict=True):
                whole = torch.tensor([row.prompt + ids], device=args.device)
                score = model(input_ids=whole, attention_mask=torch.ones_like(whole)).logits
                self._job.reporter.emit(
                    SampleEvent(
                        step=state.global_step,
                        prompt=asked,
                        text=answer,
                        rewards=finite({"score": float(score[0, 0])}),
                    )
                )


def shown(example: Example) -> tuple[str, list[str]]:
    """The prompt and both answers as people read them."""
    answers = (example["completion"], example["rejected"])
    return spoken(example["prompt"], "user"), [spoken(answer, "assistant") for answer in answers]
