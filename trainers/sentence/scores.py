"""st-pair-score: texts that are as similar as their scores say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.records import Record
from ..engine.column_task import Measured, run_column_task
from ..engine.job import Job, Result
from ..tasks.st_pair_score import ScoreSpec
from . import measuring
from .losses import score_loss
from .task import SentenceTask


def train(job: Job[ScoreSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Scores)


class Scores(SentenceTask[ScoreSpec]):
    """Pairs of texts and numbers."""

    roles = ("sentence1", "sentence2")

    def whole_loss(self, model: Any) -> Any:
        return score_loss(model, self.spec.training)

    def label(self, record: Record) -> float:
        return float(record.values["score"])

    def measure(
        self, predictions: Mapping[str, np.ndarray], labels: Any, records: Sequence[Record]
    ) -> Measured:
        expected = np.array([record.values["score"] for record in records])
        lengths = measuring.by_length(
            predictions,
            self.spec.training.matryoshka_dims,
            "spearman",
            lambda vectors: measuring.score_figures(expected, self.similarities(vectors)),
        )
        near = self.similarities(predictions)
        return Measured(
            measuring.score_figures(expected, near),
            [*measuring.score_reports(expected, near, records), *lengths],
        )
