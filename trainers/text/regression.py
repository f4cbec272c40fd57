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
from .encoding import TextCollator, encode_texts, text_lengths


def train(job: Job[TextRegressionSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Regression)


class Regression(NumberTask[TextRegressionSpec]):
    """Texts and their numbers."""

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        return text_lengths(self.processor, records)

    def length_limit(self) -> tuple[int, str]:
        return self.spec.training.max_length, "training.max_length"

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "pad_token_id": self.processor.pad_token_id}

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        numbers = self.encoded_numbers(records)
        return encode_texts(self.processor, records, self.spec.training.max_length, numbers)

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TextCollator(self.processor, torch.float32)


class NumberPredictor(ModelPredictor):
    """The numbers of texts."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return number_answers(self.model.config, self.logits(rows, self.spec.training.max_length))
