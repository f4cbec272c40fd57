"""image-object-detection: what is on a picture, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from inspect import signature
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from transformers import AutoConfig

from ..data.columned import ColumnedFindings
from ..data.images import given_picture
from ..data.records import Record
from ..data.rules import number_order
from ..engine.column_task import Measured, run_column_task
from ..engine.job import Job, Result
from ..errors import Problem, SpecError
from ..predicting.models import ModelPredictor
from ..tasks.image_object_detection import DetectionSpec
from .detection_scores import Detections, box_figures, box_reports
from .pictures import Pictures, PictureTask, PictureTrainer, pixels
from .rows import Box


def train(job: Job[DetectionSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Detection)


class BoxPictures(Pictures):
    """Pictures whose labels are pairs of a box and the number of its category."""

    def item(self, image: Any, label: Any, chance: Random | None) -> dict[str, Any]:
        boxes: list[Box | None] = [box for box, _ in label]
        if self._augmentation is not None and chance is not None:
            image, boxes = self._augmentation(image, chance, [box for box, _ in label])
        kept = [
            (box, number) for box, (_, number) in zip(boxes, label, strict=True) if box is not None
        ]
        return {"image": image, "labels": kept}


class DetectionTrainer(PictureTrainer):
    """Keeps what measuring needs of the many outputs of a detector."""

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: Any = None,
    ) -> tuple[Any, Any, Any]:
        batch = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss, outputs = self.compute_loss(model, batch, return_outputs=True)
        loss = loss.detach().mean()
        if prediction_loss_only:
            return loss, None, None
        # What is right differs in length from picture to picture, and ``measure`` has it anyway.
        nothing = outputs.logits.new_zeros(len(outputs.logits), 1)
        return loss, (outputs.logits.float(), outputs.pred_boxes.float()), nothing


class Detection(PictureTask[DetectionSpec]):
    """Pictures, and the boxes and categories of what is on them."""

    trainer: ClassVar[type[Any]] = DetectionTrainer
    dataset: ClassVar[type[Pictures]] = BoxPictures
    kept_outputs = 2
    # By the names that DETR, YOLOS and RT-DETR have for what says categories and boxes.
    heads: ClassVar[tuple[str, ...]] = (
        "class_labels_classifier",
        "bbox_predictor",
        "class_embed",
        "bbox_embed",
        "enc_score_head",
        "enc_bbox_head",
        "denoising_class_embed",
    )
    names: list[str]
    accepted: frozenset[str]

    def load_processor(self) -> Any:
        _need_packages(self.spec)
        processor = super().load_processor()
        if self.spec.training.image_size is not None:
            processor.size = _size(processor.size, self.spec.training.image_size)
        return processor

    def learn(self, found: ColumnedFindings) -> None:
        self.names = number_order(list(found.classes["train"]))

    def model_options(self) -> dict[str, Any]:
        return {
            "num_labels": len(self.names),
            "id2label": dict(enumerate(self.names)),
            "label2id": {name: number for number, name in enumerate(self.names)},
            "ignore_mismatched_sizes": True,
        }

    def adapted(self, model: Any) -> Any:
        self.accepted = accepted_inputs(model)
        return super().adapted(model)

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        labels = [
            list(zip(record.values["boxes"], self._numbers(record), strict=True))
            for record in records
        ]
        return self.pictures(records, labels, training=training)

    def _numbers(self, record: Record) -> list[int]:
        return [self.names.index(name) for name in record.values["categories"]]

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
            images = [item["image"] for item in items]
            batch = pixels(self.processor, images)
            labels = [box_labels(item["labels"], item["image"].size) for item in items]
            kept = {name: value for name, value in batch.items() if name in self.accepted}
            return {**kept, "labels": labels}

        return collate

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        sizes = [record.values["image"].size for record in records]
        outputs = SimpleNamespace(
            logits=torch.from_numpy(predictions[0]), pred_boxes=torch.from_numpy(predictions[1])
        )
        found = detections(self.processor, outputs, sizes, threshold=0.0)
        right = [
            Detections(
                boxes=record.values["boxes"],
                numbers=self._numbers(record),
                scores=[1.0] * len(record.values["boxes"]),
            )
            for record in records
        ]
        figures, per_class = box_figures(right, found, sizes, self.names)
        shown = [each.over(self.spec.evaluation.threshold) for each in found]
        return Measured(figures, box_reports(right, shown, per_class, self.names, records))


class BoxPredictor(ModelPredictor):
    """What is on pictures: categories, scores, and boxes [left, top, width, height] in pixels."""

    # Padding to the largest of a batch would change what is found.
    batch_size = 1

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{"objects": self._objects(given_picture(row["image"]))} for row in rows]

    def _objects(self, image: Any) -> list[dict[str, Any]]:
        batch = pixels(self.processor, [image])
        accepted = accepted_inputs(self.model)
        kept = {name: value for name, value in batch.items() if name in accepted}
        outputs = self.model(**self.to_device(kept))
        threshold = self.spec.evaluation.threshold
        (found,) = detections(self.processor, outputs, [image.size], threshold)
        names = self.model.config.id2label
        return [
            {"category": names[number], "score": score, "bbox": list(box)}
            for box, number, score in sorted(found.each(), key=lambda each: -each[2])
        ]


def accepted_inputs(model: Any) -> frozenset[str]:
    """The tensors that a model takes; YOLOS has no use for the mask that its processor makes."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return frozenset(signature(base.forward).parameters)


