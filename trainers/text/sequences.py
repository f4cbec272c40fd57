"""seq2seq: a text made of another text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import DataCollatorForSeq2Seq, GenerationConfig, Trainer

from ..data.records import Record
from ..engine import reports
from ..engine.column_task import ColumnTask, Measured, run_column_task
from ..engine.column_trainer import ColumnTrainer
from ..engine.job import Job, Result
from ..events import SampleEvent
from ..predicting.models import ModelPredictor
from ..tasks.seq2seq import Seq2SeqSpec
from .writing_scores import similarity, written_figures

_IGNORED = -100
_INPUTS = ("input_ids", "attention_mask")


def train(job: Job[Seq2SeqSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Sequences)


def write(model: Any, batch: Mapping[str, Any], spec: Seq2SeqSpec) -> torch.Tensor:
    """The likeliest texts for a batch, as token ids. No random number is drawn."""
    found: torch.Tensor = model.generate(
        **{name: batch[name] for name in _INPUTS},
        generation_config=GenerationConfig(
            do_sample=False,
            num_beams=spec.evaluation.num_beams,
            max_new_tokens=spec.training.max_target_length,
            use_cache=True,
            **_token_ids(model.generation_config),
        ),
    )
    return found


def _token_ids(config: Any) -> dict[str, Any]:
    names = (
        "pad_token_id",
        "eos_token_id",
        "bos_token_id",
        "decoder_start_token_id",
        "forced_bos_token_id",
        "forced_eos_token_id",
    )
    return {name: getattr(config, name, None) for name in names}


class WritingTrainer(ColumnTrainer, Trainer):  # type: ignore[misc]
    """At evaluations the model writes texts, besides its loss."""

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> Any:
        batch = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss = self.compute_loss(model, batch).detach()
            written = write(self.accelerator.unwrap_model(model), batch, self._task.spec)
        return loss, written, batch["labels"]


class Sequences(ColumnTask[Seq2SeqSpec]):
    """Texts and what to make of them."""

    trainer = WritingTrainer

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        texts = self._texts(records)
        if not texts:
            return []
        return [len(ids) for ids in self.processor(texts, verbose=False)["input_ids"]]

    def length_limit(self) -> tuple[int, str]:
        return self.spec.training.max_length, "training.max_length"

    def _texts(self, records: Sequence[Record]) -> list[str]:
        return [self.spec.data.prefix + record.values["text"] for record in records]

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        settings = self.spec.training
        inputs = self.processor(
            self._texts(records), truncation=True, max_length=settings.max_length
        )
        targets = self.processor(
            text_target=[record.values["target"] for record in records],
            truncation=True,
            max_length=settings.max_target_length,
        )
        columns = {name: inputs[name] for name in _INPUTS}
        return Dataset.from_dict({**columns, "labels": targets["input_ids"]})

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        collate: Any = DataCollatorForSeq2Seq(self.processor)
        return lambda items: dict(collate(items))

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        # The model makes the decoder's inputs of the labels, each kind of model in its way.
        return dict(batch)

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        return cross_entropy(
            outputs.logits.float().transpose(1, 2),
            batch["labels"],
            reduction="none",
            ignore_index=_IGNORED,
            label_smoothing=self.spec.training.label_smoothing_factor,
        )

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        counted: torch.Tensor = batch["labels"].ne(_IGNORED).float()
        return counted

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        pad = self.processor.pad_token_id
        ids = np.where(predictions == _IGNORED, pad, predictions)
        texts = self.processor.batch_decode(ids, skip_special_tokens=True)
        expected = [record.values["target"] for record in records]
        values = written_figures(texts, expected)
        values["written_tokens"] = float(np.mean((ids != pad).sum(-1)))
        outcomes = [
            (target, text, score, 100 - score)
            for target, text in zip(expected, texts, strict=True)
            for score in [similarity(text, target)]
        ]
        samples = [
            SampleEvent(step=0, prompt=record.values["text"], text=text, expected=target)
            for record, text, target in zip(records, texts, expected, strict=True)
        ]
        worst = reports.worst_rows(records, outcomes, "chrF")
        return Measured(values, [worst], samples[: self.spec.evaluation.samples])


class TextPredictor(ModelPredictor):
    """The text that the model makes of a text."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        batch = self.processor(
            [self.spec.data.prefix + str(row["text"]) for row in rows],
            truncation=True,
            max_length=self.spec.training.max_length,
            padding=True,
            return_tensors="pt",
        )
        written = write(self.model, self.to_device(batch), self.spec)
        texts = self.processor.batch_decode(written, skip_special_tokens=True)
        return [{"text": text} for text in texts]
