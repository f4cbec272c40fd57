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
from .encoding import TextCollator, encode_texts, text_lengths


def train(job: Job[TextClassificationSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Classification)


class Classification(ClassTask[TextClassificationSpec]):
    """Texts and their classes."""

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        return text_lengths(self.processor, records)

    def length_limit(self) -> tuple[int, str]:
        return self.spec.training.max_length, "training.max_length"

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "pad_token_id": self.processor.pad_token_id}

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        labels = self.encoded_labels(records)
        return encode_texts(self.processor, records, self.spec.training.max_length, labels)

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TextCollator(self.processor, self.label_type)


class ClassPredictor(ModelPredictor):
    """The class or labels of texts, with how sure the model is."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return class_answers(self.model.config, self.logits(rows, self.spec.training.max_length))
