"""Rows as long as a run may meet, made from a task's own sample."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from ..data.columned import rules_of
from ..data.parts import find_parts
from ..data.read import Layout, read_dataset
from ..registry import Task, find_task
from ..spec import GradientSpec

WORD = "word"
# A class must occur, and a batch be full.
_FEWEST = 8
# What is asked stays short, so that what answers it is as long as it may be.
_ASKED = ("prompt", "question")
_LISTS = ("list of words", "list of tags, one for each word")


def write_rows(spec: GradientSpec, count: int, length: int, folder: Path, picture: Path) -> Path:
    """A file of rows for the spec's task, each of more words than it may have tokens.

    Args:
        spec: of the run; what it says about its own data plays no part.
        count: how many rows there are to be at least.
        length: tokens of the longest row.
        folder: where the file is to lie.
        picture: what rows with pictures show.
    """
    task = find_task(spec.task)
    rows, columns = sample_rows(spec, task)
    # From all over the sample, where rows of one class may lie together.
    chosen = Random(0).sample(rows, min(len(rows), _FEWEST))
    made = islice(cycle(chosen), max(count, len(chosen)))
    path = folder / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for row in made:
            file.write(json.dumps(_stretched(row, task, columns, length, picture)) + "\n")
    return path


def sample_rows(spec: GradientSpec, task: Task) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rows of a task's sample, and the column that plays each part."""
    section = type(spec.data)(path=str(task.sample), validation_fraction=0)
    if not task.rules:
        table = read_dataset(section).train
        return [dict(row) for row in table.rows], {c.role: c.role for c in task.columns}
    sampled = spec.model_copy(update={"data": section})
    rules = rules_of(sampled)
    table = read_dataset(section, Layout(folder=rules.folder, file=rules.file)).train
    parts, _ = find_parts(table, task, {})
    return [dict(row) for row in table.rows], parts


def _stretched(
    row: Mapping[str, Any], task: Task, columns: Mapping[str, str], length: int, picture: Path
) -> dict[str, Any]:
    """The row with its texts and lists of words made long, and its picture replaced."""
    texts = {c.role: columns.get(c.role, "") for c in task.columns if c.type.startswith("text")}
    asked = {role: name for role, name in texts.items() if role in _ASKED and name in row}
    if task.family == "sentence embedding" or len(asked) == len(texts):
        asked = {}
    room = length - sum(len(str(row[name]).split()) for name in asked.values())
    made = dict(row)
    for column in task.columns:
        name = columns.get(column.role, "")
        if name not in row or column.role in asked:
            continue
        if column.role == "image":
            made[name] = str(picture)
        elif column.role in texts:
            made[name] = _long_text(str(row[name]), room, exact=task.family == "preference")
        elif column.type in _LISTS:
            made[name] = list(islice(cycle(row[name]), length))
    return made


def _long_text(text: str, length: int, *, exact: bool) -> str:
    """The text with words added: more than there may be tokens, which are then cut, or as many.

    Rows of preferences are left out when they are too long; with the end token they are not.
    """
    words = text.split()
    if not exact:
        return " ".join([text, *[WORD] * length])
    return " ".join([*words, *[WORD] * length][: max(1, length - 1)])


def picture_sides(processor: Any) -> Iterator[tuple[int, int]]:
    """Widths and heights of the largest pictures that a processor makes, then smaller ones."""
    width, height = _largest(processor)
    while min(width, height) >= 1:
        yield width, height
        width, height = width // 2, height // 2


def _largest(processor: Any) -> tuple[int, int]:
    """The sides at which a processor makes a picture as large as it ever does.

    A limit by the shortest and the longest side is reached by a picture that has both; one that
    counts pixels (Qwen's) by a square of as many.
    """
    size = dict(getattr(processor, "size", None) or {})
    longest, shortest = size.get("longest_edge"), size.get("shortest_edge")
    if longest is None:
        side = int(shortest or size.get("height") or _USUAL)
        return int(size.get("width") or side), side
    if longest > _MOST_SIDE:
        side = int(longest**0.5)
        return side, side
    return int(longest), int(shortest or longest)


_USUAL = 512
_MOST_SIDE = 1 << 16


def draw(sides: Sequence[int], path: Path) -> Path:
    """Write a plain picture with those sides."""
    Image.new("RGB", (sides[0], sides[1]), (120, 90, 60)).save(path)
    return path
