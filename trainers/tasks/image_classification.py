"""image-classification: pictures put into classes, or given labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..figures import CLASS_METRICS
from ..image.entry import CLASSIFIER, INPUTS, OPEN_PICTURE, PICTURE, SAMPLES
from ..outcomes import LABEL, PRINT_CLASS
from ..registry import Task
from ..spec import WeightedColumnSpec, parameter
from ..spec.image_sections import TurnedImageTrainingSection
from ..spec.outcome_sections import ClassTrainingSection


class ImageClassificationTraining(TurnedImageTrainingSection, ClassTrainingSection):
    """How pictures are varied and classes weighed, beside the common settings."""


class ImageClassificationSpec(WeightedColumnSpec):
    """An image classification run."""

    task: Literal["image-classification"] = parameter(
        "image-classification", "What is trained.", level="beginner"
    )
    training: ImageClassificationTraining = parameter(
        ImageClassificationTraining(), "How it is trained."
    )


TASK = Task(
    id="image-classification",
    family="image",
    title="Image classification",
    sentence="Teach a model to sort pictures into classes, or to put any number of labels on them.",
    columns=(
        replace(PICTURE, example="cats/001.jpg"),
        replace(LABEL, example="cat"),
    ),
    spec=ImageClassificationSpec,
    metrics=CLASS_METRICS,
    sample=SAMPLES / "image-classification",
    train="luthier.trainers.image.classification:train",
    notes=(
        "A folder with a folder for each class, a folder of pictures with metadata.jsonl, or a "
        "table that names the pictures' files.",
        "A list in the label column, or several label columns of 0 and 1, gives a picture any "
        "number of labels.",
    ),
    rules="luthier.trainers.image.rows:ClassRows",
    usage=OPEN_PICTURE + PRINT_CLASS,
    predict="luthier.trainers.image.classification:ClassPredictor",
    inputs=INPUTS,
    **CLASSIFIER,
    aliases=("image_classification", "image_binary_classification"),
)
