"""Numbers predicted from rows, whatever the rows are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import huber_loss, l1_loss, mse_loss

from ..data.columned import ColumnedFindings
from ..data.records import Record
from . import reports
from .column_task import ColumnTask, Measured, S
from .targets import Targets

_LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse": mse_loss,
    "mae": l1_loss,
    "huber": huber_loss,
}


class NumberTask(ColumnTask[S]):
    """What regression tasks share; ``encode`` and ``collator`` are left to write.

    The spec's training section has ``loss``, and the rows are read by NumberRules.
    """

    targets: Targets

    def learn(self, found: ColumnedFindings) -> None:
        self.targets = Targets.of(found.records("train"), "target")

    def model_options(self) -> dict[str, Any]:
        return {
            "num_labels": len(self.targets.names),
            "problem_type": "regression",
            "ignore_mismatched_sizes": True,
        }

    def complete_config(self, config: Any) -> None:
        self.targets.write(config)

    def encoded_numbers(self, records: Sequence[Record]) -> list[list[float]]:
        """Each row's numbers as the model learns them."""
        found: list[list[float]] = self.targets.scaled(records).tolist()
        return found

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        settings: Any = self.spec.training
        loss = _LOSSES[settings.loss]
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


def number_answers(config: Any, scores: torch.Tensor) -> list[dict[str, Any]]:
    """Predictions: the numbers of each row, by name.

    Args:
        config: of the model, which says how its numbers were scaled.
        scores: the model's (rows, targets).
    """
    targets = Targets.read(config)
    return [
        dict(zip(targets.names, numbers, strict=True))
        for numbers in targets.unscaled(scores.double().numpy()).tolist()
    ]