def box_labels(pairs: Sequence[tuple[Box, int]], size: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Boxes as detectors learn them: middle, width and height as shares of the picture.

    Of the picture itself without padding, which is how the processors read predictions.
    """
    boxes = torch.tensor([box for box, _ in pairs], dtype=torch.float32).reshape(-1, 4)
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    whole = torch.tensor([*size, *size], dtype=torch.float32)
    return {
        "class_labels": torch.tensor([number for _, number in pairs], dtype=torch.long),
        "boxes": torch.cat([middles, boxes[:, 2:]], 1) / whole,
    }


def detections(
    processor: Any, outputs: Any, sizes: Sequence[tuple[int, int]], threshold: float
) -> list[Detections]:
    """What a detector found on each picture, cut to the picture.

    Args:
        processor: of the model; knows how scores are to be read.
        outputs: has ``logits`` and ``pred_boxes``.
        sizes: width and height of each picture.
        threshold: least score.
    """
    read = processor.post_process_object_detection(
        outputs, threshold=threshold, target_sizes=[(height, width) for width, height in sizes]
    )
    found = []
    for each, (width, height) in zip(read, sizes, strict=True):
        corners = each["boxes"].float().cpu()
        corners = corners.clamp(min=0).minimum(torch.tensor([width, height] * 2))
        boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
        found.append(
            Detections(
                boxes=[tuple(box) for box in boxes.tolist()],
                numbers=each["labels"].tolist(),
                scores=each["scores"].float().tolist(),
            )
        )
    return found


def _need_packages(spec: DetectionSpec) -> None:
    """Raises SpecError when the model's picture encoder comes from a package that is not here."""
    section = spec.model
    config = AutoConfig.from_pretrained(
        section.name_or_path,
        revision=section.revision,
        trust_remote_code=section.trust_remote_code,
    )
    backbone = getattr(config, "backbone_config", None)
    if getattr(backbone, "model_type", "") == "timm_backbone" and not find_spec("timm"):
        text = (
            f"{section.name_or_path} needs the timm package, which is not installed here: "
            "pip install timm; YOLOS and RT-DETR models do without"
        )
        raise SpecError([Problem(text, "model.name_or_path")])


def _size(known: Any, longest: int) -> dict[str, int]:
    """A processor's size that brings the longest side of pictures to so many pixels."""
    if dict(known).get("height"):
        return {"height": longest, "width": longest}
    return {"shortest_edge": longest, "longest_edge": longest}
