"""llm-generic: next-token training on joined text, cut into blocks, by transformers' Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainingArguments, set_seed

from ..data.rendering import blocks
from ..engine.adapters import adapter_config, add_adapter
from ..engine.job import Job, Result
from ..engine.trainer import RunTrainer
from ..spec import TextSpec
from ..tasks.llm_generic import GenericSpec
from .collating import Collator
from .pipeline import Parts, run_language_model
from .rows import Row
from .weights import WEIGHTS, WeightedTrainer, target_weights


def train(job: Job[TextSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_language_model(job, build_trainer)


def build_trainer(parts: Parts) -> RunTrainer:
    """The trainer for a plain-text run, its model wrapped and its blocks in place."""
    spec = parts.job.spec
    if not isinstance(spec, GenericSpec):
        raise TypeError(f"{type(spec).__name__} is not the spec of a plain-text run")
    size, weighted = spec.training.block_size, spec.data.weight_column is not None
    arguments = TrainingArguments(**parts.arguments)
    # An adapter starts from random numbers.
    set_seed(spec.training.seed)
    model = add_adapter(
        parts.load_model(),
        adapter_config(spec),
        checkpointing=spec.training.gradient_checkpointing,
    )
    trainer_class = WeightedGenericTrainer if weighted else GenericTrainer
    trainer: RunTrainer = trainer_class(
        model=model,
        args=arguments,
        train_dataset=as_blocks(parts.rows.train, size, weighted=weighted),
        eval_dataset=as_blocks(parts.rows.validation, size, weighted=weighted),
        processing_class=parts.tokenizer,
        data_collator=Collator(parts.tokenizer.pad_token_id),
    )
    return trainer


def as_blocks(rows: Sequence[Row], size: int, *, weighted: bool) -> Dataset | None:
    """The rows joined and cut; the last block may be shorter. None when there are no rows."""
    ids = [np.array(block, dtype=np.int32) for block in blocks(map(Row.tokens, rows), size)]
    if not ids:
        return None
    columns: dict[str, list[Any]] = {"input_ids": ids, "labels": ids}
    if weighted:
        weights = np.repeat([row.weight for row in rows], [len(row.ids) for row in rows])
        columns[WEIGHTS] = [
            weights[number * size : number * size + len(block)] for number, block in enumerate(ids)
        ]
    return Dataset.from_dict(columns)


class GenericTrainer(RunTrainer, Trainer):
    """Trainer that counts tokens and right guesses, as TRL's do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tokens = 0.0
        # Right guesses, guesses and tokens since the last log; kept on the device, because
        # reading them at every step would make a GPU wait.
        self._counts = {mode: torch.zeros(3, device=self.args.device) for mode in ("train", "eval")}

    def tokens_so_far(self) -> float:
        return self._tokens

    def carried(self) -> dict[str, Any]:
        counts = self._counts["train"].tolist()
        return {**super().carried(), "tokens": self._tokens, "counts": counts}

    def carry_on(self, values: dict[str, Any]) -> None:
        super().carry_on(values)
        self._tokens = values["tokens"]
        self._counts["train"].copy_(torch.tensor(values["counts"]))

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        labels, mask = inputs["labels"], inputs["attention_mask"]
        loss, outputs = self._loss(model, inputs, num_items_in_batch)
        with torch.no_grad():
            guesses = _logits(outputs, labels).argmax(-1)
            counted = labels[:, 1:].ne(-100)
            right = (guesses == labels[:, 1:]) & counted
            counts = self._counts["train" if self.model.training else "eval"]
            counts += torch.stack([right.sum(), counted.sum(), mask.sum()])
        return (loss, outputs) if return_outputs else loss

    def _loss(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any) -> Any:
        return super().compute_loss(model, inputs, True, num_items_in_batch)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs or "eval_loss" in logs:
            mode, prefix = ("train", "") if "loss" in logs else ("eval", "eval_")
            counts = self.accelerator.reduce(self._counts[mode], reduction="sum")
            right, counted, tokens = counts.tolist()
            self._counts[mode].zero_()
            if mode == "train":
                self._tokens += tokens
                logs["num_tokens"] = self._tokens
            logs[f"{prefix}mean_token_accuracy"] = right / counted if counted else 0.0
        super().log(logs, start_time)


class WeightedGenericTrainer(WeightedTrainer, GenericTrainer):
    """A row's tokens count in the loss by the row's weight."""

    def _loss(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any) -> Any:
        labels = inputs.pop("labels")
        weights = target_weights(inputs.pop(WEIGHTS), labels)
        outputs = model(**inputs)
        losses = cross_entropy(
            _logits(outputs, labels).float().flatten(0, 1),
            labels[:, 1:].flatten(),
            reduction="none",
        )
        total = weights.sum() if num_items_in_batch is None else num_items_in_batch
        loss = (losses * weights.flatten()).sum() / total.clamp(min=torch.finfo().tiny)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return loss, outputs


def _logits(outputs: Any, labels: torch.Tensor) -> torch.Tensor:
    """Predictions of every token but the first, without those after a trained prompt's tokens."""
    logits: torch.Tensor = outputs["logits"]
    return logits[:, -labels.shape[1] :][:, :-1]
