"""st-pair-class: pairs of texts and the classes of their relations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..data.columned import ColumnedFindings
from ..data.records import Record
from ..data.rules import number_order
from ..engine import reports
from ..engine.class_weights import class_weights
from ..engine.column_task import Measured, run_column_task
from ..engine.job import Job, Result
from ..errors import Problem, SpecError
from ..tasks.st_pair_class import PairClassSpec
from . import measuring
from .head import attach, class_shares, head_of
from .losses import contrastive_loss, softmax_loss
from .task import SentenceTask


def train(job: Job[PairClassSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, PairClasses)


class PairClasses(SentenceTask[PairClassSpec]):
    """Pairs and their classes, by a layer of their own or by how close they lie."""

    roles = ("sentence1", "sentence2")
    weights: torch.Tensor
    similar: str

    def learn(self, found: ColumnedFindings) -> None:
        training, counts = self.spec.training, found.classes["train"]
        self.class_names = number_order(list(counts))
        self.weights = class_weights(training.class_weights, self.class_names, counts)
        self.similar = training.similar_class or self.class_names[-1]
        if self.similar not in self.class_names:
            text = f"there is no class {self.similar!r}; there are {', '.join(self.class_names)}"
            raise SpecError([Problem(text, "training.similar_class")])

    @property
    def with_layer(self) -> bool:
        """Whether a layer tells the classes."""
        return self.spec.training.loss == "softmax"

    def whole_loss(self, model: Any) -> Any:
        if not self.with_layer:
            return contrastive_loss(model, self.spec.training)
        loss = softmax_loss(model, self.weights)
        attach(model, loss.classifier)
        return loss

    def label(self, record: Record) -> int:
        (name,) = record.values["label"]
        return self.class_names.index(name) if self.with_layer else int(name == self.similar)

    def measure(
        self, predictions: Mapping[str, np.ndarray], labels: Any, records: Sequence[Record]
    ) -> Measured:
        expected = np.array([self.label(record) for record in records])
        if self.with_layer:
            return self._measured_classes(predictions, expected, records)
        return self._measured_closeness(predictions, expected == 1, records)

    def _measured_classes(
        self, vectors: Mapping[str, np.ndarray], expected: np.ndarray, records: Sequence[Record]
    ) -> Measured:
        head = head_of(self.model)
        assert head is not None
        weight, bias = head.weight.detach().cpu(), head.bias.detach().cpu()
        first, second = (torch.from_numpy(vectors[role]) for role in self.roles)
        shares = class_shares(weight, bias, first, second).numpy()
        return Measured(
            reports.class_figures(expected, shares),
            reports.class_reports(expected, shares, list(self.class_names), records),
        )

    def _measured_closeness(
        self, vectors: Mapping[str, np.ndarray], together: np.ndarray, records: Sequence[Record]
    ) -> Measured:
        lengths = measuring.by_length(
            vectors,
            self.spec.training.matryoshka_dims,
            "accuracy",
            lambda given: measuring.together_figures(together, self.similarities(given)),
        )
        others = [name for name in self.class_names if name != self.similar]
        names = (others[0] if len(others) == 1 else "others", self.similar)
        near = self.similarities(vectors)
        return Measured(
            measuring.together_figures(together, near),
            [*measuring.together_reports(together, near, names, records), *lengths],
        )
