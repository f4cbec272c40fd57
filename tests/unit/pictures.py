"""Small pictures with rows that name them, and what is found in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from luthier.trainers.data.columned import ColumnedFindings, read_columned
from luthier.trainers.errors import DataError
from luthier.trainers.spec.file import build_spec

CLASS, NUMBER, BOXES = "image-classification", "image-regression", "image-object-detection"


def draw(path: Path, shade: int = 0, size: tuple[int, int] = (20, 10)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade % 256, shade // 256, 7)).save(path)
    return path.name


def look(task: str, path: Path, **data: Any) -> ColumnedFindings:
    values = {"task": task, "model": {"name_or_path": "none"}, "data": {"path": str(path), **data}}
    return read_columned(build_spec(values))


def problems(task: str, path: Path, **data: Any) -> list[str]:
    try:
        return [str(problem) for problem in look(task, path, **data).problems]
    except DataError as error:
        return [str(problem) for problem in error.problems]


def metadata(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")
    return folder


def rows_of(folder: Path, **column: Callable[[int], Any]) -> list[dict[str, Any]]:
    return [
        {"file_name": draw(folder / f"{n}.png", n), **{k: made(n) for k, made in column.items()}}
        for n in range(12)
    ]


def box(*boxes: Any, category: Any = "car") -> dict[str, Any]:
    return {"bbox": list(boxes), "category": [category] * len(boxes)}


def good(task: str, folder: Path) -> list[dict[str, Any]]:
    if task == CLASS:
        return rows_of(folder, label=lambda n: "cat" if n % 2 else "dog")
    if task == NUMBER:
        return rows_of(folder, target=lambda n: n / 2)
    return rows_of(folder, objects=lambda n: box([n % 5, 1, 4, 5]))
