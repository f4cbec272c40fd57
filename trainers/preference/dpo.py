"""llm-dpo: TRL's DPOTrainer over pairs that were checked and tokenised before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from ..engine.job import Job, Result
from ..tasks.llm_dpo import DPOSpec
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
    "ld_alpha",
    "f_divergence_type",
    "f_alpha_divergence_coef",
    "label_smoothing",
    "use_weighting",
    "discopop_tau",
    "sync_ref_model",
    "ref_model_mixup_alpha",
    "ref_model_sync_steps",
}


def train(job: Job[DPOSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_preference(job, build)


def build(parts: Parts) -> Built:
    """The trainer, its models wrapped and its pairs in place."""
    spec = parts.job.spec
    if not isinstance(spec, DPOSpec):
        raise TypeError(f"{type(spec).__name__} is not the spec of a DPO run")
    training = spec.training
    train_rows, measured = (
        pairs(within_limits(parts.job, rows)) for rows in (parts.rows.train, parts.rows.validation)
    )
    arguments = DPOConfig(
        **parts.setup.arguments(),
        **training.model_dump(include=_OWN_SETTINGS),
        loss_weights=training.loss_weights or None,
    )
    common = parts.common()
    trainer = PairTrainer(
        **common,
        ref_model=load_reference(parts, common["model"]),
        args=arguments,
        train_dataset=train_rows,
        eval_dataset=measured,
    )
    return Built(trainer, implicit_rewards(trainer, parts.tokenizer, training.beta))


def pairs(rows: Sequence[Row]) -> Dataset | None:
    """The pairs as TRL names their parts; None when there are none."""
    columns = {
        "prompt_ids": [row.prompt for row in rows],
        "chosen_ids": [row.answers[0] for row in rows],
        "rejected_ids": [row.answers[1] for row in rows],
    }
    return Dataset.from_dict(columns) if rows else None


class PairTrainer(ReferenceTrainer, DPOTrainer):
    """DPOTrainer on pairs that are tokenised, which resumes its metrics too."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset

    def row_lengths(self, dataset: Any) -> list[int]:
        """The length of each pair's prompt and answers, in tokens."""
        parts = ("prompt_ids", "chosen_ids", "rejected_ids")
        return [sum(map(len, row)) for row in zip(*(dataset[part] for part in parts), strict=True)]
