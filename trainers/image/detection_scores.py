"""Scores of found boxes, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..data.records import Record
from ..engine.reports import worst_rows
from ..events import ReportEvent
from .rows import Box

# The order of pycocotools' summary for boxes.
_FIGURES = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large",
            "mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large")  # fmt: skip
_OVERLAP = 0.5


@dataclass(frozen=True)
class Detections:
    """The things on a picture.

    Attributes:
        boxes: (left, top, width, height) of each in pixels.
        numbers: of their categories.
        scores: how sure it is.
    """

    boxes: Sequence[Box]
    numbers: Sequence[int]
    scores: Sequence[float]

    def each(self) -> Iterator[tuple[Box, int, float]]:
        """One after the other."""
        return zip(self.boxes, self.numbers, self.scores, strict=True)

    def over(self, threshold: float) -> Detections:
        """Those with a higher score."""
        kept = [each for each in self.each() if each[2] > threshold]
        boxes, numbers, scores = zip(*kept, strict=True) if kept else ((), (), ())
        return Detections(boxes, numbers, scores)


def box_figures(
    right: Sequence[Detections],
    found: Sequence[Detections],
    sizes: Sequence[tuple[int, int]],
    names: Sequence[str],
) -> tuple[dict[str, float], ReportEvent]:
    """COCO's mean average precisions and recalls, and those of each category.

    Not a number where there is nothing to find.

    Args:
        right: what is on each picture.
        found: what was found there, whatever the score.
        sizes: width and height of each picture.
        names: of the categories.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        expected = _coco(right, sizes, names)
        rows = [
            [image, *box, score, number]
            for image, each in enumerate(found, start=1)
            for box, number, score in each.each()
        ]
        # loadRes cannot take nothing.
        guessed = expected.loadRes(np.array(rows)) if rows else _coco(found, sizes, names)
        evaluation = COCOeval(expected, guessed, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    figures = {name: _number(value) for name, value in zip(_FIGURES, evaluation.stats, strict=True)}
    counts = np.bincount([n for each in right for n in each.numbers], minlength=len(names))
    return figures, _per_class(evaluation.eval, names, counts)


def box_reports(
    right: Sequence[Detections],
    shown: Sequence[Detections],
    per_class: ReportEvent,
    names: Sequence[str],
    records: Sequence[Record],
) -> list[ReportEvent]:
    """Scores of each category, and the pictures with most boxes missed or made up.

    Args:
        right: what is on each picture.
        shown: what predictions would show.
        per_class: as ``box_figures`` made it.
        names: of the categories.
        records: the pictures' rows.
    """
    outcomes = []
    for there, guessed in zip(right, shown, strict=True):
        wrong = len(there.boxes) + len(guessed.boxes) - 2 * _matches(there, guessed)
        outcomes.append(
            (_listed(there, names), _listed(guessed, names), float(wrong), float(wrong))
        )
    return [per_class, worst_rows(records, outcomes, "boxes missed or made up")]


def _listed(things: Detections, names: Sequence[str]) -> str:
    return ", ".join(names[number] for number in things.numbers) or "none"


def _coco(
    right: Sequence[Detections], sizes: Sequence[tuple[int, int]], names: Sequence[str]
) -> Any:
    boxes = [
        (image, box, number)
        for image, each in enumerate(right, start=1)
        for box, number, _ in each.each()
    ]
    coco = COCO()
    coco.dataset = {
        "images": [
            {"id": image, "width": width, "height": height}
            for image, (width, height) in enumerate(sizes, start=1)
        ],
        # The id 0 would count as not matched.
        "annotations": [
            {"id": place, "image_id": image, "category_id": number, "bbox": list(box),
             "area": box[2] * box[3], "iscrowd": 0}
            for place, (image, box, number) in enumerate(boxes, start=1)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
    }  # fmt: skip
    coco.createIndex()
    return coco


def _per_class(found: dict[str, Any], names: Sequence[str], counts: np.ndarray) -> ReportEvent:
    """From arrays (overlaps, recalls, categories, areas, most boxes); all areas, 100 boxes."""
    precision, recall = found["precision"][..., 0, -1], found["recall"][..., 0, -1]
    return ReportEvent(
        step=0,
        name="per_class",
        title="Scores of each category",
        columns=["category", "AP", "AP50", "recall", "boxes"],
        rows=[
            [
                name,
                _number(precision[:, :, place].mean()),
                _number(precision[0, :, place].mean()),
                _number(recall[:, place].mean()),
                int(counts[place]),
            ]
            for place, name in enumerate(names)
        ],
        note="AP is the mean over overlaps of 50 to 95%, AP50 is that of 50%.",
    )


def _number(value: Any) -> float:
    """pycocotools writes -1 where there is nothing to find."""
    return float("nan") if value < 0 else float(value)


def _matches(there: Detections, guessed: Detections) -> int:
    """How many boxes were found: of the same category, and overlapping by half."""
    if not there.boxes or not guessed.boxes:
        return 0
    overlaps = mask.iou(np.array(guessed.boxes), np.array(there.boxes), [0] * len(there.boxes))
    same = np.array(guessed.numbers)[:, None] == np.array(there.numbers)[None, :]
    overlaps, matched = np.where(same, overlaps, 0.0), 0
    while (best := overlaps.max()) >= _OVERLAP:
        row, column = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        overlaps[row, :] = overlaps[:, column] = 0.0
        matched += best > 0
    return matched
