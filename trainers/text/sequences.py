"""seq2seq: a text made of another text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorForSeq2Seq

from ..data import checks
from ..data.columned import ColumnedFindings
from ..data.records import Record
from ..engine.column_task import Measured, run_column_task
from ..engine.job import Job, Result
from ..errors import Problem
from ..predicting.models import ModelPredictor
from ..tasks.seq2seq import Seq2SeqSpec
from .writing import IGNORED, WritingTask, token_losses, write

_INPUTS = ("input_ids", "attention_mask")


def train(job: Job[Seq2SeqSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Sequences)


def write_texts(model: Any, batch: Mapping[str, Any], spec: Seq2SeqSpec) -> torch.Tensor:
    """The likeliest texts for a batch, as token ids."""
    return write(
        model,
        {name: batch[name] for name in _INPUTS},
        beams=spec.evaluation.num_beams,
        longest=spec.training.max_target_length,
    )


class Sequences(WritingTask[Seq2SeqSpec]):
    """Texts and what to make of them."""

    given, expected = "text", "target"

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        texts = self._texts(records)
        if not texts:
            return []
        return [len(ids) for ids in self.processor(texts, verbose=False)["input_ids"]]

    def warnings(self, found: ColumnedFindings) -> Iterator[Problem]:
        limit = self.spec.training.max_target_length
        for split in found.splits:
            records = found.records(split)
            targets = [record.values["target"] for record in records]
            lengths = self.processor(text_target=targets, verbose=False)["input_ids"]
            places = [
                record.where
                for record, ids in zip(records, lengths, strict=True)
                if len(ids) > limit
            ]
            yield from checks.too_long(places, len(records), limit, "training.max_target_length")

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
        smoothing = self.spec.training.label_smoothing_factor
        return token_losses(outputs.logits, batch["labels"], smoothing)

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        counted: torch.Tensor = batch["labels"].ne(IGNORED).float()
        return counted

    def write(self, model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        return write_texts(model, batch, self.spec)

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        measured = self.judged(self.texts(predictions), records, self.spec.evaluation.samples)
        unwritten = np.isin(predictions, (IGNORED, self.processor.pad_token_id))
        measured.values["written_tokens"] = float(np.mean((~unwritten).sum(-1)))
        return measured


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
        written = write_texts(self.model, self.to_device(batch), self.spec)
        texts = self.processor.batch_decode(written, skip_special_tokens=True)
        return [{"text": text} for text in texts]
