"""What the image tasks can learn, and that every family of models and setting works."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.numpy import load_file
from sklearn.datasets import load_digits
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessorPil,
    DetrConfig,
    DetrForObjectDetection,
    DetrImageProcessorPil,
    ResNetConfig,
    ResNetForImageClassification,
    YolosConfig,
    YolosForObjectDetection,
    YolosImageProcessorPil,
)

from luthier.trainers.data.images import read_picture
from luthier.trainers.data.records import Record
from luthier.trainers.events import DoneEvent, ErrorEvent, ReportEvent
from luthier.trainers.image.augmenting import Augmentation
from luthier.trainers.image.detection_scores import Detections, box_figures
from luthier.trainers.image.pictures import Pictures
from luthier.trainers.predicting.inputs import read_inputs
from luthier.trainers.registry import find_task
from luthier.trainers.tiny.image import classifier, detector

_QUICK = {
    "training.learning_rate": 0.003,
    "training.num_train_epochs": 2,
    "training.logging_steps": 1000,
}
_INK = {"circle": (200, 40, 40), "square": (40, 90, 200), "triangle": (30, 150, 60)}


def _sample(task: str) -> Path:
    return find_task(task).sample


@pytest.fixture
def go(workshop: Any, tmp_path: Path) -> Any:
    """Trains a task on a folder of pictures; returns the outcome."""

    def train(
        task: str, data: Path, build: Callable[[Path, Path], None], code: int = 0, **changes: Any
    ) -> Any:
        model = tmp_path / f"model-{task}"
        if not model.exists():
            build(model, data)
        return workshop.train(task, model, data, {**_QUICK, **changes}, code)

    return train


def _figures(outcome: Any) -> dict[str, float]:
    figures: dict[str, float] = outcome.of(DoneEvent)[0].metrics
    return figures


def _predictor(outcome: Any, task: str) -> Any:
    return find_task(task).imported("predict")(outcome.run, "cpu")


def test_handwritten_digits(go: Any, tmp_path: Path) -> None:
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = tmp_path / "digits" / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 - 15.9 * image).astype(np.uint8)).save(path)
    settings = {
        "training.num_train_epochs": 4,
        "training.per_device_train_batch_size": 16,
        "evaluation.per_device_eval_batch_size": 64,
    }
    done = go("image-classification", tmp_path / "digits", classifier, **settings)
    assert _figures(done)["eval_accuracy"] >= 0.9
    names = {event.name for event in done.of(ReportEvent)}
    assert names == {"confusion_matrix", "per_class", "calibration", "worst"}
    found = read_inputs(find_task("image-classification"), str(tmp_path / "digits" / "3"), {})
    answers = _predictor(done, "image-classification").predict([each.values for each in found])
    assert sum(answer["label"] == "3" for answer in answers) > 0.9 * len(answers)


def test_how_full_a_glass_is(go: Any) -> None:
    settings = {"training.num_train_epochs": 12, "training.per_device_train_batch_size": 16}
    sample = _sample("image-regression")
    done = go("image-regression", sample, classifier, **settings)
    assert _figures(done)["eval_r2"] >= 0.7
    assert {event.name for event in done.of(ReportEvent)} == {"residuals", "worst"}


def test_several_numbers_and_several_labels(go: Any, tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = []
    for number in range(80):
        red, blue = chance.random() < 0.5, chance.random() < 0.5
        Image.new("RGB", (16, 16), (250 * red, 9, 250 * blue)).save(tmp_path / f"{number}.png")
        labels = [*(["red"] if red else []), *(["blue"] if blue else [])] or ["none"]
        rows.append({"file_name": f"{number}.png", "labels": labels, "red": red * 5, "blue": -blue})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "metadata.jsonl").write_text(text, encoding="utf-8")
    labelled = go("image-classification", tmp_path, classifier, **{"training.num_train_epochs": 4})
    assert _figures(labelled)["eval_f1_micro"] > 0.9
    (answer,) = _predictor(labelled, "image-classification").predict(
        [{"image": str(tmp_path / f"{next(n for n, r in enumerate(rows) if r['red'])}.png")}]
    )
    assert "red" in answer["label"]
    settings = {
        "training.num_train_epochs": 4,
        "data.column_mapping": {"target": "red, blue"},
    }
    numbered = go("image-regression", tmp_path, classifier, **settings)
    assert _figures(numbered)["eval_r2"] > 0.8


def test_a_resumed_run_sees_the_same_changes_of_pictures(go: Any, workshop: Any) -> None:
    settings = {
        "training.random_flip": "both",
        "training.random_crop": 0.5,
        "training.random_color": 0.3,
        "training.max_steps": 6,
        "training.save_steps": 3,
        "training.per_device_train_batch_size": 4,
        "training.dataloader_num_workers": 1,
        "training.dataloader_persistent_workers": True,
        "data.max_rows": 24,
        "evaluation.strategy": "no",
    }
    whole = go("image-object-detection", _sample("image-object-detection"), detector, **settings)
    weights = load_file(whole.run.model / "model.safetensors")
    shutil.rmtree(whole.run.model)
    shutil.rmtree(whole.run.checkpoints / "checkpoint-6")
    again = workshop.attempt(whole.run, 2)
    assert again.code == 0
    resumed = load_file(whole.run.model / "model.safetensors")
    assert all(np.array_equal(weights[name], resumed[name]) for name in weights)


def test_pictures_change_with_the_epoch_alone() -> None:
    path = next(_sample("image-regression").glob("*.png"))
    record = Record({"image": read_picture(path)}, "row 1")
    augmentation = Augmentation("both", 0.5, 0.3, 20)
    both = [Pictures([record] * 3, [1.0] * 3, augmentation, seed) for seed in (0, 0, 1)]

    def drawn(pictures: Pictures, epoch: int) -> list[bytes]:
        pictures.set_epoch(epoch)
        return [pictures[row]["image"].tobytes() for row in range(3)]

    first = drawn(both[0], 0)
    assert len({*first, *drawn(both[0], 1), *drawn(both[2], 0)}) == 9
    assert drawn(both[0], 0) == first == drawn(both[1], 0)
    plain = Pictures([record], [1.0])
    assert plain[0]["image"].tobytes() == record.values["image"].open().tobytes()


def _convolutions(folder: Path, data: Path) -> None:
    torch.manual_seed(0)
    config = ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_labels=3)
    ConvNextForImageClassification(config).save_pretrained(folder)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(folder)


def _residual(folder: Path, data: Path) -> None:
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], num_labels=5)
    ResNetForImageClassification(config).save_pretrained(folder)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(folder)


def _yolos(folder: Path, data: Path) -> None:
    torch.manual_seed(0)
    config = YolosConfig(
        image_size=[64, 64],
        patch_size=8,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_detection_tokens=10,
    )
    YolosForObjectDetection(config).save_pretrained(folder)
    size = {"shortest_edge": 64, "longest_edge": 64}
    YolosImageProcessorPil(size=size).save_pretrained(folder)


def _detr(folder: Path, data: Path) -> None:
    torch.manual_seed(0)
    pictures = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 16], depths=[1] * 4, out_features=["stage4"]
    )
    config = DetrConfig(
        backbone_config=pictures,
        use_timm_backbone=False,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=10,
    )
    DetrForObjectDetection(config).save_pretrained(folder)
    size = {"shortest_edge": 64, "longest_edge": 96}
    DetrImageProcessorPil(size=size).save_pretrained(folder)


_FEW = {
    "training.max_steps": 3,
    "training.per_device_train_batch_size": 4,
    "data.max_rows": 24,
    "evaluation.strategy": "steps",
    "evaluation.steps": 3,
}


@pytest.mark.parametrize(
    ("task", "build", "more"),
    [
        ("image-classification", _convolutions, {"peft.method": "lora"}),
        ("image-classification", _residual, {"training.class_weights": "balanced"}),
        ("image-object-detection", _yolos, {"peft.method": "lora"}),
        ("image-object-detection", _yolos, {"training.image_size": 48}),
        ("image-object-detection", _detr, {"training.random_crop": 0.5}),
        ("image-object-detection", detector, {"training.image_size": 96}),
        ("image-object-detection", detector, {"peft.method": "lora"}),
    ],
)
def test_families_of_models(
    go: Any, task: str, build: Callable[[Path, Path], None], more: dict[str, Any]
) -> None:
    sample = _sample(task)
    done = go(task, sample, build, **_FEW, **more)
    picture = str(next(sample.rglob("*.png")))
    (answer,) = _predictor(done, task).predict([{"image": picture}])
    json.dumps(answer, allow_nan=False)
    if build is detector and more.get("peft.method") == "lora":
        # What moves in training beside the matrices comes along.
        kept = load_file(done.run.adapter / "adapter_model.safetensors")
        assert any("running_mean" in name for name in kept)
        assert any("class_embed" in name for name in kept)


def test_a_row_of_weight_three_teaches_what_three_rows_teach(go: Any, tmp_path: Path) -> None:
    sample = _sample("image-classification")
    names = [f"{label}/{number:02d}.png" for label in range(3) for number in range(4)]
    weights = [3 if number % 4 == 0 else 1 for number in range(len(names))]
    settings = {
        "data.weight_column": "weight",
        "data.validation_fraction": 0,
        "evaluation.strategy": "no",
        "training.max_steps": 1,
        "training.per_device_train_batch_size": 64,
    }
    losses = []
    for name, rows in (
        ("weighed", list(zip(names, weights, strict=True))),
        ("repeated", [(n, 1) for n, w in zip(names, weights, strict=True) for _ in range(w)]),
    ):
        lines = [f"{sample / path},{path[0]},{weight}" for path, weight in rows]
        (tmp_path / f"{name}.csv").write_text("\n".join(["image,label,weight", *lines]))
        done = go("image-classification", tmp_path / f"{name}.csv", classifier, **settings)
        losses.append(_figures(done)["train_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_models_that_cannot_be_used(go: Any, tmp_path: Path) -> None:
    def without_processor(folder: Path, data: Path) -> None:
        classifier(folder, data)
        (folder / "preprocessor_config.json").unlink()

    sample = _sample("image-classification")
    failed = go("image-classification", sample, without_processor, code=2)
    (error,) = failed.of(ErrorEvent)
    assert "has no image processor that works with Pillow" in error.message

    settings = {"model.load_in_4bit": True, "peft.method": "lora"}
    failed = go("image-regression", _sample("image-regression"), classifier, code=2, **settings)
    (error,) = failed.of(ErrorEvent)
    assert "model.load_in_4bit: the head of a model of pictures cannot be" in error.message

    def of_timm(folder: Path, data: Path) -> None:
        DetrConfig().save_pretrained(folder)

    failed = go("image-object-detection", _sample("image-object-detection"), of_timm, code=2)
    (error,) = failed.of(ErrorEvent)
    assert "needs the timm package, which is not installed here: pip install timm" in error.message


class TestScores:
    """Figures of found boxes."""

    _RIGHT = Detections([(10, 10, 20, 20), (40, 40, 50, 50)], [0, 1], [1.0, 1.0])
    _SIZES = ((100, 100),)

    def test_all_found(self) -> None:
        figures, per_class = box_figures([self._RIGHT], [self._RIGHT], self._SIZES, ["a", "b"])
        assert [figures[name] for name in ("map", "map_50", "mar_100")] == pytest.approx([1, 1, 1])
        assert np.isnan(figures["map_large"])
        assert [row[:1] + row[4:] for row in per_class.rows] == [["a", 1], ["b", 1]]

    def test_a_wrong_category_and_a_wrong_place(self) -> None:
        moved = Detections([(10, 10, 20, 20), (40, 40, 50, 50)], [1, 1], [0.9, 0.8])
        figures, per_class = box_figures([self._RIGHT], [moved], self._SIZES, ["a", "b"])
        # Nothing of a; of b the surer guess is wrong.
        assert [row[2] for row in per_class.rows] == [0, pytest.approx(0.5)]
        assert figures["map_50"] == pytest.approx(0.25)

    def test_nothing_there_or_found(self) -> None:
        none = Detections([], [], [])
        figures, _ = box_figures([self._RIGHT], [none], self._SIZES, ["a", "b"])
        assert figures["map"] == 0
        figures, _ = box_figures([none], [self._RIGHT], self._SIZES, ["a", "b"])
        assert np.isnan(figures["map"])


def _shapes(folder: Path, count: int) -> Path:
    chance, rows = random.Random(0), []
    folder.mkdir()
    for number in range(count):
        image = Image.new("RGB", (64, 64), tuple(chance.randint(215, 255) for _ in range(3)))
        size = chance.randint(16, 28)
        boxes, kinds = [], []
        for start, room in chance.choice((((0, 64),), ((0, 32), (32, 32)))):
            kind, left = chance.choice(list(_INK)), start + chance.randint(0, room - size)
            top = chance.randint(0, 64 - size)
            _draw(ImageDraw.Draw(image), kind, left, top, size - 1)
            boxes.append([left, top, size, size])
            kinds.append(kind)
        image.save(folder / f"{number}.png")
        objects = {"bbox": boxes, "category": kinds}
        rows.append(json.dumps({"file_name": f"{number}.png", "objects": objects}))
    (folder / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def _draw(draw: ImageDraw.ImageDraw, kind: str, left: int, top: int, size: int) -> None:
    right, bottom = left + size, top + size
    if kind == "circle":
        draw.ellipse((left, top, right, bottom), fill=_INK[kind])
    elif kind == "square":
        draw.rectangle((left, top, right, bottom), fill=_INK[kind])
    else:
        corners = [(left, bottom), (right, bottom), ((left + right) / 2, top)]
        draw.polygon(corners, fill=_INK[kind])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_drawn_shapes_are_found(go: Any, tmp_path: Path) -> None:
    data = _shapes(tmp_path / "shapes", 400)
    settings = {
        "training.learning_rate": 0.001,
        "training.num_train_epochs": 14,
        "training.lr_scheduler_type": "cosine",
        "training.warmup_steps": 0.05,
        "data.validation_fraction": 0.1,
        "evaluation.threshold": 0.4,
        "evaluation.per_device_eval_batch_size": 45,
    }
    done = go("image-object-detection", data, detector, **settings)
    assert _figures(done)["eval_map_50"] >= 0.6
    assert {event.name for event in done.of(ReportEvent)} == {"per_class", "worst"}
    predictor = _predictor(done, "image-object-detection")
    answers = predictor.predict([{"image": str(data / f"{n}.png")} for n in range(20)])
    found = [thing for answer in answers for thing in answer["objects"]]
    assert found
    assert {thing["category"] for thing in found} <= set(_INK)
    assert all(0 <= edge <= 64 for thing in found for edge in thing["bbox"])
