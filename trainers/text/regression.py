"""text-regression: numbers for each text or pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import huber_loss, l1_loss, mse_loss

from ..data.columned import ColumnedFindings
from ..data.records import Record
from ..engine import reports
from ..engine.column_task import ColumnTask, Measured, run_column_task
from ..engine.job import Job, Result
from ..engine.targets import Targets
from ..predicting.models import ModelPredictor
from ..tasks.text_regression import TextRegressionSpec
from .encoding import TextCollator, encode_texts, text_lengths

_LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse": mse_loss,
    "mae": l1_loss,
    "huber": huber_loss,
}


def train(job: Job[TextRegressionSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Regression)


class Regression(ColumnTask[TextRegressionSpec]):
    """Texts and their numbers."""

    targets: Targets

    def learn(self, found: ColumnedFindings) -> None:
        self.targets = Targets.of(found.records("train"), "target")

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        return text_lengths(self.processor, records)

    def length_limit(self) -> tuple[int, str]:
        return self.spec.training.max_length, "training.max_length"

    def model_options(self) -> dict[str, Any]:
        return {
            "num_labels": len(self.targets.names),
            "problem_type": "regression",
            "pad_token_id": self.processor.pad_token_id,
            "ignore_mismatched_sizes": True,
        }

    def complete_config(self, config: Any) -> None:
        self.targets.write(config)

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        numbers = self.targets.scaled(records).tolist()
        return encode_texts(self.processor, records, self.spec.training.max_length, numbers)

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TextCollator(self.processor, torch.float32)

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        loss = _LOSSES[self.spec.training.loss]
        return loss(outputs.logits.float(), batch["labels"], reduction="none")

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        return torch.ones_like(batch["labels"])

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        guessed = self.targets.unscaled(predictions.astype(np.float64))
        expected = self.targets.unscaled(labels.astype(np.float64))
        return Measured(
            reports.regression_figures(expected, guessed),
            reports.regression_reports(expected, guessed, self.targets.names, records),
        )


class NumberPredictor(ModelPredictor):
    """The numbers of texts."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        targets = Targets.read(self.model.config)
        scores = self.logits(rows, self.spec.training.max_length)
        return [
            dict(zip(targets.names, numbers, strict=True))
            for numbers in targets.unscaled(scores.double().numpy()).tolist()
        ]
