"""Annotations as COCO has them: one JSON file of pictures, boxes and categories. Torch-free.

The format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data.problems import data_error
from ..data.table import Row, Table
from ..errors import DataError, Problem
from ..spec import DataSection

_KEYS = ("images", "annotations", "categories")
_SPLIT = re.compile(r"(?:^|[_-])(train|validation|valid|val|dev|test)", re.IGNORECASE)


def read_coco(path: Path, limit: int | None = None) -> Table | None:
    """The pictures of the file with their boxes; None when it is another kind of JSON.

    Boxes around crowds (iscrowd) are left out.

    Args:
        path: the file of annotations.
        limit: read no more than so many pictures.

    Raises:
        DataError: an annotation has no picture or category; every such one is named.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        # The reader of other JSON files says what is wrong with it.
        return None
    if not isinstance(value, dict) or not all(isinstance(value.get(key), list) for key in _KEYS):
        return None
    problems = list(_problems(value, path.name))
    if problems:
        raise DataError(problems)
    names = {category["id"]: str(category["name"]) for category in value["categories"]}
    objects: dict[Any, dict[str, list[Any]]] = {
        image["id"]: {"bbox": [], "category": []} for image in value["images"]
    }
    for annotation in value["annotations"]:
        if not annotation.get("iscrowd"):
            objects[annotation["image_id"]]["bbox"].append(annotation["bbox"])
            objects[annotation["image_id"]]["category"].append(names[annotation["category_id"]])
    rows: list[Row] = [
        {"image": image["file_name"], "objects": objects[image["id"]]} for image in value["images"]
    ][:limit]
    if not rows:
        raise data_error("has no pictures in it", path)
    base = _base(path, str(rows[0]["image"]))
    places = list(range(1, len(rows) + 1))
    return Table(path.name, ("image", "objects"), rows, places, "picture", base)


def coco_table(folder: Path, limit: int | None) -> Table | None:
    """The pictures of the folder's only file of annotations; None when there is none or several."""
    found = [table for _, table in _files(folder, limit)]
    return found[0] if len(found) == 1 else None


def coco_splits(folder: Path, section: DataSection) -> dict[str, Table] | None:
    """A folder with files of annotations in it, or in its folder ``annotations``, by split.

    None when there are none. Files are known by a split's name in theirs, such as
    instances_train2017.json; a single file may have any name.
    """
    found = _files(folder, section.max_rows) or _files(folder / "annotations", section.max_rows)
    if len(found) == 1:
        return {section.train_split: found[0][1]}
    tables: dict[str, Table] = {}
    for path, table in found:
        match = _SPLIT.search(path.stem)
        if match is None:
            raise data_error("has annotations, but no split in its name such as train", path)
        name = match.group(1).lower()
        name = "validation" if name == "val" and section.validation_split != "val" else name
        if name in tables:
            raise data_error(f"is a second file of annotations for {name}; leave one", path)
        tables[name] = table
    return tables or None


def _files(folder: Path, limit: int | None) -> list[tuple[Path, Table]]:
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.glob("*.json") if path.is_file())
    # COCO's own folder has captions and keypoints of the same pictures beside the boxes.
    paths = [path for path in paths if path.name.startswith("instances")] or paths
    read = [(path, read_coco(path, limit)) for path in paths]
    return [(path, table) for path, table in read if table is not None]


def _problems(value: dict[str, list[Any]], name: str) -> Iterator[Problem]:
    wanted = {
        "images": ("id", "file_name"),
        "annotations": ("image_id", "category_id", "bbox"),
        "categories": ("id", "name"),
    }
    complete = True
    for key, needed in wanted.items():
        for number, item in enumerate(value[key], start=1):
            missing = [each for each in needed if not _has(item, each)]
            if missing:
                complete = False
                yield Problem(f"has no {missing[0]}", f"{name} {key} entry {number}")
    if not complete:
        return
    images = {image["id"] for image in value["images"]}
    categories = {category["id"] for category in value["categories"]}
    for number, annotation in enumerate(value["annotations"], start=1):
        where = f"{name} annotations entry {number}"
        if annotation["image_id"] not in images:
            yield Problem(f"there is no picture with the id {annotation['image_id']!r}", where)
        if annotation["category_id"] not in categories:
            yield Problem(f"there is no category with the id {annotation['category_id']!r}", where)


def _has(item: Any, key: str) -> bool:
    if not isinstance(item, dict) or key not in item:
        return False
    return not key.endswith("id") or isinstance(item[key], int | str)


def _base(path: Path, first: str) -> Path:
    """The folder of the pictures: the first of the usual ones that has the first picture."""
    split = path.stem.removeprefix("instances_")
    above = path.parent.parent
    usual = (
        path.parent,
        path.parent / "images",
        path.parent / split,
        path.parent / "images" / split,
        above,
        above / "images",
        above / split,
        above / "images" / split,
    )
    return next((folder for folder in usual if (folder / first).is_file()), path.parent)
