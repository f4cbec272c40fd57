"""text-regression: numbers for each text or pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..data.records import Record
from ..engine.column_task import run_column_task
from ..engine.job import Job, Result
from ..engine.number_task import NumberTask, number_answers
from ..predicting.models import ModelPredictor
from ..tasks.text_regression import TextRegressionSpec
from .encoding import TextCollator, TextTask


def train(job: Job[TextRegressionSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Regression)


class Regression(TextTask[TextRegressionSpec], NumberTask[TextRegressionSpec]):
    """Texts and their numbers."""

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        return self.with_labels(records, self.encoded_numbers(records))

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TextCollator(self.processor, torch.float32)


class NumberPredictor(ModelPredictor):
    """The numbers of texts."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return number_answers(self.model.config, self.logits(rows, self.spec.training.max_length))
