"""image-regression: a number, or several, for each picture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..data.image_folders import IMAGE_COLUMNS
from ..figures import REGRESSION_METRICS
from ..registry import Column, Inputs, Loading, Task
from ..spec import WeightedColumnSpec, parameter
from ..spec.image_sections import TurnedImageTrainingSection


class ImageRegressionTraining(TurnedImageTrainingSection):
    """How pictures are varied and errors counted, beside the common settings."""

    loss: Literal["mse", "mae", "huber"] = parameter(
        "mse",
        "Squared, absolute, or Huber's error; the last two mind outliers less.",
        group="loss",
    )


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
        Column("image", "file name of a picture", "photos/001.jpg", names=IMAGE_COLUMNS),
        Column(
            "target",
            "number, or a list of numbers",
            4.5,
            names=("target", "targets", "label", "labels", "score", "value"),
            several=True,
        ),
    ),
    spec=ImageRegressionSpec,
    metrics=REGRESSION_METRICS,
    default_model="google/vit-base-patch16-224-in21k",
    sample=Path(__file__).parent.parent / "samples" / "image-regression",
    train="luthier.trainers.image.regression:train",
    notes=(
        "A folder of pictures with metadata.jsonl, or a table that names the pictures' files.",
        "Several target columns, or a list in one, are learnt together.",
        "Numbers are brought to mean 0 and deviation 1 for training; the model's config says how.",
    ),
    rules="luthier.trainers.image.rows:NumberRows",
    loading=Loading(
        "AutoModelForImageClassification",
        processor="AutoImageProcessor",
        peft_type=None,
        pipeline_tag="image-classification",
    ),
    usage="""
from PIL import Image, ImageOps

image = ImageOps.exif_transpose(Image.open($image)).convert("RGB")
inputs = processor(images=image, return_tensors="pt")
scores = model(**inputs).logits[0].tolist()
for name, score, mean, deviation in zip(
    model.config.target_names, scores, model.config.target_mean, model.config.target_deviation
):
    print(name, score * deviation + mean)
""",
    predict="luthier.trainers.image.regression:NumberPredictor",
    inputs=Inputs(("image",), kind="image"),
    tiny="luthier.trainers.tiny.image:classifier",
    sample_settings={
        "training.learning_rate": 0.003,
        "training.num_train_epochs": 8,
        "training.per_device_train_batch_size": 16,
    },
    aliases=("image_regression", "image-scoring", "image_scoring"),
)
