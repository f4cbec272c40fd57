"""image-regression: numbers for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..data.records import Record
from ..engine.column_task import run_column_task
from ..engine.job import Job, Result
from ..engine.number_task import NumberTask, number_answers
from ..tasks.image_regression import ImageRegressionSpec
from .pictures import PicturePredictor, PictureTask


def train(job: Job[ImageRegressionSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, ImageRegression)


class ImageRegression(NumberTask[ImageRegressionSpec], PictureTask[ImageRegressionSpec]):
    """Pictures and their numbers."""

    label_type = torch.float32

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        return self.pictures(records, self.encoded_numbers(records), training=training)


class NumberPredictor(PicturePredictor):
    """The numbers of pictures."""

    def answers(self, scores: torch.Tensor) -> list[dict[str, Any]]:
        return number_answers(self.model.config, scores)
