"""image-classification: one class, or any number of labels, for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..data.records import Record
from ..engine.class_task import ClassTask, class_answers
from ..engine.column_task import run_column_task
from ..engine.job import Job, Result
from ..tasks.image_classification import ImageClassificationSpec
from .pictures import PicturePredictor, PictureTask


def train(job: Job[ImageClassificationSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, ImageClassification)


class ImageClassification(ClassTask[ImageClassificationSpec], PictureTask[ImageClassificationSpec]):
    """Pictures and their classes."""

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        return self.pictures(records, self.encoded_labels(records), training=training)


class ClassPredictor(PicturePredictor):
    """The class or labels of pictures, with how sure the model is."""

    def answers(self, scores: torch.Tensor) -> list[dict[str, Any]]:
        return class_answers(self.model.config, scores)
