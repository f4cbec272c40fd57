"""text-classification: one class, or any number of labels, for each text or pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..data.records import Record
from ..engine.class_task import ClassTask, class_answers
from ..engine.column_task import run_column_task
from ..engine.job import Job, Result
from ..predicting.models import ModelPredictor
from ..tasks.text_classification import TextClassificationSpec
from .encoding import TextCollator, TextTask


def train(job: Job[TextClassificationSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Classification)


class Classification(TextTask[TextClassificationSpec], ClassTask[TextClassificationSpec]):
    """Texts and their classes."""

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        return self.with_labels(records, self.encoded_labels(records))

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TextCollator(self.processor, self.label_type)


class ClassPredictor(ModelPredictor):
    """The class or labels of texts, with how sure the model is."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return class_answers(self.model.config, self.logits(rows, self.spec.training.max_length))
