"""image-classification: pictures put into classes, or given labels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..data.image_folders import IMAGE_COLUMNS
from ..figures import CLASS_METRICS
from ..registry import Column, Inputs, Loading, Task
from ..spec import WeightedColumnSpec, parameter
from ..spec.image_sections import TurnedImageTrainingSection


class ImageClassificationTraining(TurnedImageTrainingSection):
    """How pictures are varied and classes weighed, beside the common settings."""

    class_weights: Literal["none", "balanced"] | dict[str, float] = parameter(
        "none",
        "balanced lets rare classes count as much as common ones; or a weight for each class.",
        group="loss",
    )


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
        Column("image", "file name of a picture", "cats/001.jpg", names=IMAGE_COLUMNS),
        Column(
            "label",
            "class name, or a list of labels",
            "cat",
            names=("label", "labels", "target", "class", "category"),
            several=True,
        ),
    ),
    spec=ImageClassificationSpec,
    metrics=CLASS_METRICS,
    default_model="google/vit-base-patch16-224-in21k",
    sample=Path(__file__).parent.parent / "samples" / "image-classification",
    train="luthier.trainers.image.classification:train",
    notes=(
        "A folder with a folder for each class, a folder of pictures with metadata.jsonl, or a "
        "table that names the pictures' files.",
        "A list in the label column, or several label columns of 0 and 1, gives a picture any "
        "number of labels.",
    ),
    rules="luthier.trainers.image.rows:ClassRows",
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
scores = model(**inputs).logits[0]
print(model.config.id2label[scores.argmax().item()])
""",
    predict="luthier.trainers.image.classification:ClassPredictor",
    inputs=Inputs(("image",), kind="image"),
    tiny="luthier.trainers.tiny.image:classifier",
    sample_settings={
        "training.learning_rate": 0.003,
        "training.num_train_epochs": 8,
        "training.per_device_train_batch_size": 16,
    },
    aliases=("image_classification", "image_binary_classification"),
)
