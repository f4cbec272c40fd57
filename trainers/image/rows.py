"""How the image tasks read and check their rows. Torch-free."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ..data.cells import MistakeError, is_blank, kind_of
from ..data.classes import ClassRules, NumberRules, rare_classes, unknown_classes
from ..data.image_folders import PictureRules, metadata_table
from ..data.images import picture_cell
from ..data.records import Cells, Record, label_of, parsed
from ..data.rules import RowRules
from ..data.table import Table
from ..errors import Problem
from ..spec import DataSection
from .coco import coco_splits, coco_table, read_coco

Box = tuple[float, float, float, float]

_BOXES = ("bbox", "bboxes", "boxes", "box")
_CATEGORIES = ("category", "categories", "label", "labels", "class", "classes", "name", "names",
               "category_id", "class_id")  # fmt: skip
# Numbers of annotation tools are rounded to whole pixels.
_ROUNDING = 1.0


class ClassRows(PictureRules, ClassRules):
    """A picture and its labels."""

    by_class: ClassVar[bool] = True

    def read(self, cells: Cells) -> dict[str, Any]:
        return {"image": picture_cell(cells, "image"), **self.read_labels(cells)}


class NumberRows(PictureRules, NumberRules):
    """A picture and its numbers."""

    def read(self, cells: Cells) -> dict[str, Any]:
        return {"image": picture_cell(cells, "image"), **self.read_numbers(cells)}


class BoxRows(PictureRules, RowRules):
    """A picture, and the things on it.

    ``values["boxes"]`` has (left, top, width, height) of each in pixels, ``values["categories"]``
    what it is. A picture may have none.
    """

    def table(self, folder: Path, limit: int | None) -> Table | None:
        table = coco_table(folder, limit)
        return metadata_table(folder, limit) if table is None else table

    def folder(self, folder: Path, section: DataSection) -> dict[str, Table] | None:
        return coco_splits(folder, section) or super().folder(folder, section)

    def file(self, path: Path, section: DataSection) -> Table | None:
        table = read_coco(path, section.max_rows) if path.suffix.lower() == ".json" else None
        return super().file(path, section) if table is None else table

    def read(self, cells: Cells) -> dict[str, Any]:
        picture, name = picture_cell(cells, "image"), cells.name("objects")
        boxes, categories = _objects(cells.value("objects"), name)
        if len(boxes) != len(categories):
            raise MistakeError(
                f"{name} has {len(boxes)} boxes but {len(categories)} categories; "
                "every box needs one"
            )
        numbered = enumerate(boxes, start=1)
        return {
            "image": picture,
            "boxes": [_box(box, f"box {n} in {name}", picture.size) for n, box in numbered],
            "categories": [label_of(category, f"a category in {name}") for category in categories],
        }

    def classes(self, records: Sequence[Record]) -> dict[str, int]:
        return dict(Counter(name for record in records for name in record.values["categories"]))

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        if not any(record.values["boxes"] for record in splits["train"]):
            yield Problem("no training picture has a box; there is nothing to find", "data")
        yield from unknown_classes(splits, "categories")

    def warnings(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        yield from rare_classes(splits["train"], "categories")

    def shown(self, record: Record) -> dict[str, object]:
        boxes = [list(box) for box in record.values["boxes"]]
        objects = {"bbox": boxes, "category": record.values["categories"]}
        return {"image": str(record.values["image"]), "objects": objects}


def _objects(value: Any, name: str) -> tuple[list[Any], list[Any]]:
    """Boxes and categories of a cell: a mapping of two lists, or a list of mappings."""
    value = parsed(value, name)
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, dict):
                text = f'{name} has {kind_of(item)} in it, not {{"bbox": ..., "category": ...}}'
                raise MistakeError(text)
        pairs = [(_entry(item, _BOXES, name), _entry(item, _CATEGORIES, name)) for item in value]
        return [box for box, _ in pairs], [category for _, category in pairs]
    if not isinstance(value, dict):
        text = f'{name} is {kind_of(value)}, not {{"bbox": [...], "category": [...]}}'
        raise MistakeError(text)
    boxes, categories = _entry(value, _BOXES, name), _entry(value, _CATEGORIES, name)
    for key, found in (("bbox", boxes), ("category", categories)):
        if not isinstance(found, list):
            raise MistakeError(f"{key} in {name} is {kind_of(found)}, not a list")
    return boxes, categories


def _entry(value: Mapping[str, Any], keys: Sequence[str], name: str) -> Any:
    for key in keys:
        if key in value:
            return value[key]
    raise MistakeError(f"{name} has no {keys[0]} in it (there are {', '.join(value) or 'none'})")


def _box(value: Any, what: str, size: tuple[int, int]) -> Box:
    """A box, cut to the picture where it is a rounding over. Raises MistakeError."""
    numbers = _four(value, what)
    left, top, width, height = numbers
    shown = f"[{', '.join(f'{number:g}' for number in numbers)}]"
    if width <= 0 or height <= 0:
        raise MistakeError(f"{what} has no area: {shown} is [left, top, width, height]")
    if max(numbers) <= 1 and min(size) > 1 and any(number % 1 for number in numbers):
        raise MistakeError(f"{what} is in shares of the picture, {shown}; write pixels")
    over = max(-left, -top, left + width - size[0], top + height - size[1])
    if over > _ROUNDING:
        text = f"{what} reaches outside the picture of {size[0]} x {size[1]} pixels: {shown}"
        corners = left < width <= size[0] and top < height <= size[1]
        mend = " is [left, top, width, height], not corners" if corners else "; cut it"
        raise MistakeError(text + mend)
    right, bottom = min(left + width, size[0]), min(top + height, size[1])
    left, top = max(left, 0.0), max(top, 0.0)
    return left, top, right - left, bottom - top


def _four(value: Any, what: str) -> Box:
    wanted = f"{what} is not four numbers [left, top, width, height]"
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise MistakeError(wanted)
    if any(is_blank(item) or isinstance(item, bool) for item in value):
        raise MistakeError(wanted)
    try:
        left, top, width, height = map(float, value)
    except (TypeError, ValueError, OverflowError) as error:
        raise MistakeError(wanted) from error
    if not all(map(math.isfinite, (left, top, width, height))):
        raise MistakeError(wanted)
    return left, top, width, height
