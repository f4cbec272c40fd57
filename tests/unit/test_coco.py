"""Annotations as COCO has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .pictures import BOXES, draw, look, problems


def _coco(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = {
        "info": {},
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(12)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 3, "bbox": [1, 1, 4, 4], "iscrowd": n == 5}
            for n in range(12)
        ],
        "categories": [{"id": 3, "name": "car"}],
    }
    return {**value, **changes}


class TestCoco:
    """Annotations as COCO has them."""

    @pytest.mark.parametrize(
        ("file", "pictures", "named"),
        [
            ("annotations.json", "", ""),
            ("annotations.json", "images", "annotations.json"),
            ("annotations/instances_train2017.json", "train2017", ""),
            ("annotations/instances_train2017.json", "images/train2017", "annotations"),
            ("train/_annotations.coco.json", "train", ""),
        ],
    )
    def test_the_usual_folders(self, tmp_path: Path, file: str, pictures: str, named: str) -> None:
        for n in range(12):
            draw(tmp_path / pictures / f"{n}.png", n)
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(_coco()))
        found = look(BOXES, tmp_path / named, validation_fraction=0)
        assert not found.problems
        assert found.classes["train"] == {"car": 11}
        assert found.records("train")[0].where.endswith(f"{path.name} picture 1")

    def test_splits_by_the_files_names(self, tmp_path: Path) -> None:
        for n in range(12):
            draw(tmp_path / "images" / f"{n}.png", n)
        for name in ("instances_train2017", "instances_val2017"):
            (tmp_path / f"{name}.json").write_text(json.dumps(_coco()))
        (tmp_path / "captions_train2017.json").write_text(json.dumps(_coco(annotations=[])))
        found = look(BOXES, tmp_path)
        assert {*found.built} == {"train", "validation"}
        assert not found.dataset.validation_made

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"annotations": [{"image_id": 0, "bbox": [], "category_id": 4}]},
             "a.json annotations entry 1: there is no category with the id 4"),
            ({"annotations": [{"image_id": 99, "bbox": [], "category_id": 3}]},
             "a.json annotations entry 1: there is no picture with the id 99"),
            ({"annotations": [{"image_id": 0, "category_id": 3}]},
             "a.json annotations entry 1: has no bbox"),
            ({"images": [{"id": 1}], "annotations": []}, "a.json images entry 1: has no file_name"),
            ({"images": [], "annotations": []}, "a.json: has no pictures in it"),
            ({"categories": ["car"]}, "a.json categories entry 1: has no id"),
            ({"annotations": [{"image_id": 0, "bbox": [1, 1, 99, 9], "category_id": 3}]},
             "a.json picture 1: box 1 in objects reaches outside the picture of 20 x 10 pixels"),
            ({"annotations": [{"image_id": 0, "bbox": [1, 1, 0, 9], "category_id": 3}]},
             "a.json picture 1: box 1 in objects has no area"),
            ({"images": [{"id": 0, "file_name": "gone.png"}], "annotations": []},
             "a.json picture 1: image names 'gone.png', and there is no such file"),
        ],
    )  # fmt: skip
    def test_mistakes(self, tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
        for n in range(12):
            draw(tmp_path / f"{n}.png", n)
        (tmp_path / "a.json").write_text(json.dumps(_coco(**changes)))
        said = problems(BOXES, tmp_path / "a.json", validation_fraction=0)
        assert any(sentence in each for each in said), said

    def test_several_files_need_splits_in_their_names(self, tmp_path: Path) -> None:
        draw(tmp_path / "0.png")
        for name in ("a.json", "b.json"):
            (tmp_path / name).write_text(json.dumps(_coco()))
        (said,) = problems(BOXES, tmp_path)
        assert "a.json: has annotations, but no split in its name such as train" in said
        for old, new in (("a", "train_a"), ("b", "train_b")):
            (tmp_path / f"{old}.json").rename(tmp_path / f"{new}.json")
        (said,) = problems(BOXES, tmp_path)
        assert "train_b.json: is a second file of annotations for train; leave one" in said
