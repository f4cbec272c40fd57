"""image-regression: a number, or several, for each picture."""

from __future__ import annotations

from typing import Literal

from ..figures import REGRESSION_METRICS
from ..image.entry import CLASSIFIER, INPUTS, OPEN_PICTURE, PICTURE, SAMPLES
from ..outcomes import NUMBER_NOTES, PRINT_NUMBERS, TARGET
from ..registry import Task
from ..spec import WeightedColumnSpec, parameter
from ..spec.image_sections import TurnedImageTrainingSection
from ..spec.outcome_sections import NumberTrainingSection


class ImageRegressionTraining(TurnedImageTrainingSection, NumberTrainingSection):
    """How pictures are varied and errors counted, beside the common settings."""


class ImageRegressionSpec(WeightedColumnSpec):
    """An image regression run."""

    task: Literal["image-regression"] = parameter(
        "image-regression", "What is trained.", level="beginner"
    )
    training: ImageRegressionTraining = parameter(ImageRegressionTraining(), "How it is trained.")


TASK = Task(
    id="image-regression",
    family="image",
    title="Image regression",
    sentence="Teach a model to read numbers off pictures, such as counts, ages or quality.",
    columns=(
        PICTURE,
        TARGET,
    ),
    spec=ImageRegressionSpec,
    metrics=REGRESSION_METRICS,
    sample=SAMPLES / "image-regression",
    train="luthier.trainers.image.regression:train",
    notes=(
        "A folder of pictures with metadata.jsonl, or a table that names the pictures' files.",
        *NUMBER_NOTES,
    ),
    rules="luthier.trainers.image.rows:NumberRows",
    usage=OPEN_PICTURE + PRINT_NUMBERS,
    predict="luthier.trainers.image.regression:NumberPredictor",
    inputs=INPUTS,
    **CLASSIFIER,
    aliases=("image_regression", "image-scoring", "image_scoring"),
)
