"""Settings of training that tasks share which find classes or numbers."""

from __future__ import annotations

from typing import Literal

from .parameter import parameter
from .sections import TrainingSection


class ClassTrainingSection(TrainingSection):
    """How much classes count."""

    class_weights: Literal["none", "balanced"] | dict[str, float] = parameter(
        "none",
        "balanced lets rare classes count as much as common ones; or a weight for each class.",
        group="loss",
    )


class NumberTrainingSection(TrainingSection):
    """How errors of numbers count."""

    loss: Literal["mse", "mae", "huber"] = parameter(
        "mse",
        "Squared, absolute, or Huber's error; the last two mind outliers less.",
        group="loss",
    )
