"""llm-sft: TRL's SFTTrainer over rows that were checked and tokenised before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from ..engine.adapters import adapter_config
from ..engine.job import Job, Result
from ..engine.metered import MeteredTrainer
from ..engine.trainer import RunTrainer
from ..spec import TextSpec
from ..tasks.llm_sft import SupervisedSpec
from .collating import Collator
from .pipeline import Parts, run_language_model
from .rows import Row
from .weights import WEIGHTS, WeightedTrainer, target_weights


def train(job: Job[TextSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_language_model(job, build_trainer)


def build_trainer(parts: Parts) -> RunTrainer:
    """The trainer for a supervised run, its model wrapped and its rows in place."""
    spec = parts.job.spec
    if not isinstance(spec, SupervisedSpec):
        raise TypeError(f"{type(spec).__name__} is not the spec of a supervised run")
    training = spec.training
    weighted = spec.data.weight_column is not None
    # Rows come tokenised and cut; with packing TRL cuts them while it packs.
    arguments = SFTConfig(
        **parts.arguments,
        max_length=training.max_length if training.packing else None,
        packing=training.packing,
        packing_strategy=training.packing_strategy,
    )
    length = None if training.packing else training.max_length
    trainer_class = WeightedSupervisedTrainer if weighted else SupervisedTrainer
    trainer: RunTrainer = trainer_class(
        model=parts.load_model(),
        args=arguments,
        train_dataset=as_dataset(parts.rows.train, length, weighted=weighted),
        eval_dataset=as_dataset(parts.rows.validation, length, weighted=weighted),
        processing_class=parts.tokenizer,
        data_collator=Collator(parts.tokenizer.pad_token_id) if weighted else None,
        peft_config=adapter_config(spec),
    )
    return trainer


def as_dataset(rows: Sequence[Row], length: int | None, *, weighted: bool) -> Dataset | None:
    """Token ids and labels, cut to ``length``; rows with nothing left to learn are left out."""
    columns: dict[str, list[Any]] = {"input_ids": [], "labels": []}
    if weighted:
        columns[WEIGHTS] = []
    for row in rows:
        tokens = row.tokens().cut(length)
        if tokens is None:
            continue
        columns["input_ids"].append(np.array(tokens.ids, dtype=np.int32))
        columns["labels"].append(np.array(tokens.labels, dtype=np.int32))
        if weighted:
            columns[WEIGHTS].append(row.weight)
    return Dataset.from_dict(columns) if columns["input_ids"] else None


class SupervisedTrainer(MeteredTrainer, SFTTrainer):
    """SFTTrainer that resumes its metrics too."""


class _WeighedModel:
    """The model with its log-probabilities scaled, so that TRL's own loss comes out weighted."""

    def __init__(self, model: Any, weights: torch.Tensor) -> None:
        self._model = model
        self._weights = weights

    def __call__(self, **inputs: Any) -> Any:
        outputs = self._model(**inputs)
        outputs.log_probs = outputs.log_probs * self._weights
        return outputs


class WeightedSupervisedTrainer(WeightedTrainer, SupervisedTrainer):
    """A row counts in the loss by its weight: 2 is as good as the row twice, 0 as none."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        weights = target_weights(inputs.pop(WEIGHTS), inputs["labels"])
        total = num_items_in_batch
        if total is None:
            # TRL scales as if the count were that of all processes.
            processes = self.accelerator.num_processes
            average = self.args.average_tokens_across_devices
            total = weights.sum() * (processes if average else 1)
        # Divided here, because TRL divides by no less than one.
        share = weights / total.clamp(min=torch.finfo().tiny)
        return super().compute_loss(
            _WeighedModel(model, share), inputs, return_outputs, torch.ones_like(total)
        )
