"""Rows with pictures: folders and files of every layout, and one sentence for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from luthier.trainers.errors import SpecError
from luthier.trainers.registry import find_task
from luthier.trainers.spec.file import build_spec

from .pictures import BOXES, CLASS, NUMBER, box, draw, good, look, metadata, problems, rows_of

_GOOD_BOX = [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("task", "cells", "sentence"),
    [
        (CLASS, {"file_name": "gone.png"}, "names 'gone.png', and there is no such file"),
        (CLASS, {"file_name": "text.png"}, "file_name cannot be used: text.png is no picture of"),
        (CLASS, {"file_name": "torn.jpg"}, "cannot be used: torn.jpg is cut short (truncated)"),
        (CLASS, {"file_name": "empty.png"}, "cannot be used: empty.png is an empty file"),
        (CLASS, {"file_name": "http://a/b.png"}, "file_name is a web address; download"),
        (CLASS, {"file_name": ["a.png"]}, "file_name is a list, not the name of a picture's"),
        (CLASS, {"label": {"a": 1}}, "label is a mapping, not one label"),
        (CLASS, {"label": ["cat"]}, "has one label where other rows have a list"),
        (NUMBER, {"target": "much"}, "target is 'much', not a number"),
        (NUMBER, {"target": [1, 2]}, "another number of values in target"),
        (BOXES, {"objects": "a car"}, 'objects is text, not {"bbox": [...], "category": [...]}'),
        (BOXES, {"objects": "{bbox"}, "objects is not a list or mapping in JSON"),
        (BOXES, {"objects": [7]}, "objects has a number in it, not"),
        (BOXES, {"objects": {"bbox": []}}, "objects has no category in it (there are bbox)"),
        (BOXES, {"objects": {"category": []}}, "objects has no bbox in it (there are category)"),
        (BOXES, {"objects": {"bbox": 1, "category": []}}, "bbox in objects is a number, not a li"),
        (
            BOXES,
            {"objects": {"bbox": [_GOOD_BOX], "category": []}},
            "objects has 1 boxes but 0 categories; every box needs one",
        ),
        (BOXES, {"objects": box([1, 2, 3])}, "box 1 in objects is not four numbers [left, top"),
        (BOXES, {"objects": box([1, 2, 3, "x"])}, "box 1 in objects is not four numbers"),
        (BOXES, {"objects": box([1, 2, 3, None])}, "box 1 in objects is not four numbers"),
        (BOXES, {"objects": box([1, 2, 3, 1e999])}, "box 1 in objects is not four numbers"),
        (BOXES, {"objects": box(_GOOD_BOX, [1, 2, 0, 4])}, "box 2 in objects has no area: [1, 2"),
        (BOXES, {"objects": box([1, 2, 3, -4])}, "box 1 in objects has no area: [1, 2, 3, -4]"),
        (
            BOXES,
            {"objects": box([15, 2, 9, 4])},
            "box 1 in objects reaches outside the picture of 20 x 10 pixels: [15, 2, 9, 4]; cut it",
        ),
        (BOXES, {"objects": box([-3, 2, 9, 4])}, "reaches outside the picture of 20 x 10"),
        (
            BOXES,
            {"objects": box([12, 4, 18, 9])},
            "[12, 4, 18, 9] is [left, top, width, height], not corners",
        ),
        (BOXES, {"objects": box([0.1, 0.2, 0.3, 0.4])}, "is in shares of the picture, [0.1, 0.2"),
        (BOXES, {"objects": box(_GOOD_BOX, category=["x"])}, "a category in objects is a list"),
        (BOXES, {"objects": box(_GOOD_BOX, category="")}, None),
    ],
)
def test_a_wrong_row_is_told_with_its_place(
    tmp_path: Path, task: str, cells: dict[str, Any], sentence: str | None
) -> None:
    rows = good(task, tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    Image.effect_noise((60, 60), 90).save(tmp_path / "torn.jpg")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "torn.jpg").read_bytes()[:-300])
    rows[3] |= cells
    found = look(task, metadata(tmp_path, rows))
    said = [str(problem) for problem in (found.problems or found.warnings)]
    expected = sentence or "a category in objects is empty in 1 of 11 rows; they are left out"
    assert any("metadata.jsonl line" in each and expected in each for each in said), said


@pytest.mark.parametrize(
    ("task", "rows", "sentence"),
    [
        (CLASS, [{"photos": "0.png", "label": "a"}] * 2, "no column is known to be the image"),
        (CLASS, [{"image": "0.png", "kind": "a"}] * 2, "no column is known to be the label"),
        (CLASS, [{"image": "0.png", "label": "a"}] * 2, "every row has the label 'a'"),
        (NUMBER, [{"image": "0.png", "target": 3}] * 2, "target is the same in every row"),
        (BOXES, [{"image": "0.png", "objects": box()}] * 2, "no training picture has a box"),
        (BOXES, [{"image": "0.png", "label": "a"}] * 2, "no column is known to be the objects"),
    ],
)
def test_wrong_rows_altogether(
    tmp_path: Path, task: str, rows: list[dict[str, Any]], sentence: str
) -> None:
    draw(tmp_path / "0.png")
    (said,) = problems(task, metadata(tmp_path, rows))
    assert sentence in said


class TestClassFolders:
    """A folder for each class."""

    def test_names_are_the_classes(self, tmp_path: Path) -> None:
        for n in range(20):
            draw(tmp_path / ("cat" if n % 2 else "dog") / f"deep{n % 3}" / f"{n}.JPG", n)
        (tmp_path / "cat" / "Thumbs.db").write_text("left by a file manager")
        draw(tmp_path / ".ipynb_checkpoints" / "x.png")
        found = look(CLASS, tmp_path)
        assert not found.problems
        assert {*found.classes["train"]} == {"cat", "dog"}
        assert found.classes["validation"] == {"cat": 1, "dog": 1}
        assert found.records("train")[0].where == f"{tmp_path.name} picture 1"

    def test_splits_are_folders(self, tmp_path: Path) -> None:
        for split in ("train", "val", "test"):
            for n, label in enumerate(("cat", "dog", "cat")):
                draw(tmp_path / split / label / f"{split}{n}.png", n + 10 * len(split))
        found = look(CLASS, tmp_path)
        assert not found.problems
        assert not found.dataset.validation_made
        assert found.records("validation")[0].where == "val picture 1"
        test = look(CLASS, tmp_path, validation_split="test")
        assert test.records("validation")[0].where == "test picture 1"
        (said,) = problems(CLASS, tmp_path, validation_split="dev")
        assert "has no split 'dev'" in said

    def test_a_class_may_be_called_train(self, tmp_path: Path) -> None:
        for n in range(12):
            draw(tmp_path / ("train" if n % 2 else "bus") / f"{n}.png", n)
        assert {*look(CLASS, tmp_path).classes["train"]} == {"train", "bus"}

    def test_few_rows_are_of_every_class(self, tmp_path: Path) -> None:
        for n in range(20):
            draw(tmp_path / ("cat" if n < 15 else "dog") / f"{n}.png", n)
        found = look(CLASS, tmp_path, max_rows=6, validation_fraction=0)
        assert found.classes["train"] == {"cat": 3, "dog": 3}

    def test_what_is_no_such_folder(self, tmp_path: Path) -> None:
        assert "no csv" in problems(CLASS, tmp_path)[0]
        draw(tmp_path / "0.png")
        (said,) = problems(CLASS, tmp_path)
        assert "has pictures, but no metadata.jsonl that says what is on them, and no" in said
        (said,) = problems(NUMBER, tmp_path)
        assert said.endswith("has pictures, but no metadata.jsonl that says what is on them")
        draw(tmp_path / "cat" / "0.png")
        (tmp_path / "dog").mkdir()
        (said,) = problems(CLASS, tmp_path)
        assert said.endswith("dog: has no pictures in it")

    def test_a_split_of_another_shape(self, tmp_path: Path) -> None:
        draw(tmp_path / "train" / "cat" / "0.png")
        draw(tmp_path / "test" / "0.png")
        (said,) = problems(CLASS, tmp_path)
        assert "test: is empty, or of another shape than train" in said

    def test_a_zip_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.zip").touch()
        (said,) = problems(CLASS, tmp_path / "a.zip")
        assert "is a zip file; unpack it and name its folder" in said


class TestTables:
    """Tables that name or hold pictures."""

    def test_csv_files_name_pictures_beside_them(self, tmp_path: Path) -> None:
        lines = ["image_path,label"]
        for n in range(12):
            draw(tmp_path / "photos" / f"{n}.png", n)
            lines.append(f"photos/{n}.png,{n % 2}")
        (tmp_path / "train.csv").write_text("\n".join(lines))
        for path in (tmp_path, tmp_path / "train.csv"):
            found = look(CLASS, path)
            assert not found.problems
            assert found.parts == {"image": "image_path", "label": "label"}

    def test_parquet_holds_pictures(self, tmp_path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        draw(tmp_path / "a.png")
        data = (tmp_path / "a.png").read_bytes()
        images = [{"bytes": data, "path": f"{n}.png"} for n in range(12)]
        table = pa.table({"image": images, "score": [n / 3 for n in range(12)]})
        pq.write_table(table, tmp_path / "rows.parquet")
        found = look(NUMBER, tmp_path / "rows.parquet")
        assert not found.problems
        (record, *_) = found.records("train")
        assert record.values["image"].open().size == (20, 10)
        json.dumps(found.report().model_dump(mode="json"))

    def test_columns_of_several_targets_and_autotrains_names(self, tmp_path: Path) -> None:
        rows = rows_of(tmp_path, width=lambda n: n, height=lambda n: n**2)
        mapping = {"image_column": "file_name", "target_column": "width, height"}
        found = look(NUMBER, metadata(tmp_path, rows), column_mapping=mapping)
        assert not found.problems
        assert list(found.records("train")[0].values["target"]) == ["width", "height"]

    def test_the_fingerprint_follows_the_pictures(self, tmp_path: Path) -> None:
        folder = metadata(tmp_path, good(CLASS, tmp_path))
        before = look(CLASS, folder).dataset.fingerprint
        assert look(CLASS, folder).dataset.fingerprint == before
        draw(tmp_path / "3.png", 250)
        assert look(CLASS, folder).dataset.fingerprint != before

    def test_the_same_picture_under_two_names_is_noticed(self, tmp_path: Path) -> None:
        rows = good(CLASS, tmp_path)
        rows += [{**rows[0], "file_name": draw(tmp_path / "again.png", 0)}]
        found = look(CLASS, metadata(tmp_path, rows), validation_fraction=0)
        assert any("the same as an earlier row" in str(each) for each in found.warnings)


class TestBoxes:
    """What is on pictures."""

    def test_every_way_of_writing_them(self, tmp_path: Path) -> None:
        ways = [
            {"bbox": [[1, 2, 3, 4]], "category": [7]},
            {"boxes": [[1, 2, 3, 4]], "labels": ["7"]},
            [{"bbox": [1, 2, 3, 4], "label": "7"}],
            json.dumps({"bbox": [[1, 2, 3, 4]], "categories": ["7"]}),
            "{'bbox': [(1, 2, 3, 4)], 'category': ['7']}",
            [],
        ]
        rows = rows_of(tmp_path, objects=lambda n: ways[n % len(ways)])
        found = look(BOXES, metadata(tmp_path, rows), validation_fraction=0)
        assert not found.problems
        first, *others = [record.values for record in found.records("train")[: len(ways)]]
        assert first["boxes"] == [(1, 2, 3, 4)]
        assert first["categories"] == ["7"]
        *same, none = others
        assert all(each["boxes"] == first["boxes"] for each in same)
        assert none["boxes"] == []
        assert found.classes["train"] == {"7": 10}

    def test_a_rounding_over_is_cut(self, tmp_path: Path) -> None:
        rows = rows_of(tmp_path, objects=lambda n: box([-0.5, 2, 21, 8.4]))
        found = look(BOXES, metadata(tmp_path, rows))
        assert found.records("train")[0].values["boxes"] == [(0, 2, 20, 8)]

    def test_a_category_that_is_only_measured(self, tmp_path: Path) -> None:
        for split, category in (("train", "car"), ("valid", "bus")):
            made = [box(_GOOD_BOX, category=category)]
            folder = tmp_path / split
            metadata(folder, rows_of(folder, objects=lambda n, made=made: made[0]))
        (said,) = problems(BOXES, tmp_path)
        assert said.startswith("valid/metadata.jsonl lines 1, 2")
        assert "has the label 'bus', which no training row has (they have car)" in said


@pytest.mark.parametrize("task", [CLASS, NUMBER, BOXES])
def test_the_sample_is_whole(task: str) -> None:
    found = look(task, find_task(task).sample)
    assert not found.problems
    assert not found.warnings
    assert len(found.records("train")) >= 50
    assert found.records("validation")


@pytest.mark.parametrize(
    ("alias", "task"),
    [
        ("image_classification", CLASS),
        ("image_regression", NUMBER),
        ("image-scoring", NUMBER),
        ("object-detection", BOXES),
        ("object_detection", BOXES),
    ],
)
def test_autotrains_names_are_known(alias: str, task: str) -> None:
    assert find_task(alias).id == task


def test_smoothed_boxes_are_refused() -> None:
    values = {
        "task": BOXES,
        "model": {"name_or_path": "m"},
        "data": {"path": "d"},
        "training": {"label_smoothing_factor": 0.1},
    }
    with pytest.raises(SpecError, match=r"training\.label_smoothing_factor: boxes cannot be smoot"):
        build_spec(values)
