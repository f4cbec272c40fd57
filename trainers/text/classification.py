"""text-classification: one class, or any number of labels, for each text or pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ..data.columned import ColumnedFindings
from ..data.records import Record
from ..data.rules import number_order
from ..engine import reports
from ..engine.class_weights import class_weights
from ..engine.column_task import ColumnTask, Measured, run_column_task
from ..engine.job import Job, Result
from ..predicting.models import ModelPredictor
from ..tasks.text_classification import TextClassificationSpec
from .encoding import TextCollator, encode_texts, text_lengths


def train(job: Job[TextClassificationSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Classification)


class Classification(ColumnTask[TextClassificationSpec]):
    """Texts and their classes."""

    names: list[str]
    several: bool
    weights: torch.Tensor

    def learn(self, found: ColumnedFindings) -> None:
        counts = found.classes["train"]
        self.names = number_order(list(counts))
        self.several = any(record.values["several"] for record in found.records("train"))
        self.weights = class_weights(self.spec.training.class_weights, self.names, counts)

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        return text_lengths(self.processor, records)

    def length_limit(self) -> tuple[int, str]:
        return self.spec.training.max_length, "training.max_length"

    def model_options(self) -> dict[str, Any]:
        kind = "multi_label_classification" if self.several else "single_label_classification"
        return {
            "num_labels": len(self.names),
            "id2label": dict(enumerate(self.names)),
            "label2id": {name: number for number, name in enumerate(self.names)},
            "problem_type": kind,
            "pad_token_id": self.processor.pad_token_id,
            "ignore_mismatched_sizes": True,
        }

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        labels = [self._encoded_label(record.values["label"]) for record in records]
        return encode_texts(self.processor, records, self.spec.training.max_length, labels)

    def _encoded_label(self, labels: Sequence[str]) -> Any:
        if self.several:
            return [float(name in labels) for name in self.names]
        return self.names.index(labels[0])

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TextCollator(self.processor, torch.float32 if self.several else torch.long)

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        scores, labels = outputs.logits.float(), batch["labels"]
        smoothing = self.spec.training.label_smoothing_factor
        if self.several:
            softened = labels * (1 - smoothing) + smoothing / 2
            return binary_cross_entropy_with_logits(scores, softened, reduction="none")
        return cross_entropy(scores, labels, reduction="none", label_smoothing=smoothing)

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        labels, weights = batch["labels"], self.weights.to(batch["labels"].device)
        return weights.expand(labels.shape) if self.several else weights[labels]

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        scores = predictions.astype(np.float64)
        if self.several:
            shares, expected = reports.sigmoid(scores), labels.astype(int)
            return Measured(
                reports.label_figures(expected, shares),
                reports.label_reports(expected, shares, self.names, records),
            )
        shares = reports.softmax(scores)
        return Measured(
            reports.class_figures(labels, shares),
            reports.class_reports(labels, shares, self.names, records),
        )


class ClassPredictor(ModelPredictor):
    """The class or labels of texts, with how sure the model is."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        scores = self.logits(rows, self.spec.training.max_length)
        names = [self.model.config.id2label[number] for number in range(scores.shape[-1])]
        if self.model.config.problem_type == "multi_label_classification":
            return [_labels(names, row) for row in scores.sigmoid().tolist()]
        return [_class(names, row) for row in scores.softmax(-1).tolist()]


def _class(names: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    best = max(range(len(names)), key=shares.__getitem__)
    scores = dict(zip(names, shares, strict=True))
    return {"label": names[best], "score": shares[best], "scores": scores}


def _labels(names: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    scores = dict(zip(names, shares, strict=True))
    return {"label": [name for name, share in scores.items() if share > 0.5], "scores": scores}
