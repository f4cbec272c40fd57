"""Rows put into classes, or given any number of labels, whatever the rows are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ..data.columned import ColumnedFindings
from ..data.records import Record
from ..data.rules import number_order
from . import reports
from .class_weights import class_weights
from .column_task import ColumnTask, Measured, S

_SEVERAL = "multi_label_classification"


class ClassTask(ColumnTask[S]):
    """What classification tasks share; ``encode`` and ``collator`` are left to write.

    The spec's training section has ``class_weights``, and the rows are read by ClassRules.
    """

    role: ClassVar[str] = "label"
    names: list[str]
    several: bool
    weights: torch.Tensor

    def learn(self, found: ColumnedFindings) -> None:
        settings: Any = self.spec.training
        counts = found.classes["train"]
        self.names = number_order(list(counts))
        self.several = any(record.values["several"] for record in found.records("train"))
        self.weights = class_weights(settings.class_weights, self.names, counts)

    def model_options(self) -> dict[str, Any]:
        return {
            "num_labels": len(self.names),
            "id2label": dict(enumerate(self.names)),
            "label2id": {name: number for number, name in enumerate(self.names)},
            "problem_type": _SEVERAL if self.several else "single_label_classification",
            "ignore_mismatched_sizes": True,
        }

    @property
    def label_type(self) -> torch.dtype:
        """The type of a batch's labels."""
        return torch.float32 if self.several else torch.long

    def encoded_labels(self, records: Sequence[Record]) -> list[Any]:
        """For each row the number of its class, or 0 and 1 for each label."""
        chosen = [record.values[self.role] for record in records]
        if self.several:
            return [[float(name in labels) for name in self.names] for labels in chosen]
        places = {name: number for number, name in enumerate(self.names)}
        return [places[labels[0]] for labels in chosen]

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


def class_answers(config: Any, scores: torch.Tensor) -> list[dict[str, Any]]:
    """Predictions: the class or labels of each row, and how sure the model is.

    Args:
        config: of the model, which says what its scores are.
        scores: the model's (rows, classes).
    """
    names = [config.id2label[number] for number in range(scores.shape[-1])]
    if config.problem_type == _SEVERAL:
        return [_labels(names, row) for row in scores.sigmoid().tolist()]
    return [_class(names, row) for row in scores.softmax(-1).tolist()]


def _class(names: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    best = max(range(len(names)), key=shares.__getitem__)
    scores = dict(zip(names, shares, strict=True))
    return {"label": names[best], "score": shares[best], "scores": scores}


def _labels(names: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    scores = dict(zip(names, shares, strict=True))
    return {"label": [name for name, share in scores.items() if share > 0.5], "scores": scores}
