"""image-object-detection: what is on a picture, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import model_validator

from ..image.entry import INPUTS, OPEN_PICTURE, PICTURE, SAMPLES
from ..registry import Column, Loading, Task
from ..spec import ColumnSpec, EvaluationSection, conflict, parameter
from ..spec.image_sections import ImageTrainingSection

_SIZES = ("small", "medium", "large")


class DetectionTraining(ImageTrainingSection):
    """How pictures are sized and varied, beside the common settings."""

    image_size: int | None = parameter(
        None,
        "Longest side that pictures are brought to; silent: the model's own, often 1333.",
        level="beginner",
        unit="pixels",
        ge=16,
        group="images",
    )


class DetectionEvaluation(EvaluationSection):
    """When and how the model is measured, and what counts as found."""

    threshold: float = parameter(
        0.5, "Least score of a box that predictions show; measuring takes all.", gt=0, lt=1
    )


class DetectionSpec(ColumnSpec):
    """An object detection run."""

    task: Literal["image-object-detection"] = parameter(
        "image-object-detection", "What is trained.", level="beginner"
    )
    training: DetectionTraining = parameter(DetectionTraining(), "How it is trained.")
    evaluation: DetectionEvaluation = parameter(DetectionEvaluation(), "How it is measured.")

    @model_validator(mode="after")
    def _boxes_are_not_smoothed(self) -> DetectionSpec:
        if self.training.label_smoothing_factor:
            raise conflict(
                "training.label_smoothing_factor", "boxes cannot be smoothed; leave it out"
            )
        return self


TASK = Task(
    id="image-object-detection",
    family="image",
    title="Object detection",
    sentence="Teach a model to find things on pictures and draw a box around each.",
    columns=(
        replace(PICTURE, example="street/001.jpg"),
        Column(
            "objects",
            "boxes [left, top, width, height] in pixels, and their categories",
            {"bbox": [[12, 30, 64, 48]], "category": ["car"]},
            names=("objects", "annotations", "boxes", "detections"),
        ),
    ),
    spec=DetectionSpec,
    metrics=(
        "eval_map",
        "eval_map_50",
        "eval_map_75",
        "eval_loss",
        *(f"eval_map_{size}" for size in _SIZES),
        *(f"eval_mar_{most}" for most in (1, 10, 100)),
        *(f"eval_mar_{size}" for size in _SIZES),
    ),
    default_model="hustvl/yolos-tiny",
    sample=SAMPLES / "image-object-detection",
    train="luthier.trainers.image.detection:train",
    notes=(
        "A file of annotations as COCO has them, a folder of pictures with metadata.jsonl, or a "
        "table that names the pictures' files.",
        "DETR, YOLOS, RT-DETR and their relatives can be trained.",
    ),
    rules="luthier.trainers.image.rows:BoxRows",
    loading=Loading(
        "AutoModelForObjectDetection",
        processor="AutoImageProcessor",
        peft_type=None,
        pipeline_tag="object-detection",
    ),
    usage=OPEN_PICTURE
    + """\
if model.config.model_type == "yolos":
    inputs.pop("pixel_mask", None)
(found,) = processor.post_process_object_detection(
    model(**inputs), threshold=0.5, target_sizes=[image.size[::-1]]
)
print(len(found["boxes"]), "objects")
for score, label, box in zip(found["scores"], found["labels"], found["boxes"]):
    print(model.config.id2label[label.item()], round(score.item(), 3), box.tolist())
""",
    predict="luthier.trainers.image.detection:BoxPredictor",
    inputs=INPUTS,
    tiny="luthier.trainers.tiny.image:detector",
    sample_settings={
        "training.learning_rate": 0.001,
        "training.num_train_epochs": 20,
        "training.random_flip": "horizontal",
        "evaluation.threshold": 0.3,
        # A model as small as this gains nothing by more, and loses on a busy machine.
        "launch.threads": 1,
        "launch.precision": "no",
    },
    aliases=("image_object_detection", "object-detection", "object_detection"),
)
