"""llm-kto: TRL's KTOTrainer over answers that were checked and tokenised before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from trl import KTOConfig, KTOTrainer

from ..engine.job import Job, Result
from ..tasks.llm_kto import KTOSpec
from .moving import ReferenceTrainer
from .pipeline import Built, Parts, run_preference
from .reference import implicit_rewards, load_reference
from .rows import Row, within_limits

_OWN_SETTINGS = {
    "beta",
    "max_length",
    "disable_dropout",
    "precompute_ref_log_probs",
    "precompute_ref_batch_size",
    "loss_type",
    "desirable_weight",
    "undesirable_weight",
    "sync_ref_model",
    "ref_model_mixup_alpha",
    "ref_model_sync_steps",
}


def train(job: Job[KTOSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_preference(job, build)


def build(parts: Parts) -> Built:
    """The trainer, its models wrapped and its answers in place."""
    spec = parts.job.spec
    if not isinstance(spec, KTOSpec):
        raise TypeError(f"{type(spec).__name__} is not the spec of a KTO run")
    training, processes = spec.training, spec.launch.processes
    train_rows, measured = (
        within_limits(parts.job, rows) for rows in (parts.rows.train, parts.rows.validation)
    )
    arguments = parts.setup.arguments()
    step = measured_at_once = None
    if training.loss_type == "kto":
        # The loss compares neighbours, which must stay together: one order for every epoch.
        random.Random(arguments["data_seed"]).shuffle(train_rows)
        arguments["train_sampling_strategy"] = "sequential"
        step = training.per_device_train_batch_size * training.gradient_accumulation_steps
        step, measured_at_once = (
            rows * processes for rows in (step, spec.evaluation.per_device_eval_batch_size)
        )
    own = KTOConfig(**arguments, **training.model_dump(include=_OWN_SETTINGS))
    common = parts.common()
    trainer = AnswerTrainer(
        **common,
        ref_model=load_reference(parts, common["model"]),
        args=own,
        train_dataset=answers(train_rows, step),
        eval_dataset=answers(measured, measured_at_once),
    )
    return Built(trainer, implicit_rewards(trainer, parts.tokenizer, training.beta))


def answers(rows: Sequence[Row], together: int | None) -> Dataset | None:
    """The answers as TRL names their parts; None when there are none.

    Args:
        rows: with one answer each.
        together: in blocks of so many rows each prompt is paired with the answer of the row
            before, from which the loss estimates the KL divergence; None where it does not. TRL's
            blocks are as large as one forward pass; these are as large as one step, so that
            nothing changes when memory runs out and the batch is halved.
    """
    columns: dict[str, list[Any]] = {
        "prompt_ids": [row.prompt for row in rows],
        "completion_ids": [row.answers[0] for row in rows],
        "label": [row.example["label"] for row in rows],
    }
    if together is not None:
        given = columns["completion_ids"]
        blocks = [given[start : start + together] for start in range(0, len(given), together)]
        columns["KL_completion_ids"] = [ids for block in blocks for ids in _rotated(block)]
    return Dataset.from_dict(columns) if rows else None


def _rotated(block: list[list[int]]) -> list[list[int]]:
    return [*block[-1:], *block[:-1]]


class AnswerTrainer(ReferenceTrainer, KTOTrainer):
    """KTOTrainer on answers that are tokenised, which resumes its metrics too."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset

    def row_lengths(self, dataset: Any) -> list[int]:
        """The length of each prompt with its answer, in tokens."""
        both = zip(dataset["prompt_ids"], dataset["completion_ids"], strict=True)
        return [len(prompt) + len(answer) for prompt, answer in both]
